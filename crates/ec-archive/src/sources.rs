//! Which streams an archive's broadcasts are: one with numbers of the timeline, else its lanes (protocol §3.1). Everybody who
//! reads an archive goes by these tables, or their slots would be others.

use std::{collections::BTreeMap, num::NonZeroU64};

use ec_observation::{EpochRule, Numbering, RuleError, StreamRule, TimeMode, Tracks};
use serde::Deserialize;

use crate::files::Broadcast;

/// What the names of the tracks end in that are observed where none are configured.
pub const MEDIA_ENDING: &str = ".m4s";

/// A broadcast of the archive and a stream that it is: the only one, or one of its lanes.
#[derive(Clone, Debug)]
pub struct Source {
    /// The broadcast's name.
    pub broadcast: String,
    /// The stream's rule.
    pub rule: StreamRule,
    /// The sequence of the first epoch that is judged, where that is configured.
    pub from_sequence: Option<u64>,
}

/// Tells which streams an archive with these broadcasts has.
pub type Mapping = Box<dyn FnMut(Vec<Broadcast>) -> Vec<Source> + Send>;

/// What is configured of one broadcast: a `[[stream]]` table of a settings file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamTable {
    /// The broadcast.
    pub broadcast: String,
    /// Its stream's id, which those of its lanes begin with; by default the broadcast's name.
    pub stream_id: Option<String>,
    /// Its name in locators; by default the broadcast's name.
    pub locator_broadcast: Option<String>,
    /// How its groups are numbered.
    pub numbering: Option<Numbering>,
    /// Numbers in an epoch.
    pub groups_per_epoch: Option<NonZeroU64>,
    /// Of the lanes that have another number than the broadcast.
    #[serde(default)]
    pub track_groups_per_epoch: BTreeMap<String, NonZeroU64>,
    /// The tracks.
    pub tracks: Option<Vec<String>>,
    /// Where a header's time comes from.
    #[serde(default)]
    pub time: TimeSetting,
    /// How long a group lasts, where that is the timeline, milliseconds.
    pub chunk_duration_ms: Option<NonZeroU64>,
    /// The sequence of the first epoch that a witness judges.
    pub from_sequence: Option<u64>,
}

/// Where a header's time comes from, in the file's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeSetting {
    /// The smallest receive time.
    #[default]
    Received,
    /// The group's number.
    Timeline,
}

/// What holds for the broadcasts whose tables say nothing else.
#[derive(Clone, Debug)]
pub struct StreamDefaults {
    /// How groups are numbered.
    pub numbering: Numbering,
    /// Numbers in an epoch.
    pub groups_per_epoch: NonZeroU64,
    /// The tracks, where any are configured.
    pub tracks: Option<Tracks>,
}

/// Why a broadcast's table makes no stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The tracks of its table are none.
    #[error("config: [[stream]] {broadcast:?}")]
    Tracks {
        /// The broadcast.
        broadcast: String,
        /// What is wrong with them.
        source: RuleError,
    },
    /// A track whose name no lane can have.
    #[error(transparent)]
    Lane(#[from] RuleError),
    /// Lanes' lengths of a stream that has no lanes.
    #[error(
        "config: [[stream]] {0:?}: track_groups_per_epoch is for lanes, and with numbering = \"timeline\" all tracks share \
         their epochs; write groups_per_epoch"
    )]
    NoLanes(String),
    /// The length of a lane that the broadcast does not have.
    #[error("config: [[stream]] {broadcast:?}: track_groups_per_epoch names {track:?}, none of its tracks {tracks}")]
    NoSuchLane {
        /// The broadcast.
        broadcast: String,
        /// What is named.
        track: String,
        /// The tracks that there are.
        tracks: String,
    },
    /// A time that lanes cannot have.
    #[error(
        "config: [[stream]] {0:?}: time = \"timeline\" needs numbers of the broadcast's timeline, but its numbering is \
         \"session\"; write numbering = \"timeline\" in this table, or take time and chunk_duration_ms out"
    )]
    LaneTime(String),
    /// A time by the timeline without the length of a group.
    #[error("config: [[stream]] {0:?}: time = \"timeline\" needs chunk_duration_ms, the length of one group")]
    NoDuration(String),
    /// The length of a group without a time by the timeline.
    #[error("config: [[stream]] {0:?}: chunk_duration_ms has no meaning without time = \"timeline\"; set both or none")]
    NoTimeline(String),
}

impl StreamTable {
    /// Of a broadcast of which nothing is configured.
    pub fn of(broadcast: &str) -> Self {
        Self { broadcast: broadcast.to_owned(), ..Self::default() }
    }

    /// The `stream_id` of the broadcast: its lanes' ids begin with it.
    pub fn stream_id(&self) -> &str {
        self.stream_id.as_ref().unwrap_or(&self.broadcast)
    }

    /// The broadcast's name in locators.
    pub fn locator_broadcast(&self) -> &str {
        self.locator_broadcast.as_ref().unwrap_or(&self.broadcast)
    }

    /// How its groups are numbered.
    pub fn numbering(&self, defaults: &StreamDefaults) -> Numbering {
        self.numbering.unwrap_or(defaults.numbering)
    }

    /// The tracks that are configured, if any are.
    ///
    /// # Errors
    ///
    /// None at all, one twice, or a name that no track can have.
    pub fn tracks(&self, defaults: &StreamDefaults) -> Result<Option<Tracks>, SourceError> {
        let Some(tracks) = &self.tracks else { return Ok(defaults.tracks.clone()) };
        let tracks = Tracks::new(tracks.clone());
        tracks.map(Some).map_err(|source| SourceError::Tracks { broadcast: self.broadcast.clone(), source })
    }

    /// The streams that the broadcast is, when it has files of these tracks.
    ///
    /// # Errors
    ///
    /// What the table says makes no sense, or not with the defaults.
    pub fn streams(&self, found: &[String], defaults: &StreamDefaults) -> Result<Vec<StreamRule>, SourceError> {
        match self.numbering(defaults) {
            Numbering::Session => self.lanes(found, defaults),
            Numbering::Timeline => Ok(vec![self.on_timeline(defaults)?]),
        }
    }

    fn on_timeline(&self, defaults: &StreamDefaults) -> Result<StreamRule, SourceError> {
        if !self.track_groups_per_epoch.is_empty() {
            return Err(SourceError::NoLanes(self.broadcast.clone()));
        }
        Ok(StreamRule {
            stream_id: self.stream_id().to_owned(),
            locator_broadcast: self.locator_broadcast().to_owned(),
            epochs: EpochRule::timeline(self.groups_per_epoch.unwrap_or(defaults.groups_per_epoch)),
            tracks: self.tracks(defaults)?.unwrap_or_default(),
            time: self.time_mode()?,
        })
    }

    fn lanes(&self, found: &[String], defaults: &StreamDefaults) -> Result<Vec<StreamRule>, SourceError> {
        if self.time_mode()? != TimeMode::Received {
            return Err(SourceError::LaneTime(self.broadcast.clone()));
        }
        let configured = self.tracks(defaults)?;
        let named = configured.as_ref().map(Tracks::names);
        let is_other = |track: &&String| named.is_some_and(|names| !names.contains(track));
        if let Some(other) = self.track_groups_per_epoch.keys().find(is_other) {
            let (broadcast, track) = (self.broadcast.clone(), other.clone());
            let tracks = named.unwrap_or_default().join(", ");
            return Err(SourceError::NoSuchLane { broadcast, track, tracks });
        }
        let tracks = configured.map_or_else(
            || found.iter().filter(|track| track.ends_with(MEDIA_ENDING)).cloned().collect(),
            |tracks| tracks.names().to_vec(),
        );
        let lane = |track: &String| {
            let groups_per_epoch = self.track_groups_per_epoch.get(track).copied().or(self.groups_per_epoch);
            let groups_per_epoch = groups_per_epoch.unwrap_or(defaults.groups_per_epoch);
            Ok(StreamRule::lane(self.stream_id(), self.locator_broadcast(), track, groups_per_epoch)?)
        };
        tracks.iter().map(lane).collect()
    }

    fn time_mode(&self) -> Result<TimeMode, SourceError> {
        match (self.time, self.chunk_duration_ms) {
            (TimeSetting::Received, None) => Ok(TimeMode::Received),
            (TimeSetting::Timeline, Some(chunk_duration_ms)) => Ok(TimeMode::Timeline { chunk_duration_ms }),
            (TimeSetting::Timeline, None) => Err(SourceError::NoDuration(self.broadcast.clone())),
            (TimeSetting::Received, Some(_)) => Err(SourceError::NoTimeline(self.broadcast.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: NonZeroU64 = NonZeroU64::new(10).unwrap();
    const THIRTY: NonZeroU64 = NonZeroU64::new(30).unwrap();

    fn defaults(numbering: Numbering) -> StreamDefaults {
        StreamDefaults { numbering, groups_per_epoch: TEN, tracks: None }
    }

    fn streams(table: &StreamTable) -> Result<Vec<StreamRule>, String> {
        let found = ["0.m4s", "1.m4s", "catalog.json"].map(String::from);
        table.streams(&found, &defaults(Numbering::Session)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_broadcast_is_its_lanes_or_one_stream_of_the_timeline() {
        let table =
            StreamTable { track_groups_per_epoch: [("1.m4s".to_owned(), THIRTY)].into(), ..StreamTable::of("x") };
        let lanes = streams(&table).unwrap();
        let ids: Vec<_> = lanes.iter().map(|rule| (rule.stream_id.as_str(), rule.epochs.groups_per_epoch)).collect();
        assert_eq!(ids, [("x/track/0.m4s", TEN), ("x/track/1.m4s", THIRTY)]);
        let table = StreamTable {
            stream_id: Some("y".into()),
            numbering: Some(Numbering::Timeline),
            tracks: Some(vec!["video0.m4s".into(), "audio0.m4s".into()]),
            ..StreamTable::of("x")
        };
        let [stream] = streams(&table).unwrap().try_into().unwrap();
        assert_eq!((stream.stream_id.as_str(), stream.locator_broadcast.as_str()), ("y", "x"));
        assert_eq!((stream.tracks.names().len(), stream.is_lane()), (2, false));
        let timeline = StreamTable::of("x").streams(&[], &defaults(Numbering::Timeline)).unwrap();
        assert_eq!((timeline.len(), timeline[0].epochs), (1, EpochRule::timeline(TEN)));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_names() {
        let timeline = StreamTable { numbering: Some(Numbering::Timeline), ..StreamTable::of("x") };
        let by_time = StreamTable { time: TimeSetting::Timeline, chunk_duration_ms: Some(TEN), ..StreamTable::of("x") };
        let of_one = [("1.m4s".to_owned(), THIRTY)];
        for (table, part) in [
            (
                StreamTable { track_groups_per_epoch: of_one.clone().into(), ..timeline.clone() },
                "write groups_per_epoch",
            ),
            (by_time.clone(), "write numbering = \"timeline\""),
            (StreamTable { chunk_duration_ms: None, ..by_time }, "needs chunk_duration_ms"),
            (StreamTable { chunk_duration_ms: Some(TEN), ..timeline }, "set both or none"),
            (
                StreamTable {
                    track_groups_per_epoch: of_one.into(),
                    tracks: Some(vec!["0.m4s".into()]),
                    ..StreamTable::of("x")
                },
                "names \"1.m4s\", none of its tracks 0.m4s",
            ),
            (StreamTable { tracks: Some(Vec::new()), ..StreamTable::of("x") }, "[[stream]] \"x\""),
        ] {
            let refused = streams(&table).unwrap_err();
            assert!(refused.contains(part) && refused.starts_with("config: [[stream]] \"x\""), "{refused}");
        }
    }
}

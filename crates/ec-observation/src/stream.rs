//! The rules of a stream: which records make an epoch, and what its header says (protocol §3).
//!
//! Two witnesses agree only if they follow equal rules, so everything here is fixed for the life of a `stream_id`.

use std::{collections::BTreeSet, fmt, num::NonZeroU64};

use alloy_primitives::{B256, keccak256};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantNames};

use crate::header::{EpochHash, SlotId, StreamHash};

/// Groups per epoch where nothing else is configured: one minute of two-second groups.
pub const DEFAULT_GROUPS_PER_EPOCH: NonZeroU64 = NonZeroU64::new(30).expect("30 is not zero");

/// Tracks that are observed where nothing else is configured.
pub const DEFAULT_TRACKS: [&str; 2] = ["video0.m4s", "audio0.m4s"];

/// A rule that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// No track is configured.
    #[error("tracks: at least one track name is needed")]
    NoTracks,
    /// A track's name cannot be a file's name.
    #[error("tracks: {0:?} is not a track name; it must be non-empty and without `/`")]
    TrackName(String),
    /// A track is named twice.
    #[error("tracks: {0:?} is named twice")]
    TrackTwice(String),
}

/// An epoch whose name does not fit into a sequence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "stream {stream_id:?}, epoch {} of the session {}: mark and index add up to more than 2^64-1, so the epoch has no \
     sequence; check `received_unix_ms` and `group_sequence` of its records",
    name.index, name.mark
)]
pub struct NameError {
    /// The stream.
    pub stream_id: String,
    /// The name.
    pub name: EpochName,
}

/// Why a derived epoch has no time for its header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// No record of the epoch carries a receive time.
    #[error(
        "stream {stream_id:?}, epoch {epoch}: no record has a usable received_unix_ms; set `time = \"timeline\"` with \
         `chunk_duration_ms` for this stream"
    )]
    NoReceiveTime {
        /// The stream.
        stream_id: String,
        /// The epoch's index.
        epoch: u64,
    },
    /// `epoch_index × groups_per_epoch × chunk_duration_ms` is above 2^64−1.
    #[error(
        "stream {stream_id:?}, epoch {epoch}: its time on the timeline overflows; check `groups_per_epoch` and \
         `chunk_duration_ms`"
    )]
    Overflow {
        /// The stream.
        stream_id: String,
        /// The epoch's index.
        epoch: u64,
    },
}

/// The observed tracks' names: at least one, distinct, sorted by bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tracks(Vec<String>);

impl Tracks {
    /// Sorts and checks the names.
    ///
    /// # Errors
    ///
    /// None at all, an empty one, one with `/`, or a name given twice.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Result<Self, RuleError> {
        let mut sorted = BTreeSet::new();
        for name in names.into_iter().map(Into::into) {
            if name.is_empty() || name.contains('/') {
                return Err(RuleError::TrackName(name));
            }
            if !sorted.insert(name.clone()) {
                return Err(RuleError::TrackTwice(name));
            }
        }
        if sorted.is_empty() {
            return Err(RuleError::NoTracks);
        }
        Ok(Self(sorted.into_iter().collect()))
    }

    /// The names, sorted by bytes.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl Default for Tracks {
    fn default() -> Self {
        let mut names = DEFAULT_TRACKS.map(String::from).to_vec();
        names.sort_unstable();
        Self(names)
    }
}

/// Where `observedUnixMs` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeMode {
    /// The smallest `received_unix_ms` of the epoch; others accept a window around their own.
    Received,
    /// `epoch_index × groups_per_epoch × chunk_duration_ms`; judged by equality.
    Timeline {
        /// Milliseconds of broadcast that one group holds.
        chunk_duration_ms: NonZeroU64,
    },
}

/// How the groups of a broadcast are numbered (protocol §3.1).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    EnumString,
    IntoStaticStr,
    VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Numbering {
    /// Each track by itself, from 0 with every start of the publisher, as MoQ relays hand groups on.
    #[default]
    Session,
    /// By the broadcast's timeline: all tracks share numbers, which never restart.
    Timeline,
}

impl Numbering {
    /// Its word, in configuration and messages.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// The locators of a stream, which differ by the epoch's id alone. That stands between these, and needs no escape.
#[derive(Debug)]
pub(crate) struct Locators {
    pub(crate) head: String,
    pub(crate) tail: String,
}

fn json(text: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(text).expect("strings always serialize")
}

/// How group sequences are cut into epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRule {
    /// Sequence numbers per epoch and track.
    pub groups_per_epoch: NonZeroU64,
    /// Whether the numbers restart with each session.
    pub numbering: Numbering,
}

impl EpochRule {
    /// Epochs of a numbering that never restarts.
    pub const fn timeline(groups_per_epoch: NonZeroU64) -> Self {
        Self { groups_per_epoch, numbering: Numbering::Timeline }
    }

    /// The index of the epoch that a group belongs to.
    pub fn index(&self, group_sequence: u64) -> u64 {
        group_sequence / self.groups_per_epoch
    }

    /// The last sequence of an epoch, 2^64−1 where that is none.
    pub fn last_sequence(&self, index: u64) -> u64 {
        index.saturating_mul(self.groups_per_epoch.get()).saturating_add(self.groups_per_epoch.get() - 1)
    }

    /// `ec/epoch/v1/g<groups_per_epoch>/<epoch_index>` on the timeline,
    /// `ec/epoch/v2/g<groups_per_epoch>/<mark>/<epoch_index>` in a session.
    pub fn id(&self, name: EpochName) -> String {
        format!("{}{}", self.head_of_id(name.mark), name.index)
    }

    /// An epoch's id up to the index.
    pub(crate) fn head_of_id(&self, mark: u64) -> String {
        let groups = self.groups_per_epoch;
        match self.numbering {
            Numbering::Timeline => format!("ec/epoch/v1/g{groups}/"),
            Numbering::Session => format!("ec/epoch/v2/g{groups}/{mark}/"),
        }
    }
}

/// What an epoch is called on the ledger: its session's mark and its index there (protocol §3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EpochName {
    /// The mark, Unix milliseconds; 0 on the timeline, which is no session.
    pub mark: u64,
    /// The epoch's index.
    pub index: u64,
}

impl EpochName {
    /// The name of an epoch on the timeline.
    pub const fn timeline(index: u64) -> Self {
        Self { mark: 0, index }
    }

    /// The mark of its session; `None` on the timeline.
    pub const fn session(self) -> Option<u64> {
        if self.mark == 0 { None } else { Some(self.mark) }
    }

    /// `mark + index`; `None` above 2^64−1.
    pub const fn sequence(self) -> Option<u64> {
        self.mark.checked_add(self.index)
    }
}

/// `MARK/INDEX`, on the timeline the index alone.
impl fmt::Display for EpochName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(mark) = self.session() {
            write!(f, "{mark}/")?;
        }
        write!(f, "{}", self.index)
    }
}

/// Where an epoch stands in what one archive has of its stream: epochs of a stream ascend by it. On the timeline there
/// is one segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EpochKey {
    /// The segment, from 0 in the lane's order (protocol §2.5).
    pub segment: u64,
    /// The epoch's index in it.
    pub index: u64,
}

impl EpochKey {
    /// The first there can be.
    pub const MIN: Self = Self { segment: 0, index: 0 };
    /// The last there can be.
    pub const MAX: Self = Self { segment: u64::MAX, index: u64::MAX };

    /// The key of an epoch on the timeline.
    pub const fn timeline(index: u64) -> Self {
        Self { segment: 0, index }
    }

    /// The key after this one.
    pub fn next(self) -> Option<Self> {
        let Self { segment, index } = self;
        let next_segment = || Some(Self { segment: segment.checked_add(1)?, index: 0 });
        index.checked_add(1).map(|index| Self { segment, index }).or_else(next_segment)
    }

    /// The key before this one.
    pub fn before(self) -> Option<Self> {
        let Self { segment, index } = self;
        let segment_before = || Some(Self { segment: segment.checked_sub(1)?, index: u64::MAX });
        index.checked_sub(1).map(|index| Self { segment, index }).or_else(segment_before)
    }
}

/// All that turns one broadcast's records into headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRule {
    /// The stream's id, equal at all its witnesses.
    pub stream_id: String,
    /// The broadcast's name in the locator, equal at all its witnesses.
    pub locator_broadcast: String,
    /// How sequences are cut into epochs.
    pub epochs: EpochRule,
    /// The observed tracks.
    pub tracks: Tracks,
    /// Where the observed time comes from.
    pub time: TimeMode,
}

impl StreamRule {
    /// The rule of a broadcast on the timeline, for which nothing else is configured.
    pub fn new(broadcast: &str) -> Self {
        Self {
            stream_id: broadcast.to_owned(),
            locator_broadcast: broadcast.to_owned(),
            epochs: EpochRule::timeline(DEFAULT_GROUPS_PER_EPOCH),
            tracks: Tracks::default(),
            time: TimeMode::Received,
        }
    }

    /// The rule of a lane: one track of a broadcast whose numbers restart with each session (protocol §3.1).
    ///
    /// # Errors
    ///
    /// The track's name cannot be a file's name.
    pub fn lane(
        stream_id: &str,
        locator_broadcast: &str,
        track: &str,
        groups_per_epoch: NonZeroU64,
    ) -> Result<Self, RuleError> {
        Ok(Self {
            stream_id: format!("{stream_id}/track/{track}"),
            locator_broadcast: locator_broadcast.to_owned(),
            epochs: EpochRule { groups_per_epoch, numbering: Numbering::Session },
            tracks: Tracks::new([track])?,
            time: TimeMode::Received,
        })
    }

    /// The `stream_id` that is configured of the broadcast whose lane this is; `None` on the timeline.
    pub fn lane_of(&self) -> Option<&str> {
        let track = self.lane_track()?;
        self.stream_id.strip_suffix(track)?.strip_suffix("/track/")
    }

    /// The track that the lane is; `None` on the timeline.
    pub fn lane_track(&self) -> Option<&str> {
        self.tracks.names().first().filter(|_| self.is_lane()).map(String::as_str)
    }

    /// Whether the stream is a lane.
    pub fn is_lane(&self) -> bool {
        self.epochs.numbering == Numbering::Session
    }

    /// The stream's hash.
    pub fn stream_hash(&self) -> StreamHash {
        StreamHash::of(&self.stream_id)
    }

    /// The slot of one of the stream's epochs.
    pub fn slot(&self, name: EpochName) -> SlotId {
        SlotId::of(self.stream_hash(), EpochHash::of(&self.epochs.id(name)))
    }

    /// The canonical JSON (RFC 8785) that says where an epoch's objects are.
    pub fn locator(&self, name: EpochName) -> String {
        let Locators { head, tail } = self.locators();
        head + &self.epochs.id(name) + &tail
    }

    /// What makes the locators of the stream's epochs.
    pub(crate) fn locators(&self) -> Locators {
        // serde_json escapes as RFC 8785 §3.2.2.2 demands
        let [broadcast, stream_id] = [&self.locator_broadcast, &self.stream_id].map(json);
        let tracks = json(&self.tracks);
        Locators {
            head: format!(r#"{{"broadcast":{broadcast},"epoch_id":""#),
            tail: format!(r#"","objects":"blake3","stream_id":{stream_id},"tracks":{tracks},"v":1}}"#),
        }
    }

    /// `keccak256(track)` of each observed track, in order.
    pub fn track_hashes(&self) -> Vec<B256> {
        self.tracks.names().iter().map(keccak256).collect()
    }

    /// `observedUnixMs` of an epoch whose smallest receive time this is (protocol §3.5).
    ///
    /// # Errors
    ///
    /// No receive time where one is needed, or a time on the timeline that overflows.
    pub fn observed_time(&self, epoch: u64, first_received_unix_ms: Option<u64>) -> Result<u64, TimeError> {
        match self.time {
            TimeMode::Received => first_received_unix_ms
                .ok_or_else(|| TimeError::NoReceiveTime { stream_id: self.stream_id.clone(), epoch }),
            TimeMode::Timeline { chunk_duration_ms } => epoch
                .checked_mul(self.epochs.groups_per_epoch.get())
                .and_then(|groups| groups.checked_mul(chunk_duration_ms.get()))
                .ok_or_else(|| TimeError::Overflow { stream_id: self.stream_id.clone(), epoch }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tracks_are_checked_and_sorted() {
        assert_eq!(Tracks::default(), Tracks::new(DEFAULT_TRACKS).unwrap());
        assert_eq!(Tracks::new(["b", "a"]).unwrap().names(), ["a", "b"]);
        assert_eq!(Tracks::new([] as [&str; 0]), Err(RuleError::NoTracks));
        assert_eq!(Tracks::new([""]), Err(RuleError::TrackName(String::new())));
        assert_eq!(Tracks::new(["a/b"]), Err(RuleError::TrackName("a/b".into())));
        assert_eq!(Tracks::new(["a", "a"]), Err(RuleError::TrackTwice("a".into())));
    }

    #[test]
    fn the_timeline_is_exact_and_its_overflow_an_error() {
        let mut rule = StreamRule::new("x");
        rule.time = TimeMode::Timeline { chunk_duration_ms: NonZeroU64::new(2000).unwrap() };
        assert_eq!(rule.observed_time(29_547_078, None), Ok(1_772_824_680_000));
        assert!(matches!(rule.observed_time(u64::MAX / 60, None), Err(TimeError::Overflow { .. })));
    }

    proptest! {
        #[test]
        fn the_locator_is_canonical_json(stream_id: String, broadcast: String, tracks in "[^/]{1,8}", mark: u64, index: u64) {
            let rule = StreamRule {
                stream_id,
                locator_broadcast: broadcast,
                tracks: Tracks::new([tracks, "another".into()]).unwrap(),
                ..StreamRule::new("")
            };
            let locator = rule.locator(EpochName { mark, index });
            let value: serde_json::Value = serde_json::from_str(&locator).unwrap();
            prop_assert_eq!(locator, serde_json_canonicalizer::to_string(&value).unwrap());
        }
    }
}

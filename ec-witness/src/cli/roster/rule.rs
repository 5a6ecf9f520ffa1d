//! From what is configured of a broadcast to the streams that it is: one with numbers of the timeline, else its lanes
//! (protocol §3.1).

use std::{collections::BTreeMap, num::NonZeroU64};

use ec_archive::Source;
use ec_observation::{EpochRule, Numbering, StreamRule, TimeMode, Tracks, stream::DEFAULT_TRACKS};
use eyre::{WrapErr, bail, ensure};

use crate::cli::config::{StreamTable, TimeSetting};

/// What the names of the tracks end in that are observed where none are configured.
pub(in crate::cli) const MEDIA_ENDING: &str = ".m4s";

/// What holds for the broadcasts whose tables say nothing else.
#[derive(Clone, Debug)]
pub(super) struct Defaults {
    pub(super) numbering: Numbering,
    pub(super) groups_per_epoch: NonZeroU64,
    /// Where any are configured.
    pub(super) tracks: Option<Tracks>,
}

pub(super) fn by_broadcast(tables: &[StreamTable]) -> eyre::Result<BTreeMap<&str, &StreamTable>> {
    let mut found = BTreeMap::new();
    for table in tables {
        if found.insert(table.broadcast.as_str(), table).is_some() {
            bail!("config: two [[stream]] tables for broadcast {:?}; keep one", table.broadcast);
        }
    }
    Ok(found)
}

/// The streams that a broadcast with files of these tracks is.
pub(super) fn sources(table: &StreamTable, found: &[String], defaults: &Defaults) -> eyre::Result<Vec<Source>> {
    let rules = match numbering(table, defaults) {
        Numbering::Session => lanes(table, found, defaults)?,
        Numbering::Timeline => vec![on_timeline(table, defaults)?],
    };
    let source = |rule| Source { broadcast: table.broadcast.clone(), rule, from_sequence: table.from_sequence };
    Ok(rules.into_iter().map(source).collect())
}

/// What to say of a broadcast that has none of the tracks which are to be observed.
pub(super) fn without_tracks(
    table: &StreamTable,
    found: &[String],
    defaults: &Defaults,
) -> eyre::Result<Option<String>> {
    let wanted = tracks(table, defaults)?.map(|tracks| tracks.names().to_vec());
    let wanted = match numbering(table, defaults) {
        Numbering::Session => wanted,
        Numbering::Timeline => Some(wanted.unwrap_or_else(|| DEFAULT_TRACKS.map(String::from).to_vec())),
    };
    let is_wanted = |track: &String| match &wanted {
        Some(wanted) => wanted.contains(track),
        None => track.ends_with(MEDIA_ENDING),
    };
    if found.iter().any(is_wanted) {
        return Ok(None);
    }
    let media: Vec<_> = found.iter().filter(|track| track.ends_with(MEDIA_ENDING)).collect();
    let media = if media.is_empty() { found.iter().collect() } else { media };
    let wanted = wanted.map_or_else(
        || format!("it has no track whose name ends in {MEDIA_ENDING}"),
        |wanted| format!("it has none of the tracks {}", wanted.join(", ")),
    );
    Ok(Some(format!("{wanted}, but {}; write tracks = {media:?} in [archive] or in its [[stream]]", found.join(", "))))
}

/// Whether a stream is the one of this id, or a lane of it.
pub(super) fn is_of(rule: &StreamRule, stream_id: &str) -> bool {
    rule.stream_id == stream_id || rule.lane_of() == Some(stream_id)
}

fn numbering(table: &StreamTable, defaults: &Defaults) -> Numbering {
    table.numbering.unwrap_or(defaults.numbering)
}

/// The tracks that are configured, if any are.
fn tracks(table: &StreamTable, defaults: &Defaults) -> eyre::Result<Option<Tracks>> {
    let Some(tracks) = &table.tracks else { return Ok(defaults.tracks.clone()) };
    Ok(Some(Tracks::new(tracks.clone()).wrap_err_with(|| format!("config: [[stream]] {:?}", table.broadcast))?))
}

fn on_timeline(table: &StreamTable, defaults: &Defaults) -> eyre::Result<StreamRule> {
    let broadcast = &table.broadcast;
    ensure!(
        table.track_groups_per_epoch.is_empty(),
        "config: [[stream]] {broadcast:?}: track_groups_per_epoch is for lanes, and with numbering = \"timeline\" all tracks \
         share their epochs; write groups_per_epoch"
    );
    Ok(StreamRule {
        stream_id: table.stream_id().to_owned(),
        locator_broadcast: table.locator_broadcast().to_owned(),
        epochs: EpochRule::timeline(table.groups_per_epoch.unwrap_or(defaults.groups_per_epoch)),
        tracks: tracks(table, defaults)?.unwrap_or_default(),
        time: time_mode(table)?,
    })
}

fn lanes(table: &StreamTable, found: &[String], defaults: &Defaults) -> eyre::Result<Vec<StreamRule>> {
    let broadcast = &table.broadcast;
    ensure!(
        time_mode(table)? == TimeMode::Received,
        "config: [[stream]] {broadcast:?}: time = \"timeline\" needs numbers of the broadcast's timeline, but its numbering is \
         \"session\"; write numbering = \"timeline\" in this table, or take time and chunk_duration_ms out"
    );
    let configured = tracks(table, defaults)?;
    let named = configured.as_ref().map(Tracks::names);
    let is_other = |track: &&String| named.is_some_and(|names| !names.contains(track));
    if let Some(other) = table.track_groups_per_epoch.keys().find(is_other) {
        let names = named.unwrap_or_default().join(", ");
        bail!("config: [[stream]] {broadcast:?}: track_groups_per_epoch names {other:?}, none of its tracks {names}");
    }
    let tracks = configured.map_or_else(
        || found.iter().filter(|track| track.ends_with(MEDIA_ENDING)).cloned().collect(),
        |tracks| tracks.names().to_vec(),
    );
    let lane = |track: &String| {
        let groups_per_epoch = table.track_groups_per_epoch.get(track).copied().or(table.groups_per_epoch);
        let groups_per_epoch = groups_per_epoch.unwrap_or(defaults.groups_per_epoch);
        Ok(StreamRule::lane(table.stream_id(), table.locator_broadcast(), track, groups_per_epoch)?)
    };
    tracks.iter().map(lane).collect()
}

fn time_mode(table: &StreamTable) -> eyre::Result<TimeMode> {
    let broadcast = &table.broadcast;
    match (table.time, table.chunk_duration_ms) {
        (TimeSetting::Received, None) => Ok(TimeMode::Received),
        (TimeSetting::Timeline, Some(chunk_duration_ms)) => Ok(TimeMode::Timeline { chunk_duration_ms }),
        (TimeSetting::Timeline, None) => {
            bail!(
                "config: [[stream]] {broadcast:?}: time = \"timeline\" needs chunk_duration_ms, the length of one group"
            )
        }
        (TimeSetting::Received, Some(_)) => bail!(
            "config: [[stream]] {broadcast:?}: chunk_duration_ms has no meaning without time = \"timeline\"; set both or none"
        ),
    }
}

//! From a `[[stream]]` table to the stream's rule.

use std::collections::BTreeMap;

use ec_archive::Source;
use ec_observation::{EpochRule, StreamRule, TimeMode, Tracks};
use eyre::{WrapErr, bail};

use crate::cli::config::{StreamTable, TimeSetting};

pub(super) fn by_broadcast(tables: &[StreamTable]) -> eyre::Result<BTreeMap<&str, &StreamTable>> {
    let mut found = BTreeMap::new();
    for table in tables {
        if found.insert(table.broadcast.as_str(), table).is_some() {
            bail!("config: two [[stream]] tables for broadcast {:?}; keep one", table.broadcast);
        }
    }
    Ok(found)
}

pub(super) fn source(broadcast: &str, table: Option<&StreamTable>, defaults: &StreamRule) -> eyre::Result<Source> {
    let plain =
        StreamRule { stream_id: broadcast.to_owned(), locator_broadcast: broadcast.to_owned(), ..defaults.clone() };
    let Some(table) = table else {
        return Ok(Source { broadcast: broadcast.to_owned(), rule: plain, from_sequence: None });
    };
    let rule = StreamRule {
        stream_id: table.stream_id.clone().unwrap_or(plain.stream_id),
        locator_broadcast: table.locator_broadcast.clone().unwrap_or(plain.locator_broadcast),
        epochs: table.groups_per_epoch.map_or(plain.epochs, |groups_per_epoch| EpochRule { groups_per_epoch }),
        tracks: match &table.tracks {
            Some(tracks) => {
                Tracks::new(tracks.clone()).wrap_err_with(|| format!("config: [[stream]] {broadcast:?}"))?
            }
            None => plain.tracks,
        },
        time: time_mode(table)?,
    };
    Ok(Source { broadcast: broadcast.to_owned(), rule, from_sequence: table.from_sequence })
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

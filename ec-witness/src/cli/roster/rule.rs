//! From what is configured of a broadcast to the sources that it is, and what is said of one that is none.

use std::collections::BTreeMap;

use ec_archive::{MEDIA_ENDING, Source, SourceError, StreamDefaults, StreamTable};
use ec_observation::{Numbering, StreamRule, stream::DEFAULT_TRACKS};
use eyre::bail;

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
pub(super) fn sources(
    table: &StreamTable,
    found: &[String],
    defaults: &StreamDefaults,
) -> Result<Vec<Source>, SourceError> {
    let source = |rule| Source { broadcast: table.broadcast.clone(), rule, from_sequence: table.from_sequence };
    Ok(table.streams(found, defaults)?.into_iter().map(source).collect())
}

/// What to say of a broadcast that has none of the tracks which are to be observed.
pub(super) fn without_tracks(
    table: &StreamTable,
    found: &[String],
    defaults: &StreamDefaults,
) -> Result<Option<String>, SourceError> {
    let wanted = table.tracks(defaults)?.map(|tracks| tracks.names().to_vec());
    let wanted = match table.numbering(defaults) {
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

//! Whether archives have the other numbering than the one that is configured: looked at now and then, told once.

use std::collections::HashSet;

use ec_archive::StreamIndex;
use ec_observation::StreamRule;

use crate::advice::{OtherNumbering, Seen, configured_id, other_numberings};

/// How often it is looked at, milliseconds.
const LOOK_EVERY_MS: u64 = 600_000;

/// When archives were looked at, and of which broadcasts was told.
#[derive(Debug, Default)]
pub(super) struct Numberings {
    /// How many streams there were, and when that was.
    looked: Option<(usize, u64)>,
    told: HashSet<String>,
}

impl Numberings {
    /// Whether to look again, which then counts as done.
    pub(super) fn is_due(&mut self, streams: usize, now_ms: u64) -> bool {
        let is_fresh = |(known, at_ms): (usize, u64)| known == streams && now_ms.saturating_sub(at_ms) < LOOK_EVERY_MS;
        if self.looked.is_some_and(is_fresh) {
            return false;
        }
        self.looked = Some((streams, now_ms));
        true
    }

    /// What each stream seems to have instead; warns once of each broadcast. What cannot be read now tells nothing.
    pub(super) fn look<'a>(&mut self, indexes: impl Iterator<Item = &'a StreamIndex>) -> Vec<Option<OtherNumbering>> {
        let seen = |index: &'a StreamIndex| (index.rule(), Seen::of(index).unwrap_or_default());
        let streams: Vec<(&StreamRule, Seen)> = indexes.map(seen).collect();
        let others = other_numberings(&streams);
        for ((rule, _), other) in streams.iter().zip(&others) {
            let stream = configured_id(rule);
            if let Some(other) = other.filter(|_| self.told.insert(stream.to_owned())) {
                tracing::warn!(stream, reason = %other, "the archive looks as if it had the other numbering");
            }
        }
        others
    }
}

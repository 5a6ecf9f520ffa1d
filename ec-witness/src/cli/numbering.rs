//! Says of an archive's broadcasts, each once, that they have the other numbering (protocol §3.1).

use std::collections::HashSet;

use ec_observation::StreamRule;
use ec_witness::advice::{OtherNumbering, Seen, configured_id, other_numberings};

/// What was seen of the streams of an archive.
#[derive(Debug, Default)]
pub(super) struct SeenStreams(Vec<(StreamRule, Seen)>);

impl SeenStreams {
    /// Takes in what was seen of the next stream.
    pub(super) fn take(&mut self, rule: &StreamRule, seen: Seen) {
        self.0.push((rule.clone(), seen));
    }

    /// Warns of each broadcast that has the other numbering, and returns that for each stream.
    pub(super) fn tell(&self) -> Vec<Option<OtherNumbering>> {
        let streams: Vec<_> = self.0.iter().map(|(rule, seen)| (rule, *seen)).collect();
        let others = other_numberings(&streams);
        let mut told = HashSet::new();
        for ((rule, _), other) in streams.iter().zip(&others) {
            let stream = configured_id(rule);
            if let Some(other) = other.filter(|_| told.insert(stream)) {
                tracing::warn!(stream, reason = %other, "the archive looks as if it had the other numbering");
            }
        }
        others
    }
}

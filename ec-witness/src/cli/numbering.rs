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
        for (stream, other) in self.others() {
            tracing::warn!(stream, reason = %other, "the archive looks as if it had the other numbering");
        }
        self.of_each()
    }

    /// Each broadcast that has the other numbering, by its configured id.
    pub(super) fn others(&self) -> Vec<(&str, OtherNumbering)> {
        let mut told = HashSet::new();
        let others = self
            .of_each()
            .into_iter()
            .zip(&self.0)
            .filter_map(|(other, (rule, _))| Some((configured_id(rule), other?)));
        others.filter(|(stream, _)| told.insert(*stream)).collect()
    }

    fn of_each(&self) -> Vec<Option<OtherNumbering>> {
        other_numberings(&Vec::from_iter(self.0.iter().map(|(rule, seen)| (rule, *seen))))
    }
}

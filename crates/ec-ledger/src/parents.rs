//! Which candidates' parents are right, and from where in the log on (protocol §5.2).
//!
//! Found out once for each candidate, at the event that decides it: then every final observation stands before it in the log,
//! so that no later one is looked at, then or when the candidate is judged.

use std::collections::{BTreeMap, HashMap};

use ec_observation::{ObservationHash, StreamHash};
use serde::{Deserialize, Serialize};

use crate::candidate::Candidate;

/// So many final observations are counted between a candidate and its parent; no `parent_window` is as wide. Few, because those
/// that are settled are read from the disk, for every candidate that somebody pays for.
const FARTHEST: usize = 1024;

/// What is known of a candidate's parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Parent {
    /// The place from which on it is right, if it is.
    from: u64,
    /// Final observations between it and the candidate, at that place.
    between: u64,
}

/// The parents of all candidates that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parents {
    /// By the candidate's place.
    found: HashMap<u64, Parent>,
    /// The candidates, by place, whose parent was not final at their place, and their sequences.
    #[serde(with = "as_list")]
    awaited: Awaited,
}

type Awaited = HashMap<(StreamHash, ObservationHash), BTreeMap<u64, u64>>;

/// JSON has no keys of two parts.
mod as_list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Awaited;

    pub(super) fn serialize<S: Serializer>(awaited: &Awaited, serializer: S) -> Result<S::Ok, S::Error> {
        Vec::from_iter(awaited).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Awaited, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

impl Parents {
    /// A candidate at the end of the log; `finals` are those of its stream below it, newest first.
    pub(crate) fn propose(&mut self, candidate: &Candidate, finals: impl Iterator<Item = ObservationHash>) {
        let (parent, from) = (candidate.header.parent_observation_hash, candidate.place);
        let between = match parent {
            ObservationHash::ZERO => Some(finals.take(FARTHEST).count() as u64),
            parent => distance(parent, finals),
        };
        if let Some(between) = between {
            self.found.insert(from, Parent { from, between });
        } else {
            let (stream, sequence) = (candidate.header.stream_hash, candidate.header.sequence);
            self.awaited.entry((stream, parent)).or_default().insert(from, sequence);
        }
    }

    /// The last event of the log, at `place`, made an observation final. `finals` gives those below a sequence.
    pub(crate) fn finalize<F: Iterator<Item = ObservationHash>>(
        &mut self,
        (stream, observation): (StreamHash, ObservationHash),
        place: u64,
        finals: impl Fn(u64) -> F,
    ) {
        for (&candidate, &sequence) in self.awaited.get(&(stream, observation)).into_iter().flatten() {
            // not among those below it, it is no parent
            if let Some(between) = distance(observation, finals(sequence)) {
                self.found.insert(candidate, Parent { from: place, between });
            }
        }
    }

    /// The inverse of [`Self::finalize`], for the last final observation in the log.
    pub(crate) fn reopen(&mut self, stream: StreamHash, observation: ObservationHash) {
        for candidate in self.awaited.get(&(stream, observation)).into_iter().flat_map(BTreeMap::keys) {
            self.found.remove(candidate);
        }
    }

    /// A candidate is kept no more.
    pub(crate) fn forget(&mut self, candidate: &Candidate) {
        self.found.remove(&candidate.place);
        let awaits = (candidate.header.stream_hash, candidate.header.parent_observation_hash);
        if let Some(waiting) = self.awaited.get_mut(&awaits) {
            waiting.remove(&candidate.place);
            if waiting.is_empty() {
                self.awaited.remove(&awaits);
            }
        }
    }

    /// Those of these candidates alone.
    pub(crate) fn only(mut self, is_kept: impl Fn(u64) -> bool) -> Self {
        self.found.retain(|place, _| is_kept(*place));
        for waiting in self.awaited.values_mut() {
            waiting.retain(|place, _| is_kept(*place));
        }
        self.awaited.retain(|_, waiting| !waiting.is_empty());
        self
    }

    /// Takes in those of other streams' candidates.
    pub(crate) fn join(&mut self, other: Self) {
        self.found.extend(other.found);
        self.awaited.extend(other.awaited);
    }

    /// From which place on the parent of a candidate is right.
    pub(crate) fn right_from(&self, candidate: &Candidate, parent_window: u64) -> Option<u64> {
        let found = self.found.get(&candidate.place).filter(|found| found.between <= parent_window);
        found.map(|found| found.from)
    }
}

/// How many final observations come before the parent.
fn distance(parent: ObservationHash, finals: impl Iterator<Item = ObservationHash>) -> Option<u64> {
    finals.take(FARTHEST).position(|found| found == parent).map(|between| between as u64)
}

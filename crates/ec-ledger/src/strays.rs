//! Candidates that name no epoch of their stream (protocol §5.2). Anybody in the set may propose as many as he pays for, and
//! none can ever be acceptable; so of all that are not kept a stream keeps one number.
//!
//! On the timeline a header tells by itself what it is. In a lane one that came before the opener of its session may be an
//! honest one, which a reorg has put there, and its proposer must find his vote again: so it is kept until no reorg can
//! change its place, and after that if its session was opened meanwhile.

use std::collections::HashMap;

use ec_observation::{EpochHash, EpochName, EpochRule, Numbering, ObservationHeader, StreamHash};
use serde::{Deserialize, Serialize};

/// Whether a header of the timeline names no epoch of its stream: its `epochHash` is not that of its sequence.
pub(crate) fn is_off_timeline(header: &ObservationHeader, streams: &HashMap<StreamHash, EpochRule>) -> bool {
    streams.get(&header.stream_hash).is_some_and(|rule| {
        let name = EpochName::timeline(header.sequence);
        rule.numbering == Numbering::Timeline && header.epoch_hash != EpochHash::of(&rule.id(name))
    })
}

/// How many strays of each stream are not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Strays(HashMap<StreamHash, u64>);

impl Strays {
    pub(crate) fn add(&mut self, stream: StreamHash) {
        *self.0.entry(stream).or_default() += 1;
    }

    pub(crate) fn take_back(&mut self, stream: StreamHash) {
        let left = self.0.get(&stream).map_or(0, |count| count - 1);
        if left == 0 {
            self.0.remove(&stream);
        } else {
            self.0.insert(stream, left);
        }
    }

    /// Those of these streams alone.
    pub(crate) fn only(mut self, is_kept: impl Fn(StreamHash) -> bool) -> Self {
        self.0.retain(|stream, _| is_kept(*stream));
        self
    }

    /// Takes in those of other streams.
    pub(crate) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn are_of(&self, stream: StreamHash) -> bool {
        self.0.contains_key(&stream)
    }
}

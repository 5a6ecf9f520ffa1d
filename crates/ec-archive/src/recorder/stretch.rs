//! Which received group the index has already. Pure.
//!
//! A relay sends the last seconds of a track again to whoever subscribes anew, and a publisher that starts anew counts
//! from 0, perhaps with the same bytes. The two are told apart as readers of the index do: a track's records are cut into
//! stretches within which numbers belong together, and a group is left out only where a reader would take its record for
//! a duplicate.

use std::collections::{BTreeMap, VecDeque};

use ec_observation::{
    Record,
    segments::{Cut, Cutter, SPREAD_MS},
};

use super::index::StoredGroup;

/// Records that are remembered however old they are, for publishers that send seldom.
const REMEMBERED: usize = 64;

/// A record of the stretch, as far as it is remembered.
#[derive(Clone, Copy, Debug)]
struct Recent {
    group: StoredGroup,
    received_unix_ms: u64,
    /// The publisher that it came from; `None` where that is not known.
    publisher: Option<u64>,
}

/// The present stretch of one track: the records since numbers began anew last, by the rules of protocol §2.5.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    cutter: Cutter,
    recent: BTreeMap<u64, Recent>,
    /// What is remembered, in order of arrival.
    arrivals: VecDeque<(u64, u64)>,
}

impl Stretch {
    /// Takes the next group in order of arrival. Returns whether it is new; if not, it is in the stretch already.
    ///
    /// `publisher` names who sent it, where that is known: what one sends twice is known again however late.
    pub(super) fn take(&mut self, group: StoredGroup, received_unix_ms: u64, publisher: Option<u64>) -> bool {
        self.forget(received_unix_ms);
        let taken = Recent { group, received_unix_ms, publisher };
        if self.is_known(&taken) {
            return false;
        }
        if self.cutter.take(&record(&taken)) == Cut::Begins {
            self.recent.clear();
            self.arrivals.clear();
        }
        self.recent.insert(group.group_sequence, taken);
        self.arrivals.push_back((group.group_sequence, received_unix_ms));
        true
    }

    fn is_known(&self, taken: &Recent) -> bool {
        self.recent.get(&taken.group.group_sequence).is_some_and(|there| {
            let again = taken.publisher.is_some() && taken.publisher == there.publisher;
            there.group == taken.group && (again || within(there.received_unix_ms, taken.received_unix_ms))
        })
    }

    /// Lets go of records that are both old and many.
    fn forget(&mut self, now_unix_ms: u64) {
        while self.arrivals.len() > REMEMBERED
            && let Some(&(sequence, received_unix_ms)) = self.arrivals.front()
            && !within(received_unix_ms, now_unix_ms)
        {
            self.arrivals.pop_front();
            self.recent.remove(&sequence);
        }
    }
}

/// The record that a group gets.
fn record(&Recent { group, received_unix_ms, .. }: &Recent) -> Record {
    let StoredGroup { group_sequence, blake3, size_bytes } = group;
    Record { group_sequence, blake3: *blake3.as_bytes(), size_bytes, received_unix_ms: Some(received_unix_ms) }
}

/// Whether `later` is not too long after `earlier`. A clock that was set back is no reason to begin anew.
fn within(earlier: u64, later: u64) -> bool {
    later.saturating_sub(earlier) <= SPREAD_MS
}

#[cfg(test)]
mod tests;

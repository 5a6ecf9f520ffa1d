//! Which groups of a subscription never came. Pure.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How far numbers may jump for those between to be awaited. A publisher that numbers by time leaves more of them out.
const FARTHEST: u64 = 64;

/// The groups that newer ones of the same track overtook.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    highest: Option<u64>,
    /// When each was overtaken.
    awaited: BTreeMap<u64, Instant>,
}

impl Gaps {
    /// A group was begun.
    pub(crate) fn begun(&mut self, sequence: u64, now: Instant) {
        self.awaited.remove(&sequence);
        let Some(highest) = self.highest.replace(sequence.max(self.highest.unwrap_or(sequence))) else { return };
        if sequence > highest && sequence - highest <= FARTHEST {
            self.awaited.extend((highest + 1..sequence).map(|overtaken| (overtaken, now)));
        }
    }

    /// The groups that were overtaken so long ago. They are told once.
    pub(crate) fn given_up(&mut self, now: Instant, after: Duration) -> Vec<u64> {
        let is_old = |_: &u64, overtaken: &mut Instant| now.duration_since(*overtaken) >= after;
        self.awaited.extract_if(.., is_old).map(|(sequence, _)| sequence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overtaken_and_does_not_come_is_told_once() {
        let (mut gaps, start) = (Gaps::default(), Instant::now());
        let at = |s: u64| start + Duration::from_secs(s);
        // what is below the first one was before the subscription
        for (s, sequence) in [(0, 7), (0, 5), (1, 11), (2, 9), (3, 12)] {
            gaps.begun(sequence, at(s));
        }
        let after = Duration::from_secs(10);
        assert!(gaps.given_up(at(10), after).is_empty());
        assert_eq!(gaps.given_up(at(11), after), [8, 10]);
        assert!(gaps.given_up(at(30), after).is_empty());
    }

    #[test]
    fn numbers_that_jump_far_are_the_publisher_s() {
        let (mut gaps, start) = (Gaps::default(), Instant::now());
        for sequence in [0, 2000, 4000, 4064] {
            gaps.begun(sequence, start);
        }
        assert_eq!(gaps.given_up(start, Duration::ZERO), (4001..4064).collect::<Vec<_>>());
    }
}

//! The epochs that nobody here may vote on, because part of what they rested on cannot be read any more.

use std::ops::{Range, RangeInclusive};

use ec_observation::EpochKey;
use rangemap::RangeSet;
use serde::{Deserialize, Serialize};

/// What the lost files of a track touched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Withheld {
    epochs: RangeSet<EpochKey>,
    /// Where a break began whose end is not known before the next file's first good line: what was written and never
    /// read may belong to any epoch up to that.
    open: Option<EpochKey>,
}

impl Withheld {
    /// Notes that a file that touched these epochs is lost.
    pub(crate) fn lose(&mut self, touched: RangeInclusive<EpochKey>) {
        let (low, high) = touched.into_inner();
        self.epochs.insert(low..high.next().unwrap_or(high));
    }

    /// Notes that a file which touched epochs from `low` on is lost, and perhaps lines of it that nobody read.
    pub(crate) fn break_off(&mut self, low: EpochKey) {
        self.open = Some(self.open.map_or(low, |open| open.min(low)));
    }

    /// Ends an open break at the first good line after it.
    pub(crate) fn resume(&mut self, first: Option<EpochKey>) {
        if let (Some(first), Some(low)) = (first, self.open) {
            self.open = None;
            self.lose(low.min(first)..=first);
        }
    }

    /// Whether a file is lost and no good line came after it yet.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The epochs of breaks that are over.
    pub(crate) fn epochs(&self) -> impl Iterator<Item = &Range<EpochKey>> {
        self.epochs.iter()
    }

    /// Whether an epoch is withheld.
    pub(crate) fn contains(&self, epoch: EpochKey) -> bool {
        self.open.is_some_and(|low| low <= epoch) || self.epochs.contains(&epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: u64) -> EpochKey {
        EpochKey::timeline(index)
    }

    #[test]
    fn a_break_reaches_up_to_the_first_line_after_it() {
        let mut withheld = Withheld::default();
        let last = key(u64::MAX);
        withheld.lose(key(3)..=key(5));
        withheld.break_off(key(4));
        assert!(!withheld.contains(key(2)) && withheld.contains(key(3)) && withheld.contains(last));
        withheld.resume(None);
        assert!(withheld.contains(last));
        withheld.resume(Some(key(7)));
        assert!(withheld.contains(key(7)) && !withheld.contains(key(8)));
        withheld.resume(Some(key(9)));
        assert!(!withheld.contains(key(9)), "no break is open");
        withheld.break_off(key(20));
        withheld.resume(Some(key(1)));
        assert!(withheld.contains(key(1)), "a file that begins below");
    }

    #[test]
    fn a_break_reaches_into_the_next_segment() {
        let mut withheld = Withheld::default();
        let at = |segment, index| EpochKey { segment, index };
        withheld.break_off(at(1, 7));
        withheld.resume(Some(at(2, 3)));
        let found = [at(1, 6), at(1, 7), at(1, 900), at(2, 0), at(2, 3), at(2, 4)].map(|key| withheld.contains(key));
        assert_eq!(found, [false, true, true, true, true, false]);
    }
}

//! The epochs that nobody here may vote on, because part of what they rested on cannot be read any more.

use std::ops::RangeInclusive;

use rangemap::RangeInclusiveSet;
use serde::{Deserialize, Serialize};

/// What the lost files of a track touched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Withheld {
    epochs: RangeInclusiveSet<u64>,
    /// Where a break began whose end is not known before the next file's first good line: what was written and never
    /// read may belong to any epoch up to that.
    open: Option<u64>,
}

impl Withheld {
    /// Notes that a file that touched these epochs is lost.
    pub(crate) fn lose(&mut self, touched: RangeInclusive<u64>) {
        self.epochs.insert(touched);
    }

    /// Notes that a file which touched epochs from `low` on is lost, and perhaps lines of it that nobody read.
    pub(crate) fn break_off(&mut self, low: u64) {
        self.open = Some(self.open.map_or(low, |open| open.min(low)));
    }

    /// Ends an open break at the first good line after it.
    pub(crate) fn resume(&mut self, first: Option<u64>) {
        if let (Some(first), Some(low)) = (first, self.open) {
            self.open = None;
            self.epochs.insert(low.min(first)..=first);
        }
    }

    /// Whether a file is lost and no good line came after it yet.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The epochs of breaks that are over.
    pub(crate) fn epochs(&self) -> &RangeInclusiveSet<u64> {
        &self.epochs
    }

    /// Whether an epoch is withheld.
    pub(crate) fn contains(&self, epoch: u64) -> bool {
        self.open.is_some_and(|low| low <= epoch) || self.epochs.contains(&epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_reaches_up_to_the_first_line_after_it() {
        let mut withheld = Withheld::default();
        withheld.lose(3..=5);
        withheld.break_off(4);
        assert!(!withheld.contains(2) && withheld.contains(3) && withheld.contains(u64::MAX));
        withheld.resume(None);
        assert!(withheld.contains(u64::MAX));
        withheld.resume(Some(7));
        assert!(withheld.contains(7) && !withheld.contains(8));
        withheld.resume(Some(9));
        assert!(!withheld.contains(9), "no break is open");
        withheld.break_off(20);
        withheld.resume(Some(1));
        assert!(withheld.contains(1), "a file that begins below");
    }
}

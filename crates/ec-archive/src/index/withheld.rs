//! The epochs that nobody here may vote on, because part of what they rested on cannot be read any more.

use std::ops::RangeInclusive;

use ec_observation::EpochKey;
use rangemap::{RangeInclusiveSet, StepLite};
use serde::{Deserialize, Serialize};

/// An end of a range of epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Bound(pub(crate) EpochKey);

impl StepLite for Bound {
    fn add_one(&self) -> Self {
        Self(self.0.next().unwrap_or(EpochKey::MAX))
    }

    fn sub_one(&self) -> Self {
        Self(self.0.before().unwrap_or(EpochKey::MIN))
    }
}

/// What the lost files of a track touched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Withheld {
    epochs: RangeInclusiveSet<Bound>,
    /// Where a break began whose end is not known before the next file's first good line: what was written and never
    /// read may belong to any epoch up to that.
    open: Option<EpochKey>,
}

impl Withheld {
    /// Notes that a file that touched these epochs is lost.
    pub(crate) fn lose(&mut self, touched: RangeInclusive<EpochKey>) {
        self.epochs.insert(Bound(*touched.start())..=Bound(*touched.end()));
    }

    /// Notes that a file which touched epochs from `low` on is lost, and perhaps lines of it that nobody read.
    pub(crate) fn break_off(&mut self, low: EpochKey) {
        self.open = Some(self.open.map_or(low, |open| open.min(low)));
    }

    /// Ends an open break at the first good line after it.
    pub(crate) fn resume(&mut self, first: Option<EpochKey>) {
        if let (Some(first), Some(low)) = (first, self.open) {
            self.open = None;
            self.epochs.insert(Bound(low.min(first))..=Bound(first));
        }
    }

    /// Whether a file is lost and no good line came after it yet.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The epochs of breaks that are over.
    pub(crate) fn epochs(&self) -> &RangeInclusiveSet<Bound> {
        &self.epochs
    }

    /// Whether an epoch is withheld.
    pub(crate) fn contains(&self, epoch: EpochKey) -> bool {
        self.open.is_some_and(|low| low <= epoch) || self.epochs.contains(&Bound(epoch))
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
        withheld.lose(key(3)..=key(5));
        withheld.break_off(key(4));
        assert!(!withheld.contains(key(2)) && withheld.contains(key(3)) && withheld.contains(key(u64::MAX)));
        withheld.resume(None);
        assert!(withheld.contains(key(u64::MAX)));
        withheld.resume(Some(key(7)));
        assert!(withheld.contains(key(7)) && !withheld.contains(key(8)));
        withheld.resume(Some(key(9)));
        assert!(!withheld.contains(key(9)), "no break is open");
        withheld.break_off(key(20));
        withheld.resume(Some(key(1)));
        assert!(withheld.contains(key(1)), "a file that begins below");
    }
}

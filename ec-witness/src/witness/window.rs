//! Which epochs of a stream are judged now: the window (protocol §5).
//!
//! Half of the window is for the newest epochs, so live work goes on while an archive is caught up from below.

use std::ops::RangeInclusive;

use rangemap::RangeInclusiveSet;

/// Tells which epochs to derive next, and remembers which ones were handed over.
#[derive(Clone, Debug)]
pub struct Window {
    from: u64,
    /// Every epoch below was handed over, or had no record when it was passed.
    cursor: u64,
    admitted: RangeInclusiveSet<u64>,
    half: u64,
}

/// Epochs that should enter the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where to look; epochs in it that were admitted already are to be left out.
    pub range: RangeInclusive<u64>,
    /// How many to take at most, in ascending order.
    pub limit: usize,
}

impl Window {
    /// A window over the epochs from `from` on, for `max_inflight` slots.
    pub fn new(from: u64, max_inflight: usize) -> Self {
        let half = (max_inflight as u64 / 2).max(1);
        Self { from, cursor: from, admitted: RangeInclusiveSet::new(), half }
    }

    /// The first epoch that is judged.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// The newest epochs below and including `highest`.
    pub fn newest(&self, highest: u64) -> Option<Wanted> {
        let low = highest.saturating_sub(self.half - 1).max(self.from);
        (low <= highest).then_some(Wanted { range: low..=highest, limit: self.half as usize })
    }

    /// The oldest epochs not passed yet, when `undecided` slots below the newest half leave room.
    pub fn oldest(&self, highest: u64, undecided: usize) -> Option<Wanted> {
        let high = highest.checked_sub(self.half)?;
        let limit = (self.half as usize).checked_sub(undecided).filter(|&limit| limit > 0)?;
        (self.cursor <= high).then_some(Wanted { range: self.cursor..=high, limit })
    }

    /// The lowest epoch of the newest half.
    pub fn newest_from(&self, highest: u64) -> u64 {
        highest.saturating_sub(self.half - 1)
    }

    /// Whether an epoch is judged at all and was not admitted yet.
    pub fn is_new(&self, epoch: u64) -> bool {
        epoch >= self.from && !self.admitted.contains(&epoch)
    }

    /// Whether an epoch was passed without a record, so that it has to be looked at again when one arrives.
    pub fn was_passed(&self, epoch: u64) -> bool {
        epoch < self.cursor && self.is_new(epoch)
    }

    /// Notes that an epoch was handed over.
    pub fn admit(&mut self, epoch: u64) {
        self.admitted.insert(epoch..=epoch);
    }

    /// Notes that everything below `epoch` was looked at from below.
    pub fn pass(&mut self, epoch: u64) {
        self.cursor = self.cursor.max(epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_half_and_the_oldest_half() {
        let mut window = Window::new(10, 4);
        assert_eq!((window.from(), window.newest_from(100)), (10, 99));
        assert_eq!(window.newest(9), None);
        assert_eq!(window.newest(10).unwrap().range, 10..=10);
        assert_eq!(window.newest(100).unwrap().range, 99..=100);
        assert_eq!(window.oldest(100, 0), Some(Wanted { range: 10..=98, limit: 2 }));
        assert_eq!(window.oldest(100, 1).unwrap().limit, 1);
        assert_eq!(window.oldest(100, 2), None);
        assert_eq!(window.oldest(11, 0), None, "all in the newest half");
        window.admit(10);
        window.pass(12);
        assert_eq!(window.oldest(100, 0).unwrap().range, 12..=98);
        assert!(!window.is_new(10) && !window.is_new(9));
        assert!(window.was_passed(11) && !window.was_passed(10) && !window.was_passed(12));
    }

    #[test]
    fn the_last_epochs_of_all() {
        let mut window = Window::new(0, 64);
        assert_eq!(window.newest(u64::MAX).unwrap().range, u64::MAX - 31..=u64::MAX);
        window.admit(u64::MAX);
        window.admit(0);
        assert!(!window.is_new(u64::MAX) && !window.is_new(0));
    }
}

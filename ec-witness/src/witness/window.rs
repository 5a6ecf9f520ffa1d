//! Which epochs of a stream are judged now: the window (protocol §5).
//!
//! Half of the window is for the newest epochs, so live work goes on while an archive is caught up from below.

use std::ops::RangeInclusive;

use ec_archive::SegmentSpan;
use ec_observation::EpochKey;
use rangemap::RangeSet;

/// Tells which epochs to derive next, and remembers which ones were handed over.
#[derive(Clone, Debug)]
pub struct Window {
    from: EpochKey,
    /// Every epoch below was handed over, or had no record when it was passed.
    cursor: EpochKey,
    admitted: RangeSet<EpochKey>,
    half: u64,
}

/// Epochs that should enter the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where to look; epochs in it that were admitted already are to be left out.
    pub range: RangeInclusive<EpochKey>,
    /// How many to take at most, in ascending order.
    pub limit: usize,
}

impl Window {
    /// A window over the epochs from `from` on, for `max_inflight` slots.
    pub fn new(from: EpochKey, max_inflight: usize) -> Self {
        let half = (max_inflight as u64 / 2).max(1);
        Self { from, cursor: from, admitted: RangeSet::new(), half }
    }

    /// The first epoch that is judged.
    pub fn from(&self) -> EpochKey {
        self.from
    }

    /// The newest epochs below and including `highest`, of a stream with these segments.
    pub fn newest(&self, highest: EpochKey, segments: &[SegmentSpan]) -> Option<Wanted> {
        let low = self.newest_from(highest, segments).max(self.from);
        (low <= highest).then_some(Wanted { range: low..=highest, limit: self.half as usize })
    }

    /// The oldest epochs not passed yet, when the slots below the newest half that are `undecided` leave room; these are
    /// counted only where there are such epochs.
    pub fn oldest(
        &self,
        highest: EpochKey,
        segments: &[SegmentSpan],
        undecided: impl FnOnce(EpochKey) -> usize,
    ) -> Option<Wanted> {
        let newest_from = self.newest_from(highest, segments);
        let high = newest_from.before().filter(|&high| self.cursor <= high)?;
        let limit = (self.half as usize).checked_sub(undecided(newest_from)).filter(|&limit| limit > 0)?;
        Some(Wanted { range: self.cursor..=high, limit })
    }

    /// The lowest epoch of the newest half.
    pub fn newest_from(&self, highest: EpochKey, segments: &[SegmentSpan]) -> EpochKey {
        let EpochKey { mut segment, mut index } = highest;
        let mut left = self.half - 1;
        for span in segments.iter().rev().skip_while(|span| span.segment > highest.segment) {
            if span.segment < segment {
                (segment, index) = (span.segment, span.highest);
            }
            let below = index.saturating_sub(span.lowest);
            if left <= below {
                return EpochKey { segment, index: index - left };
            }
            left -= below + 1;
            index = span.lowest;
        }
        EpochKey { segment, index: index.saturating_sub(left + 1) }
    }

    /// Whether an epoch is judged at all and was not admitted yet.
    pub fn is_new(&self, epoch: EpochKey) -> bool {
        epoch >= self.from && !self.admitted.contains(&epoch)
    }

    /// The runs of epochs in a range that are judged at all and were not admitted yet, ascending.
    pub fn new_within(&self, range: RangeInclusive<EpochKey>) -> Vec<RangeInclusive<EpochKey>> {
        let (low, high) = range.into_inner();
        // the last key of all is that of no epoch
        let (low, end) = (low.max(self.from), high.next().unwrap_or(EpochKey::MAX));
        if low >= end {
            return Vec::new();
        }
        let range = low..end;
        self.admitted.gaps(&range).filter_map(|gap| Some(gap.start..=gap.end.before()?)).collect()
    }

    /// Whether an epoch was passed without a record, so that it has to be looked at again when one arrives.
    pub fn was_passed(&self, epoch: EpochKey) -> bool {
        epoch < self.cursor && self.is_new(epoch)
    }

    /// Notes that an epoch was handed over.
    pub fn admit(&mut self, epoch: EpochKey) {
        // the last key of all is that of no epoch: a segment for each begins with a record
        if let Some(next) = epoch.next() {
            self.admitted.insert(epoch..next);
        }
    }

    /// Notes that everything below `epoch` was looked at from below.
    pub fn pass(&mut self, epoch: EpochKey) {
        self.cursor = self.cursor.max(epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: fn(u64) -> [SegmentSpan; 1] = |highest| [SegmentSpan::untimed(0, 0, highest)];

    fn key(index: u64) -> EpochKey {
        EpochKey::timeline(index)
    }

    #[test]
    fn the_newest_half_and_the_oldest_half() {
        let mut window = Window::new(key(10), 4);
        let newest = |window: &Window, highest| window.newest(key(highest), &ONE(highest));
        let oldest = |window: &Window, highest, undecided| window.oldest(key(highest), &ONE(highest), |_| undecided);
        assert_eq!((window.from(), window.newest_from(key(100), &ONE(100))), (key(10), key(99)));
        assert_eq!(newest(&window, 9), None);
        assert_eq!(newest(&window, 10).unwrap().range, key(10)..=key(10));
        assert_eq!(newest(&window, 100).unwrap().range, key(99)..=key(100));
        assert_eq!(oldest(&window, 100, 0), Some(Wanted { range: key(10)..=key(98), limit: 2 }));
        assert_eq!(oldest(&window, 100, 1).unwrap().limit, 1);
        assert_eq!(oldest(&window, 100, 2), None);
        assert_eq!(oldest(&window, 11, 0), None, "all in the newest half");
        window.admit(key(10));
        window.pass(key(12));
        assert_eq!(oldest(&window, 100, 0).unwrap().range, key(12)..=key(98));
        assert!(!window.is_new(key(10)) && !window.is_new(key(9)));
        assert!(window.was_passed(key(11)) && !window.was_passed(key(10)) && !window.was_passed(key(12)));
    }

    #[test]
    fn what_was_admitted_is_not_looked_at_again() {
        let mut window = Window::new(key(10), 64);
        let new = |window: &Window, range: RangeInclusive<u64>| -> Vec<_> {
            let found = window.new_within(key(*range.start())..=key(*range.end()));
            found.into_iter().map(|range| range.start().index..=range.end().index).collect()
        };
        assert_eq!(new(&window, 5..=20), [10..=20]);
        assert!(new(&window, 5..=9).is_empty());
        [12, 13, 20].into_iter().for_each(|index| window.admit(key(index)));
        assert_eq!(new(&window, 5..=20), [10..=11, 14..=19]);
        assert_eq!(new(&window, 13..=u64::MAX), [14..=19, 21..=u64::MAX]);
        assert!(new(&window, 12..=13).is_empty());
    }

    #[test]
    fn the_last_epochs_of_all() {
        let mut window = Window::new(key(0), 64);
        let newest = window.newest(key(u64::MAX), &ONE(u64::MAX)).unwrap();
        assert_eq!(newest.range, key(u64::MAX - 31)..=key(u64::MAX));
        window.admit(key(u64::MAX));
        window.admit(key(0));
        assert!(!window.is_new(key(u64::MAX)) && !window.is_new(key(0)));
    }

    #[test]
    fn the_newest_half_reaches_over_segments() {
        let window = Window::new(EpochKey::MIN, 8);
        let segments = [(0, 0, 9), (1, 0, 0), (2, 5, 6)];
        let segments = segments.map(|(segment, low, high)| SegmentSpan::untimed(segment, low, high));
        let at = |segment, index| EpochKey { segment, index };
        // 6 and 5 of the last, 0 of the second, 9 of the first
        assert_eq!(window.newest_from(at(2, 6), &segments), at(0, 9));
        assert_eq!(window.oldest(at(2, 6), &segments, |_| 0).unwrap().range, at(0, 0)..=at(0, 8));
        assert_eq!(window.newest_from(at(1, 0), &segments), at(0, 7));
        assert_eq!(window.newest_from(at(2, 6), &segments[2..]), at(2, 3), "nothing is before");
    }
}

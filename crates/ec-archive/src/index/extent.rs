//! A stretch of a track's file and the epochs it touches.

use ec_observation::EpochKey;
use serde::{Deserialize, Serialize};

use super::{keys::Keys, neighbours::Neighbours};

/// How finely a file is indexed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grain {
    /// Bytes after which an extent ends at the next good line.
    pub(crate) extent_len: u64,
    /// Extents above which neighbours are joined.
    pub(crate) max_extents: usize,
}

impl Default for Grain {
    /// Extents are small, because following a growing archive re-reads the last one for each new record; 8192 of 64 KiB
    /// index 512 MB of a file at full resolution.
    fn default() -> Self {
        Self { extent_len: 64 << 10, max_extents: 8192 }
    }
}

/// A stretch of a file that starts at a line and ends after one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extent {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// The epoch of the last good line before `start`: a bad line at the start touches it.
    pub(crate) before: Option<EpochKey>,
    /// Whether bad lines before `start` wait for the next good one.
    pub(crate) waiting: bool,
    /// Whether lines of another file were read between those of the extent before it and its own.
    pub(crate) is_apart: bool,
    /// The segment of the good line that was read before `start`, and the time by which it was cut.
    pub(crate) segment: u64,
    pub(crate) before_ms: u64,
    /// Where the first line stands that begins another segment.
    pub(crate) cut: Option<u64>,
    /// Lowest and highest epoch touched; `None` when there is none.
    pub(crate) touched: Option<(EpochKey, EpochKey)>,
    /// The sum of its lines' checksums.
    pub(crate) checksum: u128,
}

impl Extent {
    /// One that starts where the lines of `keys` go on, and those of its file.
    pub(crate) fn starting_at(start: u64, neighbours: &Neighbours, keys: &Keys) -> Self {
        let (segment, before_ms) = (keys.segment(), keys.last_ms());
        let Neighbours { last: before, waiting, .. } = *neighbours;
        let (is_apart, cut, touched) = (false, None, None);
        Self { start, end: start, before, waiting, is_apart, segment, before_ms, cut, touched, checksum: 0 }
    }

    pub(crate) fn touch(&mut self, epoch: EpochKey) {
        let (low, high) = self.touched.unwrap_or((epoch, epoch));
        self.touched = Some((low.min(epoch), high.max(epoch)));
    }

    pub(crate) fn join(self, next: Self) -> Self {
        let (checksum, cut) = (self.checksum.wrapping_add(next.checksum), self.cut.or(next.cut));
        let mut joined = Self { end: next.end, checksum, cut, ..self };
        for epoch in next.touched.into_iter().flat_map(|(low, high)| [low, high]) {
            joined.touch(epoch);
        }
        joined
    }
}

/// Halves the number of extents when there are more than `max`, but for those that stand apart: what is cut in one is not
/// known by the other.
pub(crate) fn join_neighbours(extents: &mut Vec<Extent>, max: usize) {
    if extents.len() > max {
        let mut rest = std::mem::take(extents).into_iter().peekable();
        while let Some(extent) = rest.next() {
            let next = rest.next_if(|next| !next.is_apart);
            extents.push(next.map_or(extent, |next| extent.join(next)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use ec_observation::EpochRule;

    use super::*;

    #[test]
    fn what_stands_apart_is_joined_to_nothing_before_it() {
        let keys = Keys::new(EpochRule::timeline(NonZeroU64::MIN));
        let extent = |start, is_apart| {
            let begun = Extent::starting_at(start, &Neighbours::default(), &keys);
            Extent { end: start + 1, is_apart, ..begun }
        };
        let mut extents: Vec<_> =
            [false, true, false, true, true].into_iter().zip(0..).map(|(a, s)| extent(s, a)).collect();
        join_neighbours(&mut extents, 5);
        assert_eq!(extents.len(), 5, "there is room");
        join_neighbours(&mut extents, 4);
        let found: Vec<_> = extents.iter().map(|extent| (extent.start, extent.end, extent.is_apart)).collect();
        assert_eq!(found, [(0, 1, false), (1, 3, true), (3, 4, true), (4, 5, true)]);
    }
}

//! A stretch of a track's file and the epochs it touches.

use ec_observation::EpochKey;
use serde::{Deserialize, Serialize};

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
    /// Lowest and highest epoch touched; `None` when there is none.
    pub(crate) touched: Option<(EpochKey, EpochKey)>,
    /// The sum of its lines' checksums.
    pub(crate) checksum: u128,
}

impl Extent {
    pub(crate) fn starting_at(start: u64, before: Option<EpochKey>) -> Self {
        Self { start, end: start, before, touched: None, checksum: 0 }
    }

    pub(crate) fn touch(&mut self, epoch: EpochKey) {
        let (low, high) = self.touched.unwrap_or((epoch, epoch));
        self.touched = Some((low.min(epoch), high.max(epoch)));
    }

    pub(crate) fn join(self, next: Self) -> Self {
        let mut joined = Self { end: next.end, checksum: self.checksum.wrapping_add(next.checksum), ..self };
        for epoch in next.touched.into_iter().flat_map(|(low, high)| [low, high]) {
            joined.touch(epoch);
        }
        joined
    }
}

/// Halves the number of extents when there are more than `max`.
pub(crate) fn join_neighbours(extents: &mut Vec<Extent>, max: usize) {
    if extents.len() > max {
        *extents = extents.chunks(2).filter_map(|pair| pair.iter().copied().reduce(Extent::join)).collect();
    }
}

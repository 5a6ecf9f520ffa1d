//! A stretch of a track's file and the epochs it touches; what a line means for its epochs.

use serde::{Deserialize, Serialize};

use super::line::{BadLine, Record};
use crate::stream::EpochRule;

/// How finely a file is indexed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grain {
    /// Bytes after which an extent ends at the next good line.
    pub(super) extent_len: u64,
    /// Extents above which neighbours are joined.
    pub(super) max_extents: usize,
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
pub(super) struct Extent {
    pub(super) start: u64,
    pub(super) end: u64,
    /// The epoch of the last good line before `start`: a bad line at the start touches it.
    pub(super) before: Option<u64>,
    /// Lowest and highest epoch touched; `None` when there is none.
    pub(super) touched: Option<(u64, u64)>,
    /// The sum of its lines' checksums.
    pub(super) checksum: u128,
}

impl Extent {
    pub(super) fn starting_at(start: u64, before: Option<u64>) -> Self {
        Self { start, end: start, before, touched: None, checksum: 0 }
    }

    pub(super) fn touch(&mut self, epoch: u64) {
        let (low, high) = self.touched.unwrap_or((epoch, epoch));
        self.touched = Some((low.min(epoch), high.max(epoch)));
    }

    pub(super) fn join(self, next: Self) -> Self {
        let mut joined = Self { end: next.end, checksum: self.checksum.wrapping_add(next.checksum), ..self };
        for epoch in next.touched.into_iter().flat_map(|(low, high)| [low, high]) {
            joined.touch(epoch);
        }
        joined
    }
}

/// What a line means for its epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A good line of this epoch.
    Record(u64, Record),
    /// A bad line makes this epoch incomplete.
    Bad(u64),
}

/// Carries what a bad line needs to know of its neighbours from line to line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neighbours {
    pub(super) epochs: EpochRule,
    /// The epoch of the last good line.
    pub(super) before: Option<u64>,
    /// Whether bad lines of unknown epoch wait for the next good line.
    pub(super) waiting: bool,
}

impl Neighbours {
    pub(super) fn mark(&mut self, judged: &Result<Record, BadLine>, mut sink: impl FnMut(Mark)) {
        match judged {
            Ok(record) => {
                let epoch = self.epochs.index(record.group_sequence);
                if std::mem::take(&mut self.waiting) {
                    sink(Mark::Bad(epoch));
                }
                self.before = Some(epoch);
                sink(Mark::Record(epoch, *record));
            }
            Err(BadLine { group_sequence: Some(sequence), .. }) => sink(Mark::Bad(self.epochs.index(*sequence))),
            Err(_) => {
                self.before.into_iter().for_each(|epoch| sink(Mark::Bad(epoch)));
                self.waiting = true;
            }
        }
    }
}

/// Halves the number of extents when there are more than `max`.
pub(super) fn join_neighbours(extents: &mut Vec<Extent>, max: usize) {
    if extents.len() > max {
        *extents = extents.chunks(2).filter_map(|pair| pair.iter().copied().reduce(Extent::join)).collect();
    }
}

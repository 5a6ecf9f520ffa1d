//! What is kept of a file's lines: no records, only which stretch touches which epochs.

use std::path::Path;

use ec_observation::{EpochKey, Record};
use serde::{Deserialize, Serialize};

use super::{
    extent::{Extent, Grain, join_neighbours},
    keys::Keys,
    neighbours::{Mark, Neighbours},
};
use crate::{
    line::BadLine,
    watch::{Quarantined, Watch},
};

/// One complete line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLine {
    /// Offset of its first byte.
    pub offset: u64,
    /// Offset of the next line's first byte.
    pub end: u64,
    /// What it says; `None` when it is blank.
    pub said: Option<Result<Record, BadLine>>,
    /// The checksum of its raw bytes and place.
    pub(crate) checksum: u128,
}

/// The index of one file's lines.
#[derive(Clone, Debug)]
pub(crate) struct LineIndex {
    grain: Grain,
    neighbours: Neighbours,
    kept: Kept,
}

/// The part that a checkpoint keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    extents: Vec<Extent>,
    /// The extent that is being read.
    open: Extent,
    /// The neighbours' state at its end.
    before: Option<EpochKey>,
    waiting: bool,
    /// The epoch of the first good line.
    first: Option<EpochKey>,
    /// The highest epoch with a good line.
    highest: Option<EpochKey>,
}

impl LineIndex {
    /// An index of nothing yet.
    pub(crate) fn new(grain: Grain, keys: &Keys) -> Self {
        let open = Extent::starting_at(0, &Neighbours::default(), keys);
        Self::of(grain, Kept { extents: Vec::new(), open, before: None, waiting: false, first: None, highest: None })
    }

    /// An index as it was kept.
    pub(crate) fn of(grain: Grain, kept: Kept) -> Self {
        let neighbours = Neighbours::after(kept.before, kept.waiting);
        Self { grain, neighbours, kept }
    }

    /// What a checkpoint keeps.
    pub(crate) fn kept(&self) -> Kept {
        Kept { before: self.neighbours.last, waiting: self.neighbours.waiting, ..self.kept.clone() }
    }

    /// The offset after the last complete line.
    pub(crate) fn offset(&self) -> u64 {
        self.kept.open.end
    }

    /// The highest epoch with a good line.
    pub(crate) fn highest(&self) -> Option<EpochKey> {
        self.kept.highest
    }

    /// The epoch of the first good line.
    pub(crate) fn first(&self) -> Option<EpochKey> {
        self.kept.first
    }

    /// The lowest and highest epoch that anything touches.
    pub(crate) fn touched(&self) -> Option<(EpochKey, EpochKey)> {
        let touched = self.extents().filter_map(|extent| extent.touched);
        touched.reduce(|(low, high), (lower, higher)| (low.min(lower), high.max(higher)))
    }

    /// The extents in the file's order.
    pub(crate) fn extents(&self) -> impl Iterator<Item = Extent> + '_ {
        self.kept.extents.iter().chain([&self.kept.open]).copied()
    }

    /// Takes in the file's next line, whose key `keys` tell.
    pub(crate) fn take(&mut self, file: &Path, line: FileLine, keys: &mut Keys, watch: &mut impl Watch) {
        let FileLine { offset, end, said, checksum } = line;
        watch.read(end - offset);
        let Kept { open, first, highest, .. } = &mut self.kept;
        if open.start == open.end {
            // another generation may have been read on since it was begun
            *open = Extent { is_apart: open.is_apart, ..Extent::starting_at(open.start, &self.neighbours, keys) };
        }
        open.checksum = open.checksum.wrapping_add(checksum);
        if let Some(said) = said {
            let begins = self.neighbours.mark(offset, &said, keys, |mark| {
                let (Mark::Record(epoch, _) | Mark::Bad(epoch)) = mark;
                if let Mark::Record(_, record) = mark {
                    first.get_or_insert(epoch);
                    *highest = (*highest).max(Some(epoch));
                    watch.record(file, epoch, &record);
                }
                open.touch(epoch);
                watch.touched(epoch);
            });
            if begins {
                open.cut.get_or_insert(offset);
            }
            if let Err(bad) = said {
                watch.quarantined(Quarantined { file: file.to_owned(), offset, reason: bad.reason });
            }
        }
        self.extend_to(end, keys);
    }

    /// Ends the open extent, because lines of another file were read after its own.
    pub(crate) fn stand_apart(&mut self, keys: &Keys) {
        if self.kept.open.start < self.kept.open.end {
            self.end_extent(keys);
        }
        self.kept.open.is_apart = true;
    }

    /// Ends the open extent if it is long enough, and no bad line at its end waits for the next good one.
    fn extend_to(&mut self, end: u64, keys: &Keys) {
        let open = &mut self.kept.open;
        open.end = end;
        if !self.neighbours.waiting && open.end - open.start >= self.grain.extent_len {
            self.end_extent(keys);
        }
    }

    fn end_extent(&mut self, keys: &Keys) {
        let Kept { extents, open, .. } = &mut self.kept;
        extents.push(*open);
        *open = Extent::starting_at(open.end, &self.neighbours, keys);
        join_neighbours(extents, self.grain.max_extents);
    }
}

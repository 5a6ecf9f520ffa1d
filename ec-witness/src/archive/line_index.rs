//! What is kept of a file's lines: no records, only which stretch touches which epochs.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    extent::{Extent, Grain, Mark, Neighbours, join_neighbours},
    index::{Quarantined, Watch},
    track_file::FileLine,
};
use crate::stream::EpochRule;

/// The index of one file's lines.
#[derive(Clone, Debug)]
pub(super) struct LineIndex {
    grain: Grain,
    neighbours: Neighbours,
    kept: Kept,
}

/// The part that a checkpoint keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    extents: Vec<Extent>,
    /// The extent that is being read.
    open: Extent,
    /// The neighbours' state at its end.
    before: Option<u64>,
    waiting: bool,
    /// The epoch of the first good line.
    first: Option<u64>,
    /// The highest epoch with a good line.
    highest: Option<u64>,
}

impl LineIndex {
    /// An index of nothing yet.
    pub(super) fn new(grain: Grain, epochs: EpochRule) -> Self {
        let open = Extent::starting_at(0, None);
        Self::of(
            grain,
            epochs,
            Kept { extents: Vec::new(), open, before: None, waiting: false, first: None, highest: None },
        )
    }

    /// An index as it was kept.
    pub(super) fn of(grain: Grain, epochs: EpochRule, kept: Kept) -> Self {
        let neighbours = Neighbours { epochs, before: kept.before, waiting: kept.waiting };
        Self { grain, neighbours, kept }
    }

    /// What a checkpoint keeps.
    pub(super) fn kept(&self) -> Kept {
        Kept { before: self.neighbours.before, waiting: self.neighbours.waiting, ..self.kept.clone() }
    }

    /// The offset after the last complete line.
    pub(super) fn offset(&self) -> u64 {
        self.kept.open.end
    }

    /// The highest epoch with a good line.
    pub(super) fn highest(&self) -> Option<u64> {
        self.kept.highest
    }

    /// The epoch of the first good line.
    pub(super) fn first(&self) -> Option<u64> {
        self.kept.first
    }

    /// The lowest and highest epoch that anything touches.
    pub(super) fn touched(&self) -> Option<(u64, u64)> {
        let touched = self.extents().filter_map(|extent| extent.touched);
        touched.reduce(|(low, high), (lower, higher)| (low.min(lower), high.max(higher)))
    }

    /// The extents in the file's order.
    pub(super) fn extents(&self) -> impl Iterator<Item = Extent> + '_ {
        self.kept.extents.iter().chain([&self.kept.open]).copied()
    }

    /// The neighbours' state at the start of an extent.
    pub(super) fn neighbours_of(&self, extent: &Extent) -> Neighbours {
        Neighbours { before: extent.before, waiting: false, ..self.neighbours }
    }

    /// Takes in the file's next line.
    pub(super) fn take(&mut self, file: &Path, line: FileLine, watch: &mut impl Watch) {
        let FileLine { offset, end, judged, checksum } = line;
        watch.read(end - offset);
        let Kept { open, first, highest, .. } = &mut self.kept;
        open.checksum = open.checksum.wrapping_add(checksum);
        if let Some(judged) = judged {
            self.neighbours.mark(&judged, |mark| {
                let (Mark::Record(epoch, _) | Mark::Bad(epoch)) = mark;
                if matches!(mark, Mark::Record(..)) {
                    first.get_or_insert(epoch);
                    *highest = (*highest).max(Some(epoch));
                }
                open.touch(epoch);
                watch.touched(epoch);
            });
            if let Err(bad) = judged {
                watch.quarantined(Quarantined { file: file.to_owned(), offset, reason: bad.reason });
            }
        }
        self.extend_to(end);
    }

    /// Ends the open extent if it is long enough, and no bad line at its end waits for the next good one.
    fn extend_to(&mut self, end: u64) {
        let Kept { extents, open, .. } = &mut self.kept;
        open.end = end;
        if !self.neighbours.waiting && open.end - open.start >= self.grain.extent_len {
            extents.push(*open);
            *open = Extent::starting_at(end, self.neighbours.before);
            join_neighbours(extents, self.grain.max_extents);
        }
    }
}

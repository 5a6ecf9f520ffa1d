//! Derives and names the epochs of a piece of a lane.

use std::{collections::BTreeSet, ops::Range};

use ec_observation::{DerivedEpoch, EpochKey, EpochName, EpochRule, NamedEpoch, Namer, Record, derive::Gathered};

use super::super::{
    part::{BATCH, Scratch, named},
    slices,
};

/// Records of epochs that are whole.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) records: Vec<Record>,
    /// What is of each segment.
    pub(super) parts: Vec<Part>,
}

/// Whole epochs of one segment.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) segment: u64,
    /// The segment's own mark, if that is known.
    pub(super) mark: Option<u64>,
    /// Records that were held before, ascending.
    pub(super) before: Vec<Record>,
    /// Those of the piece, which ascend after these.
    pub(super) range: Range<usize>,
    /// Epochs that bad lines touch.
    pub(super) bad: BTreeSet<EpochKey>,
}

/// What the epochs of a piece say, those of one segment after the other.
pub(super) type Derived = Vec<DerivedPart>;

/// What the epochs of a part say.
#[derive(Debug)]
pub(super) struct DerivedPart {
    pub(super) segment: u64,
    pub(super) mark: Option<u64>,
    pub(super) epochs: Vec<Epochs>,
}

/// Some epochs, in order.
#[derive(Debug)]
pub(super) enum Epochs {
    Named(Vec<NamedEpoch>),
    /// Without a mark, or one of them without a sequence under it.
    Unnamed(Vec<DerivedEpoch>),
}

impl Part {
    /// Hands over the epochs, in order, with their records in two slices.
    pub(super) fn for_each_epoch(
        &self,
        records: &[Record],
        epochs: EpochRule,
        mut visit: impl FnMut(Gathered, &[&[Record]]),
    ) {
        let full = Some(epochs.groups_per_epoch.get());
        let mut rest = [self.before.as_slice(), &records[self.range.clone()]];
        slices::for_each_epoch(epochs, &mut rest, |index, slices| {
            let key = EpochKey { segment: self.segment, index };
            visit(slices::gathered(key, full, slices, self.bad.contains(&key)), slices);
        });
    }

    fn derive(&self, records: &[Record], scratch: &mut Scratch<'_>) -> DerivedPart {
        let Scratch { batch, namer, .. } = scratch;
        let track = batch.track_hashes().first().copied().unwrap_or_default();
        let mut epochs = Vec::new();
        self.for_each_epoch(records, namer.rule().epochs, |epoch, slices| {
            slices::add(batch, epoch, slices.iter().map(|slice| (slice, &track)));
            if batch.underived() == BATCH {
                epochs.push(Epochs::of(batch.derive(), namer, self.mark));
            }
        });
        epochs.push(Epochs::of(batch.derive(), namer, self.mark));
        DerivedPart { segment: self.segment, mark: self.mark, epochs }
    }
}

impl Epochs {
    fn of(derived: Vec<DerivedEpoch>, namer: &Namer<'_>, mark: Option<u64>) -> Self {
        let has_sequence = |mark, epoch: &DerivedEpoch| EpochName { mark, index: epoch.key.index }.sequence().is_some();
        match mark.filter(|&mark| derived.iter().all(|epoch| has_sequence(mark, epoch))) {
            Some(mark) => Self::Named(named(namer, derived, mark)),
            // which one has none is found when they are given back
            None => Self::Unnamed(derived),
        }
    }
}

impl Piece {
    pub(super) fn derive(self, scratch: &mut Scratch<'_>) -> Derived {
        let derive = |part: &Part| part.derive(&self.records, scratch);
        let derived = self.parts.iter().map(derive).collect();
        scratch.buffers.keep(self.records);
        derived
    }
}

//! Derives and names the epochs of a piece of a lane.

use std::{
    collections::BTreeSet,
    ops::{Deref, Range},
    sync::Arc,
};

use ec_observation::{DerivedEpoch, EpochKey, EpochName, EpochRule, NamedEpoch, Namer, Record, derive::Gathered};

use super::super::{
    part::{BATCH, Scratch, named},
    slices,
};

/// Records of epochs that are whole: what is of each segment.
pub(super) type Piece = Vec<Part>;

/// Some of the records that were read at once. What is held back of them and what is given out is not copied.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    records: Arc<Vec<Record>>,
    range: Range<usize>,
}

impl Run {
    /// All of these.
    pub(super) fn of(records: Vec<Record>) -> Self {
        Self { range: 0..records.len(), records: Arc::new(records) }
    }

    /// Those of a range of these.
    pub(super) fn within(&self, range: Range<usize>) -> Self {
        Self { records: Arc::clone(&self.records), range: self.range.start + range.start..self.range.start + range.end }
    }

    /// Those up to a place, and the others.
    pub(super) fn split_at(self, at: usize) -> (Self, Self) {
        (self.within(0..at), self.within(at..self.len()))
    }

    /// The room of the records, if nobody else has any of them.
    fn into_room(self) -> Option<Vec<Record>> {
        Arc::into_inner(self.records)
    }
}

impl Deref for Run {
    type Target = [Record];

    fn deref(&self) -> &[Record] {
        &self.records[self.range.clone()]
    }
}

/// Whole epochs of one segment.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) segment: u64,
    /// The segment's own mark, if that is known.
    pub(super) mark: Option<u64>,
    /// Records that were held before, ascending.
    pub(super) before: Run,
    /// Those that were read last, which ascend after these.
    pub(super) last: Run,
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
    pub(super) fn for_each_epoch(&self, epochs: EpochRule, mut visit: impl FnMut(Gathered, &[&[Record]])) {
        let full = Some(epochs.groups_per_epoch.get());
        let mut rest = [&*self.before, &*self.last];
        slices::for_each_epoch(epochs, &mut rest, |index, slices| {
            let key = EpochKey { segment: self.segment, index };
            visit(slices::gathered(key, full, slices, self.bad.contains(&key)), slices);
        });
    }

    fn derive(self, scratch: &mut Scratch<'_>) -> DerivedPart {
        let Scratch { batch, namer, buffers } = scratch;
        let track = batch.track_hashes().first().copied().unwrap_or_default();
        let mut epochs = Vec::new();
        self.for_each_epoch(namer.rule().epochs, |epoch, slices| {
            slices::add(batch, epoch, slices.iter().map(|slice| (slice, &track)));
            if batch.underived() == BATCH {
                epochs.push(Epochs::of(batch.derive(), namer, self.mark));
            }
        });
        epochs.push(Epochs::of(batch.derive(), namer, self.mark));
        let Self { segment, mark, before, last, .. } = self;
        [before, last].into_iter().filter_map(Run::into_room).for_each(|room| buffers.keep(room));
        DerivedPart { segment, mark, epochs }
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

/// What the epochs of a piece say.
pub(super) fn derive(piece: Piece, scratch: &mut Scratch<'_>) -> Derived {
    piece.into_iter().map(|part| part.derive(scratch)).collect()
}

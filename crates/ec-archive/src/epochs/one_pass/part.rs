//! Derives the epochs that lie wholly inside a part.

use std::collections::{BTreeMap, BTreeSet};

use ec_observation::{
    DerivedEpoch, EpochKey, EpochRecords, EpochRule, NamedEpoch, Namer, Record, StreamRule, derive::Batch,
};

use super::{
    cutter::Part,
    disorder::Disorder,
    lines::{Buffers, Lines},
    slices,
    track_bytes::{Stretch, TrackBytes},
};
use crate::index::Neighbours;

/// Epochs that are hashed at once: enough to fill the vector units at every level, few enough for the caches.
pub(super) const BATCH: usize = 32;

/// What a thread reads into and derives with, again and again.
#[derive(Debug)]
pub(super) struct Scratch<'a> {
    pub(super) buffers: Buffers,
    pub(super) batch: Batch<'a>,
    pub(super) namer: Namer<'a>,
}

impl<'a> Scratch<'a> {
    pub(super) fn new(stream: &'a StreamRule) -> Self {
        Self { buffers: Buffers::default(), batch: Batch::new(stream), namer: Namer::new(stream) }
    }
}

/// What a part says.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Epochs that no other part can touch, in order.
    pub(super) inner: Vec<NamedEpoch>,
    /// Epochs near the cuts.
    pub(super) edges: BTreeMap<u64, EpochRecords>,
    /// Per track.
    pub(super) tracks: Vec<Track>,
}

/// What one track's block says.
#[derive(Debug, Default)]
pub(super) struct Track {
    pub(super) lines: Lines,
    /// Epochs that bad lines touch.
    touched: Vec<u64>,
    /// What bad lines mean for the blocks beside this one.
    pub(super) neighbours: Neighbours<u64>,
}

impl Part {
    /// Reads it.
    pub(super) fn read(
        &self,
        stream: &StreamRule,
        files: &[TrackBytes],
        scratch: &mut Scratch<'_>,
    ) -> Result<Read, Disorder> {
        let epochs = stream.epochs;
        let stretches = files.iter().zip(&self.stretches);
        let tracks = stretches.map(|(bytes, &stretch)| Track::read(bytes, stretch, epochs, &mut scratch.buffers));
        let mut tracks: Vec<Track> = tracks.collect::<Result<_, _>>()?;
        let touched = tracks.iter().flat_map(|track| track.touched.iter().copied().chain(track.bounds(epochs)));
        if !touched.into_iter().all(|epoch| self.bounds.holds(epoch)) {
            return Err(Disorder::Order);
        }
        let bad: BTreeSet<u64> = tracks.iter().flat_map(|track| track.touched.iter().copied()).collect();
        let mut read = match tracks.iter().all(|track| !track.lines.disordered) {
            true => self.slices(&tracks, &bad, scratch),
            false => self.sets(&tracks, &bad, scratch),
        };
        for epoch in bad.into_iter().filter(|epoch| self.bounds.is_edge(*epoch)) {
            read.edges.entry(epoch).or_default().add_bad_line();
        }
        tracks.iter_mut().for_each(|track| scratch.buffers.keep(std::mem::take(&mut track.lines.records)));
        Ok(Read { tracks, ..read })
    }

    /// Gathers epochs from tracks whose records ascend: each is a slice of each track.
    fn slices(&self, tracks: &[Track], bad: &BTreeSet<u64>, scratch: &mut Scratch<'_>) -> Read {
        let Scratch { batch, namer, .. } = scratch;
        let epochs = namer.rule().epochs;
        let full = (tracks.len() as u64).checked_mul(epochs.groups_per_epoch.get());
        let mut edges = BTreeMap::<u64, EpochRecords>::new();
        let mut inner = Vec::new();
        let track_hashes = batch.track_hashes().to_vec();
        let mut rest: Vec<_> = tracks.iter().map(|track| track.lines.records.as_slice()).collect();
        slices::for_each_epoch(epochs, &mut rest, |epoch, slices| {
            if self.bounds.is_edge(epoch) {
                let records = edges.entry(epoch).or_default();
                let all = slices
                    .iter()
                    .enumerate()
                    .flat_map(|(place, slice)| slice.iter().map(move |record| (place, record)));
                all.for_each(|(place, record)| records.add(place, record));
                return;
            }
            let gathered = slices::gathered(EpochKey::timeline(epoch), full, slices, bad.contains(&epoch));
            slices::add(batch, gathered, slices.iter().zip(&track_hashes));
            if batch.underived() == BATCH {
                inner.append(&mut derived(namer, batch));
            }
        });
        inner.append(&mut derived(namer, batch));
        Read { inner, edges, ..Read::default() }
    }

    /// Gathers epochs from records in any order.
    fn sets(&self, tracks: &[Track], bad: &BTreeSet<u64>, scratch: &mut Scratch<'_>) -> Read {
        let Scratch { batch, namer, .. } = scratch;
        let epochs = namer.rule().epochs;
        let mut edges = BTreeMap::<u64, EpochRecords>::new();
        for (place, track) in tracks.iter().enumerate() {
            for record in &track.lines.records {
                edges.entry(epochs.index(record.group_sequence)).or_default().add(place, record);
            }
        }
        edges.retain(|epoch, records| {
            let is_edge = self.bounds.is_edge(*epoch);
            if !is_edge {
                bad.contains(epoch).then(|| records.add_bad_line());
                batch.add(EpochKey::timeline(*epoch), records);
            }
            is_edge
        });
        Read { inner: derived(namer, batch), edges, ..Read::default() }
    }
}

/// The epochs of a batch. On the timeline each has a sequence: its index.
pub(super) fn derived(namer: &Namer<'_>, batch: &mut Batch<'_>) -> Vec<NamedEpoch> {
    named(namer, batch.derive(), 0)
}

/// Epochs that have a sequence under this mark, with their names.
pub(super) fn named(namer: &Namer<'_>, epochs: Vec<DerivedEpoch>, mark: u64) -> Vec<NamedEpoch> {
    let hashes = namer.hash_each(mark, epochs.iter().map(|epoch| epoch.key.index));
    let named = |(epoch, hashes)| namer.named(epoch, mark, hashes).expect("each has a sequence");
    epochs.into_iter().zip(hashes).map(named).collect()
}

impl Track {
    fn read(bytes: &TrackBytes, stretch: Stretch, epochs: EpochRule, buffers: &mut Buffers) -> Result<Self, Disorder> {
        let lines = Lines::read(bytes, stretch, buffers)?;
        let (mut neighbours, mut touched) = (Neighbours::default(), Vec::new());
        let bad = lines.bad.iter().map(|bad| (bad.at, bad.line.group_sequence.map(|stated| epochs.index(stated))));
        let epoch = |at: usize| epochs.index(lines.records[at].group_sequence);
        neighbours.hear(lines.records.len(), bad, epoch, |epoch| touched.push(epoch));
        Ok(Self { lines, touched, neighbours })
    }

    /// The lowest and the highest epoch with a record.
    fn bounds(&self, epochs: EpochRule) -> impl Iterator<Item = u64> + use<> {
        let records = &self.lines.records;
        let (lowest, highest) = match self.lines.disordered {
            false => (records.first(), records.last()),
            true => {
                let by_sequence = |record: &&Record| record.group_sequence;
                (records.iter().min_by_key(by_sequence), records.iter().max_by_key(by_sequence))
            }
        };
        let bounds = [lowest, highest].map(|record| record.map(|record| epochs.index(record.group_sequence)));
        bounds.into_iter().flatten()
    }
}

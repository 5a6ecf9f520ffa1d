//! Judges the lines of a part and derives the epochs that lie wholly inside it.

use std::collections::{BTreeMap, BTreeSet};

use ec_observation::{
    DerivedEpoch, EpochKey, EpochRecords, EpochRule, NamedEpoch, Record, StreamRule,
    derive::{Batch, Gathered},
    tree::leaf_preimage,
};

use super::{
    cutter::Part,
    disorder::Disorder,
    track_bytes::{Stretch, TrackBytes},
};
use crate::{
    files::{bare, is_blank},
    index::Neighbours,
    line::{LineRule, Reason, Shape},
};

/// Epochs that are hashed at once: enough to fill the vector units at every level, few enough for the caches.
const BATCH: usize = 32;

/// Bad lines in one part; with more the files are not read in one pass.
const MAX_BAD_LINES: usize = 1024;

/// What a thread reads into and derives with, again and again.
#[derive(Debug)]
pub(super) struct Scratch<'a> {
    window: Vec<u8>,
    records: Vec<Vec<Record>>,
    batch: Batch<'a>,
}

impl<'a> Scratch<'a> {
    pub(super) fn new(stream: &'a StreamRule) -> Self {
        Self { window: Vec::new(), records: Vec::new(), batch: Batch::new(stream) }
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
    records: Vec<Record>,
    /// The lowest and the highest sequence.
    range: Option<(u64, u64)>,
    /// Whether a record's sequence is not above that of the one before.
    disordered: bool,
    /// Epochs that bad lines touch.
    bad: Vec<u64>,
    pub(super) len: u64,
    /// Offsets of the bad lines.
    pub(super) quarantined: Vec<(u64, Reason)>,
    /// What bad lines mean for the blocks beside this one.
    pub(super) neighbours: Neighbours,
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
        let tracks =
            files.iter().zip(&self.stretches).map(|(bytes, &stretch)| Track::read(bytes, stretch, epochs, scratch));
        let mut tracks: Vec<Track> = tracks.collect::<Result<_, _>>()?;
        let touched = tracks.iter().flat_map(|track| track.bad.iter().copied().chain(track.epochs(epochs)));
        if !touched.into_iter().all(|epoch| self.bounds.holds(epoch)) {
            return Err(Disorder::Order);
        }
        let bad: BTreeSet<u64> = tracks.iter().flat_map(|track| track.bad.iter().copied()).collect();
        let mut read = match tracks.iter().all(|track| !track.disordered) {
            true => self.slices(stream, &tracks, &bad, &mut scratch.batch),
            false => self.sets(stream, &tracks, &bad, &mut scratch.batch),
        };
        for epoch in bad.into_iter().filter(|epoch| self.bounds.is_edge(*epoch)) {
            read.edges.entry(epoch).or_default().add_bad_line();
        }
        scratch.records.extend(tracks.iter_mut().map(|track| std::mem::take(&mut track.records)));
        Ok(Read { tracks, ..read })
    }

    /// Gathers epochs from tracks whose records ascend: each is a slice of each track.
    fn slices(&self, stream: &StreamRule, tracks: &[Track], bad: &BTreeSet<u64>, batch: &mut Batch<'_>) -> Read {
        let epochs = stream.epochs;
        let full = (tracks.len() as u64).checked_mul(epochs.groups_per_epoch.get());
        let mut edges = BTreeMap::<u64, EpochRecords>::new();
        let mut inner = Vec::new();
        let track_hashes = batch.track_hashes().to_vec();
        let mut rest: Vec<&[Record]> = tracks.iter().map(|track| track.records.as_slice()).collect();
        while let Some(epoch) = rest.iter().filter_map(|track| Some(epochs.index(track.first()?.group_sequence))).min()
        {
            let mut slices = Vec::with_capacity(rest.len());
            for track in &mut rest {
                let slice;
                (slice, *track) = track.split_at(leading(track, epoch, epochs));
                slices.push(slice);
            }
            if self.bounds.is_edge(epoch) {
                let records = edges.entry(epoch).or_default();
                let all = slices
                    .iter()
                    .enumerate()
                    .flat_map(|(place, slice)| slice.iter().map(move |record| (place, record)));
                all.for_each(|(place, record)| records.add(place, record));
                continue;
            }
            let leaf_count = slices.iter().map(|slice| slice.len() as u64).sum();
            let gathered = Gathered {
                key: EpochKey::timeline(epoch),
                leaf_count,
                complete: full == Some(leaf_count) && !bad.contains(&epoch),
                conflicting: false,
                first_received_unix_ms: slices
                    .iter()
                    .copied()
                    .flatten()
                    .filter_map(|record| record.received_unix_ms)
                    .min(),
            };
            let leaves = slices.iter().zip(&track_hashes).flat_map(|(slice, hash)| {
                slice
                    .iter()
                    .map(|record| leaf_preimage(*hash, record.group_sequence, &record.blake3, record.size_bytes))
            });
            batch.add_gathered(gathered, leaves);
            if batch.underived() == BATCH {
                inner.append(&mut named(stream, batch.derive()));
            }
        }
        inner.append(&mut named(stream, batch.derive()));
        Read { inner, edges, ..Read::default() }
    }

    /// Gathers epochs from records in any order.
    fn sets(&self, stream: &StreamRule, tracks: &[Track], bad: &BTreeSet<u64>, batch: &mut Batch<'_>) -> Read {
        let mut edges = BTreeMap::<u64, EpochRecords>::new();
        for (place, track) in tracks.iter().enumerate() {
            for record in &track.records {
                edges.entry(stream.epochs.index(record.group_sequence)).or_default().add(place, record);
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
        Read { inner: named(stream, batch.derive()), edges, ..Read::default() }
    }
}

/// The number of records at the beginning that are not after an epoch.
fn leading(records: &[Record], epoch: u64, epochs: EpochRule) -> usize {
    let end = epoch.checked_add(1).and_then(|next| next.checked_mul(epochs.groups_per_epoch.get()));
    let after = end.and_then(|end| records.iter().position(|record| record.group_sequence >= end));
    after.unwrap_or(records.len())
}

/// Names epochs of the timeline.
pub(super) fn named(stream: &StreamRule, derived: Vec<DerivedEpoch>) -> Vec<NamedEpoch> {
    let unmarked = derived.into_iter().map(|epoch| (epoch, 0)).collect();
    stream.name_each(unmarked).expect("an index alone is a sequence")
}

/// The epoch of a record on the timeline.
fn key(record: &Record, epochs: EpochRule) -> EpochKey {
    EpochKey::timeline(epochs.index(record.group_sequence))
}

impl Track {
    /// The lowest and the highest epoch with a record.
    fn epochs(&self, epochs: EpochRule) -> impl Iterator<Item = u64> + use<> {
        self.range.into_iter().flat_map(move |(low, high)| [epochs.index(low), epochs.index(high)])
    }

    fn read(
        bytes: &TrackBytes,
        stretch: Stretch,
        epochs: EpochRule,
        scratch: &mut Scratch<'_>,
    ) -> Result<Self, Disorder> {
        let mut records = scratch.records.pop().unwrap_or_default();
        records.clear();
        records.reserve(stretch.len() as usize / 256);
        let mut track = Self { records, len: stretch.len(), ..Self::default() };
        let mut shape = Shape::default();
        bytes.for_each_lines(stretch, &mut scratch.window, |offset, lines| {
            track.read_lines(offset, lines, bytes.rule(), &mut shape, epochs)
        })?;
        track.pass(epochs);
        Ok(track)
    }

    /// Reads whole lines that stand at `offset`.
    fn read_lines(
        &mut self,
        offset: u64,
        lines: &[u8],
        rule: &LineRule,
        shape: &mut Shape,
        epochs: EpochRule,
    ) -> Result<(), Disorder> {
        let mut rest = lines;
        while !rest.is_empty() {
            if let Some((record, len)) = rule.plain_record(rest, shape)
                && rest.get(len) == Some(&b'\n')
            {
                self.take(record, epochs);
                rest = &rest[len + 1..];
                continue;
            }
            let offset = offset + (lines.len() - rest.len()) as u64;
            let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            self.judge(offset, bare(&rest[..len], offset), rule, epochs)?;
            rest = rest.get(len + 1..).unwrap_or_default();
        }
        Ok(())
    }

    fn judge(&mut self, offset: u64, text: &[u8], rule: &LineRule, epochs: EpochRule) -> Result<(), Disorder> {
        if is_blank(text) {
            return Ok(());
        }
        match rule.record(text) {
            Ok(record) => self.take(record, epochs),
            Err(bad) => {
                self.pass(epochs);
                self.neighbours.bad(&bad, epochs, |epoch| self.bad.push(epoch.index));
                self.quarantined.push((offset, bad.reason));
                if self.quarantined.len() > MAX_BAD_LINES {
                    return Err(Disorder::Order);
                }
            }
        }
        Ok(())
    }

    /// Tells the neighbours of the good lines so far: it is needed at a bad line and at the end only.
    fn pass(&mut self, epochs: EpochRule) {
        if let Some((first, last)) = self.records.first().zip(self.records.last()) {
            self.neighbours.pass(key(first, epochs), key(last, epochs));
        }
    }

    fn take(&mut self, record: Record, epochs: EpochRule) {
        if self.neighbours.waiting {
            self.neighbours.good(key(&record, epochs), |epoch| self.bad.push(epoch.index));
        }
        let sequence = record.group_sequence;
        self.disordered |= self.records.last().is_some_and(|before| before.group_sequence >= sequence);
        let (low, high) = self.range.unwrap_or((sequence, sequence));
        self.range = Some((low.min(sequence), high.max(sequence)));
        self.records.push(record);
    }
}

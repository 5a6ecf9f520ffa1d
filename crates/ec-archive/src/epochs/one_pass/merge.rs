//! Puts parts together again, and links their epochs, in order.

use std::{collections::BTreeMap, path::PathBuf};

use ec_observation::{EpochKey, EpochRecords, NamedEpoch, Namer, ObservationHeader, StreamRule, derive::Batch};

use super::{
    super::closed::Chain,
    cutter::{Bounds, SLACK},
    disorder::Disorder,
    part::{Read, Track, derived},
    run::{Run, RunWriter},
};
use crate::{
    index::Neighbours,
    watch::{Quarantined, Watch},
};

/// The epochs that are whole so far, and what the parts say of the others.
#[derive(Debug)]
pub(super) struct Merge<'a, W> {
    namer: Namer<'a>,
    watch: &'a mut W,
    edges: BTreeMap<u64, EpochRecords>,
    /// Epochs below can no longer be touched.
    sealed: u64,
    tracks: Vec<Before>,
    chain: Chain,
    run: RunWriter,
    highest: Option<u64>,
}

/// What the parts so far mean for a track's next one.
#[derive(Clone, Debug, Default)]
struct Before {
    path: PathBuf,
    /// The end of what was merged.
    end: u64,
    /// What its lines mean for the next ones.
    neighbours: Neighbours<u64>,
}

impl<'a, W: Watch> Merge<'a, W> {
    pub(super) fn new(rule: &'a StreamRule, paths: impl IntoIterator<Item = PathBuf>, watch: &'a mut W) -> Self {
        let tracks = paths.into_iter().map(|path| Before { path, ..Before::default() }).collect();
        Self {
            namer: Namer::new(rule),
            watch,
            edges: BTreeMap::new(),
            sealed: 0,
            tracks,
            chain: Chain::default(),
            run: RunWriter::default(),
            highest: None,
        }
    }

    /// The end of what was told of each file.
    pub(super) fn told(self) -> Vec<(PathBuf, u64)> {
        self.tracks.into_iter().map(|track| (track.path, track.end)).collect()
    }

    /// Adds the next part.
    pub(super) fn merge(&mut self, bounds: Bounds, read: Read) -> Result<(), Disorder> {
        for (place, track) in read.tracks.into_iter().enumerate() {
            self.follow(place, track, bounds)?;
        }
        for (epoch, records) in read.edges {
            if epoch < self.sealed {
                return Err(Disorder::Order);
            }
            self.edges.entry(epoch).or_default().absorb(records);
        }
        let Some(high) = bounds.high else { return self.seal(u64::MAX, read.inner) };
        self.seal(high.saturating_sub(SLACK), read.inner)
    }

    /// Tells of a track's bad lines, and marks the epochs beside those at the cut.
    fn follow(&mut self, place: usize, track: Track, bounds: Bounds) -> Result<(), Disorder> {
        let before = &mut self.tracks[place];
        before.end += track.lines.len;
        let mut touched = Vec::new();
        before.neighbours = before.neighbours.join(track.neighbours, |epoch| touched.push(epoch));
        for epoch in touched {
            if epoch < self.sealed || !bounds.is_edge(epoch) {
                return Err(Disorder::Order);
            }
            self.edges.entry(epoch).or_default().add_bad_line();
        }
        self.watch.read(track.lines.len);
        for bad in track.lines.bad {
            let (file, reason) = (before.path.clone(), bad.line.reason);
            self.watch.quarantined(Quarantined { file, offset: bad.offset, reason });
        }
        Ok(())
    }

    /// Puts the epochs below `end` into the run: those of `inner`, which are, and those that were merged.
    fn seal(&mut self, end: u64, inner: Vec<NamedEpoch>) -> Result<(), Disorder> {
        let open = self.edges.split_off(&end);
        let whole = std::mem::replace(&mut self.edges, open);
        self.sealed = end;
        let mut merged = self.derived(&whole).into_iter().peekable();
        for epoch in inner {
            while let Some(before) = merged.next_if(|before| before.sequence < epoch.sequence) {
                self.add(&before)?;
            }
            self.add(&epoch)?;
        }
        merged.try_for_each(|epoch| self.add(&epoch))
    }

    fn add(&mut self, epoch: &NamedEpoch) -> Result<(), Disorder> {
        self.highest = Some(epoch.sequence);
        // one without a time has no header; that is said when it is given back
        let linked = self.chain.link(epoch, ObservationHeader::hash).ok().flatten();
        self.run.add(epoch, linked.map(|(_, hash)| hash)).map_err(Disorder::Room)
    }

    fn derived(&self, epochs: &BTreeMap<u64, EpochRecords>) -> Vec<NamedEpoch> {
        let mut batch = Batch::new(self.namer.rule());
        let with_records = epochs.iter().filter(|(_, records)| !records.is_empty());
        with_records.for_each(|(epoch, records)| batch.add(EpochKey::timeline(*epoch), records));
        derived(&self.namer, &mut batch)
    }

    /// The epochs and the highest of them, after the last part.
    pub(super) fn finish(&mut self) -> Result<(Run, Option<EpochKey>), Disorder> {
        // the last of all is not below any end
        let last = std::mem::take(&mut self.edges);
        self.derived(&last).iter().try_for_each(|epoch| self.add(epoch))?;
        let run = std::mem::take(&mut self.run).finish().map_err(Disorder::Room)?;
        Ok((run, self.highest.map(EpochKey::timeline)))
    }
}

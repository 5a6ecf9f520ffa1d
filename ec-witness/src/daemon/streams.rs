//! Follows the streams of an archive and tells which epochs are closed (protocol §3).

use std::{
    collections::{BTreeSet, VecDeque},
    time::SystemTime,
};

use crate::{
    archive::{
        ArchiveError, StreamIndex, Sweep,
        index::{Quarantined, TrackIndex, Watch},
    },
    metrics,
    stream::{DerivedEpoch, StreamRule},
    witness::window::{Wanted, Window},
};

/// When an epoch counts as closed without being complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The archive is at rest: as soon as a record of a later epoch is there.
    AtRest,
    /// The archive grows: this many milliseconds after the first record of a later epoch came.
    Grace(u64),
}

/// A closed epoch, or a new derivation of one.
#[derive(Clone, Debug)]
pub struct ClosedEpoch {
    /// What the archive says.
    pub derived: DerivedEpoch,
    /// When it closed, on the own clock.
    pub closed_ms: u64,
}

/// One stream, followed.
#[derive(Debug)]
pub struct FollowedStream {
    index: StreamIndex,
    window: Window,
    closing: Closing,
    /// When the highest epoch rose, and to what; only as far back as the grace reaches.
    risen: VecDeque<(u64, u64)>,
    /// Every epoch below it has had a later record for longer than the grace.
    aged: u64,
    /// Epochs that lines touched since they were looked at last.
    touched: BTreeSet<u64>,
    /// Epochs whose first record came after they were passed, and which are not closed yet.
    late: BTreeSet<u64>,
    /// Whether something changed since the newest epochs were looked at.
    changed: bool,
}

/// Hears of touched epochs and bad lines while the index is read on.
struct Reading<'a> {
    touched: &'a mut BTreeSet<u64>,
    quarantined: Vec<Quarantined>,
    /// Epochs below are not judged.
    from: u64,
    bytes: &'a mut dyn FnMut(u64),
}

impl Watch for Reading<'_> {
    fn read(&mut self, bytes: u64) {
        (self.bytes)(bytes);
    }

    fn quarantined(&mut self, line: Quarantined) {
        self.quarantined.push(line);
    }

    fn touched(&mut self, epoch: u64) {
        if epoch >= self.from {
            self.touched.insert(epoch);
        }
    }
}

impl FollowedStream {
    /// Takes up a stream whose index was read once, judging its epochs from `from` on.
    pub fn new(index: StreamIndex, from: u64, max_inflight: usize, closing: Closing) -> Self {
        metrics::zero_stream(&index.rule().stream_id);
        Self {
            index,
            window: Window::new(from, max_inflight),
            closing,
            risen: VecDeque::new(),
            aged: 0,
            touched: BTreeSet::new(),
            late: BTreeSet::new(),
            changed: true,
        }
    }

    /// The rule that the stream follows.
    pub fn rule(&self) -> &StreamRule {
        self.index.rule()
    }

    /// The highest epoch that has a record.
    pub fn highest_epoch(&self) -> Option<u64> {
        self.index.highest_epoch()
    }

    /// When a track file changed last.
    pub fn newest_change(&self) -> Option<SystemTime> {
        let changed = |track: &TrackIndex| track.path().metadata().ok()?.modified().ok();
        self.index.tracks().iter().filter_map(changed).max()
    }

    /// Reads what was appended; returns the bad lines.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or became shorter.
    pub fn read_on(&mut self, now_ms: u64, bytes: &mut dyn FnMut(u64)) -> Result<Vec<Quarantined>, ArchiveError> {
        let from = self.window.from();
        let mut reading = Reading { touched: &mut self.touched, quarantined: Vec::new(), from, bytes };
        self.index.read_on(&mut reading)?;
        let quarantined = reading.quarantined;
        self.changed |= !self.touched.is_empty();
        self.age(now_ms);
        Ok(quarantined)
    }

    /// Notes when the highest epoch rose, and lets the grace of what lies below pass.
    fn age(&mut self, now_ms: u64) {
        let known = self.risen.back().map_or(self.aged, |&(epoch, _)| epoch);
        if let Some(highest) = self.highest_epoch().filter(|&highest| highest > known) {
            self.risen.push_back((highest, now_ms));
        }
        let Closing::Grace(grace_ms) = self.closing else { return };
        while let Some((epoch, _)) = self.risen.pop_front_if(|(_, at_ms)| at_ms.saturating_add(grace_ms) <= now_ms) {
            self.aged = epoch;
            self.changed = true;
        }
    }

    fn is_closed(&self, derived: &DerivedEpoch) -> bool {
        let later = match self.closing {
            Closing::AtRest => self.highest_epoch(),
            Closing::Grace(_) => Some(self.aged),
        };
        derived.complete || later.is_some_and(|later| derived.sequence < later)
    }

    /// The closed epochs that are new to the window: the newest ones, as many old ones as `undecided` slots below
    /// leave room for, and any whose records arrived after they were passed.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or became shorter.
    pub fn newly_closed(
        &mut self,
        now_ms: u64,
        undecided: impl Fn(u64) -> usize,
    ) -> Result<Vec<ClosedEpoch>, ArchiveError> {
        let Some(highest) = self.highest_epoch() else { return Ok(Vec::new()) };
        let mut closed = Vec::new();
        if std::mem::take(&mut self.changed)
            && let Some(wanted) = self.window.newest(highest)
        {
            self.collect(&wanted, now_ms, &mut closed)?;
        }
        if let Some(wanted) = self.window.oldest(highest, undecided(self.window.newest_from(highest))) {
            let next = self.collect(&wanted, now_ms, &mut closed)?;
            self.window.pass(next);
        }
        self.collect_late(now_ms, &mut closed)?;
        Ok(closed)
    }

    /// Collects the epochs that were passed without a record and have one now. They may still have to close.
    fn collect_late(&mut self, now_ms: u64, closed: &mut Vec<ClosedEpoch>) -> Result<(), ArchiveError> {
        self.late.extend(&self.touched);
        for epoch in std::mem::take(&mut self.late) {
            let alone = Wanted { range: epoch..=epoch, limit: 1 };
            if self.window.was_passed(epoch) && self.collect(&alone, now_ms, closed)? == epoch {
                self.late.insert(epoch);
            }
        }
        Ok(())
    }

    /// Sweeps a range for closed epochs that are new; returns the lowest epoch that is still to be looked at.
    fn collect(&mut self, wanted: &Wanted, now_ms: u64, closed: &mut Vec<ClosedEpoch>) -> Result<u64, ArchiveError> {
        let mut next = None;
        let mut taken = 0;
        for swept in Sweep::new(&self.index, wanted.range.clone()) {
            let derived = swept?.derived;
            if taken == wanted.limit {
                next.get_or_insert(derived.sequence);
                break;
            }
            if !self.window.is_new(derived.sequence) {
                continue;
            }
            if !self.is_closed(&derived) {
                next.get_or_insert(derived.sequence);
                continue;
            }
            self.window.admit(derived.sequence);
            taken += 1;
            closed.push(ClosedEpoch { derived, closed_ms: now_ms });
        }
        Ok(next.unwrap_or(wanted.range.end().saturating_add(1)))
    }

    /// Derives again the handed-over epochs that lines have touched since the last call.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or became shorter.
    pub fn rederived(&mut self) -> Result<Vec<DerivedEpoch>, ArchiveError> {
        let touched = std::mem::take(&mut self.touched);
        let mut derived = Vec::new();
        for epoch in touched.into_iter().filter(|&epoch| !self.window.is_new(epoch)) {
            for swept in Sweep::new(&self.index, epoch..=epoch) {
                derived.push(swept?.derived);
            }
        }
        Ok(derived)
    }
}

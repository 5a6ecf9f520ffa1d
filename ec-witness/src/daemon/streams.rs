//! Follows one stream of an archive and tells which epochs are closed (protocol §2.6).

use std::{collections::BTreeSet, ops::RangeInclusive, path::Path, time::SystemTime};

use ec_archive::{ArchiveError, SegmentSpan, StreamIndex, Sweep, TrackEvent, TrackIndex, is_closed};
use ec_observation::{DerivedEpoch, EpochKey, StreamRule};

use super::{
    closing::{Ages, Closing},
    heard::{Heard, Hearing},
};
use crate::{
    standing::{Backlog, Reading, Tally},
    witness::window::{Wanted, Window},
};

/// Runs of epochs without a final slot that are looked at in one turn.
const MAX_GAPS: usize = 1024;

/// A closed epoch that was not handed over before.
#[derive(Clone, Debug)]
pub struct NewlyClosed {
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
    ages: Ages,
    reading: Reading,
    tally: Tally,
    filled: u64,
    /// Epochs that lines touched since they were looked at last.
    touched: BTreeSet<EpochKey>,
    /// Epochs whose first record came after they were passed, and which are not closed yet.
    late: BTreeSet<EpochKey>,
    /// Whether something changed since the newest epochs were looked at.
    changed: bool,
}

impl FollowedStream {
    /// Takes up a stream whose index was read once, judging its epochs from `from` on.
    pub fn new(index: StreamIndex, from: EpochKey, max_inflight: usize, closing: Closing) -> Self {
        Self {
            index,
            window: Window::new(from, max_inflight),
            ages: Ages::new(closing),
            reading: Reading::default(),
            tally: Tally::default(),
            filled: 0,
            touched: BTreeSet::new(),
            late: BTreeSet::new(),
            changed: true,
        }
    }

    /// The rule that the stream follows.
    pub fn rule(&self) -> &StreamRule {
        self.index.rule()
    }

    /// Its index.
    pub fn index(&self) -> &StreamIndex {
        &self.index
    }

    /// How far its files are read.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// What happened to its files.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The highest epoch that has a record.
    pub fn highest_epoch(&self) -> Option<EpochKey> {
        self.index.highest_epoch()
    }

    /// Where its tracks' files stand.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.index.tracks().iter().map(TrackIndex::path)
    }

    /// When a track file changed last.
    pub fn newest_change(&self) -> Option<SystemTime> {
        self.files().filter_map(|file| file.metadata().ok()?.modified().ok()).max()
    }

    /// Whether nobody here may vote on an epoch, because part of what it rested on cannot be read any more.
    pub fn withholds(&self, epoch: EpochKey) -> bool {
        self.index.withholds(epoch)
    }

    /// Whether something has come to its files, or became of its epochs with time, that was not looked at yet.
    pub fn has_changed(&self) -> bool {
        self.changed || !self.touched.is_empty()
    }

    /// Reads about `budget` bytes of what was appended to each file.
    pub fn read_on(&mut self, now_ms: u64, budget: u64) -> Heard {
        let mut hearing = Hearing { from: self.window.from(), ..Hearing::default() };
        let bytes_read = self.index.bytes_read();
        let read = self.index.read_some(budget, &mut hearing);
        let reading = match (read, self.index.hindrance()) {
            (Err(error), _) => Reading::Waiting(error.to_string()),
            (Ok(_), Some(hindrance)) => Reading::Waiting(hindrance),
            (Ok(false), None) => Reading::CatchingUp,
            (Ok(true), None) => Reading::Current,
        };
        let heard = self.hear(hearing, reading);
        self.changed |= self.index.bytes_read() != bytes_read;
        if self.reading == Reading::Current {
            self.changed |= self.ages.pass(self.highest_epoch(), now_ms);
        }
        heard
    }

    fn hear(&mut self, hearing: Hearing, reading: Reading) -> Heard {
        let Hearing { mut heard, touched, .. } = hearing;
        self.touched.extend(touched);
        heard.turned = self.reading != reading;
        self.changed |= !self.touched.is_empty() || heard.turned || !heard.events.is_empty();
        self.reading = reading;
        self.tally.bad_lines += heard.bad_lines;
        for event in &heard.events {
            match event {
                TrackEvent::Rotated { .. } => self.tally.rotated += 1,
                TrackEvent::Lost { .. } => self.tally.lost += 1,
            }
        }
        heard
    }

    /// After a derivation that failed: gives up the file that it found changed, or waits for one that cannot be read.
    pub fn fail(&mut self, error: &ArchiveError) -> Heard {
        let mut hearing = Hearing::default();
        if let ArchiveError::Changed { path, generation, .. } = error {
            self.index.lose(path, *generation, &mut hearing);
            return self.hear(hearing, Reading::CatchingUp);
        }
        self.hear(hearing, Reading::Waiting(error.to_string()))
    }

    /// Whether there may be epochs to hand over: something [changed](Self::has_changed), a late record's epoch has still to
    /// close, or old ones were not looked at.
    pub fn may_close(&self) -> bool {
        let has_old = |highest| self.window.oldest(highest, &self.index.segments(), |_| 0).is_some();
        self.has_changed() || !self.late.is_empty() || self.highest_epoch().is_some_and(has_old)
    }

    /// The closed epochs that are new to the window, appended to `closed`: the newest ones, as many old ones as
    /// `undecided` slots below leave room for, and any whose records arrived after they were passed. Old ones are looked
    /// for only where `next_gap` finds, from one sequence to another, a run without a final slot.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or changed; see [`Self::fail`]. What was appended stands.
    pub fn newly_closed(
        &mut self,
        now_ms: u64,
        undecided: impl Fn(EpochKey) -> usize,
        next_gap: impl Fn(EpochKey, EpochKey) -> Option<RangeInclusive<EpochKey>>,
        closed: &mut Vec<NewlyClosed>,
    ) -> Result<(), ArchiveError> {
        let Some(highest) = self.highest_epoch().filter(|_| self.reading == Reading::Current) else { return Ok(()) };
        let segments = self.index.segments();
        if self.changed
            && let Some(wanted) = self.window.newest(highest, &segments)
        {
            self.collect(&wanted, now_ms, closed)?;
        }
        self.changed = false;
        if let Some(wanted) = self.window.oldest(highest, &segments, undecided) {
            let before = closed.len();
            let collected = self.collect_gaps(wanted, now_ms, next_gap, closed);
            self.filled += (closed.len() - before) as u64;
            collected?;
        }
        self.collect_late(now_ms, closed)
    }

    /// Collects old epochs, gap by gap, passing by what is final.
    fn collect_gaps(
        &mut self,
        Wanted { range, mut limit }: Wanted,
        now_ms: u64,
        next_gap: impl Fn(EpochKey, EpochKey) -> Option<RangeInclusive<EpochKey>>,
        closed: &mut Vec<NewlyClosed>,
    ) -> Result<(), ArchiveError> {
        let (mut from, to) = range.into_inner();
        for _ in 0..MAX_GAPS {
            let Some(gap) = next_gap(from, to) else {
                self.window.pass(to.next().unwrap_or(to));
                return Ok(());
            };
            let (before, end) = (closed.len(), *gap.end());
            let next = self.collect(&Wanted { range: gap, limit }, now_ms, closed)?;
            self.window.pass(next);
            limit -= closed.len() - before;
            if next <= end || limit == 0 || end == to {
                return Ok(());
            }
            from = next;
        }
        Ok(())
    }

    /// How much of what is old has still to be looked at.
    pub fn backlog(&self, next_gap: impl Fn(EpochKey, EpochKey) -> Option<RangeInclusive<EpochKey>>) -> Backlog {
        let segments = self.index.segments();
        let wanted = self.highest_epoch().and_then(|highest| self.window.oldest(highest, &segments, |_| 0));
        let mut left = 0u64;
        let mut rest = wanted.map(|wanted| wanted.range.into_inner());
        while let Some((from, to)) = rest.take() {
            if let Some(gap) = next_gap(from, to) {
                left = left.saturating_add(count(&gap, &segments));
                rest = gap.end().next().filter(|&next| next <= to).map(|next| (next, to));
            }
        }
        Backlog { filled: self.filled, left }
    }

    /// Collects the epochs that were passed without a record and have one now. They may still have to close.
    fn collect_late(&mut self, now_ms: u64, closed: &mut Vec<NewlyClosed>) -> Result<(), ArchiveError> {
        self.late.extend(&self.touched);
        let mut late = std::mem::take(&mut self.late);
        while let Some(epoch) = late.pop_first() {
            if !self.window.was_passed(epoch) {
                continue;
            }
            match self.collect(&Wanted { range: epoch..=epoch, limit: 1 }, now_ms, closed) {
                Ok(next) if next == epoch => _ = self.late.insert(epoch),
                Ok(_) => {}
                Err(error) => {
                    self.late.append(&mut late);
                    self.late.insert(epoch);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Sweeps a range for closed epochs that are new; returns the lowest epoch that is still to be looked at. What is
    /// withheld is passed by.
    fn collect(
        &mut self,
        wanted: &Wanted,
        now_ms: u64,
        closed: &mut Vec<NewlyClosed>,
    ) -> Result<EpochKey, ArchiveError> {
        let end = wanted.range.end().next().unwrap_or(EpochKey::MAX);
        // the newest one grows, and is read again and again only once it may be complete
        let growing = self.highest_epoch().filter(|highest| wanted.range.contains(highest));
        let growing = growing.filter(|highest| !self.index.may_be_complete(*highest));
        let range = *wanted.range.start()..=growing.and_then(EpochKey::before).unwrap_or(*wanted.range.end());
        let mut next = None;
        let mut taken = 0;
        for swept in self.window.new_within(range).into_iter().flat_map(|range| Sweep::new(&self.index, range)) {
            let derived = swept?.derived;
            if taken == wanted.limit {
                next.get_or_insert(derived.key);
                break;
            }
            if self.index.withholds(derived.key) {
                continue;
            }
            if !is_closed(&derived, self.ages.aged(self.highest_epoch())) {
                next.get_or_insert(derived.key);
                continue;
            }
            self.window.admit(derived.key);
            taken += 1;
            closed.push(NewlyClosed { derived, closed_ms: now_ms });
        }
        Ok(next.or(growing).unwrap_or(end))
    }

    /// Derives again the handed-over epochs that lines have touched since the last call, appended to `derived`.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or changed; see [`Self::fail`]. What was appended stands.
    pub fn rederived(&mut self, derived: &mut Vec<DerivedEpoch>) -> Result<(), ArchiveError> {
        if self.reading != Reading::Current {
            return Ok(());
        }
        while let Some(epoch) = self.touched.first().copied() {
            if !self.window.is_new(epoch) && !self.index.withholds(epoch) {
                for swept in Sweep::new(&self.index, epoch..=epoch) {
                    derived.push(swept?.derived);
                }
            }
            self.touched.remove(&epoch);
        }
        Ok(())
    }
}

/// How many epochs of these segments lie in a range.
pub(super) fn count(range: &RangeInclusive<EpochKey>, segments: &[SegmentSpan]) -> u64 {
    let within = |span: &SegmentSpan| {
        let low = EpochKey { segment: span.segment, index: span.lowest }.max(*range.start());
        let high = EpochKey { segment: span.segment, index: span.highest }.min(*range.end());
        if low <= high { (high.index - low.index).saturating_add(1) } else { 0 }
    };
    segments.iter().fold(0, |sum: u64, span| sum.saturating_add(within(span)))
}

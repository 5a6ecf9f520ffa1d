//! Reads the archive: from its files to the epochs that are judged.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use ec_ledger::Pulse;
use ec_observation::{DerivedEpoch, EpochKey, StreamHash, StreamRule};
use tokio::time::Instant;

use super::{
    Halt, count,
    count::Counts,
    heard::Heard,
    intake::Intake,
    judge::{Judge, Streams},
    keep::Kept,
    lanes::{FollowedLane, OwnEpochs, Seen},
    ledger::FollowedLedger,
    numbering::Numberings,
    scope::Scope,
    streams::{FollowedStream, NewlyClosed},
    wake::Changes,
};
use crate::{
    advice::OtherNumbering,
    standing::{Backlog, Reading},
    witness::lane::Lane,
};

/// How often the backlog is counted and told, milliseconds.
const COUNT_EVERY_MS: u64 = 30_000;

/// The streams of the archive: those that are taken in, and those that are followed.
#[derive(Debug)]
pub(super) struct ArchiveReader {
    pub(super) intake: Intake,
    streams: BTreeMap<StreamHash, Followed>,
    /// Which streams each file of the index is read for.
    files: BTreeMap<PathBuf, Vec<StreamHash>>,
    pulse: Pulse,
    counted_ms: Option<u64>,
    numberings: Numberings,
}

/// A stream that is followed, and what is noted of it beside.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) stream: FollowedStream,
    kept: Kept,
    /// Whether the last reading brought something.
    grown: bool,
    pub(super) backlog: Backlog,
    /// The windows that sessions name, of a lane.
    pub(super) lane: Option<FollowedLane>,
    /// The numbering that the archive seems to have instead.
    pub(super) other_numbering: Option<OtherNumbering>,
}

impl ArchiveReader {
    pub(super) fn new(intake: Intake) -> Self {
        let (pulse, numberings) = (Pulse::default(), Numberings::default());
        Self { intake, streams: BTreeMap::new(), files: BTreeMap::new(), pulse, counted_ms: None, numberings }
    }

    /// Beats `pulse` whenever a stretch of an index was read or derived from.
    pub(super) fn beat(&mut self, pulse: Pulse) {
        self.intake.beat(pulse.clone());
        self.pulse = pulse;
    }

    /// Where the archive's index is.
    pub(super) fn manifests(&self) -> &Path {
        self.intake.manifests()
    }

    /// Every stream that is followed.
    pub(super) fn streams(&self) -> impl Iterator<Item = (StreamHash, &Followed)> {
        self.streams.iter().map(|(&hash, followed)| (hash, followed))
    }

    /// Takes in streams that can be followed now, and reads those on whose files may have changed. A stream whose files
    /// cannot be read waits; the others go on.
    pub(super) fn read(
        &mut self,
        changes: &Changes,
        ledger: &mut FollowedLedger,
        judge: &mut Judge,
        now_ms: u64,
    ) -> Result<(), Halt> {
        let Self { intake, streams, files, pulse, .. } = self;
        let max_inflight = judge.engine.agreement().max_inflight;
        let begin = |stream: &str, configured, first| judge.votes.begin(stream, configured, first);
        for (stream, kept) in intake.advance(now_ms, max_inflight, begin)? {
            let hash = stream.rule().stream_hash();
            ledger.follower.follow(hash, stream.rule().epochs);
            count::zero(&stream.rule().stream_id);
            let lane =
                stream.rule().is_lane().then(|| FollowedLane::new(stream.rule().clone(), judge.engine.agreement()));
            stream.files().for_each(|file| files.entry(file.to_owned()).or_default().push(hash));
            let followed =
                Followed { stream, kept, grown: false, backlog: Backlog::default(), lane, other_numbering: None };
            streams.insert(hash, followed);
        }
        let touched = changes.touch(files);
        for (hash, Followed { stream, kept, grown, lane, .. }) in streams {
            *grown = false;
            if touched.as_ref().is_some_and(|touched| !touched.contains(hash)) {
                continue;
            }
            let heard = stream.read_on(now_ms, intake.turn_bytes());
            *grown = stream.has_changed();
            take_heard(stream, lane.as_mut(), &heard, judge);
            intake.keeper().keep(stream.index(), kept, now_ms);
            pulse.beat();
        }
        Ok(())
    }

    /// The streams that are looked at.
    fn within(&mut self, scope: Scope) -> impl Iterator<Item = (StreamHash, &mut Followed)> {
        let streams = self.streams.iter_mut().map(|(&hash, followed)| (hash, followed));
        streams.filter(move |(_, followed)| scope == Scope::All || followed.grown)
    }

    /// Hands closed epochs to the judge; returns how many were new.
    pub(super) fn admit(
        &mut self,
        scope: Scope,
        ledger: &FollowedLedger,
        judge: &mut Judge,
        counts: &mut Counts,
        now_ms: u64,
    ) -> Result<usize, Halt> {
        let (starting, is_at_rest) = (counts.totals().judged == 0, self.intake.is_at_rest());
        let (mut admitted, pulse) = (0, self.pulse.clone());
        for (hash, Followed { stream, lane, .. }) in
            self.within(scope).filter(|(hash, _)| ledger.state().follows(*hash))
        {
            if !stream.may_close() {
                continue;
            }
            let (closed, again) = derive(hash, stream, lane.as_mut(), is_at_rest, ledger, judge, now_ms)?;
            pulse.beat();
            admitted += closed.len();
            let Some(lane) = lane else {
                closed.iter().try_for_each(|closed| judge.admit(stream.rule(), closed, starting, counts))?;
                again.iter().try_for_each(|derived| judge.admit_again(stream.rule(), derived, counts, now_ms))?;
                continue;
            };
            closed.iter().for_each(|closed| lane.note(&closed.derived));
            closed.into_iter().for_each(|closed| judge.admit_window(stream.rule(), &mut lane.lane, closed, counts));
            again
                .into_iter()
                .for_each(|derived| judge.admit_window_again(stream.rule(), &mut lane.lane, derived, counts));
        }
        self.look_at_numbering(now_ms);
        counts.judged(admitted);
        if !is_at_rest && ledger.is_read() {
            self.count_backlog(ledger, now_ms);
        }
        Ok(admitted)
    }

    /// Finds the sessions of lanes at the head, by which old epochs are passed by. They stay as they are in a lane that
    /// rests.
    pub(super) fn find_sessions(&mut self, scope: Scope, ledger: &FollowedLedger, judge: &Judge) {
        for (hash, Followed { stream, lane, grown, .. }) in self.within(scope) {
            if let Some(lane) = lane.as_mut().filter(|_| *grown || !judge.engine.rests(hash)) {
                lane.find_sessions(stream.index(), ledger);
            }
        }
    }

    /// Has the windows of lanes judged under the names that the ledger gives them at the head. In a lane that rests they keep
    /// their names, but for those that naming rounds may give them.
    pub(super) fn name(
        &mut self,
        scope: Scope,
        ledger: &FollowedLedger,
        judge: &mut Judge,
        now_ms: u64,
    ) -> Result<(), Halt> {
        let is_at_rest = self.intake.is_at_rest();
        for (hash, Followed { stream, lane, grown, .. }) in self.within(scope) {
            let is_due = |lane: &Lane| *grown || !judge.engine.rests(hash) || !lane.rests();
            let Some(lane) = lane.as_mut().filter(|lane| is_due(&lane.lane)) else { continue };
            let mut own = OwnEpochs::new(stream.index(), &mut lane.seen);
            let growing = stream.highest_epoch().map(|highest| highest.segment).filter(|_| !is_at_rest);
            judge.name(&mut lane.lane, &mut own, growing, ledger, now_ms)?;
            match own.error() {
                None => {}
                Some(error) if is_at_rest => return Err(error.into()),
                Some(error) => {
                    let heard = stream.fail(&error);
                    take_heard(stream, Some(lane), &heard, judge);
                }
            }
        }
        Ok(())
    }

    /// A slot of this epoch came to an outcome that stands.
    pub(super) fn take_done(&mut self, stream: StreamHash, epoch: EpochKey, judge: &mut Judge) {
        if let Some(lane) = self.streams.get_mut(&stream).and_then(|followed| followed.lane.as_mut()) {
            lane.lane.take_done(epoch, &mut judge.engine);
        }
    }

    /// Whether epochs of a lane wait for a name.
    pub(super) fn has_unnamed(&self) -> bool {
        self.streams.values().filter_map(|followed| followed.lane.as_ref()).any(|lane| lane.lane.has_unnamed())
    }

    /// Looks now and then whether archives have the other numbering, and tells of each broadcast once.
    fn look_at_numbering(&mut self, now_ms: u64) {
        if !self.numberings.is_due(self.streams.len(), now_ms) {
            return;
        }
        let others = self.numberings.look(self.streams.values().map(|followed| followed.stream.index()));
        for (followed, other) in self.streams.values_mut().zip(others) {
            followed.other_numbering = other;
        }
    }

    /// Counts what is still to be made up for, now and then, and tells while there is any.
    fn count_backlog(&mut self, ledger: &FollowedLedger, now_ms: u64) {
        if self.counted_ms.is_some_and(|at_ms| now_ms.saturating_sub(at_ms) < COUNT_EVERY_MS) {
            return;
        }
        self.counted_ms = Some(now_ms);
        for Followed { stream, backlog, lane, .. } in self.streams.values_mut() {
            let gaps = gaps(stream, lane.as_ref(), ledger, false);
            let before = std::mem::replace(backlog, stream.backlog(gaps));
            let (stream, Backlog { filled, left }) = (&stream.rule().stream_id, *backlog);
            if left > 0 {
                let percent = u128::from(filled) * 100 / (u128::from(filled) + u128::from(left));
                tracing::info!(stream, filled, left, percent, "making up for old epochs");
            } else if before.left > 0 {
                tracing::info!(stream, filled, "no old epoch is left");
            }
        }
    }

    /// Keeps on the disk what was read of every index, as far as there is time `until` then. The next start reads the others
    /// on from what was kept of them before.
    pub(super) fn keep_all(&mut self, now_ms: u64, until: Instant) {
        let Self { intake, streams, .. } = self;
        // of those that are taken in, much may have been read since
        intake.keep_joining(now_ms, until);
        for Followed { stream, kept, .. } in streams.values_mut().take_while(|_| Instant::now() < until) {
            intake.keeper().keep_rest(stream.index(), kept, now_ms);
        }
    }
}

impl Streams for ArchiveReader {
    fn is_current(&self, stream: StreamHash) -> bool {
        self.streams.get(&stream).is_some_and(|followed| *followed.stream.reading() == Reading::Current)
    }

    fn rule(&self, stream: StreamHash) -> Option<&StreamRule> {
        self.streams.get(&stream).map(|followed| followed.stream.rule())
    }
}

/// The epochs of a stream that are closed and new, and those derived again. What cannot be read is an error only in an
/// archive at rest.
fn derive(
    hash: StreamHash,
    stream: &mut FollowedStream,
    lane: Option<&mut FollowedLane>,
    is_at_rest: bool,
    ledger: &FollowedLedger,
    judge: &mut Judge,
    now_ms: u64,
) -> Result<(Vec<NewlyClosed>, Vec<DerivedEpoch>), Halt> {
    let (mut closed, mut again) = (Vec::new(), Vec::new());
    let unnamed_below = |below| lane.as_ref().map_or(0, |lane| lane.lane.unnamed_below(below));
    let undecided = |below| judge.engine.undecided_below(hash, below) + unnamed_below(below);
    let gaps = gaps(stream, lane.as_deref(), ledger, is_at_rest);
    let derived = stream.newly_closed(now_ms, undecided, gaps, &mut closed).and_then(|()| stream.rederived(&mut again));
    match derived {
        Ok(()) => {}
        Err(error) if is_at_rest => return Err(error.into()),
        Err(error) => {
            let heard = stream.fail(&error);
            take_heard(stream, lane, &heard, judge);
        }
    }
    Ok((closed, again))
}

/// Where a stream has epochs to make up for: runs without a slot that is final for good. Where every slot is to be
/// reported, all are looked at.
fn gaps<'a>(
    stream: &FollowedStream,
    lane: Option<&FollowedLane>,
    ledger: &'a FollowedLedger,
    all: bool,
) -> impl Fn(EpochKey, EpochKey) -> Option<RangeInclusive<EpochKey>> + use<'a> {
    let rule = stream.rule().clone();
    let lane = lane.map(|lane| (stream.index().segments(), lane.sessions.clone(), lane.tolerance_ms));
    move |from, to| match &lane {
        _ if all => (from <= to).then_some(from..=to),
        None => ledger.next_gap(&rule, from, to),
        Some((segments, sessions, tolerance_ms)) => segments.iter().find_map(|span| {
            let segment = span.segment;
            let low = EpochKey { segment, index: span.lowest }.max(from);
            let high = EpochKey { segment, index: span.highest }.min(to);
            let times = span.first_ms.saturating_sub(*tolerance_ms)..=span.last_ms.saturating_add(*tolerance_ms);
            match sessions.get(&segment).and_then(|session| session.mark) {
                _ if low > high => None,
                Some(mark) => ledger.next_gap_in(&rule, mark, &times, low, high),
                None => Some(low..=high),
            }
        }),
    }
}

/// Tells what a reading brought, and drops the slots that can no longer be judged.
fn take_heard(stream: &FollowedStream, lane: Option<&mut FollowedLane>, heard: &Heard, judge: &mut Judge) {
    let stream_id = &stream.rule().stream_id;
    heard.tell(stream_id);
    if heard.turned {
        match stream.reading() {
            Reading::Waiting(reason) => tracing::warn!(stream = stream_id, reason, "the stream waits"),
            reading => tracing::info!(stream = stream_id, %reading, "the stream goes on"),
        }
    }
    if heard.lost_a_file() {
        if let Some(lane) = lane {
            lane.lane.withdraw(|epoch| stream.withholds(epoch));
            lane.seen = Seen::default();
        }
        let withdrawn = judge.engine.withdraw(stream.rule().stream_hash(), |epoch| stream.withholds(epoch));
        tracing::warn!(stream = stream_id, withdrawn, "open slots withdrawn");
    }
}

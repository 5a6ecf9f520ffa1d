//! From the archive's files to the epochs that the engine judges.

use std::ops::RangeInclusive;

use super::{
    Backlog, ClosedEpoch, Daemon, FollowedStream, Halt, Heard, Reading, count,
    halt::hold,
    intake::{Kept, tell_bad_line, tell_bad_lines, tell_event},
    own_epoch,
    wake::Changes,
};
use crate::{
    metrics,
    witness::engine::{Admission, Engine, SlotKey},
};
use ec_archive::TrackEvent;
use ec_ledger::Follower;
use ec_observation::{DerivedEpoch, StreamHash, StreamRule};

/// How often the backlog is counted and told, milliseconds.
const COUNT_EVERY_MS: u64 = 30_000;

/// A stream that is followed, and what is noted of it beside.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) stream: FollowedStream,
    kept: Kept,
    pub(super) backlog: Backlog,
}

impl Daemon {
    /// Takes in streams that can be followed now, and reads those on whose files may have changed. A stream whose files cannot be read waits; the others
    /// go on.
    pub(super) fn read_archive(&mut self, changes: &Changes, now_ms: u64) -> Result<(), Halt> {
        let Self { intake, streams, follower, voter, engine, pulse, .. } = self;
        let begin = |stream: &str, configured, first| hold(voter.begin(stream, configured, first));
        for (stream, kept) in intake.advance(now_ms, engine.policy().max_inflight, begin)? {
            follower.follow(stream.rule().stream_hash());
            metrics::zero_stream(&stream.rule().stream_id);
            let followed = Followed { stream, kept, backlog: Backlog::default() };
            streams.insert(followed.stream.rule().stream_hash(), followed);
        }
        let touched = |followed: &&mut Followed| followed.stream.files().any(|file| changes.touch(file));
        for Followed { stream, kept, .. } in streams.values_mut().filter(touched) {
            let heard = stream.read_on(now_ms, intake.turn_bytes());
            take_heard(stream, &heard, engine);
            intake.keep(stream.index(), kept, now_ms);
            pulse.beat();
        }
        Ok(())
    }

    /// Hands closed epochs to the engine; returns how many were new.
    pub(super) fn admit(&mut self, now_ms: u64) -> Result<usize, Halt> {
        let hashes: Vec<StreamHash> = self.streams.keys().copied().collect();
        let mut admitted = 0;
        for stream in hashes {
            let (closed, derived) = self.derive(stream, now_ms)?;
            self.pulse.beat();
            let starting = self.summary.judged == 0;
            admitted += closed.len();
            closed.iter().try_for_each(|closed| self.admit_closed(stream, closed, starting))?;
            derived.iter().try_for_each(|derived| self.admit_again(stream, derived, now_ms))?;
        }
        self.summary.judged += admitted;
        self.count_backlog(now_ms);
        Ok(admitted)
    }

    /// The epochs of a stream that are closed and new, and those derived again.
    fn derive(&mut self, hash: StreamHash, now_ms: u64) -> Result<(Vec<ClosedEpoch>, Vec<DerivedEpoch>), Halt> {
        let Self { streams, engine, follower, turns, .. } = self;
        let (mut closed, mut derived) = (Vec::new(), Vec::new());
        let Some(Followed { stream, .. }) = streams.get_mut(&hash) else { return Ok((closed, derived)) };
        let gap = gaps(stream.rule().clone(), follower, turns.once.is_some());
        let done = stream
            .newly_closed(now_ms, |below| engine.undecided_below(hash, below), gap, &mut closed)
            .and_then(|()| stream.rederived(&mut derived));
        match done {
            Ok(()) => {}
            Err(error) if turns.once.is_some() => return Err(error.into()),
            Err(error) => {
                let heard = stream.fail(&error);
                take_heard(stream, &heard, engine);
            }
        }
        Ok((closed, derived))
    }

    fn admit_closed(&mut self, stream: StreamHash, closed: &ClosedEpoch, starting: bool) -> Result<(), Halt> {
        let Self { streams, engine, voter, .. } = self;
        let Some(Followed { stream: followed, .. }) = streams.get(&stream) else { return Ok(()) };
        let ClosedEpoch { derived, closed_ms } = closed;
        count::closed(&followed.rule().stream_id, derived);
        let Some(own) = own_epoch(followed.rule(), engine.policy(), derived, starting)? else { return Ok(()) };
        let key = SlotKey { stream, sequence: derived.sequence };
        engine.admit(key, derived.slot, own, *closed_ms, voter.standing(derived.slot, None)?);
        let stream = &followed.rule().stream_id;
        tracing::debug!(stream, epoch = derived.sequence, complete = derived.complete, "epoch closed");
        Ok(())
    }

    fn admit_again(&mut self, stream: StreamHash, derived: &DerivedEpoch, now_ms: u64) -> Result<(), Halt> {
        let Self { streams, engine, summary, .. } = self;
        let Some(Followed { stream: followed, .. }) = streams.get(&stream) else { return Ok(()) };
        let key = SlotKey { stream, sequence: derived.sequence };
        let judged = engine.slot(key).is_some();
        let Some(own) = own_epoch(followed.rule(), engine.policy(), derived, false)? else { return Ok(()) };
        if !judged || engine.admit(key, derived.slot, own, now_ms, None) == Admission::Late {
            summary.late += 1;
            let stream = &followed.rule().stream_id;
            count::late(stream);
            tracing::warn!(stream, epoch = derived.sequence, "records came after the vote");
        }
        Ok(())
    }

    /// Counts what is still to be made up for, now and then, and tells while there is any.
    fn count_backlog(&mut self, now_ms: u64) {
        let is_due = self.counted_ms.is_none_or(|at_ms| now_ms.saturating_sub(at_ms) >= COUNT_EVERY_MS);
        if !is_due || self.turns.once.is_some() || self.follower.ledger().head().is_none() {
            return;
        }
        self.counted_ms = Some(now_ms);
        for Followed { stream, backlog, .. } in self.streams.values_mut() {
            let before = std::mem::replace(backlog, stream.backlog(gaps(stream.rule().clone(), &self.follower, false)));
            let (stream, Backlog { filled, left }) = (&stream.rule().stream_id, *backlog);
            if left > 0 {
                let percent = u128::from(filled) * 100 / (u128::from(filled) + u128::from(left));
                tracing::info!(stream, filled, left, percent, "making up for old epochs");
            } else if before.left > 0 {
                tracing::info!(stream, filled, "no old epoch is left");
            }
        }
    }
}

/// Where a stream has epochs to make up for: runs without a slot that is final for good. Where every slot is to be
/// reported, all are looked at.
fn gaps(rule: StreamRule, follower: &Follower, all: bool) -> impl Fn(u64, u64) -> Option<RangeInclusive<u64>> + '_ {
    move |from, to| match all {
        true => (from <= to).then_some(from..=to),
        false => {
            let (ledger, finalized) = (follower.ledger(), follower.heads().finalized);
            ledger.next_gap(rule.stream_hash(), (from, to), finalized, |sequence| rule.slot(sequence))
        }
    }
}

/// Tells what a reading brought, and drops the slots that can no longer be judged.
fn take_heard(stream: &FollowedStream, heard: &Heard, engine: &mut Engine) {
    let stream_id = &stream.rule().stream_id;
    heard.quarantined.iter().for_each(tell_bad_line);
    tell_bad_lines(stream_id, heard.quarantined.len(), heard.bad_lines);
    heard.events.iter().for_each(tell_event);
    if heard.turned {
        match stream.reading() {
            Reading::Waiting(reason) => tracing::warn!(stream = stream_id, reason, "the stream waits"),
            reading => tracing::info!(stream = stream_id, %reading, "the stream goes on"),
        }
    }
    if heard.events.iter().any(|event| matches!(event, TrackEvent::Lost { .. })) {
        let withdrawn = engine.withdraw(stream.rule().stream_hash(), |epoch| stream.withholds(epoch));
        tracing::warn!(stream = stream_id, withdrawn, "open slots withdrawn");
    }
}

//! What turns: the archive is read, the ledger followed, slots are judged. Each part hands on to the next.

use std::{collections::BTreeMap, time::Duration};

use ec_ledger::{Follower, Pulse};
use ec_observation::ObservationHash;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Halt, Intake, Voter,
    count::Counts,
    judge::{Judge, Streams},
    ledger::FollowedLedger,
    reader::ArchiveReader,
    scope::Scope,
    show,
    wake::Changes,
};
use crate::{
    standing::SlotReport,
    witness::{
        decision::Agreement,
        slot::{JudgedSlot, SlotKey},
    },
};

/// When `run --once` is content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Every slot has an outcome at the latest head.
    Latest,
    /// Every final slot is final below the chain's finalized head, too.
    Finalized,
}

/// How the daemon goes about its turns.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The time between two polls of the ledger.
    pub poll: Duration,
    /// End when every closed epoch has an outcome, or never.
    pub once: Option<Until>,
}

/// What a turn brought.
#[derive(Debug, Default)]
pub(super) struct Turned {
    /// Whether nothing is left to wait for.
    pub(super) nothing_left: bool,
    /// Slots whose outcome is final below the finalized head, and which are judged no more.
    pub(super) done: Vec<SlotReport>,
}

/// The parts, in the order in which data flows through them.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) archive: ArchiveReader,
    pub(super) ledger: FollowedLedger,
    pub(super) judge: Judge,
    once: Option<Until>,
    started: Instant,
}

impl Work {
    pub(super) fn new(
        intake: Intake,
        follower: Follower,
        voter: Voter,
        agreement: Agreement,
        once: Option<Until>,
    ) -> Self {
        Self {
            archive: ArchiveReader::new(intake),
            ledger: FollowedLedger::new(follower),
            judge: Judge::new(voter, agreement),
            once,
            started: Instant::now(),
        }
    }

    /// Beats `pulse` as long as work goes on.
    pub(super) fn beat(&mut self, pulse: Pulse) {
        self.ledger.follower.beat(pulse.clone());
        self.archive.beat(pulse);
    }

    /// Milliseconds since the start, by a clock that never jumps.
    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// One turn.
    pub(super) async fn turn(
        &mut self,
        scope: Scope,
        cancelled: &CancellationToken,
        counts: &mut Counts,
    ) -> Result<Turned, Halt> {
        let now_ms = self.now_ms();
        self.judge.votes.voter.checked()?;
        if scope == Scope::All {
            self.read_archive(&Changes::Anywhere, now_ms)?;
        }
        // nothing is lost by giving up a poll, so that an endpoint that is silent delays no stop
        let polled = tokio::select! {
            polled = self.ledger.poll(now_ms, self.once.is_none()) => polled?,
            () = cancelled.cancelled() => None,
        };
        let Some(polled) = polled else { return Ok(Turned::default()) };
        let Self { archive, ledger, judge, .. } = self;
        judge.engine.touch(&ledger.take_touched());
        judge.votes.check(&polled.own_votes, ledger)?;
        judge.votes.note_finalized_head(ledger, now_ms)?;
        ledger.keep(now_ms);
        judge.votes.follow(ledger, polled.reorg, now_ms).await?;
        let read_again_from = judge.votes.compare(ledger, now_ms)?;
        // what the ledger no longer shows is asked of the store before anything is judged by it
        let scope = if polled.reorg { Scope::All } else { scope };
        if scope == Scope::All {
            judge.take_progress(ledger, polled.reorg, now_ms)?;
        }
        archive.find_sessions(scope, ledger, judge);
        let admitted = archive.admit(scope, ledger, judge, counts, now_ms)?;
        archive.name(scope, ledger, judge, now_ms)?;
        let sent = judge.vote(scope, ledger, archive, counts, now_ms).await?;
        self.count_sent(&sent, counts);
        let turned = match scope {
            Scope::All => self.settle(admitted, counts, now_ms).await?,
            Scope::Grown => Turned::default(),
        };
        if let Some(block) = read_again_from {
            self.ledger.follower.read_again_from(block);
        }
        Ok(turned)
    }

    /// What is left to do for slots that others decide, when so many were new in this turn.
    async fn settle(&mut self, admitted: usize, counts: &mut Counts, now_ms: u64) -> Result<Turned, Halt> {
        self.judge.finalize_ripe(&self.ledger, now_ms).await?;
        let done = self.take_done(counts);
        counts.room(self.judge.votes.note_room());
        let is_read = admitted == 0 && self.archive.intake.joining() == 0 && !self.archive.has_unnamed();
        let is_read = is_read && !self.ledger.follower.has_newcomers();
        let nothing_left = is_read && self.judge.is_done(self.once == Some(Until::Finalized));
        Ok(Turned { nothing_left, done })
    }

    /// Reads what changed in the archive; true when that closed an epoch.
    pub(super) fn archive_closed_an_epoch(&mut self, changes: &Changes, counts: &mut Counts) -> Result<bool, Halt> {
        let now_ms = self.now_ms();
        self.read_archive(changes, now_ms)?;
        // a stream that was just taken in is judged once the ledger's log is read for it; sessions change with the head only
        let Self { archive, ledger, judge, .. } = self;
        Ok(!ledger.is_read() || archive.admit(Scope::Grown, ledger, judge, counts, now_ms)? > 0)
    }

    fn read_archive(&mut self, changes: &Changes, now_ms: u64) -> Result<(), Halt> {
        self.archive.read(changes, &mut self.ledger, &mut self.judge, now_ms)
    }

    fn count_sent(&mut self, sent: &[ObservationHash], counts: &mut Counts) {
        let now_ms = self.now_ms();
        counts.sent(sent.len(), self.judge.take_delays_ms(sent, now_ms));
    }

    /// Lets go of what is final below the finalized head.
    fn take_done(&mut self, counts: &mut Counts) -> Vec<SlotReport> {
        let Self { archive, ledger, judge, .. } = self;
        let done = judge.take_done(ledger);
        done.iter().for_each(|(key, slot)| archive.take_done(key.stream, slot.epoch, judge));
        let report = |(key, slot): (SlotKey, JudgedSlot)| {
            Some(show::slot(archive.rule(key.stream)?, key, &slot, &ledger.follower))
        };
        let reports: Vec<_> = done.into_iter().filter_map(report).collect();
        tell_settled(&reports);
        reports.iter().for_each(|report| counts.done(report));
        counts.undecided(judge.undecided());
        reports
    }

    /// Before the process ends: makes a halt durable, where a restart must not get past it, and keeps what was read.
    pub(super) fn end(&mut self, halt: Option<&Halt>) {
        if let Some(halt) = halt {
            self.judge.votes.voter.keep_halt(halt);
        }
        let now_ms = self.now_ms();
        self.ledger.keep_now();
        self.archive.keep_all(now_ms, Instant::now() + KEEP);
    }
}

/// How long the archive's index is kept for before the process ends.
const KEEP: Duration = Duration::from_secs(1);

/// Slots of one stream that are told of one by one when they settle in one turn. After a start, or while old epochs are caught
/// up on, there are many, and nobody waits for each.
const TOLD_ONE_BY_ONE: usize = 2;

/// Tells which slots have settled.
fn tell_settled(reports: &[SlotReport]) {
    let mut by_stream = BTreeMap::<_, Vec<_>>::new();
    for report in reports {
        by_stream.entry((&report.stream_id, report.state)).or_default().push(report);
    }
    for ((stream, state), settled) in by_stream {
        let state = state.name();
        if let [first, .., last] = &*settled
            && settled.len() > TOLD_ONE_BY_ONE
        {
            let (first, last) = (first.epoch_name(), last.epoch_name());
            tracing::info!(stream, state, slots = settled.len(), %first, %last, "slots settled");
            continue;
        }
        for report in settled {
            let name = report.epoch_name();
            tracing::info!(stream, session = name.session(), epoch = name.index, slot = %report.slot, state, "slot settled");
        }
    }
}

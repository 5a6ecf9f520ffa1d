//! The witness at work: reads the archive, follows the ledger, judges, records, sends.
//!
//! One task does it all in turns, so every decision rests on one block and one reading of the archive, and nothing
//! but this task ever signs. Between turns it sleeps until the archive changes or the next poll is due.

mod complaint;
mod count;
mod epochs;
mod halt;
mod intake;
mod own;
mod report;
mod snapshot;
mod streams;
mod voter;
mod wake;

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    store::{Ballot, Recorded, StoreError},
    witness::{
        decision::{OwnEpoch, OwnVote, Policy},
        engine::{Engine, Intent, JudgedSlot, Situation, SlotKey},
    },
};
use ec_ledger::{FollowError, Follower, Heads, Pulse};
use ec_observation::{ObservationHash, ObservationHeader, SlotId, StreamHash};

pub use halt::Halt;
pub use intake::{Intake, Mapping, Source};
pub use own::own_epoch;
pub use report::{SlotReport, StreamReport};
pub use snapshot::{EndpointStanding, LedgerStanding, NewestFinal, SendingStanding, Snapshot, StreamStanding};
pub use streams::{Backlog, ClosedEpoch, Closing, FollowedStream, Heard, Reading, Tally};
pub use voter::Voter;

use complaint::{Complaints, tolerate};
use epochs::Followed;
use halt::hold;
use snapshot::{HighWater, unix_s};
use wake::{Alarm, Changes, drained};

/// The least time between two turns that the archive's growth asks for.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// How often the finalized head is noted in the store, milliseconds.
const NOTE_FINALIZED_EVERY_MS: u64 = 60_000;

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
pub struct Turns {
    /// The time between two polls of the ledger.
    pub poll: Duration,
    /// End when every closed epoch has an outcome, or never.
    pub once: Option<Until>,
}

/// Numbers for the log and the progress display.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Slots handed to the engine so far.
    pub judged: usize,
    /// Those with an outcome.
    pub settled: usize,
    /// Votes cast in this process.
    pub votes: usize,
    /// Records that came after the vote on their epoch.
    pub late: usize,
    /// Votes the guard refused.
    pub refused: usize,
    /// Whether the disk is full: nothing is voted until there is room.
    pub no_room: bool,
}

/// One witness at work.
#[derive(Debug)]
pub struct Daemon {
    intake: Intake,
    streams: BTreeMap<StreamHash, Followed>,
    follower: Follower,
    engine: Engine,
    voter: Voter,
    turns: Turns,
    started: Instant,
    summary: Summary,
    settled: Vec<SlotReport>,
    complaints: Complaints,
    pulse: Pulse,
    high_water: BTreeMap<StreamHash, HighWater>,
    poll_error: Option<String>,
    polled_unix_s: Option<u64>,
    counted_ms: Option<u64>,
    noted_ms: Option<u64>,
}

impl Daemon {
    /// A daemon that judges the streams that `intake` finds.
    pub fn new(intake: Intake, follower: Follower, voter: Voter, policy: Policy, turns: Turns) -> Self {
        Self {
            intake,
            streams: BTreeMap::new(),
            follower,
            engine: Engine::new(voter.witness(), policy),
            voter,
            turns,
            started: Instant::now(),
            summary: Summary::default(),
            settled: Vec::new(),
            complaints: Complaints::default(),
            pulse: Pulse::default(),
            high_water: BTreeMap::new(),
            poll_error: None,
            polled_unix_s: None,
            counted_ms: None,
            noted_ms: None,
        }
    }

    /// Beats `pulse` as long as work goes on.
    pub fn beat(mut self, pulse: Pulse) -> Self {
        self.follower.beat(pulse.clone());
        self.intake.beat(pulse.clone());
        self.pulse = pulse;
        self
    }

    /// What every slot that is judged, or was, has come to.
    pub fn reports(&self) -> Vec<SlotReport> {
        let judged = self.engine.slots().filter_map(|(key, slot)| {
            let followed = self.streams.get(&key.stream)?;
            Some(SlotReport::new(followed.stream.rule(), *key, slot, &self.follower))
        });
        let mut reports: Vec<_> = self.settled.iter().cloned().chain(judged).collect();
        reports.sort_by(|a, b| (&a.stream_id, a.sequence).cmp(&(&b.stream_id, b.sequence)));
        reports
    }

    /// Works until it is cancelled or, with `once`, until every closed epoch has an outcome. `progress` hears after
    /// each turn.
    ///
    /// # Errors
    ///
    /// A contradiction that only an operator can resolve.
    pub async fn run(&mut self, cancelled: &CancellationToken, progress: impl FnMut(&Snapshot)) -> Result<(), Halt> {
        let ended = self.work(cancelled, progress).await;
        if let Err(halt) = &ended {
            self.voter.keep_halt(halt);
        }
        self.streams.values().for_each(|followed| self.intake.keep_now(followed.stream.index()));
        self.intake.keep_joining();
        ended
    }

    async fn work(&mut self, cancelled: &CancellationToken, mut progress: impl FnMut(&Snapshot)) -> Result<(), Halt> {
        let mut alarm = Alarm::default();
        let changed = Arc::clone(&alarm.changed);
        let mut due = Instant::now();
        loop {
            alarm.keep(&self.intake.archive().manifests);
            tokio::select! {
                biased;
                () = cancelled.cancelled() => return Ok(()),
                () = tokio::time::sleep_until(due) => {}
                () = changed.notified() => {
                    tokio::time::sleep(DEBOUNCE).await;
                    let closed = self.archive_closed_an_epoch(&changed.take())?;
                    if !closed || !self.follower.retry_in().is_zero() {
                        continue;
                    }
                }
            }
            let begun = Instant::now();
            let done = tokio::select! {
                done = self.turn(cancelled) => done?,
                () = drained(cancelled) => return Ok(()),
            };
            self.pulse.beat();
            progress(&self.snapshot(begun.elapsed()));
            if done && self.turns.once.is_some() {
                return Ok(());
            }
            due = Instant::now() + self.turns.poll.max(self.follower.retry_in());
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// One turn; true when nothing is left to wait for.
    async fn turn(&mut self, cancelled: &CancellationToken) -> Result<bool, Halt> {
        let now_ms = self.now_ms();
        self.read_archive(&Changes::Anywhere, now_ms)?;
        // nothing is lost by giving up a poll, so that an endpoint that is silent delays no stop
        let polled = tokio::select! {
            polled = self.follower.poll(now_ms, self.turns.once.is_none()) => polled,
            () = cancelled.cancelled() => return Ok(false),
        };
        count::polled(polled.as_ref());
        let polled = match polled {
            Err(error) if error.is_fatal() => return Err(error.into()),
            polled => polled,
        };
        self.complain(now_ms, polled.as_ref().err());
        let Ok(polled) = polled else { return Ok(false) };
        self.check_own_votes(&polled.own_votes)?;
        self.note_finalized_head(now_ms)?;
        let followed = self.voter.follow(self.follower.heads(), polled.reorg, now_ms).await;
        let means = "what was sent cannot be followed; trying again";
        tolerate(followed, &mut self.complaints.unfollowed, now_ms, means, "what was sent can be followed again")?;
        self.take_standing()?;
        let admitted = self.admit(now_ms)?;
        self.judge(now_ms).await?;
        self.settle();
        self.note_room();
        Ok(admitted == 0 && self.intake.joining() == 0 && self.is_done())
    }

    /// Says what the witness waits for, while the ledger cannot be read or its chain finalizes nothing.
    fn complain(&mut self, now_ms: u64, unread: Option<&FollowError>) {
        self.poll_error = unread.map(ToString::to_string);
        let wrong = unread.map(|error| error as &dyn Display);
        self.complaints.unreadable.tell(
            now_ms,
            wrong,
            "the ledger cannot be read; trying again",
            "the ledger can be read again",
        );
        if unread.is_none() {
            self.polled_unix_s = Some(unix_s(SystemTime::now()));
            let heads = self.follower.heads();
            let stalled = self.follower.finality_stalled_ms().map(|for_ms| {
                let Heads { latest, finalized, .. } = heads;
                format!("the finalized head is block {finalized} for {} s, the latest is {latest}", for_ms / 1000)
            });
            let wrong = stalled.as_ref().map(|stalled| stalled as &dyn Display);
            self.complaints.stalled.tell(
                now_ms,
                wrong,
                "finality stalls; waiting for the chain",
                "finality moves again",
            );
        }
    }

    /// Reads what changed in the archive; true when that closed an epoch.
    fn archive_closed_an_epoch(&mut self, changes: &Changes) -> Result<bool, Halt> {
        let now_ms = self.now_ms();
        self.read_archive(changes, now_ms)?;
        // a stream that was just taken in is judged once the ledger's log is read for it
        Ok(self.follower.ledger().head().is_none() || self.admit(now_ms)? > 0)
    }

    /// A vote of ours that the store does not know was cast by another instance.
    fn check_own_votes(&self, own_votes: &[(SlotId, ObservationHash)]) -> Result<(), Halt> {
        for &(slot, observation) in own_votes {
            if !self.voter.knows(observation)? {
                return Err(match self.voter.recorded(slot)? {
                    recorded if recorded.is_empty() => Halt::ForeignVote { slot, observation },
                    recorded if self.has_content(slot, observation, &recorded) => {
                        Halt::ForeignVote { slot, observation }
                    }
                    recorded => Halt::GuardContradiction { slot, observation, recorded },
                });
            }
        }
        Ok(())
    }

    /// Whether the ledger shows that this observation is of the same content as the recorded headers.
    fn has_content(&self, slot: SlotId, observation: ObservationHash, recorded: &[ObservationHeader]) -> bool {
        let candidate = self.follower.ledger().slot(slot).and_then(|slot| slot.candidate(observation));
        candidate.is_some_and(|found| recorded.iter().any(|header| header.content() == found.header.content()))
    }

    /// Notes the finalized head, once a minute: each time costs an fsync, and the check at the next start, which it is
    /// for, is as good with a block that is a minute old.
    fn note_finalized_head(&mut self, now_ms: u64) -> Result<(), Halt> {
        let Some(head) = self.follower.finalized_head() else { return Ok(()) };
        if self.noted_ms.is_none_or(|at_ms| now_ms.saturating_sub(at_ms) >= NOTE_FINALIZED_EVERY_MS) {
            let noted = hold(self.voter.note_finalized_head(head))?;
            self.noted_ms = noted.map(|()| now_ms);
        }
        Ok(())
    }

    /// Says when the disk is full, and when it no longer is.
    fn note_room(&mut self) {
        let no_room = self.voter.has_no_room();
        match (self.summary.no_room, no_room) {
            (false, true) => tracing::error!("no room on the vote store's disk; nothing is voted until there is"),
            (true, false) => tracing::info!("there is room on the vote store's disk again"),
            _ => {}
        }
        self.summary.no_room = no_room;
    }

    /// Takes from the store how the votes stand that the ledger does not show.
    fn take_standing(&mut self) -> Result<(), Halt> {
        let (ledger, me) = (self.follower.ledger(), self.voter.witness());
        let head = ledger.head().map(|head| head.number);
        let open: Vec<(SlotKey, SlotId)> = self
            .engine
            .slots()
            .filter(|(_, slot)| slot.voted.is_some() && slot.finalized.is_none())
            .filter(|(_, slot)| ledger.slot(slot.slot).and_then(|slot| slot.vote_of(me)).is_none())
            .map(|(key, slot)| (*key, slot.slot))
            .collect();
        for (key, slot) in open {
            if let Some((header, vote)) = self.voter.standing(slot, head)? {
                self.engine.set_vote(key, header, vote);
            }
        }
        Ok(())
    }

    /// An incomplete epoch of a stream whose files cannot be read to their ends now may have records that nobody read.
    fn may_be_voted(&self, intent: &Intent) -> bool {
        let key = SlotKey::of(&intent.header);
        let is_complete = |slot: &JudgedSlot| matches!(slot.own, OwnEpoch::Derived { complete: true, .. });
        let is_current = |followed: &Followed| *followed.stream.reading() == Reading::Current;
        self.engine.slot(key).is_some_and(|slot| slot.voted.is_some() || is_complete(slot))
            || self.streams.get(&key.stream).is_some_and(is_current)
    }

    async fn judge(&mut self, now_ms: u64) -> Result<(), Halt> {
        let situation = Situation {
            ledger: self.follower.ledger(),
            set: self.follower.set(),
            now_ms,
            live_since_ms: self.follower.live_since_ms(),
        };
        let mut intents = self.engine.judge(&situation);
        let ripe = self.engine.ripe(&situation);
        intents.retain(|intent| self.may_be_voted(intent));
        let again = self.record(&intents)?;
        let sent = self.voter.send(&again, now_ms).await;
        let means = "votes are recorded, but cannot be sent; trying again";
        let sent = tolerate(sent, &mut self.complaints.unsent, now_ms, means, "votes can be sent again")?;
        self.count_sent(&sent.unwrap_or_default());
        for (slot, observation) in ripe {
            tracing::info!(%slot, %observation, "a candidate has the quorum's votes; finalizing it");
            let finalized = self.voter.finalize(slot, observation, now_ms).await;
            let means = "the candidate cannot be finalized; trying again";
            tolerate(
                finalized,
                &mut self.complaints.not_finalized,
                now_ms,
                means,
                "candidates can be finalized again",
            )?;
        }
        Ok(())
    }

    fn count_sent(&mut self, sent: &[ObservationHash]) {
        self.summary.votes += sent.len();
        let now_ms = self.now_ms();
        let is_sent = |slot: &JudgedSlot| slot.voted.is_some_and(|header| sent.contains(&header.hash()));
        let slots = self.engine.slots().filter(|(_, slot)| !sent.is_empty() && is_sent(slot));
        slots.for_each(|(_, slot)| count::sent(now_ms.saturating_sub(slot.closed_ms)));
    }

    /// Records the intended votes; returns those whose earlier transactions came to nothing.
    fn record(&mut self, intents: &[Intent]) -> Result<Vec<Ballot>, Halt> {
        if intents.is_empty() {
            return Ok(Vec::new());
        }
        let ballots: Vec<Ballot> = intents.iter().map(|&Intent { header, vote, .. }| Ballot { header, vote }).collect();
        let Some(recorded) = hold(self.voter.record(&ballots))? else { return Ok(Vec::new()) };
        let mut again = Vec::new();
        for (ballot, recorded) in ballots.into_iter().zip(recorded) {
            match recorded {
                Ok(Recorded::Again) if self.voter.is_dry() => {}
                Ok(recorded) => {
                    self.cast(&ballot, recorded);
                    again.extend((recorded == Recorded::Again).then_some(ballot));
                }
                Err(refused) => self.refuse(ballot.header, &refused)?,
            }
        }
        Ok(again)
    }

    fn cast(&mut self, ballot: &Ballot, recorded: Recorded) {
        let header = ballot.header;
        let dry = self.voter.is_dry();
        tracing::info!(
            slot = %header.slot(), observation = %header.hash(), epoch = header.sequence,
            vote = ballot.vote.name(), recorded = recorded.name(), dry, "vote"
        );
        if !dry {
            count::vote(ballot.vote, recorded);
            self.engine.set_vote(SlotKey::of(&header), header, OwnVote::Cast);
        }
    }

    /// The guard refused: what was voted for before stands.
    fn refuse(&mut self, header: ObservationHeader, refused: &StoreError) -> Result<(), Halt> {
        self.summary.refused += 1;
        count::refused();
        tracing::error!(%refused, "the guard refused a vote");
        if let Some((voted, vote)) = self.voter.standing(header.slot(), None)? {
            self.engine.set_vote(SlotKey::of(&header), voted, vote);
        }
        Ok(())
    }

    /// Lets go of what is final below the finalized head.
    fn settle(&mut self) {
        for (key, slot) in self.engine.take_settled(self.follower.ledger(), self.follower.heads().finalized) {
            let Some(Followed { stream, .. }) = self.streams.get(&key.stream) else { continue };
            let report = SlotReport::new(stream.rule(), key, &slot, &self.follower);
            let state = report.state.name();
            tracing::info!(stream = report.stream_id, epoch = report.sequence, slot = %report.slot, state, "slot settled");
            count::settled(&report);
            if self.turns.once.is_some() {
                self.settled.push(report);
            }
        }
        let outcomes = self.engine.slots().filter(|(_, slot)| slot.state.is_outcome()).count();
        self.summary.settled = self.summary.judged.saturating_sub(self.engine.slots().count()) + outcomes;
    }

    fn is_done(&self) -> bool {
        let awaits_finality = |slot: &JudgedSlot| self.turns.once == Some(Until::Finalized) && slot.finalized.is_some();
        let mut slots = self.engine.slots();
        self.voter.is_dry()
            || self.voter.pending() == 0 && slots.all(|(_, slot)| slot.state.is_outcome() && !awaits_finality(slot))
    }
}

//! Judges slots: closed epochs come in, the engine decides, votes go out.

use std::collections::HashMap;

use ec_ledger::matching::OwnLane;
use ec_observation::{
    Ballot, DerivedEpoch, EpochKey, EpochName, NamedEpoch, ObservationHash, ObservationHeader, StreamHash, StreamRule,
};

use super::{
    Voter, count::Counts, halt::Halt, ledger::FollowedLedger, scope::Scope, streams::NewlyClosed, votes::Votes,
};
use crate::{
    store::{Recorded, StoreError},
    witness::{
        decision::{Agreement, OwnEpoch, OwnVote, Proposing},
        engine::{Admission, Engine},
        lane::{Heads, Lane},
        own::own_epoch,
        situation::Situation,
        slot::{Admitted, JudgedSlot, SlotKey},
    },
};

/// What the judge asks of the streams of the archive.
pub(super) trait Streams {
    /// Whether a stream's files are read to their ends.
    fn is_current(&self, stream: StreamHash) -> bool;

    /// The rule of a stream that is followed.
    fn rule(&self, stream: StreamHash) -> Option<&StreamRule>;
}

/// The slots that are judged, and the votes in them.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) engine: Engine,
    pub(super) votes: Votes,
    /// Of the votes that were recorded here and not sent yet, when their epochs closed.
    unsent: HashMap<ObservationHash, u64>,
}

impl Judge {
    pub(super) fn new(voter: Voter, agreement: Agreement) -> Self {
        let (engine, votes) = (Engine::new(voter.witness(), agreement), Votes::new(voter));
        Self { engine, votes, unsent: HashMap::new() }
    }

    /// Takes in a closed epoch. While `starting`, one without a time is an error.
    pub(super) fn admit(
        &mut self,
        rule: &StreamRule,
        NewlyClosed { derived, closed_ms }: &NewlyClosed,
        starting: bool,
        counts: &mut Counts,
    ) -> Result<(), Halt> {
        let stream = &rule.stream_id;
        counts.closed(stream, derived);
        let epoch = rule.name(derived.clone(), 0)?;
        let Some(admitted) = self.admitted(rule, &epoch, *closed_ms, starting)? else { return Ok(()) };
        let past = self.votes.voter.own_vote(epoch.slot, None)?;
        self.engine.admit(key_of(rule, &epoch), admitted, past);
        tracing::debug!(stream, epoch = epoch.sequence, complete = derived.complete, "epoch closed");
        Ok(())
    }

    /// Takes in a new derivation of an epoch that was closed before.
    pub(super) fn admit_again(
        &mut self,
        rule: &StreamRule,
        derived: &DerivedEpoch,
        counts: &mut Counts,
        now_ms: u64,
    ) -> Result<(), Halt> {
        let epoch = rule.name(derived.clone(), 0)?;
        let key = key_of(rule, &epoch);
        let judged = self.engine.slot(key).is_some();
        let Some(admitted) = self.admitted(rule, &epoch, now_ms, false)? else { return Ok(()) };
        if !judged || self.engine.admit(key, admitted, None) == Admission::Late {
            let stream = &rule.stream_id;
            counts.late(stream);
            tracing::warn!(stream, epoch = epoch.sequence, "records came after the vote");
        }
        Ok(())
    }

    fn admitted(
        &self,
        rule: &StreamRule,
        epoch: &NamedEpoch,
        closed_ms: u64,
        starting: bool,
    ) -> Result<Option<Admitted>, Halt> {
        let own = own_epoch(rule, self.engine.agreement(), epoch, starting)?;
        let proposing = Proposing::InTurn(epoch.sequence);
        Ok(own.map(|own| Admitted { epoch: epoch.derived.key, name: epoch.name, proposing, own, closed_ms }))
    }

    /// Takes in a closed epoch of a lane, which waits for a name.
    pub(super) fn admit_window(
        &mut self,
        rule: &StreamRule,
        lane: &mut Lane,
        closed: NewlyClosed,
        counts: &mut Counts,
    ) {
        let NewlyClosed { derived, closed_ms } = closed;
        let (stream, EpochKey { segment, index }) = (&rule.stream_id, derived.key);
        counts.closed(stream, &derived);
        tracing::debug!(stream, segment, index, complete = derived.complete, "epoch closed");
        lane.admit(derived, closed_ms, &mut self.engine);
    }

    /// Takes in a new derivation of an epoch of a lane.
    pub(super) fn admit_window_again(
        &mut self,
        rule: &StreamRule,
        lane: &mut Lane,
        derived: DerivedEpoch,
        counts: &mut Counts,
    ) {
        let (stream, EpochKey { segment, index }) = (&rule.stream_id, derived.key);
        if lane.admit_again(derived, &mut self.engine) == Admission::Late {
            counts.late(stream);
            tracing::warn!(stream, segment, index, "records came after the vote");
        }
    }

    /// Has a lane's windows judged under the names that the ledger gives them.
    pub(super) fn name(
        &mut self,
        lane: &mut Lane,
        own: &mut impl OwnLane,
        growing: Option<u64>,
        ledger: &FollowedLedger,
        now_ms: u64,
    ) -> Result<(), Halt> {
        let situation = situation(ledger, now_ms);
        let heads = Heads { situation: &situation, growing };
        let me = self.votes.voter.witness();
        let Self { engine, votes, .. } = self;
        lane.name(&heads, (me, engine), own, |slot| votes.voter.own_vote(slot, None))?;
        Ok(())
    }

    /// Takes from the store what became of the votes that the ledger does not show, or that may move. After a `reorg` what
    /// was known of them is known no more.
    pub(super) fn take_progress(&mut self, ledger: &FollowedLedger, reorg: bool, now_ms: u64) -> Result<(), Halt> {
        if reorg {
            self.engine.doubt_executed();
        }
        let head = ledger.state().head().map(|head| head.number);
        let (open, voter) = (self.engine.open_votes(&situation(ledger, now_ms)), &self.votes.voter);
        voter.at_once(|| {
            for key in open {
                if let Some((header, vote)) = voter.own_vote(key.slot, head)? {
                    self.engine.set_vote(key, header, vote);
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Judges every slot, or those that never were, and has the votes that come of it recorded and sent; returns which were
    /// sent.
    pub(super) async fn vote(
        &mut self,
        scope: Scope,
        ledger: &FollowedLedger,
        streams: &impl Streams,
        counts: &mut Counts,
        now_ms: u64,
    ) -> Result<Vec<ObservationHash>, Halt> {
        let situation = situation(ledger, now_ms);
        let mut ballots = match scope {
            Scope::All => self.engine.judge(&situation),
            Scope::Grown => self.engine.judge_new(&situation),
        };
        // nothing is voted by a lookup that failed
        ledger.follower.require_sound()?;
        ballots
            .retain(|ballot| !self.votes.is_contradicted(ballot.header.slot()) && self.may_be_voted(ballot, streams));
        let ballots = self.votes.count_strays(ledger, ballots, now_ms).await;
        let again = self.record(&ballots, streams, counts)?;
        // those of an archive that is taken up are many, and the store has them now
        drop(ballots);
        self.votes.send(&again, now_ms).await
    }

    /// Has the candidates finalized that have the quorum's votes and yet are not final.
    pub(super) async fn finalize_ripe(&mut self, ledger: &FollowedLedger, now_ms: u64) -> Result<(), Halt> {
        for (slot, observation) in self.engine.ripe(&situation(ledger, now_ms)) {
            self.votes.finalize(slot, observation, now_ms).await?;
        }
        Ok(())
    }

    /// An incomplete epoch of a stream whose files cannot be read to their ends now may have records that nobody read.
    fn may_be_voted(&self, ballot: &Ballot, streams: &impl Streams) -> bool {
        let key = SlotKey::of(&ballot.header);
        let is_complete = |slot: &JudgedSlot| matches!(slot.own, OwnEpoch::Derived { complete: true, .. });
        self.engine.slot(key).is_some_and(|slot| slot.voted.is_some() || is_complete(slot))
            || streams.is_current(key.stream)
    }

    /// Records the votes to cast; returns those whose earlier transactions came to nothing.
    fn record(&mut self, ballots: &[Ballot], streams: &impl Streams, counts: &mut Counts) -> Result<Vec<Ballot>, Halt> {
        if ballots.is_empty() {
            return Ok(Vec::new());
        }
        let mut again = Vec::new();
        for (&ballot, recorded) in ballots.iter().zip(self.votes.record(ballots)?) {
            match recorded {
                Ok(Recorded::Again) if self.votes.voter.is_dry() => {}
                Ok(recorded) => {
                    self.cast(&ballot, recorded, streams, counts);
                    again.extend((recorded == Recorded::Again).then_some(ballot));
                }
                Err(refused) => self.refuse(ballot.header, &refused, counts)?,
            }
        }
        Ok(again)
    }

    fn cast(&mut self, ballot: &Ballot, recorded: Recorded, streams: &impl Streams, counts: &mut Counts) {
        let header = ballot.header;
        let key = SlotKey::of(&header);
        let dry = self.votes.voter.is_dry();
        let stream = streams.rule(key.stream).map(|rule| &*rule.stream_id);
        let name = self.engine.slot(key).map_or_else(|| EpochName::timeline(header.sequence), |slot| slot.name);
        tracing::info!(
            stream, session = name.session(), epoch = name.index, slot = %header.slot(), vote = ballot.vote.name(),
            observation = %header.hash(), recorded = (recorded != Recorded::First).then(|| recorded.name()),
            dry = dry.then_some(true), "vote"
        );
        if !dry {
            counts.vote(ballot.vote, recorded);
            self.engine.set_vote(key, header, OwnVote::Cast);
            self.unsent.extend(self.engine.slot(key).map(|slot| (header.hash(), slot.closed_ms)));
        }
    }

    /// The guard refused: what was voted for before stands.
    fn refuse(&mut self, header: ObservationHeader, refused: &StoreError, counts: &mut Counts) -> Result<(), Halt> {
        counts.refused();
        tracing::error!(%refused, "the guard refused a vote");
        if let Some((voted, vote)) = self.votes.voter.own_vote(header.slot(), None)? {
            self.engine.set_vote(SlotKey::of(&header), voted, vote);
        }
        Ok(())
    }

    /// How long before now the epochs closed that these votes are for, milliseconds. Not of votes that another process
    /// recorded.
    pub(super) fn take_delays_ms(&mut self, sent: &[ObservationHash], now_ms: u64) -> impl Iterator<Item = u64> {
        let closed_ms = sent.iter().filter_map(|sent| self.unsent.remove(sent));
        closed_ms.map(move |closed_ms| now_ms.saturating_sub(closed_ms))
    }

    /// Drops the slots whose outcome stands at the finalized head and returns them.
    pub(super) fn take_done(&mut self, ledger: &FollowedLedger) -> Vec<(SlotKey, JudgedSlot)> {
        let done = self.engine.take_done(ledger.state(), ledger.follower.heads().finalized);
        if !self.unsent.is_empty() {
            let voted = done.iter().filter_map(|(_, slot)| slot.voted);
            voted.for_each(|voted| _ = self.unsent.remove(&voted.observation));
        }
        done
    }

    /// Slots without an outcome.
    pub(super) fn undecided(&self) -> usize {
        self.engine.slots().filter(|(_, slot)| !slot.state.is_outcome()).count()
    }

    /// Whether every slot has an outcome, which is final `below_finalized`, too, or none is to be expected, as the log
    /// contradicts the receipts; and nothing is on its way.
    pub(super) fn is_done(&self, below_finalized: bool) -> bool {
        let is_done = |(key, slot): (&SlotKey, &JudgedSlot)| {
            slot.state.is_outcome() && !(below_finalized && slot.finalized.is_some())
                || self.votes.stays_contradicted(key.slot)
        };
        self.votes.voter.is_dry() || self.votes.voter.pending() == 0 && self.engine.slots().all(is_done)
    }
}

fn key_of(rule: &StreamRule, epoch: &NamedEpoch) -> SlotKey {
    SlotKey { stream: rule.stream_hash(), sequence: epoch.sequence, slot: epoch.slot }
}

fn situation(ledger: &FollowedLedger, now_ms: u64) -> Situation<'_> {
    let follower = &ledger.follower;
    Situation {
        ledger: ledger.state(),
        set: follower.set(),
        head_ms: follower.head_ms(),
        now_ms,
        live_since_ms: follower.live_since_ms(),
    }
}

//! An honest witness: the real engine, ledger state and window, with a simulated archive, RPC, guard and sender.

use alloy::primitives::Address;
use ec_archive::SegmentSpan;
use ec_ledger::{Candidate, LedgerState, WitnessSet};
use ec_observation::{Ballot, EpochKey, EpochName, ObservationHeader, VoteKind};
use ec_witness::witness::{
    decision::{OwnVote, Proposing},
    engine::{Admitted, Engine, Situation},
    window::{Wanted, Window},
};
use rand::{RngExt, rngs::StdRng};

use super::{
    chain::{Chain, FINALITY_DEPTH},
    contract::Call,
    guard::{Guard, Judged, Referee},
    scenario::Scenario,
    truth::Truth,
};

/// How long an RPC may be silent before the ledger is not live.
const HEAD_STALE_MS: u64 = 30_000;

/// What all witnesses share.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) chain: Chain,
    pub(crate) truth: Truth,
    pub(crate) referee: Referee,
    pub(crate) rng: StdRng,
}

/// One witness.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) me: Address,
    index: usize,
    scenario: Scenario,
    guard: Guard,
    engine: Engine,
    window: Window,
    ledger: LedgerState,
    /// The active set at the ledger's block.
    set: WitnessSet,
    /// Admitted epochs whose records may still come.
    growing: Vec<u64>,
    /// Own monotonic clock minus simulated time.
    offset_ms: u64,
    started_ms: u64,
    answered_ms: Option<u64>,
    live_since_ms: Option<u64>,
}

impl Host {
    pub(crate) fn new(index: usize, scenario: &Scenario, rng: &mut StdRng) -> Self {
        let me = address(index);
        let agreement = (scenario.agreement)();
        Self {
            me,
            index,
            scenario: scenario.clone(),
            guard: Guard::default(),
            engine: Engine::new(me, agreement),
            window: Window::new(EpochKey::MIN, agreement.max_inflight),
            ledger: LedgerState::new(None),
            set: WitnessSet::default(),
            growing: vec![],
            offset_ms: rng.random_range(0..1_000_000),
            started_ms: 0,
            answered_ms: None,
            live_since_ms: None,
        }
    }

    /// Starts again with nothing but the vote history.
    pub(crate) fn restart(&mut self, now_ms: u64, rng: &mut StdRng) {
        let guard = if self.scenario.forgetful { Guard::default() } else { std::mem::take(&mut self.guard) };
        *self = Self { guard, started_ms: now_ms, ..Self::new(self.index, &self.scenario, rng) };
    }

    /// One round: look at the ledger and the archive, judge, vote.
    pub(crate) fn poll(&mut self, now_ms: u64, answers: bool, net: &mut Net) {
        if answers {
            let lag_ms = net.rng.random_range(0..3_000);
            self.sync(net.chain.newest_at(now_ms.saturating_sub(lag_ms)), &net.chain);
            self.refresh_votes(&net.chain);
        }
        self.note_liveness(now_ms, answers);
        self.admit(now_ms, net);
        if self.ledger.head().is_none() {
            return;
        }
        let situation = Situation {
            ledger: &self.ledger,
            set: &self.set,
            now_ms: now_ms + self.offset_ms,
            live_since_ms: self.live_since_ms,
        };
        let ballots = self.engine.judge(&situation);
        self.cast(now_ms, &ballots, net);
        self.let_go();
    }

    /// Brings the view to a block, but never back on one branch.
    fn sync(&mut self, target: u64, chain: &Chain) {
        let shared = self.ledger.revertible().find(|block| chain.is_canonical(*block));
        let shared = shared.map(|block| block.number);
        match shared {
            Some(number) => {
                self.ledger.revert_above(number);
                self.set = chain.blocks[number as usize].set.clone();
            }
            None => assert_eq!(self.ledger.head(), None, "a reorg below the finalized head"),
        }
        let next = shared.map_or(0, |number| number + 1);
        // what cannot be reorganised away is read in one piece
        let bulk = target.saturating_sub(FINALITY_DEPTH);
        if next <= bulk {
            self.apply(next, bulk, chain);
        }
        (next.max(bulk + 1)..=target).for_each(|number| self.apply(number, number, chain));
    }

    fn apply(&mut self, from: u64, to: u64, chain: &Chain) {
        let blocks = &chain.blocks[from as usize..=to as usize];
        let events = blocks.iter().flat_map(|block| block.events.iter().cloned());
        self.ledger.apply(chain.blocks[to as usize].at, events);
        self.set = chain.blocks[to as usize].set.clone();
    }

    fn refresh_votes(&mut self, chain: &Chain) {
        let Some(head) = self.ledger.head() else { return };
        let Self { guard, engine, me, .. } = self;
        let judged: Vec<_> = engine.slots().filter(|(_, slot)| slot.voted.is_some()).map(|(key, _)| *key).collect();
        for key in judged {
            if let Some((header, vote)) = guard.vote(*me, key.sequence, chain, head.number) {
                engine.set_vote(key, header, vote);
            }
        }
    }

    fn note_liveness(&mut self, now_ms: u64, answers: bool) {
        let is_stale = self.answered_ms.is_none_or(|at| now_ms - at > HEAD_STALE_MS);
        if answers {
            self.answered_ms = Some(now_ms);
        }
        self.live_since_ms = match self.live_since_ms {
            Some(since) if !is_stale => Some(since),
            _ if answers => Some(now_ms + self.offset_ms),
            _ => None,
        };
    }

    /// Hands epochs to the engine as the window asks for them, and again while their records come.
    fn admit(&mut self, now_ms: u64, net: &Net) {
        for sequence in std::mem::take(&mut self.growing) {
            self.admit_one(sequence, now_ms, net);
        }
        let Some(highest) = net.truth.highest_closed(self.index, now_ms) else { return };
        let segments = [SegmentSpan::untimed(0, 0, highest)];
        let highest = EpochKey::timeline(highest);
        if let Some(wanted) = self.window.newest(highest, &segments) {
            self.admit_wanted(&wanted, now_ms, net);
        }
        let undecided = self.engine.undecided_below(net.truth.stream, self.window.newest_from(highest, &segments));
        if let Some(wanted) = self.window.oldest(highest, &segments, undecided) {
            let passed = self.admit_wanted(&wanted, now_ms, net);
            self.window.pass(EpochKey::timeline(passed));
        }
    }

    /// Returns the epoch below which all were looked at.
    fn admit_wanted(&mut self, wanted: &Wanted, now_ms: u64, net: &Net) -> u64 {
        let range = wanted.range.start().index..=wanted.range.end().index;
        let is_new = |sequence: &u64| self.window.is_new(EpochKey::timeline(*sequence));
        let new: Vec<u64> = range.clone().filter(is_new).take(wanted.limit).collect();
        for &sequence in &new {
            self.window.admit(EpochKey::timeline(sequence));
            self.admit_one(sequence, now_ms, net);
        }
        if new.len() < wanted.limit { range.end() + 1 } else { new[new.len() - 1] + 1 }
    }

    fn admit_one(&mut self, sequence: u64, now_ms: u64, net: &Net) {
        let truth = &net.truth;
        let past = self.guard.vote(self.me, sequence, &net.chain, self.ledger.head().map_or(0, |head| head.number));
        let closed_ms = truth.closed_ms(self.index, sequence).max(self.started_ms) + self.offset_ms;
        let own = truth.own(self.index, sequence, now_ms);
        let admitted = Admitted {
            epoch: EpochKey::timeline(sequence),
            name: EpochName::timeline(sequence),
            proposing: Proposing::InTurn(sequence),
            own,
            closed_ms,
        };
        self.engine.admit(truth.key(sequence), admitted, past);
        if truth.still_grows(self.index, sequence, now_ms) {
            self.growing.push(sequence);
        }
    }

    /// Records the votes, then sends them: proposals in one batch, attestations in another.
    fn cast(&mut self, now_ms: u64, ballots: &[Ballot], net: &mut Net) {
        let (attest, propose): (Vec<Ballot>, Vec<Ballot>) =
            ballots.iter().copied().partition(|ballot| ballot.vote == VoteKind::Attest);
        for batch in [propose, attest].iter().filter(|batch| !batch.is_empty()) {
            let calls = batch.iter().map(call).collect();
            let nonce = net.chain.send(self.me, calls, now_ms + latency_ms(&mut net.rng));
            for (item, Ballot { header, .. }) in batch.iter().enumerate() {
                net.referee.note(self.me, header);
                self.guard.record(*header, nonce, item, self.judged(header));
                self.engine.set_vote(net.truth.key(header.sequence), *header, OwnVote::Cast);
            }
        }
    }

    /// What a vote for a header rests on, here and now.
    fn judged(&self, header: &ObservationHeader) -> Judged {
        let candidates = self.ledger.slot(header.slot()).map(|slot| slot.candidates.as_slice()).unwrap_or_default();
        let parent_window = self.engine.agreement().parent_window;
        let judge = |seen: &Candidate| (seen.hash, self.ledger.parent_right_from(seen, parent_window).is_some());
        let mut judged: Judged = candidates.iter().map(judge).collect();
        match judged.iter().position(|(hash, _)| *hash == header.hash()) {
            Some(place) => judged.truncate(place + 1),
            None => judged.push((header.hash(), true)),
        }
        judged
    }

    /// Lets go of what stands at the finalized head.
    fn let_go(&mut self) {
        let finalized = self.ledger.head().map_or(0, |head| head.number.saturating_sub(FINALITY_DEPTH));
        self.engine.take_done(&self.ledger, finalized);
        self.ledger.forget(finalized);
    }

    /// The view at the latest block is what the contract holds.
    pub(crate) fn assert_view(&mut self, net: &Net) {
        self.sync(net.chain.head(), &net.chain);
        for sequence in 0..net.truth.slots() {
            let slot = net.truth.slot(sequence);
            let ballot = net.chain.contract.slots.get(&slot).cloned().unwrap_or_default();
            let found = self.ledger.final_of(net.truth.stream, sequence, slot).map(|found| found.hash);
            assert_eq!(found, ballot.finalized, "{} sees another final observation", self.me);
            if let Some(seen) = self.ledger.slot(slot) {
                let seen = seen.candidates.iter().map(|seen| (seen.hash, seen.voters.clone()));
                assert_eq!(seen.collect::<Vec<_>>(), ballot.candidates, "{} sees other votes", self.me);
            }
        }
    }

    /// Whether a reorg spent its vote: the candidates up to the one it voted for, and whether their parents are right,
    /// are not what it judged.
    pub(crate) fn lost_its_vote_to_a_reorg(&self, net: &Net, sequence: u64) -> bool {
        let slot = self.ledger.slot(net.truth.slot(sequence));
        let voted = slot.and_then(|slot| slot.vote_of(self.me));
        voted.is_some_and(|voted| !self.guard.has_judged(sequence, &self.judged(&voted.header)))
    }

    /// What it last decided of a slot, for a trace.
    pub(crate) fn explain(&self, net: &Net, sequence: u64) -> String {
        let Some(slot) = self.engine.slot(net.truth.key(sequence)) else { return "not judged".into() };
        format!("{:?} {:?} {:?}", slot.state, slot.vote, slot.decision)
    }
}

fn call(ballot: &Ballot) -> Call {
    match ballot.vote {
        VoteKind::Propose { candidates_seen } => Call::Propose { header: ballot.header, candidates_seen },
        VoteKind::Attest => Call::Attest { slot: ballot.header.slot(), observation: ballot.header.hash() },
    }
}

/// Most transactions are included soon; a few are lost on the way and sent again later.
fn latency_ms(rng: &mut StdRng) -> u64 {
    if rng.random_bool(0.02) { rng.random_range(5_000..60_000) } else { rng.random_range(200..5_000) }
}

/// The account of a witness.
pub(crate) fn address(index: usize) -> Address {
    Address::with_last_byte(index as u8 + 1)
}

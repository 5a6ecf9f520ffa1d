//! An honest witness: the real engine, ledger state and window, with a simulated archive, RPC, guard and sender.

use alloy::primitives::Address;
use ec_archive::SegmentSpan;
use ec_ledger::{Candidate, LedgerState, Touched};
use ec_observation::{Ballot, EpochKey, EpochName};
use ec_witness::witness::{
    decision::{OwnVote, Proposing},
    engine::Engine,
    situation::Situation,
    slot::{Admitted, JudgedSlot, SlotKey},
    window::{Wanted, Window},
};
use rand::{RngExt, rngs::StdRng};

use super::{
    chain::Chain,
    guard::{Guard, Referee},
    scenario::Scenario,
    truth::Truth,
    view::View,
};

/// What all witnesses share.
#[derive(Debug)]
pub(crate) struct Net<T = Truth> {
    pub(crate) chain: Chain,
    /// What was broadcast.
    pub(crate) truth: T,
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
    view: View,
    /// Admitted epochs whose records may still come.
    growing: Vec<u64>,
    /// Own monotonic clock minus simulated time.
    offset_ms: u64,
    started_ms: u64,
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
            view: View::new(LedgerState::new(None)),
            growing: vec![],
            offset_ms: rng.random_range(0..1_000_000),
            started_ms: 0,
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
            self.view.follow(now_ms, net);
            self.engine.touch(&self.view.ledger.take_touched());
            self.refresh_votes(&net.chain);
        }
        self.view.note_liveness(now_ms, self.offset_ms, answers);
        self.admit(now_ms, net);
        if self.view.ledger.head().is_none() {
            return;
        }
        let situation = self.view.situation(now_ms + self.offset_ms);
        let ballots = judge(&mut self.engine, &situation);
        self.cast(now_ms, &ballots, net);
        self.let_go();
    }

    fn refresh_votes(&mut self, chain: &Chain) {
        let Some(head) = self.view.ledger.head() else { return };
        let Self { guard, engine, me, .. } = self;
        let judged: Vec<_> = engine.slots().filter(|(_, slot)| slot.voted.is_some()).map(|(key, _)| *key).collect();
        for key in judged {
            if let Some((header, vote)) = guard.vote(*me, key.slot, chain, head.number) {
                engine.set_vote(key, header, vote);
            }
        }
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
        let undecided = |newest_from| self.engine.undecided_below(net.truth.stream, newest_from);
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
        let past = self.guard.vote(self.me, truth.slot(sequence), &net.chain, self.view.number());
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

    fn cast(&mut self, now_ms: u64, ballots: &[Ballot], net: &mut Net) {
        let Self { me, guard, engine, .. } = self;
        guard.cast(*me, now_ms, ballots, net);
        ballots.iter().for_each(|Ballot { header, .. }| engine.set_vote(SlotKey::of(header), *header, OwnVote::Cast));
    }

    /// Lets go of what stands at the finalized head.
    fn let_go(&mut self) {
        let finalized = self.view.finalized();
        self.engine.take_done(&self.view.ledger, finalized);
        self.view.ledger.forget(finalized);
    }

    /// The view at the latest block is what the contract holds.
    pub(crate) fn assert_view(&mut self, net: &Net) {
        self.view.sync(net.chain.head(), &net.chain);
        for sequence in 0..net.truth.slots() {
            let slot = net.truth.slot(sequence);
            let ballot = net.chain.contract.slots.get(&slot).cloned().unwrap_or_default();
            let found = self.view.ledger.final_of(net.truth.stream, sequence, slot).map(|found| found.hash);
            assert_eq!(found, ballot.finalized, "{} sees another final observation", self.me);
            if let Some(seen) = self.view.ledger.slot(slot) {
                let voters = |seen: &Candidate| seen.voters.iter().map(|seat| seat.0).collect();
                let seen = seen.candidates.iter().map(|seen| (seen.hash, voters(seen)));
                assert_eq!(seen.collect::<Vec<_>>(), ballot.candidates, "{} sees other votes", self.me);
            }
        }
    }

    /// What it last decided of a slot, for a trace.
    pub(crate) fn explain(&self, net: &Net, sequence: u64) -> String {
        let Some(slot) = self.engine.slot(net.truth.key(sequence)) else { return "not judged".into() };
        format!("{:?} {:?}", slot.state, slot.vote)
    }
}

/// Judges what does not rest, and makes sure that what does would come to what it came to.
pub(crate) fn judge(engine: &mut Engine, situation: &Situation<'_>) -> Vec<Ballot> {
    let mut woken = engine.clone();
    woken.touch(&Touched::All);
    let (of_all, ballots) = (woken.judge(situation), engine.judge(situation));
    assert_eq!(ballots, of_all, "votes of a slot that rests");
    for ((key, slot), (_, woken)) in engine.slots().zip(woken.slots()) {
        let standing = |slot: &JudgedSlot| (slot.state, slot.finalized, slot.vote);
        assert_eq!(standing(slot), standing(woken), "{key:?} rests and stands elsewhere");
    }
    ballots
}

/// The account of a witness.
pub(crate) fn address(index: usize) -> Address {
    Address::with_last_byte(index as u8 + 1)
}

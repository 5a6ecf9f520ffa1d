//! An honest witness of a lane: the real naming, engine, ledger state and window over a simulated archive.

use std::{collections::HashMap, convert::Infallible, ops::RangeInclusive};

use alloy::primitives::Address;
use ec_ledger::{LedgerState, Matching};
use ec_observation::{Ballot, EpochKey, EpochName, SlotId, StreamHash, StreamRule};
use ec_witness::witness::{
    decision::{OwnEpoch, OwnVote, Proposing},
    engine::Engine,
    lane::{Heads, Lane},
    slot::{JudgedSlot, SlotKey},
    window::{Wanted, Window},
};
use rand::{RngExt, rngs::StdRng};

use super::{archive::Archive, broadcast::Broadcast, scenario::Scenario, unsettled::Unsettled};
use crate::{
    guard::Guard,
    host::{Net, address, judge},
    view::View,
};

/// One witness.
#[derive(Debug)]
pub(crate) struct Host {
    me: Address,
    index: usize,
    scenario: Scenario,
    rule: StreamRule,
    archive: Archive,
    guard: Guard,
    lane: Lane,
    engine: Engine,
    window: Window,
    view: View,
    /// Own monotonic clock minus simulated time.
    offset_ms: u64,
}

impl Host {
    pub(crate) fn new(index: usize, scenario: &Scenario, broadcast: &Broadcast, rng: &mut StdRng) -> Self {
        let (me, agreement, rule) = (address(index), (scenario.network.agreement)(), &broadcast.rule);
        let ledger = LedgerState::new(Some(HashMap::from([(rule.stream_hash(), rule.epochs)])));
        Self {
            me,
            index,
            scenario: scenario.clone(),
            rule: rule.clone(),
            archive: Archive::new(rule, &broadcast.arrivals[index]),
            guard: Guard::default(),
            lane: Lane::new(rule.clone()),
            engine: Engine::new(me, agreement),
            window: Window::new(EpochKey::MIN, agreement.max_inflight),
            view: View::new(ledger),
            offset_ms: rng.random_range(0..1_000_000),
        }
    }

    /// Starts again with nothing but the archive and the vote history.
    pub(crate) fn restart(&mut self, net: &mut Net<Broadcast>) {
        let fresh = Self::new(self.index, &self.scenario, &net.truth, &mut net.rng);
        let Self { archive, guard, .. } = std::mem::replace(self, fresh);
        (self.archive, self.guard) = (archive, guard);
    }

    /// One round: look at the ledger and the archive, name, judge, vote.
    pub(crate) fn poll(&mut self, now_ms: u64, answers: bool, net: &mut Net<Broadcast>) {
        let grown = self.archive.read_on(now_ms);
        if answers {
            self.view.follow(now_ms, net);
            self.engine.touch(&self.view.ledger.take_touched());
            self.refresh_votes(net);
        }
        self.view.note_liveness(now_ms, self.offset_ms, answers);
        if self.view.ledger.head().is_none() {
            return;
        }
        self.admit(now_ms);
        // what is over by now does not rest any more
        self.engine.open_votes(&self.view.situation(now_ms + self.offset_ms));
        let rests = !grown && self.lane.rests() && self.engine.rests(self.stream());
        let before = self.named();
        self.name(now_ms, net);
        assert!(!rests || before == self.named(), "a lane that rests is named anew: {before:#?} {:#?}", self.named());
        let ballots = judge(&mut self.engine, &self.view.situation(now_ms + self.offset_ms));
        self.guard.cast(self.me, now_ms, &ballots, net);
        let engine = &mut self.engine;
        ballots.iter().for_each(|Ballot { header, .. }| engine.set_vote(SlotKey::of(header), *header, OwnVote::Cast));
        self.let_go();
    }

    /// The slots that its windows are judged in, and how.
    fn named(&self) -> Vec<(SlotKey, Proposing, OwnEpoch)> {
        let named = |(key, slot): (&SlotKey, &JudgedSlot)| (*key, slot.proposing, slot.own);
        self.engine.slots().map(named).collect()
    }

    fn refresh_votes(&mut self, net: &Net<Broadcast>) {
        let Self { guard, engine, me, view, .. } = self;
        let judged: Vec<_> = engine.slots().filter(|(_, slot)| slot.voted.is_some()).map(|(key, _)| *key).collect();
        for key in judged {
            if let Some((header, vote)) = guard.vote(*me, key.slot, &net.chain, view.number()) {
                engine.set_vote(key, header, vote);
            }
        }
    }

    /// Hands epochs to the lane as the window asks for them, and again when records come to them.
    fn admit(&mut self, now_ms: u64) {
        let Some(highest) = self.archive.highest() else { return };
        let segments = self.archive.segments().to_vec();
        if let Some(wanted) = self.window.newest(highest, &segments) {
            self.collect(wanted, now_ms);
        }
        let stream = self.stream();
        let undecided = |below| self.engine.undecided_below(stream, below) + self.lane.unnamed_below(below);
        if let Some(Wanted { range, mut limit }) = self.window.oldest(highest, &segments, undecided) {
            for gap in self.gaps(range) {
                let end = *gap.end();
                let (next, taken) = self.collect(Wanted { range: gap, limit }, now_ms);
                self.window.pass(next);
                limit -= taken;
                if next <= end || limit == 0 {
                    break;
                }
            }
        }
        for key in self.archive.take_touched() {
            if let Some(derived) = self.archive.derive(key).filter(|_| !self.window.is_new(key)) {
                self.lane.admit_again(derived, &mut self.engine);
            }
        }
    }

    fn stream(&self) -> StreamHash {
        self.rule.stream_hash()
    }

    fn tolerance_ms(&self) -> u64 {
        self.engine.agreement().tolerance_ms(self.rule.time)
    }

    /// Runs of epochs in a range without a final slot.
    fn gaps(&mut self, range: RangeInclusive<EpochKey>) -> Vec<RangeInclusive<EpochKey>> {
        let (from, to) = range.into_inner();
        let mut gaps = vec![];
        for span in self.archive.segments().to_vec() {
            let segment = span.segment;
            let low = EpochKey { segment, index: span.lowest }.max(from);
            let high = EpochKey { segment, index: span.highest }.min(to);
            if low > high {
                continue;
            }
            let Some(mark) = self.mark(segment) else {
                gaps.push(low..=high);
                continue;
            };
            let (stream, finalized, tolerance_ms) = (self.stream(), self.view.finalized(), self.tolerance_ms());
            let lane = self.view.ledger.lane(stream);
            let times = span.first_ms - tolerance_ms..=span.last_ms + tolerance_ms;
            let slot_of = |index: u64| {
                let final_ms = lane.and_then(|lane| lane.final_ms(mark, index));
                let is_own = final_ms.is_some_and(|final_ms| times.contains(&final_ms));
                if is_own { self.rule.slot(EpochName { mark, index }) } else { SlotId::ZERO }
            };
            let (mut at, end) = (low.index, high.index);
            while let Some(gap) = self.view.ledger.next_gap(stream, (mark, at..=end), finalized, &times, slot_of) {
                let key = |index: u64| EpochKey { segment, index };
                gaps.push(key(*gap.start())..=key(*gap.end()));
                at = gap.end() + 1;
            }
        }
        gaps
    }

    fn mark(&mut self, segment: u64) -> Option<u64> {
        let matching = Matching::new(&self.view.ledger, self.stream(), &self.view.set, self.tolerance_ms())?;
        matching.session_of(&mut self.archive, segment).mark
    }

    /// Returns the epoch below which all were looked at, and how many are new.
    fn collect(&mut self, Wanted { range, limit }: Wanted, now_ms: u64) -> (EpochKey, usize) {
        let (mut next, mut taken, end) = (None, 0, *range.end());
        let epochs: Vec<_> = self.archive.epochs(range, now_ms).collect();
        for (key, is_closed) in epochs {
            if taken == limit {
                next.get_or_insert(key);
                break;
            }
            if !self.window.is_new(key) {
                continue;
            }
            if !is_closed {
                next.get_or_insert(key);
                continue;
            }
            let Some(derived) = self.archive.derive(key) else { continue };
            self.window.admit(key);
            taken += 1;
            self.lane.admit(derived, now_ms + self.offset_ms, &mut self.engine);
        }
        (next.unwrap_or_else(|| end.next().unwrap_or(EpochKey::MAX)), taken)
    }

    fn name(&mut self, now_ms: u64, net: &Net<Broadcast>) {
        let Self { me, archive, guard, lane, engine, view, scenario, .. } = self;
        let situation = view.situation(now_ms + self.offset_ms);
        let growing = archive.highest().map(|highest| highest.segment);
        let heads = Heads { situation: &situation, growing };
        let past = |slot| Ok::<_, Infallible>(guard.vote(*me, slot, &net.chain, view.number()));
        let Ok(()) = match scenario.settles {
            true => lane.name(&heads, (*me, engine), archive, past),
            false => lane.name(&heads, (*me, engine), &mut Unsettled(archive), past),
        };
    }

    /// Lets go of what stands at the finalized head.
    fn let_go(&mut self) {
        let finalized = self.view.finalized();
        for (_, slot) in self.engine.take_done(&self.view.ledger, finalized) {
            self.lane.take_done(slot.epoch, &mut self.engine);
        }
        self.view.ledger.forget(finalized);
    }

    /// What it thinks of its segments and slots, for a trace.
    pub(crate) fn explain(&mut self) {
        for span in self.archive.segments().to_vec() {
            let mark = self.mark(span.segment);
            eprintln!("  witness {}: {span:?} {mark:?}", self.index);
        }
        for (key, slot) in self.engine.slots() {
            eprintln!("    {:?} {} {:?} {:?}", slot.name, key.slot, slot.state, slot.vote);
        }
    }
}

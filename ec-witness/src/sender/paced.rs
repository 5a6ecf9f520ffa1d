//! The calls that go now: those of new epochs, then as many of old ones as the pace and the hour's gas leave room for.

use std::collections::HashMap;

use ec_observation::{Ballot, SlotId};

use super::{
    Sender,
    batch::{self, Call},
    money::Means,
    pace::Waiter,
};

/// A call of votes, the gas that it will probably use, and whether they are on new epochs.
pub(super) struct PacedCall {
    pub(super) call: Call,
    pub(super) gas: u64,
    pub(super) is_live: bool,
}

impl Sender {
    /// The calls for as many of the votes that wait as go now, in slots that `may_send` names, those of new epochs first, at most
    /// `room` of them.
    pub(super) fn calls(
        &mut self,
        may_send: impl Fn(SlotId) -> bool,
        room: usize,
        means: &Means,
        now_ms: u64,
    ) -> Vec<PacedCall> {
        let gas = batch::tx_gas(means.block.gas_limit).min(self.budget(means).affordable_gas());
        let gas = gas.min(self.spending.left(now_ms));
        let (live, old) = self.paced(may_send, room.saturating_mul(self.rule.max_batch));
        let mut calls = self.calls_of(&live, true, gas);
        let live_gas = calls.iter().map(|paced| paced.call.gas).sum();
        let spare = if self.pace.is_on() { self.spending.spare(live_gas) } else { u64::MAX };
        let old = self.calls_of(&old, false, gas.min(spare));
        self.is_hour_spent = false;
        let mut left = spare;
        for paced in old {
            let Some(rest) = left.checked_sub(paced.call.gas) else {
                self.is_hour_spent = true;
                break;
            };
            left = rest;
            calls.push(paced);
        }
        calls.truncate(room);
        calls
    }

    /// The calls for these ballots, each of at most so much gas where that is enough for one vote.
    fn calls_of(&self, ballots: &[Ballot], is_live: bool, gas: u64) -> Vec<PacedCall> {
        let expected: HashMap<_, _> =
            ballots.iter().map(|ballot| (ballot.header.hash(), self.costs.expected_gas(ballot.vote))).collect();
        let paced = |call: Call| PacedCall {
            gas: call.votes.iter().filter_map(|vote| expected.get(vote)).sum(),
            call,
            is_live,
        };
        batch::calls(ballots, self.rule.max_batch, gas).into_iter().map(paced).collect()
    }

    /// Which of the votes that wait go now, in slots that `may_send` names: those of new epochs, and those of old ones, of each
    /// the first `most`.
    fn paced(&mut self, may_send: impl Fn(SlotId) -> bool, most: usize) -> (Vec<Ballot>, Vec<Ballot>) {
        let on_its_way = self.pace.on_its_way(self.outbox.open().into_iter().map(|open| (open.nonce, open.gas)));
        let ballots: Vec<_> = self.sendable(may_send).collect();
        let waiter = |ballot: &&Ballot| Waiter {
            gas: self.costs.expected_gas(ballot.vote),
            is_live: self.pace.is_live(ballot.header.observed_unix_ms),
        };
        let waiters: Vec<_> = ballots.iter().map(waiter).collect();
        let (live, old) = self.pace.choose(&waiters, on_its_way);
        let at = |places: Vec<usize>| places.into_iter().take(most).map(|place| *ballots[place]).collect();
        let chosen = (at(live), at(old));
        self.waiting.set_old(waiters.iter().filter(|waiter| !waiter.is_live).count());
        chosen
    }

    /// The votes that wait in slots that `may_send` names, and for which not all was sent that may be.
    pub(super) fn sendable(&self, may_send: impl Fn(SlotId) -> bool) -> impl Iterator<Item = &Ballot> {
        self.waiting.ballots(move |slot| may_send(slot) && !self.spending.is_spent(slot))
    }
}

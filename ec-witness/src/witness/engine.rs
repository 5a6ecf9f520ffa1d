//! Every slot that one witness judges, between what its archive says, what the ledger shows and what it voted.
//!
//! Sans-I/O: epochs come in, the ledger is shown, decisions come out. The daemon and the simulation drive the same
//! engine.

use std::collections::BTreeMap;

use alloy::primitives::Address;
use ec_ledger::LedgerState;
use ec_observation::{Ballot, EpochKey, ObservationHash, ObservationHeader, SlotId, StreamHash};

use super::{
    decision::{Agreement, OwnEpoch, OwnVote, Proposing},
    rounds::Phase,
    situation::{Situation, membership_of},
    slot::{Admitted, JudgedSlot, SlotKey},
};

/// What became of an epoch that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A new slot.
    New,
    /// The slot is judged by what came now.
    Updated,
    /// It was voted for already; what came now is too late.
    Late,
}

/// The slots that a witness judges.
#[derive(Clone, Debug)]
pub struct Engine {
    me: Address,
    agreement: Agreement,
    slots: BTreeMap<SlotKey, JudgedSlot>,
}

impl Engine {
    /// An engine for the witness `me`.
    pub fn new(me: Address, agreement: Agreement) -> Self {
        Self { me, agreement, slots: BTreeMap::new() }
    }

    /// The agreement's constants.
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// Takes in a closed epoch, or a new derivation of one. `past` is the own vote history of the slot.
    pub fn admit(&mut self, key: SlotKey, admitted: Admitted, past: Option<(ObservationHeader, OwnVote)>) -> Admission {
        let Admitted { proposing, own, .. } = admitted;
        if let Some(judged) = self.slots.get_mut(&key) {
            (judged.proposing, judged.superseded) = (proposing, false);
            if judged.own == own {
                return Admission::Updated;
            }
            if judged.voted.is_some() {
                return Admission::Late;
            }
            judged.own = own;
            return Admission::Updated;
        }
        self.slots.insert(key, JudgedSlot::new(admitted, past));
        Admission::New
    }

    /// Notes that a vote is recorded, or what became of it.
    pub fn set_vote(&mut self, key: SlotKey, header: ObservationHeader, vote: OwnVote) {
        if let Some(judged) = self.slots.get_mut(&key) {
            judged.voted = Some(header);
            judged.vote = vote;
        }
    }

    /// Judges a slot from now on, whose epoch may be proposed as this says; false for one that is not judged.
    pub fn propose_as(&mut self, key: SlotKey, proposing: Proposing) -> bool {
        let judged = self.slots.get_mut(&key);
        judged.map(|judged| (judged.proposing, judged.superseded) = (proposing, false)).is_some()
    }

    /// Lets go of a slot whose segment has another session: nothing is voted there any more, and a vote that was cast is
    /// only seen through.
    pub fn supersede(&mut self, key: SlotKey) {
        match self.slots.get_mut(&key) {
            Some(judged) if judged.voted.is_some() => judged.superseded = true,
            _ => _ = self.slots.remove(&key),
        }
    }

    /// Lets go of a slot for good.
    pub fn remove(&mut self, key: SlotKey) -> Option<JudgedSlot> {
        self.slots.remove(&key)
    }

    /// Judges every slot and returns the votes to cast, oldest slots first.
    pub fn judge(&mut self, situation: &Situation<'_>) -> Vec<Ballot> {
        self.judge_those(situation, |_| true)
    }

    /// Judges the slots that were never judged, and returns the votes to cast, oldest slots first.
    pub fn judge_new(&mut self, situation: &Situation<'_>) -> Vec<Ballot> {
        self.judge_those(situation, |slot| !slot.is_judged())
    }

    fn judge_those(&mut self, situation: &Situation<'_>, which: impl Fn(&JudgedSlot) -> bool) -> Vec<Ballot> {
        let membership = membership_of(situation.set, situation.ledger, self.me);
        let Self { me, agreement, slots } = self;
        let judge = |(key, slot): (&SlotKey, &mut JudgedSlot)| slot.judge(*key, *me, &membership, situation, agreement);
        slots.iter_mut().filter(|(_, slot)| which(slot)).filter_map(judge).collect()
    }

    /// The open slots with an own vote of which it matters whether all of it is executed, and is not known: the ledger does
    /// not count it, or it may move. What the ledger counts and was found executed stays so, until blocks are
    /// [taken back](Self::doubt_executed) or another vote is [cast](Self::set_vote).
    pub fn open_votes(&self, situation: &Situation<'_>) -> Vec<SlotKey> {
        let seat = situation.ledger.seat_of(self.me);
        let matters = |(key, slot): &(&SlotKey, &JudgedSlot)| {
            let found = situation.ledger.slot(key.slot);
            let is_counted = found.is_some_and(|found| found.vote_of(seat).is_some());
            let may_move = || situation.phase(found, &self.agreement) != Phase::Before;
            !is_counted || !matches!(slot.vote, OwnVote::Executed(_)) && may_move()
        };
        let open = self.slots.iter().filter(|(_, slot)| slot.voted.is_some() && slot.finalized.is_none());
        open.filter(matters).map(|(key, _)| *key).collect()
    }

    /// Blocks were taken back: whether votes are executed is to be found out again.
    pub fn doubt_executed(&mut self) {
        let executed = self.slots.values_mut().filter(|slot| matches!(slot.vote, OwnVote::Executed(_)));
        executed.for_each(|slot| slot.vote = OwnVote::Cast);
    }

    /// Slots in which a candidate has the quorum's votes and yet is not final, as after a change of the set: anyone may
    /// call `finalize` for them, and this witness should now, each at its turn.
    pub fn ripe(&mut self, situation: &Situation<'_>) -> Vec<(SlotId, ObservationHash)> {
        let membership = membership_of(situation.set, situation.ledger, self.me);
        let Self { agreement, slots, .. } = self;
        let ripe = |(key, slot): (&SlotKey, &mut JudgedSlot)| {
            let turn_ms = (membership.rank(key.sequence)? + 1).saturating_mul(agreement.propose_stagger_ms);
            slot.ripe(key.slot, situation, turn_ms)
        };
        slots.iter_mut().filter_map(ripe).collect()
    }

    /// Drops the slots whose outcome stands at the finalized head and returns them.
    pub fn take_done(&mut self, ledger: &LedgerState, finalized_head: u64) -> Vec<(SlotKey, JudgedSlot)> {
        let done = |key: &SlotKey, slot: &mut JudgedSlot| {
            let found = || ledger.final_of(key.stream, key.sequence, key.slot);
            slot.state.is_outcome() && found().is_some_and(|found| found.is_final_at(finalized_head))
        };
        self.slots.extract_if(.., done).collect()
    }

    /// Drops a stream's slots that `withheld` names, that are incomplete here and not voted for: what is missing of them
    /// can no longer be known. Returns how many.
    pub fn withdraw(&mut self, stream: StreamHash, withheld: impl Fn(EpochKey) -> bool) -> usize {
        let incomplete = |own: &OwnEpoch| !matches!(own, OwnEpoch::Derived { complete: true, .. });
        let range = SlotKey::all_of(stream);
        let withdrawn =
            |_: &SlotKey, slot: &mut JudgedSlot| slot.voted.is_none() && incomplete(&slot.own) && withheld(slot.epoch);
        self.slots.extract_if(range, withdrawn).count()
    }

    /// The slots, by stream and sequence.
    pub fn slots(&self) -> impl Iterator<Item = (&SlotKey, &JudgedSlot)> {
        self.slots.iter()
    }

    /// The slots of a stream, by sequence.
    pub fn slots_of(&self, stream: StreamHash) -> impl Iterator<Item = (&SlotKey, &JudgedSlot)> {
        self.slots.range(SlotKey::all_of(stream))
    }

    /// One slot.
    pub fn slot(&self, key: SlotKey) -> Option<&JudgedSlot> {
        self.slots.get(&key)
    }

    /// Slots of a stream whose epochs stand below `epoch`, and that take a place in the window.
    pub fn undecided_below(&self, stream: StreamHash, epoch: EpochKey) -> usize {
        self.slots_of(stream).filter(|(_, slot)| slot.in_window && slot.epoch < epoch).count()
    }
}

#[cfg(test)]
mod tests;

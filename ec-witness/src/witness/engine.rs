//! Every slot that one witness judges, between what its archive says, what the ledger shows and what it voted.
//!
//! Sans-I/O: epochs come in, the ledger is shown, decisions come out. The daemon and the simulation drive the same
//! engine.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::Address;
use ec_ledger::{LedgerState, Touched, WitnessSet};
use ec_observation::{Ballot, EpochKey, ObservationHash, ObservationHeader, SlotId, StreamHash};

use super::{
    decision::{Agreement, OwnEpoch, OwnVote, Proposing},
    rest::Rest,
    rounds::Phase,
    situation::{Situation, membership_of},
    slot::{Admitted, JudgedSlot, SlotKey, Voted},
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
///
/// What nothing has changed for is not judged again: a slot rests until the ledger [touches](Self::touch) its stream, its
/// time has come, or something else comes in here.
#[derive(Clone, Debug)]
pub struct Engine {
    me: Address,
    agreement: Agreement,
    /// Boxed: the nodes of a tree that grows at its end stay half empty, and slots are large.
    slots: BTreeMap<SlotKey, Box<JudgedSlot>>,
    /// The streams that have slots, and until when all of these rest; `None` where some do not.
    rests: BTreeMap<StreamHash, Option<Rest>>,
    unjudged: BTreeSet<SlotKey>,
    /// The set and the beginning of liveness by which the slots were judged last.
    judged_by: Option<(WitnessSet, Option<u64>)>,
}

impl Engine {
    /// An engine for the witness `me`.
    pub fn new(me: Address, agreement: Agreement) -> Self {
        Self {
            me,
            agreement,
            slots: BTreeMap::new(),
            rests: BTreeMap::new(),
            unjudged: BTreeSet::new(),
            judged_by: None,
        }
    }

    /// The agreement's constants.
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// Takes in a closed epoch, or a new derivation of one. `past` is the own vote history of the slot.
    pub fn admit(&mut self, key: SlotKey, admitted: Admitted, past: Option<(ObservationHeader, OwnVote)>) -> Admission {
        let Admitted { proposing, own, .. } = admitted;
        self.rests.insert(key.stream, None);
        if let Some(judged) = self.slots.get_mut(&key) {
            judged.rest = None;
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
        self.slots.insert(key, Box::new(JudgedSlot::new(admitted, past)));
        self.unjudged.insert(key);
        Admission::New
    }

    /// Notes that a vote is recorded, or what became of it.
    pub fn set_vote(&mut self, key: SlotKey, header: ObservationHeader, vote: OwnVote) {
        let Some(judged) = self.slots.get_mut(&key) else { return };
        let before = (judged.voted, judged.vote);
        (judged.voted, judged.vote) = (Some(Voted::of(&header)), vote);
        if before != (judged.voted, judged.vote) {
            self.wake(key);
        }
    }

    /// Judges a slot from now on, whose epoch may be proposed as this says; false for one that is not judged.
    pub fn propose_as(&mut self, key: SlotKey, proposing: Proposing) -> bool {
        let Some(judged) = self.slots.get_mut(&key) else { return false };
        let before = (judged.proposing, judged.superseded);
        (judged.proposing, judged.superseded) = (proposing, false);
        if before != (judged.proposing, judged.superseded) {
            self.wake(key);
        }
        true
    }

    /// Lets go of a slot whose segment has another session: nothing is voted there any more, and a vote that was cast is
    /// only seen through.
    pub fn supersede(&mut self, key: SlotKey) {
        let Some(judged) = self.slots.get_mut(&key).filter(|judged| !judged.superseded) else { return };
        if judged.voted.is_some() {
            judged.superseded = true;
        } else {
            self.slots.remove(&key);
        }
        self.wake(key);
    }

    /// Lets go of a slot for good.
    pub fn remove(&mut self, key: SlotKey) -> Option<JudgedSlot> {
        self.slots.remove(&key).map(|slot| *slot)
    }

    /// The ledger may show something else for these streams than when their slots were judged last.
    pub fn touch(&mut self, touched: &Touched) {
        match touched {
            Touched::All => self.wake_all(),
            Touched::Streams(streams) => streams.iter().for_each(|stream| {
                let Some(rest) = self.rests.get_mut(stream) else { return };
                *rest = None;
                self.slots.range_mut(SlotKey::all_of(*stream)).for_each(|(_, slot)| slot.rest = None);
            }),
        }
    }

    /// Whether a stream has slots, and nothing has changed for them since they were judged.
    pub fn rests(&self, stream: StreamHash) -> bool {
        self.rests.get(&stream).is_some_and(Option::is_some)
    }

    /// A slot is to be judged in the next turn.
    fn wake(&mut self, key: SlotKey) {
        self.rests.insert(key.stream, None);
        self.slots.get_mut(&key).into_iter().for_each(|slot| slot.rest = None);
    }

    fn wake_all(&mut self) {
        self.rests.values_mut().for_each(|rest| *rest = None);
        self.slots.values_mut().for_each(|slot| slot.rest = None);
    }

    /// Ends the rest of those that are to be judged by now.
    fn wake_due(&mut self, situation: &Situation<'_>) {
        let Situation { set, live_since_ms, .. } = *situation;
        let is_same = |(by, since_ms): &(WitnessSet, Option<u64>)| by == set && *since_ms == live_since_ms;
        if !self.judged_by.as_ref().is_some_and(is_same) {
            self.judged_by = Some((set.clone(), live_since_ms));
            self.wake_all();
        }
        let Self { slots, rests, .. } = self;
        for (&stream, rest) in rests {
            if rest.is_none_or(|rest| rest.is_over(situation)) {
                *rest = None;
                let slots = slots.range_mut(SlotKey::all_of(stream));
                slots.for_each(|(_, slot)| _ = slot.rest.take_if(|rest| rest.is_over(situation)));
            }
        }
    }

    /// Judges every slot that may come to something else, and returns the votes to cast, oldest slots of a stream first.
    pub fn judge(&mut self, situation: &Situation<'_>) -> Vec<Ballot> {
        self.wake_due(situation);
        let membership = membership_of(situation.set, situation.ledger, self.me);
        let Self { me, agreement, slots, rests, unjudged, .. } = self;
        let mut ballots = Vec::new();
        rests.retain(|&stream, rest| {
            if rest.is_some() {
                return true;
            }
            let (mut all, mut is_empty) = (Some(Rest::FOR_EVER), true);
            for (key, slot) in slots.range_mut(SlotKey::all_of(stream)) {
                if slot.rest.is_none() {
                    ballots.extend(slot.judge(*key, *me, &membership, situation, agreement));
                }
                all = all.zip(slot.rest).map(|(all, rest)| all.and(rest));
                is_empty = false;
            }
            *rest = all;
            !is_empty
        });
        unjudged.clear();
        ballots
    }

    /// Judges the slots that were never judged, and returns the votes to cast, oldest slots of a stream first.
    pub fn judge_new(&mut self, situation: &Situation<'_>) -> Vec<Ballot> {
        let membership = membership_of(situation.set, situation.ledger, self.me);
        let Self { me, agreement, slots, unjudged, .. } = self;
        let new = std::mem::take(unjudged).into_iter();
        new.filter_map(|key| slots.get_mut(&key)?.judge(key, *me, &membership, situation, agreement)).collect()
    }

    /// The slots that do not rest.
    fn awake(&self) -> impl Iterator<Item = (&SlotKey, &JudgedSlot)> {
        let streams = self.rests.iter().filter(|(_, rest)| rest.is_none());
        streams.flat_map(|(&stream, _)| self.slots_of(stream)).filter(|(_, slot)| slot.rest.is_none())
    }

    /// The open slots with an own vote of which it matters whether all of it is executed, and is not known: the ledger does
    /// not count it, or it may move. What the ledger counts and was found executed stays so, until blocks are
    /// [taken back](Self::doubt_executed) or another vote is [cast](Self::set_vote).
    pub fn open_votes(&mut self, situation: &Situation<'_>) -> Vec<SlotKey> {
        self.wake_due(situation);
        let seat = situation.ledger.seat_of(self.me);
        let matters = |(key, slot): &(&SlotKey, &JudgedSlot)| {
            let found = situation.ledger.slot(key.slot);
            let is_counted = found.is_some_and(|found| found.vote_of(seat).is_some());
            let may_move = || situation.phase(found, &self.agreement) != Phase::Before;
            !is_counted || !matches!(slot.vote, OwnVote::Executed(_)) && may_move()
        };
        let open = self.awake().filter(|(_, slot)| slot.voted.is_some() && slot.finalized.is_none());
        open.filter(matters).map(|(key, _)| *key).collect()
    }

    /// Blocks were taken back: whether votes are executed is to be found out again.
    pub fn doubt_executed(&mut self) {
        let executed = self.slots.values_mut().filter(|slot| matches!(slot.vote, OwnVote::Executed(_)));
        executed.for_each(|slot| slot.vote = OwnVote::Cast);
        self.wake_all();
    }

    /// Slots in which a candidate has the quorum's votes and yet is not final, as after a change of the set: anyone may
    /// call `finalize` for them, and this witness should now, each at its turn.
    pub fn ripe(&mut self, situation: &Situation<'_>) -> Vec<(SlotId, ObservationHash)> {
        let membership = membership_of(situation.set, situation.ledger, self.me);
        let Self { agreement, slots, rests, .. } = self;
        let mut ripe = Vec::new();
        for (&stream, _) in rests.iter().filter(|(_, rest)| rest.is_none()) {
            let awake = slots.range_mut(SlotKey::all_of(stream)).filter(|(_, slot)| slot.rest.is_none());
            ripe.extend(awake.filter_map(|(key, slot)| {
                let turn_ms = (membership.rank(key.sequence)? + 1).saturating_mul(agreement.propose_stagger_ms);
                slot.ripe(key.slot, situation, turn_ms)
            }));
        }
        ripe
    }

    /// Drops the slots whose outcome stands at the finalized head and returns them.
    pub fn take_done(&mut self, ledger: &LedgerState, finalized_head: u64) -> Vec<(SlotKey, JudgedSlot)> {
        let Self { slots, rests, .. } = self;
        let mut taken = Vec::new();
        for (&stream, rest) in rests.iter_mut().filter(|(_, rest)| rest.is_none_or(|rest| rest.block <= finalized_head))
        {
            let mut next_block = u64::MAX;
            let done = slots.extract_if(SlotKey::all_of(stream), |key, slot| {
                let found =
                    slot.state.is_outcome().then(|| ledger.final_of(key.stream, key.sequence, key.slot)).flatten();
                let is_done = found.is_some_and(|found| found.is_final_at(finalized_head));
                if let Some(found) = found.filter(|_| !is_done) {
                    next_block = next_block.min(found.finality().block);
                }
                is_done
            });
            taken.extend(done.map(|(key, slot)| (key, *slot)));
            if let Some(rest) = rest {
                rest.block = next_block;
            }
        }
        taken
    }

    /// Drops a stream's slots that `withheld` names, that are incomplete here and not voted for: what is missing of them
    /// can no longer be known. Returns how many.
    pub fn withdraw(&mut self, stream: StreamHash, withheld: impl Fn(EpochKey) -> bool) -> usize {
        let incomplete = |own: &OwnEpoch| !matches!(own, OwnEpoch::Derived { complete: true, .. });
        let range = SlotKey::all_of(stream);
        let withdrawn = |_: &SlotKey, slot: &mut Box<JudgedSlot>| {
            slot.voted.is_none() && incomplete(&slot.own) && withheld(slot.epoch)
        };
        self.slots.extract_if(range, withdrawn).count()
    }

    /// The slots, by stream and sequence.
    pub fn slots(&self) -> impl Iterator<Item = (&SlotKey, &JudgedSlot)> {
        self.slots.iter().map(|(key, slot)| (key, &**slot))
    }

    /// The slots of a stream, by sequence.
    pub fn slots_of(&self, stream: StreamHash) -> impl Iterator<Item = (&SlotKey, &JudgedSlot)> {
        self.slots.range(SlotKey::all_of(stream)).map(|(key, slot)| (key, &**slot))
    }

    /// One slot.
    pub fn slot(&self, key: SlotKey) -> Option<&JudgedSlot> {
        self.slots.get(&key).map(|slot| &**slot)
    }

    /// Slots of a stream whose epochs stand below `epoch`, and that take a place in the window.
    pub fn undecided_below(&self, stream: StreamHash, epoch: EpochKey) -> usize {
        self.slots_of(stream).filter(|(_, slot)| slot.in_window && slot.epoch < epoch).count()
    }
}

#[cfg(test)]
mod tests;

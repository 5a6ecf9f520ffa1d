//! A model of `EveryChannelObservationLedger` and its registry, written from the interface and not from the engine.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::Address;
use ec_ledger::{LedgerEvent, Seat, WitnessSet};
use ec_observation::{ObservationHash, ObservationHeader, SlotId};

/// Who may change the set.
pub(crate) const OWNER: Address = Address::repeat_byte(0xff);

/// One item of a batch, or what the owner or anyone else sends.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Propose { header: ObservationHeader, candidates_seen: usize },
    Attest { slot: SlotId, observation: ObservationHash },
    Move { from: ObservationHeader, to: ObservationHeader, candidates_seen: usize },
    Finalize { slot: SlotId, observation: ObservationHash },
    UpdateSet(WitnessSet),
}

/// Why an item is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotWitness,
    SlotFinalized,
    AlreadyVoted,
    Equivocation,
    StaleProposal,
    UnknownCandidate,
    QuorumNotReached,
    NoSuchVote,
    OtherContent,
    AlreadyProposed,
}

/// What a slot holds: the candidates in proposal order with everyone who voted for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ballot {
    pub(crate) candidates: Vec<(ObservationHash, Vec<Address>)>,
    pub(crate) finalized: Option<ObservationHash>,
    /// Who made a candidate by a move.
    moved_to_new: BTreeSet<Address>,
}

impl Ballot {
    /// The header's hash that a witness voted for.
    pub(crate) fn vote_of(&self, voter: Address) -> Option<ObservationHash> {
        self.candidates.iter().find(|(_, voters)| voters.contains(&voter)).map(|(hash, _)| *hash)
    }

    fn find(&self, observation: ObservationHash) -> Option<usize> {
        self.candidates.iter().position(|(hash, _)| *hash == observation)
    }

    /// The checks that every vote passes first, in the contract's order.
    fn check(&self, voter: Address, observation: ObservationHash) -> Result<(), Refusal> {
        if self.finalized.is_some() {
            return Err(Refusal::SlotFinalized);
        }
        match self.vote_of(voter) {
            Some(hash) if hash == observation => Err(Refusal::AlreadyVoted),
            Some(_) => Err(Refusal::Equivocation),
            None => Ok(()),
        }
    }
}

/// The contracts' state.
#[derive(Clone, Debug)]
pub(crate) struct Contract {
    pub(crate) set: WitnessSet,
    pub(crate) slots: BTreeMap<SlotId, Ballot>,
    /// The timestamp of the block that is executed, seconds.
    pub(crate) now_s: u64,
    /// Whether `candidatesSeen` is ignored.
    ignores_seen: bool,
}

impl Contract {
    pub(crate) fn new(set: WitnessSet, swaps: bool) -> Self {
        Self { set, slots: BTreeMap::new(), now_s: 0, ignores_seen: !swaps }
    }

    /// Executes one call and returns the events it emits.
    pub(crate) fn execute(&mut self, sender: Address, call: &Call) -> Result<Vec<LedgerEvent>, Refusal> {
        match call {
            Call::UpdateSet(set) => self.update(sender, set),
            Call::Finalize { slot, observation } => self.finalize(*slot, *observation),
            Call::Propose { header, candidates_seen } => self.propose(sender, header, *candidates_seen),
            Call::Attest { slot, observation } => self.attest(sender, *slot, *observation),
            Call::Move { from, to, candidates_seen } => self.move_vote(sender, from, to, *candidates_seen),
        }
    }

    fn update(&mut self, sender: Address, set: &WitnessSet) -> Result<Vec<LedgerEvent>, Refusal> {
        let is_strict_majority = set.quorum * 2 > set.active.len() && set.quorum <= set.active.len();
        assert!(sender == OWNER && is_strict_majority, "the registry refuses {set:?}");
        self.set = set.clone();
        Ok(vec![])
    }

    fn finalize(&mut self, slot: SlotId, observation: ObservationHash) -> Result<Vec<LedgerEvent>, Refusal> {
        let ballot = self.slots.get(&slot).ok_or(Refusal::UnknownCandidate)?;
        ballot.finalized.map_or(Ok(()), |_| Err(Refusal::SlotFinalized))?;
        let place = ballot.find(observation).ok_or(Refusal::UnknownCandidate)?;
        let event = self.finalize_at_quorum(slot, place).ok_or(Refusal::QuorumNotReached)?;
        Ok(vec![event])
    }

    fn propose(
        &mut self,
        proposer: Address,
        header: &ObservationHeader,
        candidates_seen: usize,
    ) -> Result<Vec<LedgerEvent>, Refusal> {
        let (slot, observation) = (header.slot(), header.hash());
        if self.slots.get(&slot).and_then(|ballot| ballot.find(observation)).is_some() {
            return self.attest(proposer, slot, observation);
        }
        self.check_witness(proposer)?;
        let ballot = self.slots.entry(slot).or_default();
        ballot.check(proposer, observation)?;
        if ballot.candidates.len() != candidates_seen && !self.ignores_seen {
            return Err(Refusal::StaleProposal);
        }
        ballot.candidates.push((observation, vec![proposer]));
        let place = ballot.candidates.len() - 1;
        let mut events = vec![LedgerEvent::Proposed { proposer, header: *header, timestamp_s: self.now_s }];
        events.extend(self.finalize_at_quorum(slot, place));
        Ok(events)
    }

    fn attest(
        &mut self,
        witness: Address,
        slot: SlotId,
        observation: ObservationHash,
    ) -> Result<Vec<LedgerEvent>, Refusal> {
        self.check_witness(witness)?;
        let ballot = self.slots.get_mut(&slot).ok_or(Refusal::UnknownCandidate)?;
        ballot.check(witness, observation)?;
        let place = ballot.find(observation).ok_or(Refusal::UnknownCandidate)?;
        ballot.candidates[place].1.push(witness);
        let mut events = vec![LedgerEvent::Attested { slot, observation, witness }];
        events.extend(self.finalize_at_quorum(slot, place));
        Ok(events)
    }

    fn move_vote(
        &mut self,
        witness: Address,
        from: &ObservationHeader,
        to: &ObservationHeader,
        candidates_seen: usize,
    ) -> Result<Vec<LedgerEvent>, Refusal> {
        self.check_witness(witness)?;
        let (slot, left, hash) = (from.slot(), from.hash(), to.hash());
        let ballot = self.slots.get_mut(&slot).ok_or(Refusal::NoSuchVote)?;
        ballot.finalized.map_or(Ok(()), |_| Err(Refusal::SlotFinalized))?;
        if ballot.vote_of(witness) != Some(left) {
            return Err(Refusal::NoSuchVote);
        }
        if from.content() != to.content() {
            return Err(Refusal::OtherContent);
        }
        if left == hash {
            return Err(Refusal::AlreadyVoted);
        }
        let mut events = vec![];
        if ballot.find(hash).is_none() {
            if ballot.candidates.len() != candidates_seen && !self.ignores_seen {
                return Err(Refusal::StaleProposal);
            }
            if !ballot.moved_to_new.insert(witness) {
                return Err(Refusal::AlreadyProposed);
            }
            ballot.candidates.push((hash, vec![]));
            events.push(LedgerEvent::Proposed { proposer: witness, header: *to, timestamp_s: self.now_s });
        }
        events.push(LedgerEvent::Moved { slot, from: left, to: hash, witness });
        for (candidate, voters) in &mut ballot.candidates {
            if *candidate == left {
                voters.retain(|voter| *voter != witness);
            } else if *candidate == hash {
                voters.push(witness);
            }
        }
        let place = ballot.find(hash).ok_or(Refusal::UnknownCandidate)?;
        events.extend(self.finalize_at_quorum(slot, place));
        Ok(events)
    }

    fn check_witness(&self, account: Address) -> Result<(), Refusal> {
        if self.set.active.contains(&Seat(account)) { Ok(()) } else { Err(Refusal::NotWitness) }
    }

    /// Whether the active voters of a candidate are a quorum.
    fn has_quorum(&self, voters: &[Address]) -> bool {
        let active = voters.iter().filter(|voter| self.set.active.contains(&Seat(**voter))).count();
        self.set.quorum > 0 && active >= self.set.quorum
    }

    fn finalize_at_quorum(&mut self, slot: SlotId, place: usize) -> Option<LedgerEvent> {
        let (observation, voters) = self.slots.get(&slot)?.candidates.get(place)?.clone();
        let ballot = self.has_quorum(&voters).then(|| self.slots.get_mut(&slot))??;
        ballot.finalized = Some(observation);
        Some(LedgerEvent::Finalized { slot, observation })
    }

    /// Candidates that a change of the set gave a quorum, and that wait for someone to say so.
    pub(crate) fn finalizable(&self) -> Vec<Call> {
        let open = self.slots.iter().filter(|(_, ballot)| ballot.finalized.is_none());
        let candidates = open.flat_map(|(slot, ballot)| ballot.candidates.iter().map(move |found| (*slot, found)));
        let ready = candidates.filter(|(_, (_, voters))| self.has_quorum(voters));
        ready.map(|(slot, (observation, _))| Call::Finalize { slot, observation: *observation }).collect()
    }
}

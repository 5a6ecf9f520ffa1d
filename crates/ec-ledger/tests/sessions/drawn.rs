//! Drawn logs: taking blocks back leaves no trace, and headers are decoded as the protocol words it.

use std::{
    collections::{BTreeSet, HashMap},
    num::NonZeroU64,
};

use alloy::primitives::{Address, B256};
use ec_ledger::{LedgerEvent, LedgerState, Seat};
use ec_observation::{EpochHash, EpochName, EpochRule, ObservationHash, ObservationHeader, SlotId, StreamRule};
use ec_rpc::BlockRef;
use proptest::{collection::vec, prelude::*};

pub(crate) const FIRST_MS: u64 = 1_772_824_680_000;
const QUORUM: usize = 2;

/// What somebody does, if the ledger's contract allows it.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Mark, index and time, each after [`FIRST_MS`], and content.
    Propose { mark: u64, index: u64, time: u64, content: u8, witness: u8 },
    /// Votes for one of the candidates so far, in turn.
    Attest { candidate: usize, witness: u8 },
    /// Moves the vote in the slot of one of the candidates so far to a header of the same content with this time.
    Move { candidate: usize, time: u64, witness: u8 },
    /// Hands a witness's seat on to a fresh address.
    Rotate { witness: u8 },
    /// Begins a block.
    Block,
}

fn act() -> impl Strategy<Value = Act> {
    let propose = (0..6u64, 0..6u64, 0..6u64, 0..2u8, 0..4u8, any::<bool>()).prop_map(
        |(mark, index, time, content, witness, opens)| {
            let time = if opens { mark } else { time };
            Act::Propose { mark, index, time, content, witness }
        },
    );
    let attest = (0..64usize, 0..4u8).prop_map(|(candidate, witness)| Act::Attest { candidate, witness });
    let moved =
        (0..64usize, 0..6u64, 0..4u8).prop_map(|(candidate, time, witness)| Act::Move { candidate, time, witness });
    let rotate = (0..4u8).prop_map(|witness| Act::Rotate { witness });
    prop_oneof![8 => propose, 8 => attest, 6 => moved, 1 => rotate, 2 => Just(Act::Block)]
}

pub(crate) fn rule() -> StreamRule {
    StreamRule::lane("la-nbc", "la-nbc", "0.m4s", NonZeroU64::new(30).unwrap()).unwrap()
}

pub(crate) fn empty() -> LedgerState {
    LedgerState::new(Some(HashMap::from([(rule().stream_hash(), rule().epochs)])))
}

/// A chain and its ledger, which does what the contract would do.
#[derive(Clone)]
pub(crate) struct Chain {
    pub(crate) ledger: LedgerState,
    pub(crate) candidates: Vec<(SlotId, ObservationHash)>,
    pub(crate) number: u64,
    rotations: u64,
    fork: u8,
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self { ledger: empty(), candidates: Vec::new(), number: 0, rotations: 0, fork: 0 }
    }

    pub(crate) fn run(&mut self, acts: &[Act]) {
        acts.split(|act| matches!(act, Act::Block)).for_each(|acts| self.block(acts));
    }

    /// Executes one act after the other, and then shows the ledger all of them as one block.
    fn block(&mut self, acts: &[Act]) {
        let mut trial = self.ledger.clone();
        let mut events = Vec::new();
        for act in acts {
            let new = self.execute(&trial, act);
            trial.apply(self.next(), new.clone());
            events.extend(new);
        }
        self.ledger.apply(self.next(), events);
        self.number += 1;
    }

    fn next(&self) -> BlockRef {
        BlockRef { number: self.number + 1, hash: B256::repeat_byte(self.fork) }
    }

    fn execute(&mut self, ledger: &LedgerState, act: &Act) -> Vec<LedgerEvent> {
        match *act {
            Act::Move { candidate, time, witness } => self.move_vote(ledger, candidate, time, witness),
            Act::Rotate { witness } => {
                self.rotations += 1;
                let mut fresh = [0x80 | self.fork; 20];
                fresh[12..].copy_from_slice(&self.rotations.to_be_bytes());
                vec![LedgerEvent::Rotated { from: holder(ledger, witness), to: Address::from(fresh) }]
            }
            _ => self.vote(ledger, act),
        }
    }

    fn move_vote(&mut self, ledger: &LedgerState, candidate: usize, time: u64, witness: u8) -> Vec<LedgerEvent> {
        let Some(&(slot, _)) = self.candidates.get(candidate % self.candidates.len().max(1)) else { return Vec::new() };
        let seen = ledger.slot(slot).filter(|slot| slot.finalized.is_none());
        let witness = holder(ledger, witness);
        let seat = ledger.seat_of(witness);
        let Some((seen, from)) = seen.and_then(|seen| Some((seen, seen.vote_of(seat)?))) else { return Vec::new() };
        let header = ObservationHeader { observed_unix_ms: FIRST_MS + time, ..from.header };
        let (from, to) = (from.hash, header.hash());
        if from == to {
            return Vec::new();
        }
        let (mut events, votes) = match seen.candidate(to) {
            Some(found) => (vec![], found.voters.len()),
            None => {
                self.candidates.push((slot, to));
                (vec![LedgerEvent::Proposed { proposer: witness, header, timestamp_s: self.number }], 0)
            }
        };
        events.push(LedgerEvent::Moved { slot, from, to, witness });
        if votes + 1 == QUORUM {
            events.push(LedgerEvent::Finalized { slot, observation: to });
        }
        events
    }

    fn vote(&mut self, ledger: &LedgerState, act: &Act) -> Vec<LedgerEvent> {
        let (proposed, slot, observation, witness) = match act {
            Act::Propose { mark, index, time, content, witness } => {
                let header = header(*mark, *index, *time, *content);
                (Some(header), header.slot(), header.hash(), *witness)
            }
            Act::Attest { candidate, witness } if !self.candidates.is_empty() => {
                let (slot, hash) = self.candidates[candidate % self.candidates.len()];
                (None, slot, hash, *witness)
            }
            _ => return Vec::new(),
        };
        let witness = holder(ledger, witness);
        let seen = ledger.slot(slot).cloned().unwrap_or_default();
        let votes = seen.candidate(observation).map(|candidate| candidate.voters.len());
        if seen.finalized.is_some()
            || seen.vote_of(ledger.seat_of(witness)).is_some()
            || proposed.is_some() == votes.is_some()
        {
            return Vec::new();
        }
        let mut events = match proposed {
            Some(header) => {
                self.candidates.push((slot, observation));
                vec![LedgerEvent::Proposed { proposer: witness, header, timestamp_s: self.number }]
            }
            None => vec![LedgerEvent::Attested { slot, observation, witness }],
        };
        if votes.unwrap_or(0) + 1 == QUORUM {
            events.push(LedgerEvent::Finalized { slot, observation });
        }
        events
    }
}

/// Who votes for the seat that this witness had first.
fn holder(ledger: &LedgerState, witness: u8) -> Address {
    ledger.holder_of(Seat(Address::with_last_byte(witness)))
}

pub(crate) fn header(mark: u64, index: u64, time: u64, content: u8) -> ObservationHeader {
    let name = EpochName { mark: FIRST_MS + mark, index };
    ObservationHeader {
        stream_hash: rule().stream_hash(),
        epoch_hash: EpochHash::of(&rule().epochs.id(name)),
        parent_observation_hash: ObservationHash::ZERO,
        data_root: B256::repeat_byte(content),
        locator_hash: B256::ZERO,
        observed_unix_ms: FIRST_MS + time,
        sequence: name.sequence().unwrap(),
    }
}

/// A header's name as the protocol words it, and whether it opens a session.
fn decoded(epochs: &EpochRule, header: &ObservationHeader, opened: &BTreeSet<u64>) -> Option<EpochName> {
    let below = opened.range(..=header.sequence).rev().copied();
    let fits = |mark: u64| {
        let name = EpochName { mark, index: header.sequence.checked_sub(mark)? };
        (EpochHash::of(&epochs.id(name)) == header.epoch_hash).then_some(name)
    };
    below.chain([header.observed_unix_ms]).find_map(fits)
}

proptest! {
    #[test]
    fn a_reorg_leaves_no_trace(shared in vec(act(), 0..40), lost in vec(act(), 0..40), kept in vec(act(), 0..40)) {
        let mut fresh = Chain::new();
        fresh.run(&shared);
        let mut reorged = Chain { fork: 1, ..fresh.clone() };
        reorged.run(&lost);
        reorged.ledger.revert_above(fresh.number);
        prop_assert!(reorged.ledger == fresh.ledger, "taken back");
        let mut reorged = Chain { ledger: reorged.ledger, ..fresh.clone() };
        fresh.run(&kept);
        reorged.run(&kept);
        prop_assert!(reorged.ledger == fresh.ledger, "and gone on");
        reorged.ledger.revert_above(0);
        prop_assert!(reorged.ledger == empty());
    }

    #[test]
    fn a_seat_has_one_vote_in_a_slot(acts in vec(act(), 0..80)) {
        let mut chain = Chain::new();
        chain.run(&acts);
        for (slot, _) in &chain.candidates {
            let candidates = &chain.ledger.slot(*slot).unwrap().candidates;
            let voters: Vec<_> = candidates.iter().flat_map(|candidate| &candidate.voters).collect();
            prop_assert_eq!(voters.iter().collect::<BTreeSet<_>>().len(), voters.len());
            prop_assert!(voters.iter().all(|seat| seat.0 < Address::with_last_byte(4)), "a seat has its first name");
            prop_assert_eq!(candidates.iter().filter(|candidate| candidate.voters.len() == QUORUM).count(),
                usize::from(chain.ledger.slot(*slot).unwrap().finalized.is_some()));
        }
    }

    #[test]
    fn headers_are_decoded_in_the_order_of_the_log(acts in vec(act(), 0..80)) {
        let mut chain = Chain::new();
        chain.run(&acts);
        let (epochs, mut opened, mut order) = (rule().epochs, BTreeSet::new(), Vec::new());
        for (slot, hash) in chain.candidates {
            let candidate = chain.ledger.slot(slot).unwrap().candidate(hash).unwrap();
            let name = decoded(&epochs, &candidate.header, &opened);
            prop_assert_eq!(candidate.name, name);
            if let Some(name) = name && opened.insert(name.mark) {
                order.push((name.mark, name.index));
            }
        }
        let lane = chain.ledger.lane(rule().stream_hash()).unwrap();
        prop_assert_eq!(lane.sessions().map(|session| (session.mark, session.opened_by)).collect::<Vec<_>>(), order);
    }
}

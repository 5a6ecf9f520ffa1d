//! Drawn logs: taking blocks back leaves no trace, and headers are decoded as the protocol words it.

use std::{
    collections::{BTreeSet, HashMap},
    num::NonZeroU64,
};

use alloy::primitives::{Address, B256};
use ec_ledger::{LedgerEvent, LedgerState};
use ec_observation::{
    EpochHash, EpochName, EpochRule, ObservationHash, ObservationHeader, SlotId, StreamHash, StreamRule,
};
use ec_rpc::BlockRef;
use proptest::{collection::vec, prelude::*};

const FIRST_MS: u64 = 1_772_824_680_000;
const QUORUM: usize = 2;

/// What somebody does, if the ledger's contract allows it.
#[derive(Clone, Debug)]
enum Act {
    /// Mark, index and time, each after [`FIRST_MS`], and content.
    Propose { mark: u64, index: u64, time: u64, content: u8, witness: u8 },
    /// Votes for one of the candidates so far, in turn.
    Attest { candidate: usize, witness: u8 },
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
    prop_oneof![4 => propose, 4 => attest, 1 => Just(Act::Block)]
}

fn rule() -> StreamRule {
    StreamRule::lane("la-nbc", "la-nbc", "0.m4s", NonZeroU64::new(30).unwrap()).unwrap()
}

fn empty() -> LedgerState {
    LedgerState::new(Some(HashMap::from([(rule().stream_hash(), rule().epochs)])))
}

/// A chain and its ledger, which does what the contract would do.
#[derive(Clone)]
struct Chain {
    ledger: LedgerState,
    candidates: Vec<(SlotId, ObservationHash)>,
    number: u64,
    fork: u8,
}

impl Chain {
    fn new() -> Self {
        Self { ledger: empty(), candidates: Vec::new(), number: 0, fork: 0 }
    }

    fn run(&mut self, acts: &[Act]) {
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
        let (proposed, slot, observation, witness) = match act {
            Act::Propose { mark, index, time, content, witness } => {
                let header = header(*mark, *index, *time, *content);
                (Some(header), header.slot(), header.hash(), *witness)
            }
            Act::Attest { candidate, witness } if !self.candidates.is_empty() => {
                let (slot, hash) = self.candidates[candidate % self.candidates.len()];
                (None, slot, hash, *witness)
            }
            Act::Attest { .. } | Act::Block => return Vec::new(),
        };
        let witness = Address::with_last_byte(witness);
        let seen = ledger.slot(slot).cloned().unwrap_or_default();
        let votes = seen.candidate(observation).map(|candidate| candidate.voters.len());
        if seen.finalized.is_some() || seen.vote_of(witness).is_some() || proposed.is_some() == votes.is_some() {
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

fn header(mark: u64, index: u64, time: u64, content: u8) -> ObservationHeader {
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

#[test]
fn streams_without_a_rule_have_no_sessions() {
    let stream = rule().stream_hash();
    let opener = header(0, 0, 0, 1);
    let proposed = LedgerEvent::Proposed { proposer: Address::ZERO, header: opener, timestamp_s: 5 };
    let block = BlockRef { number: 1, hash: B256::ZERO };
    let timeline = EpochRule::timeline(rule().epochs.groups_per_epoch);
    for streams in [None, Some(HashMap::from([(stream, timeline)]))] {
        let mut ledger = LedgerState::new(streams);
        ledger.apply(block, [proposed]);
        let candidate = &ledger.slot(opener.slot()).unwrap().candidates[0];
        assert_eq!((candidate.name, candidate.timestamp_s), (None, 5));
        assert_eq!(ledger.lane(stream), None);
    }
    assert_eq!(empty().lane(StreamHash::ZERO), None);
}

#[test]
fn openers_and_finals_are_found_by_index_and_time() {
    let stream = rule().stream_hash();
    let mut chain = Chain::new();
    let propose = |mark, index, time, content, witness| Act::Propose { mark, index, time, content, witness };
    let at = |mark| FIRST_MS + mark;
    let name = |mark, index| EpochName { mark: at(mark), index };
    // three sessions, one of them opened by another index; and a later candidate with the time of a mark
    let acts = [propose(9, 4, 9, 1, 0), propose(5, 4, 5, 1, 1), propose(7, 3, 7, 1, 2), propose(7, 4, 9, 1, 2)];
    chain.run(&acts);
    chain.run(&[propose(5, 4, 6, 1, 2), Act::Attest { candidate: 4, witness: 3 }]);
    let marks = |index, ms| {
        let openers = chain.ledger.openers(stream, index, ms);
        openers.iter().map(|candidate| candidate.header.observed_unix_ms - FIRST_MS).collect::<Vec<_>>()
    };
    assert_eq!(marks(4, at(0)..=at(20)), [9, 5], "in the order of the log");
    assert_eq!((marks(4, at(6)..=at(9)), marks(4, at(6)..=at(8)), marks(3, at(7)..=at(7))), (vec![9], vec![], vec![7]));
    assert!(marks(4, at(9)..=at(5)).is_empty(), "no range at all");
    let lane = chain.ledger.lane(stream).unwrap();
    let first = |index, ms| lane.first_proposed_s(index, ms);
    assert_eq!((first(4, at(5)..=at(9)), first(4, at(6)..=at(6)), first(4, at(7)..=at(8))), (Some(0), Some(1), None));
    let last = chain.candidates.last().unwrap().1;
    let finals = |ledger: &LedgerState, index, ms| {
        ledger.finals_of_index(stream, index, ms).map(|(name, found)| (name, found.hash)).collect::<Vec<_>>()
    };
    assert_eq!(finals(&chain.ledger, 4, at(0)..=at(20)), [(name(5, 4), last)]);
    assert!(finals(&chain.ledger, 4, at(7)..=at(20)).is_empty() && finals(&chain.ledger, 3, at(0)..=at(20)).is_empty());
    chain.run(&[Act::Block, Act::Block]);
    chain.ledger.forget(chain.number);
    assert_eq!(finals(&chain.ledger, 4, at(6)..=at(6)), [(name(5, 4), last)], "forgotten or not");
    let openers = chain.ledger.openers(stream, 4, at(0)..=at(20));
    assert_eq!(openers.len(), 1, "the final session's votes are forgotten");
}

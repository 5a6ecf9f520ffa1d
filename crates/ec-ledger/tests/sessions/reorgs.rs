//! Blocks that were taken back leave no trace, and what is forgotten is not missed.

use std::collections::HashSet;

use alloy::primitives::{Address, B256};
use ec_ledger::{LedgerEvent, LedgerState};
use ec_observation::ObservationHeader;
use ec_rpc::BlockRef;

use crate::{check, check_archives, ledger_of, vector::Vector};

/// What a block of another fork might hold: in each slot of these events that is not final, one more candidate, with two
/// votes or final.
fn garbage(ledger: &LedgerState, events: &[LedgerEvent], content: u8, finalize: bool) -> Vec<LedgerEvent> {
    let mut slots = HashSet::new();
    let mut garbage = Vec::new();
    for event in events {
        let LedgerEvent::Proposed { header, timestamp_s, .. } = *event else { continue };
        let (slot, header) = (header.slot(), ObservationHeader { data_root: B256::repeat_byte(content), ..header });
        if !slots.insert(slot) || ledger.slot(slot).is_some_and(|slot| slot.finalized.is_some()) {
            continue;
        }
        let (observation, witness) = (header.hash(), Address::repeat_byte(content));
        garbage.push(LedgerEvent::Proposed { proposer: Address::ZERO, header, timestamp_s });
        garbage.push(LedgerEvent::Attested { slot, observation, witness });
        if finalize {
            garbage.push(LedgerEvent::Finalized { slot, observation });
        }
    }
    garbage
}

#[test]
fn blocks_that_are_taken_back_leave_no_trace() {
    for vector in Vector::all() {
        let fresh = ledger_of(&vector);
        let blocks = vector.blocks();
        let mut ledger = LedgerState::new(Some(vector.followed()));
        for (at, (block, events)) in blocks.iter().enumerate() {
            let all: Vec<_> = blocks.iter().flat_map(|(_, events)| events.clone()).collect();
            let later: Vec<_> = blocks[at..].iter().flat_map(|(_, events)| events.clone()).collect();
            let before = ledger.clone();
            let fork = |number| BlockRef { number, hash: B256::repeat_byte(0xaa) };
            ledger.apply(fork(block.number), garbage(&before, &later, 1, false));
            ledger.apply(fork(block.number + 1), garbage(&before, &all, 2, true));
            ledger.revert_above(block.number - 1);
            assert!(ledger == before, "{}: block {}", vector.name, block.number);
            ledger.apply(*block, events.clone());
        }
        assert!(ledger == fresh, "{}", vector.name);
        check(&vector, &ledger);
    }
}

#[test]
fn a_ledger_taken_back_to_its_beginning_is_empty() {
    for vector in Vector::all() {
        let mut ledger = ledger_of(&vector);
        ledger.revert_above(0);
        assert!(ledger == LedgerState::new(Some(vector.followed())), "{}", vector.name);
    }
}

#[test]
fn what_is_forgotten_is_not_missed() {
    for vector in Vector::all() {
        let mut ledger = ledger_of(&vector);
        let head = ledger.head().unwrap().number;
        // one more block, since the finalized one itself is kept
        ledger.apply(BlockRef { number: head + 1, hash: B256::ZERO }, []);
        ledger.forget(head + 1);
        let mut finals = vector.followed().into_keys().flat_map(|stream| ledger.finals(stream).collect::<Vec<_>>());
        assert!(finals.all(|(_, slot, _)| ledger.slot(slot).is_none()), "{}", vector.name);
        check_archives(&vector, &ledger);
    }
}

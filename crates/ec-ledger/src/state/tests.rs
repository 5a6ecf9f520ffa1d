//! Blocks applied and reverted, gaps, parents.

use alloy::primitives::B256;
use ec_observation::{EpochHash, stream::DEFAULT_GROUPS_PER_EPOCH};

use super::*;

const STREAM: StreamHash = StreamHash(B256::repeat_byte(7));

fn header(sequence: u64, parent: ObservationHash) -> ObservationHeader {
    ObservationHeader {
        stream_hash: STREAM,
        epoch_hash: EpochHash(B256::with_last_byte(sequence as u8)),
        parent_observation_hash: parent,
        data_root: B256::ZERO,
        locator_hash: B256::ZERO,
        observed_unix_ms: 0,
        sequence,
    }
}

fn block(number: u64) -> BlockRef {
    BlockRef { number, hash: B256::with_last_byte(number as u8) }
}

fn finalized(header: ObservationHeader) -> [LedgerEvent; 2] {
    [
        LedgerEvent::Proposed { proposer: Address::ZERO, header, timestamp_s: 0 },
        LedgerEvent::Finalized { slot: header.slot(), observation: header.hash() },
    ]
}

#[test]
fn gaps_and_the_newest_are_told_by_what_is_final_below_the_head() {
    let mut ledger = LedgerState::new(None);
    let slot_of = |sequence| header(sequence, ObservationHash::ZERO).slot();
    for sequence in [2, 3, 5, 9] {
        ledger.apply(block(sequence), finalized(header(sequence, ObservationHash::ZERO)));
    }
    let stray = ObservationHeader { epoch_hash: EpochHash(B256::ZERO), ..header(4, ObservationHash::ZERO) };
    ledger.apply(block(10), finalized(stray));
    let gap = |from, to, head| ledger.next_gap(STREAM, (from, to), head, slot_of);
    assert_eq!(gap(0, 20, 10), Some(0..=1));
    assert_eq!(gap(2, 20, 10), Some(4..=4), "a slot of another epoch hash does not count");
    assert_eq!(gap(5, 8, 10), Some(6..=8));
    assert_eq!(gap(6, 20, 10), Some(6..=8));
    assert_eq!((gap(9, 9, 10), gap(9, 9, 8)), (None, Some(9..=9)), "final only below the head");
    assert_eq!(gap(10, u64::MAX, 10), Some(10..=u64::MAX));
    assert_eq!(gap(8, 7, 10), None);
    let newest = |head| ledger.newest_final(STREAM, head);
    assert_eq!([1, 2, 4, 8, 9].map(newest), [None, Some(2), Some(3), Some(5), Some(9)]);
}

fn right(ledger: &LedgerState, header: ObservationHeader, window: u64) -> bool {
    let candidate = ledger.slot(header.slot()).unwrap().candidate(header.hash()).unwrap();
    ledger.parent_right_from(candidate, window).is_some()
}

#[test]
fn reverting_is_exact() {
    let mut ledger = LedgerState::new(None);
    ledger.apply(block(1), []);
    let mut seen = vec![format!("{ledger:?}")];
    let one = header(1, ObservationHash::ZERO);
    ledger.apply(block(2), finalized(one));
    seen.push(format!("{:?}{:?}", ledger.slots, ledger.finals));
    let vote = LedgerEvent::Attested { slot: one.slot(), observation: one.hash(), witness: Address::with_last_byte(1) };
    ledger.apply(block(3), [vote]);
    assert_eq!(ledger.slot(one.slot()).unwrap().candidates[0].voters.len(), 2);
    ledger.revert_above(2);
    assert_eq!(format!("{:?}{:?}", ledger.slots, ledger.finals), seen[1]);
    ledger.revert_above(1);
    assert!(ledger.slots.is_empty() && ledger.finals.is_empty());
    assert_eq!(ledger.head(), Some(block(1)));
}

fn voters(ledger: &LedgerState, header: ObservationHeader) -> Vec<u8> {
    let candidate = ledger.slot(header.slot()).unwrap().candidate(header.hash()).unwrap();
    candidate.voters.iter().map(|seat| seat.0[19]).collect()
}

#[test]
fn a_vote_moves_with_its_seat_and_back() {
    let address = Address::with_last_byte;
    let one = header(1, ObservationHash::ZERO);
    let [two, three] = [7, 8].map(|observed_unix_ms| ObservationHeader { observed_unix_ms, ..one });
    let slot = one.slot();
    let propose = |proposer, header| LedgerEvent::Proposed { proposer: address(proposer), header, timestamp_s: 0 };
    let moved = |witness, from: ObservationHeader, to: ObservationHeader| LedgerEvent::Moved {
        slot,
        from: from.hash(),
        to: to.hash(),
        witness: address(witness),
    };
    let attest = |witness| LedgerEvent::Attested { slot, observation: one.hash(), witness: address(witness) };
    let mut ledger = LedgerState::new(None);
    let mut before = vec![];
    let blocks = [
        vec![propose(1, one), attest(2), attest(3), propose(4, two)],
        // to a known candidate, from the middle
        vec![moved(2, one, two)],
        vec![LedgerEvent::Rotated { from: address(3), to: address(9) }],
        // to a new one, by the address that has the seat now
        vec![propose(9, three), moved(9, one, three)],
        vec![LedgerEvent::Rotated { from: address(9), to: address(10) }, moved(10, three, one)],
        // who moved first is still the proposer of what it left
        vec![moved(1, one, two)],
    ];
    for (number, events) in (1..).zip(blocks) {
        before.push(ledger.clone());
        ledger.apply(block(number), events);
    }
    assert_eq!([one, two, three].map(|header| voters(&ledger, header)), [vec![3], vec![4, 2, 1], vec![]]);
    let proposers = ledger.slot(slot).unwrap().candidates.iter().map(|candidate| candidate.proposer.0[19]);
    assert_eq!(proposers.collect::<Vec<_>>(), [1, 4, 3]);
    assert_eq!(ledger.slot(slot).unwrap().vote_of(ledger.seat_of(address(10))).unwrap().hash, one.hash());
    assert_eq!([3, 9, 10].map(|last| ledger.seat_held_by(address(last))), [None, None, Some(Seat(address(3)))]);
    for number in (0..6).rev() {
        ledger.revert_above(number);
        assert_eq!(ledger, before.pop().unwrap(), "block {number}");
    }
}

#[test]
fn parents_are_judged_at_the_candidates_place() {
    let mut ledger = LedgerState::new(None);
    let one = header(1, ObservationHash::ZERO);
    let early = header(5, ObservationHash::ZERO);
    let bogus = header(4, ObservationHash(B256::repeat_byte(1)));
    let forward = header(0, one.hash());
    let proposals =
        [early, bogus].map(|header| LedgerEvent::Proposed { proposer: Address::ZERO, header, timestamp_s: 0 });
    ledger.apply(block(1), proposals);
    ledger.apply(block(2), finalized(one));
    let late = header(6, one.hash());
    let blind = header(7, ObservationHash::ZERO);
    let proposals =
        [late, blind, forward].map(|header| LedgerEvent::Proposed { proposer: Address::ZERO, header, timestamp_s: 0 });
    ledger.apply(block(3), proposals);
    assert!(right(&ledger, early, 64), "nothing was final at its place");
    assert!(!right(&ledger, bogus, 64));
    assert!(!right(&ledger, forward, 64), "a parent lies below");
    assert!(right(&ledger, late, 64));
    assert!(right(&ledger, blind, 1), "one observation between zero and it");
    assert!(!right(&ledger, blind, 0));
    assert_eq!(ledger.newest_final_below(STREAM, 5), one.hash());
    assert_eq!(ledger.newest_final_below(STREAM, 1), ObservationHash::ZERO);
}

#[test]
fn a_parent_that_becomes_final_later_is_right_from_there() {
    let mut ledger = LedgerState::new(None);
    let parent = header(1, ObservationHash::ZERO);
    let child = header(2, parent.hash());
    let from = |ledger: &LedgerState| {
        let slot = ledger.slot(child.slot()).unwrap();
        ledger.parent_right_from(slot.candidate(child.hash()).unwrap(), 64)
    };
    let propose = |header| LedgerEvent::Proposed { proposer: Address::ZERO, header, timestamp_s: 0 };
    ledger.apply(block(1), [propose(parent), propose(child)]);
    assert_eq!(from(&ledger), None);
    let finalized = LedgerEvent::Finalized { slot: parent.slot(), observation: parent.hash() };
    ledger.apply(block(2), [finalized]);
    assert_eq!(from(&ledger), Some(3), "the place of the third event");
}

#[test]
fn the_parent_window_is_inclusive() {
    for (finals_between, expected) in [(64, true), (65, false)] {
        let mut ledger = LedgerState::new(None);
        let parent = header(0, ObservationHash::ZERO);
        ledger.apply(block(1), finalized(parent));
        ledger.apply(block(2), (1..=finals_between).flat_map(|at| finalized(header(at, parent.hash()))));
        let child = header(200, parent.hash());
        ledger.apply(block(3), [LedgerEvent::Proposed { proposer: Address::ZERO, header: child, timestamp_s: 0 }]);
        assert_eq!(right(&ledger, child, 64), expected, "{finals_between}");
    }
}

#[test]
fn settling_keeps_the_final_and_drops_the_votes() {
    let mut ledger = LedgerState::new(None);
    let one = header(1, ObservationHash::ZERO);
    ledger.apply(block(1), finalized(one));
    ledger.apply(block(2), []);
    ledger.apply(block(3), []);
    ledger.forget(2);
    assert_eq!(ledger.revertible().collect::<Vec<_>>(), [block(3), block(2)]);
    assert_eq!(ledger.slot(one.slot()), None);
    assert_eq!(ledger.final_of(STREAM, 1, one.slot()).unwrap().hash, one.hash());
}

#[test]
fn foreign_streams_leave_no_trace() {
    let mut ledger =
        LedgerState::new(Some(HashMap::from([(StreamHash::ZERO, EpochRule::timeline(DEFAULT_GROUPS_PER_EPOCH))])));
    ledger.apply(block(1), finalized(header(1, ObservationHash::ZERO)));
    assert!(ledger.slots.is_empty() && ledger.finals.is_empty());
}

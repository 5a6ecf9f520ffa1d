//! What no vector tells apart, and what is asked of the ledger beside the matching.

use std::collections::HashMap;

use alloy::primitives::{Address, B256};
use ec_ledger::{
    LedgerEvent, LedgerState, WitnessSet,
    matching::{Matching, SegmentSession, SessionRule},
};
use ec_observation::{EpochName, EpochRule, StreamHash};
use ec_rpc::BlockRef;

use crate::{
    archive::{Archive, Epoch},
    drawn::{Act, Chain, FIRST_MS, empty, header, rule},
};

fn propose(mark: u64, index: u64, time: u64, content: u8, witness: u8) -> Act {
    Act::Propose { mark, index, time, content, witness }
}

/// Epochs 0 to 2 of a segment, a minute each.
fn epochs(first_ms: u64) -> Vec<Epoch> {
    let epoch = |index: u64| Epoch {
        index,
        complete: true,
        data_root: B256::repeat_byte(1),
        observed_unix_ms: first_ms + 60_000 * index,
    };
    (0..3).map(epoch).collect()
}

/// The session of an archive's last segment.
fn session_of_last(ledger: &LedgerState, archive: &mut Archive) -> SegmentSession {
    let set = WitnessSet::of((0..4).map(Address::with_last_byte), 3);
    let matching = Matching::new(ledger, rule().stream_hash(), &set, 17_000).unwrap();
    let last = archive.len() - 1;
    matching.session_of(archive, last)
}

/// The session of an archive's only segment, which begins at [`FIRST_MS`].
fn session_of(ledger: &LedgerState) -> SegmentSession {
    session_of_last(ledger, &mut Archive::new(vec![epochs(FIRST_MS)]))
}

#[test]
fn times_are_compared_with_the_epoch_of_the_same_index() {
    // two votes of four are unbeatable where three are the quorum, so only the match decides
    for (index, time, rule) in [
        (1, 60_000, SessionRule::Matching),
        (1, 0, SessionRule::None),
        (0, 60_000, SessionRule::None),
        (2, 60_000, SessionRule::None),
        (3, 120_000, SessionRule::None),
    ] {
        let mut chain = Chain::new();
        chain.run(&[propose(30_000, 7, 30_000, 1, 0), propose(30_000, index, time, 1, 1)]);
        let slot = chain.candidates[1].0;
        let votes =
            LedgerEvent::Attested { slot, observation: chain.candidates[1].1, witness: Address::with_last_byte(2) };
        chain.ledger.apply(BlockRef { number: 9, hash: B256::ZERO }, [votes]);
        assert_eq!(session_of(&chain.ledger).rule, rule, "index {index} at {time}");
    }
}

#[test]
fn a_mark_beside_the_epoch_that_opened_is_not_usable_within_a_segment_either() {
    for (mark, index, expected) in [(60_000, 0, None), (60_000, 2, None), (60_000, 1, Some(FIRST_MS + 60_000))] {
        let mut chain = Chain::new();
        chain.run(&[propose(mark, index, mark, 1, 0), propose(mark, 1, 60_001, 0, 1)]);
        assert_eq!(session_of(&chain.ledger).mark, expected, "{mark} by {index}");
    }
}

#[test]
fn of_final_sessions_that_match_one_epoch_the_first_is_taken_wherever_in_the_tolerance_it_is() {
    // both ends of the tolerance are as far apart as two times can be that one epoch is near to
    for (first, second) in [(43_000, 77_000), (77_000, 43_000), (50_000, 77_000), (77_000, 76_999)] {
        let mut chain = Chain::new();
        let marks = [first, second];
        chain.run(&marks.map(|mark| propose(mark, 1, mark, 1, 0)));
        chain.run(&[Act::Attest { candidate: 0, witness: 1 }, Act::Attest { candidate: 1, witness: 1 }]);
        let expected = SegmentSession { mark: Some(FIRST_MS + first), rule: SessionRule::Final };
        assert_eq!(session_of(&chain.ledger), expected, "{first} and {second}");
    }
}

#[test]
fn epochs_that_a_segment_lacks_are_not_asked_for() {
    let mut chain = Chain::new();
    chain.run(&[propose(60_000, 3, 60_000, 1, 0)]);
    let mut archive = Archive::new(vec![epochs(FIRST_MS)]);
    assert_eq!(session_of_last(&chain.ledger, &mut archive).rule, SessionRule::None);
    assert!(archive.asked.is_empty(), "{:?}", archive.asked);
}

#[test]
fn an_opener_is_looked_for_in_segments_near_its_mark_alone() {
    let mut chain = Chain::new();
    chain.run(&[propose(60_000, 1, 60_000, 1, 0)]);
    // the first has such an epoch far from the mark, the second is near the mark without one
    let late = epochs(FIRST_MS - 60_000).into_iter().skip(2).collect();
    let mut archive = Archive::new(vec![epochs(FIRST_MS - 86_400_000), late, epochs(FIRST_MS)]);
    assert_eq!(session_of_last(&chain.ledger, &mut archive).rule, SessionRule::Matching);
    assert!(archive.asked.iter().all(|key| key.segment == 2), "{:?}", archive.asked);
}

#[test]
fn a_session_whose_votes_are_forgotten_has_no_opener_any_more() {
    let stream = rule().stream_hash();
    let openers = |ledger: &LedgerState| ledger.openers(stream, 4, 0..=u64::MAX).len();
    let mut chain = Chain::new();
    chain.run(&[propose(9, 4, 9, 1, 0), propose(9, 5, 9, 1, 1), Act::Attest { candidate: 1, witness: 2 }]);
    assert_eq!(openers(&chain.ledger), 1);
    chain.run(&[Act::Block, Act::Block]);
    chain.ledger.forget(chain.number);
    assert_eq!(openers(&chain.ledger), 0, "another observation of the session is final");
    chain.run(&[propose(9, 4, 9, 0, 3)]);
    assert_eq!(openers(&chain.ledger), 0, "a later candidate is no opener");
}

#[test]
fn streams_without_a_rule_have_no_sessions() {
    let stream = rule().stream_hash();
    let opener = header(0, 0, 0, 1);
    let proposed = LedgerEvent::Proposed { proposer: Address::ZERO, header: opener, timestamp_s: 5 };
    let block = BlockRef { number: 1, hash: B256::ZERO };
    let timeline = EpochRule::timeline(rule().epochs.groups_per_epoch);
    let mut ledger = LedgerState::new(None);
    ledger.apply(block, [proposed]);
    let candidate = &ledger.slot(opener.slot()).unwrap().candidates[0];
    assert_eq!((candidate.name, candidate.timestamp_s), (None, 5));
    assert_eq!(ledger.lane(stream), None);
    let mut ledger = LedgerState::new(Some(HashMap::from([(stream, timeline)])));
    ledger.apply(block, [proposed]);
    assert_eq!((ledger.slot(opener.slot()), ledger.lane(stream)), (None, None), "a stray on the timeline");
    assert!(ledger.has_strays(stream));
    assert_eq!(empty().lane(StreamHash::ZERO), None);
}

#[test]
fn openers_and_finals_are_found_by_index_and_time() {
    let stream = rule().stream_hash();
    let mut chain = Chain::new();
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
    let final_ms = |mark, index| lane.final_ms(at(mark), index);
    assert_eq!((final_ms(5, 4), final_ms(5, 3), final_ms(9, 4)), (Some(at(6)), None, None));
    assert!(finals(&chain.ledger, 4, at(7)..=at(20)).is_empty() && finals(&chain.ledger, 3, at(0)..=at(20)).is_empty());
    chain.run(&[Act::Block, Act::Block]);
    chain.ledger.forget(chain.number);
    assert_eq!(finals(&chain.ledger, 4, at(6)..=at(6)), [(name(5, 4), last)], "forgotten or not");
}

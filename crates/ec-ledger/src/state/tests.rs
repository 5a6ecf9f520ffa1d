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
    let gap = |from, to, head| ledger.next_gap(STREAM, (0, from..=to), head, &(0..=u64::MAX), slot_of);
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

/// The rule as the protocol words it: by every final observation below the candidate.
fn walked(ledger: &LedgerState, candidate: &Candidate, window: u64) -> Option<u64> {
    let header = candidate.header;
    let below = || ledger.finals(STREAM).filter(|(sequence, ..)| *sequence < header.sequence).map(|(.., found)| found);
    let (from, above) = match below().find(|found| found.hash == header.parent_observation_hash) {
        Some(parent) => (candidate.place.max(parent.place), ledger.finals(STREAM).find(|(.., f)| *f == parent)?.0 + 1),
        None if header.parent_observation_hash == ObservationHash::ZERO => (candidate.place, 0),
        None => return None,
    };
    let between = ledger
        .finals(STREAM)
        .filter(|(sequence, _, found)| (above..header.sequence).contains(sequence) && found.place <= from);
    (between.count() as u64 <= window).then_some(from)
}

proptest::proptest! {
    /// Whatever the log, and whatever is taken back of it, parents are judged as the protocol words it.
    #[test]
    fn parents_are_found_as_by_walking(acts in proptest::collection::vec((0..12u64, 0..14usize, 0..6u8), 1..60)) {
        let mut ledger = LedgerState::new(None);
        let (mut known, mut number) = (vec![ObservationHash::ZERO, ObservationHash(B256::repeat_byte(9))], 0);
        for (sequence, parent, what) in acts {
            let header = header(sequence, known[parent % known.len()]);
            let open = ledger.final_of(STREAM, sequence, header.slot()).is_none();
            let mut apply = |ledger: &mut LedgerState, event| {
                number += 1;
                ledger.apply(block(number), [event]);
            };
            match what {
                0 => ledger.revert_above(number.saturating_sub(parent as u64)),
                1 => ledger.forget(number.saturating_sub(5)),
                2 | 3 if open => {
                    let first = ledger.slot(header.slot()).and_then(|slot| slot.candidates.first());
                    if let Some(observation) = first.map(|candidate| candidate.hash) {
                        apply(&mut ledger, LedgerEvent::Finalized { slot: header.slot(), observation });
                    }
                }
                _ if open && ledger.slot(header.slot()).and_then(|slot| slot.candidate(header.hash())).is_none() => {
                    known.push(header.hash());
                    apply(&mut ledger, LedgerEvent::Proposed { proposer: Address::ZERO, header, timestamp_s: 0 });
                }
                _ => {}
            }
            for candidate in ledger.slots.values().flat_map(|slot| &slot.candidates) {
                for window in [0, 1, 3] {
                    let (found, walked) = (ledger.parent_right_from(candidate, window), walked(&ledger, candidate, window));
                    proptest::prop_assert_eq!(found, walked);
                }
            }
        }
        ledger.revert_above(0);
    }
}

#[test]
fn a_parent_is_judged_without_a_look_at_what_became_final_later() {
    let mut ledger = LedgerState::new(None);
    let far = header(1_000_000, ObservationHash::ZERO);
    let awaiting = header(1_000_001, ObservationHash(B256::repeat_byte(1)));
    let propose = |header| LedgerEvent::Proposed { proposer: Address::ZERO, header, timestamp_s: 0 };
    ledger.apply(block(1), [propose(far), propose(awaiting)]);
    let wide = |sequence: u64| ObservationHeader {
        epoch_hash: EpochHash(B256::from(alloy::primitives::U256::from(sequence))),
        ..header(sequence, ObservationHash::ZERO)
    };
    ledger.apply(block(2), (0..20_000).flat_map(|sequence| finalized(wide(sequence))));
    let begun = std::time::Instant::now();
    for _ in 0..10_000 {
        assert!(right(&ledger, far, 0) && !right(&ledger, awaiting, 64));
    }
    // by walking, 2 x 10^8 steps
    assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// A stream of the timeline.
fn followed() -> (LedgerState, impl Fn(u64) -> ObservationHeader) {
    let rule = EpochRule::timeline(DEFAULT_GROUPS_PER_EPOCH);
    let named = move |sequence| ObservationHeader {
        epoch_hash: EpochHash::of(&rule.id(EpochName::timeline(sequence))),
        ..header(sequence, ObservationHash::ZERO)
    };
    (LedgerState::new(Some(HashMap::from([(STREAM, rule)]))), named)
}

#[test]
fn of_strays_only_their_number_is_kept() {
    let (mut ledger, named) = followed();
    ledger.apply(block(1), finalized(named(3)));
    let before = ledger.clone();
    for at in 0..10_000u64 {
        let epoch_hash = EpochHash(B256::from(alloy::primitives::U256::from(at)));
        // one that no epoch has, and one of another epoch than its sequence says
        let strays =
            [ObservationHeader { epoch_hash, ..named(4) }, ObservationHeader { sequence: at, ..named(20_000) }];
        ledger.apply(block(2 + at), strays.into_iter().flat_map(finalized));
    }
    assert_eq!((ledger.slots.len(), ledger.finals(STREAM).count()), (1, 1));
    assert_eq!(ledger.parents, before.parents);
    assert_eq!(ledger.newest_final_below(STREAM, 5), named(3).hash(), "nor is one a parent");
    assert!(ledger.has_strays(STREAM) && !before.has_strays(STREAM));
    ledger.forget(9_000);
    let undo: usize = ledger.applied.iter().map(|applied| applied.undo.len()).sum();
    assert!(undo <= 2 * 1_003, "{undo}");
    ledger.revert_above(9_500);
    assert!(ledger.has_strays(STREAM));
}

#[test]
fn strays_of_a_lane_go_once_no_reorg_can_name_them() {
    let rule =
        EpochRule { numbering: ec_observation::Numbering::Session, ..EpochRule::timeline(DEFAULT_GROUPS_PER_EPOCH) };
    let of = |mark: u64, index: u64, observed_unix_ms: u64| ObservationHeader {
        epoch_hash: EpochHash::of(&rule.id(EpochName { mark, index })),
        observed_unix_ms,
        ..header(mark + index, ObservationHash::ZERO)
    };
    let propose = |header| LedgerEvent::Proposed { proposer: Address::ZERO, header, timestamp_s: 0 };
    let mut ledger = LedgerState::new(Some(HashMap::from([(STREAM, rule)])));
    // the second epoch of a session, whose opener a reorg has put behind it
    let early = of(5_000, 1, 5_001);
    ledger.apply(block(1), [propose(early)]);
    ledger.apply(block(2), [propose(of(5_000, 0, 5_000))]);
    for at in 0..10_000u64 {
        ledger.apply(block(3 + at), finalized(of(1_000_000 + at, 7, 1)));
        ledger.forget(at.saturating_sub(10));
        assert!(ledger.slots.len() < 20 && ledger.finals.len() <= 1, "{at}");
    }
    assert!(ledger.has_strays(STREAM));
    assert_eq!(ledger.newest_final_below(STREAM, u64::MAX), ObservationHash::ZERO, "they are nobody's parents");
    ledger.apply(block(20_000), []);
    ledger.apply(block(20_001), []);
    ledger.forget(20_000);
    assert_eq!(
        ledger.slots.keys().copied().collect::<std::collections::HashSet<_>>(),
        [early.slot(), of(5_000, 0, 5_000).slot()].into()
    );
    let kept = &ledger.slot(early.slot()).unwrap().candidates[0];
    assert_eq!((kept.name, kept.voters.len()), (None, 1), "its proposer finds his vote");
}

#[test]
fn strays_are_taken_back() {
    let (mut ledger, named) = followed();
    ledger.apply(block(1), finalized(named(3)));
    let before = ledger.clone();
    let stray = ObservationHeader { sequence: 4, ..named(5) };
    ledger.apply(block(2), [finalized(stray), finalized(named(5))].concat());
    assert_eq!(ledger.slot(stray.slot()).unwrap().candidates.len(), 1, "the slot of an epoch, but not of the header's");
    ledger.revert_above(1);
    assert_eq!(ledger, before);
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

#[test]
fn a_vote_that_leaves_what_is_not_kept_arrives() {
    let (mut ledger, one, two) =
        (LedgerState::new(None), header(3, ObservationHash::ZERO), header(4, ObservationHash::ZERO));
    ledger.apply(block(1), [finalized(one)[0]]);
    let before = ledger.clone();
    let witness = Address::with_last_byte(9);
    let moved = LedgerEvent::Moved { slot: one.slot(), from: two.hash(), to: one.hash(), witness };
    ledger.apply(block(2), [moved]);
    assert_eq!(ledger.slot(one.slot()).unwrap().vote_of(Seat(witness)).unwrap().hash, one.hash());
    ledger.revert_above(1);
    assert_eq!(ledger, before);
}

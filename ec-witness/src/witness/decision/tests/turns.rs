//! Whose turn it is to propose, from when on, and when a slot is disputed.

use super::*;

/// Everything that a turn counts from lies this long ago.
fn since(facts: &mut Facts, ms: u64) {
    let at_ms = NOW_MS - ms;
    facts.clock = Clock { now_ms: NOW_MS, closed_ms: at_ms, entered_ms: at_ms, live_since_ms: Some(at_ms) };
}

fn turn(until_ms: u64) -> Decision {
    Decision::Wait(Wait::Turn { until_ms })
}

#[test]
fn ranks_rotate_with_the_sequence() {
    let membership = |position, witness_count| Membership { position, witness_count, quorum: 1 };
    for (position, witness_count, sequence, rank) in [
        (0, 1, 0, 0),
        (0, 1, u64::MAX, 0),
        (0, 5, 0, 0),
        (4, 5, 0, 4),
        (0, 5, 1, 4),
        (1, 5, 1, 0),
        (2, 5, 1, 1),
        (0, 5, 7, 3),
        (2, 5, 7, 0),
        (0, 5, u64::MAX, 0), // u64::MAX is a multiple of 5
        (6, 7, u64::MAX, 5), // and 1 modulo 7
        (0, 7, u64::MAX - 1, 0),
    ] {
        assert_eq!(
            membership(Some(position), witness_count).rank(sequence),
            Some(rank),
            "{position} {witness_count} {sequence}"
        );
    }
    assert_eq!(membership(None, 5).rank(1), None);
    assert_eq!(membership(Some(0), 0).rank(1), None);
}

#[test]
fn every_sequence_gives_every_rank_once() {
    for (witness_count, sequence) in [(1, 9), (4, 6), (7, u64::MAX), (100, 1 << 63)] {
        let rank = |position| Membership { position: Some(position), witness_count, quorum: 1 }.rank(sequence).unwrap();
        let mut ranks: Vec<u64> = (0..witness_count).map(rank).collect();
        ranks.sort_unstable();
        assert_eq!(ranks, (0..witness_count as u64).collect::<Vec<_>>());
    }
}

#[test]
fn proposals_take_turns() {
    let case = |name, change, expected| Case { name, change, expected };
    check(&[
        case("first turn", |f| since(f, 0), propose(0)),
        case(
            "second, early",
            |f| {
                since(f, 11_999);
                f.membership.position = Some(3);
            },
            turn(NOW_MS + 1),
        ),
        case(
            "second, in time",
            |f| {
                since(f, 12_000);
                f.membership.position = Some(3);
            },
            propose(0),
        ),
        case(
            "last, early",
            |f| {
                since(f, 47_999);
                f.membership.position = Some(1);
            },
            turn(NOW_MS + 1),
        ),
        case(
            "last, in time",
            |f| {
                since(f, 48_000);
                f.membership.position = Some(1);
            },
            propose(0),
        ),
        case("disputed", |f| since(f, 600_001), propose(0)),
        case("wrong candidates do not matter", |f| f.seen.candidates = vec![foreign(), orphan()], propose(2)),
        case("not active", |f| f.membership.position = None, Decision::Wait(Wait::NotActive)),
        case("nobody is active", |f| f.membership.witness_count = 0, Decision::Wait(Wait::NotActive)),
        case(
            "not active: no attesting either",
            |f| {
                f.membership.position = None;
                f.seen.candidates = vec![candidate()];
            },
            Decision::Wait(Wait::NotActive),
        ),
        case("not live", |f| f.clock.live_since_ms = None, Decision::Wait(Wait::NotLive)),
        case(
            "not live: attesting goes on",
            |f| {
                f.clock.live_since_ms = None;
                f.seen.candidates = vec![candidate()];
            },
            attest(candidate()),
        ),
    ]);
}

#[test]
fn turns_count_from_the_latest_moment() {
    const LATEST_MS: u64 = NOW_MS - 11_999;
    /// The third turn, so that the base proposes only 12 s after the latest moment.
    fn second(facts: &mut Facts) -> &mut Clock {
        since(facts, 500_000);
        facts.membership.position = Some(3);
        &mut facts.clock
    }
    let case = |name, change| Case { name, change, expected: turn(NOW_MS + 1) };
    check(&[
        Case { name: "all long ago", change: |f| _ = second(f), expected: propose(0) },
        case("closed", |f| second(f).closed_ms = LATEST_MS),
        case("entered", |f| second(f).entered_ms = LATEST_MS),
        case("live", |f| second(f).live_since_ms = Some(LATEST_MS)),
    ]);
}

#[test]
fn an_incomplete_epoch_is_proposed_later() {
    fn incomplete(facts: &mut Facts, position: usize, since_ms: u64) {
        since(facts, since_ms);
        facts.own = derived(false);
        facts.membership.position = Some(position);
    }
    let case = |name, change, expected| Case { name, change, expected };
    check(&[
        case("first turn, early", |f| incomplete(f, 2, 299_999), turn(NOW_MS + 1)),
        case("first turn, in time", |f| incomplete(f, 2, 300_000), propose(0)),
        case("second turn, early", |f| incomplete(f, 3, 311_999), turn(NOW_MS + 1)),
        case("second turn, in time", |f| incomplete(f, 3, 312_000), propose(0)),
        case(
            "complete: at once",
            |f| {
                incomplete(f, 2, 0);
                f.own = derived(true);
            },
            propose(0),
        ),
    ]);
}

#[test]
fn no_clock_reading_overflows() {
    let mut facts = base();
    facts.agreement.propose_stagger_ms = u64::MAX;
    facts.agreement.incomplete_delay_ms = u64::MAX;
    facts.membership.position = Some(3);
    assert_eq!(facts.decide(), turn(u64::MAX));
    facts.agreement.time_wait_ms = u64::MAX;
    facts.seen.candidates = vec![untimely(u64::MAX)];
    assert_eq!(facts.decide(), Decision::Wait(Wait::Time { until_ms: u64::MAX }));
    facts.own = derived(false);
    facts.agreement.late_ms = u64::MAX;
    facts.seen.candidates = vec![candidate()];
    assert_eq!(facts.decide(), Decision::Wait(Wait::Late { until_ms: u64::MAX }));
}

#[test]
fn disputes_count_like_turns() {
    let disputed = |change: fn(&mut Facts)| {
        let mut facts = base();
        since(&mut facts, 600_001);
        change(&mut facts);
        facts.is_disputed()
    };
    assert!(disputed(|_| {}));
    assert!(!disputed(|f| since(f, 600_000)));
    assert!(!disputed(|f| f.clock.closed_ms += 1));
    assert!(!disputed(|f| f.clock.entered_ms += 1));
    assert!(!disputed(|f| f.clock.live_since_ms = Some(NOW_MS - 600_000)));
    assert!(!disputed(|f| f.clock.live_since_ms = None), "nothing counts while the ledger is not live");
    assert!(!disputed(|f| f.clock.now_ms = 0), "a moment to come is no time passed");
}

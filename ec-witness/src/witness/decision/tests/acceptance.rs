//! Which candidate is attested, and when a rival may be proposed.

use ec_observation::TimeMode;

use super::*;

const EDGE: i64 = TOLERANCE_MS as i64;

#[test]
fn content_and_parent_must_be_right() {
    fn with(facts: &mut Facts, change: fn(&mut ObservationHeader)) {
        let mut found = candidate();
        change(&mut found.header);
        facts.seen.candidates = vec![found];
    }
    let case = |name, change| Case { name, change, expected: propose(1) };
    check(&[
        Case { name: "right", change: |f| f.seen.candidates = vec![candidate()], expected: attest(candidate()) },
        case("stream", |f| with(f, |header| header.stream_hash = StreamHash::ZERO)),
        case("epoch", |f| with(f, |header| header.epoch_hash = EpochHash::ZERO)),
        case("data root", |f| with(f, |header| header.data_root = B256::ZERO)),
        case("locator", |f| with(f, |header| header.locator_hash = B256::ZERO)),
        case("sequence", |f| with(f, |header| header.sequence += 1)),
        case("parent", |f| f.seen.candidates = vec![orphan()]),
    ]);
}

#[test]
fn a_right_parent_need_not_be_the_own_choice() {
    let mut facts = base();
    facts.seen.candidates = vec![candidate()];
    facts.seen.parent = ObservationHash(B256::repeat_byte(9));
    assert_eq!(facts.decide(), attest(candidate()));
}

#[test]
fn the_time_window_is_inclusive() {
    /// A candidate seen just now, so that one outside the window waits.
    fn seen_now(facts: &mut Facts, off_ms: i64) {
        facts.seen.candidates = vec![SeenCandidate { first_seen_ms: NOW_MS, ..timed(off_ms) }];
    }
    fn timeline(facts: &mut Facts) {
        let tolerance_ms = 0;
        facts.own = OwnEpoch::Derived { content: content(), observed_unix_ms: OWN_MS, tolerance_ms, complete: true };
    }
    let waits = Decision::Wait(Wait::Time { until_ms: NOW_MS + 60_000 });
    let case = |name, change, expected| Case { name, change, expected };
    check(&[
        case("later, on the edge", |f| seen_now(f, EDGE), attest(timed(EDGE))),
        case("later, beyond", |f| seen_now(f, EDGE + 1), waits),
        case("earlier, on the edge", |f| seen_now(f, -EDGE), attest(timed(-EDGE))),
        case("earlier, beyond", |f| seen_now(f, -EDGE - 1), waits),
        case(
            "timeline, equal",
            |f| {
                seen_now(f, 0);
                timeline(f);
            },
            attest(timed(0)),
        ),
        case(
            "timeline, later",
            |f| {
                seen_now(f, 1);
                timeline(f);
            },
            waits,
        ),
        case(
            "timeline, earlier",
            |f| {
                seen_now(f, -1);
                timeline(f);
            },
            waits,
        ),
    ]);
}

#[test]
fn tolerances() {
    let agreement = Agreement { precision_ms: 2, message_delay_ms: 30, ..Agreement::default() };
    assert_eq!(agreement.tolerance_ms(TimeMode::Received), 32);
    assert_eq!(agreement.tolerance_ms(TimeMode::Timeline { chunk_duration_ms: std::num::NonZeroU64::MIN }), 0);
    assert_eq!(Agreement::default().tolerance_ms(TimeMode::Received), TOLERANCE_MS);
    let huge = Agreement { precision_ms: u64::MAX, ..agreement };
    assert_eq!(huge.tolerance_ms(TimeMode::Received), u64::MAX);
}

#[test]
fn an_untimely_candidate_is_given_time() {
    const SEEN_MS: u64 = NOW_MS - 60_000;
    let waits = |until_ms| Decision::Wait(Wait::Time { until_ms });
    let case = |name, change, expected| Case { name, change, expected };
    check(&[
        case("before the wait ends", |f| f.seen.candidates = vec![untimely(SEEN_MS + 1)], waits(NOW_MS + 1)),
        case("when it ends", |f| f.seen.candidates = vec![untimely(SEEN_MS)], propose(1)),
        case(
            "the longest wait counts, first",
            |f| f.seen.candidates = vec![untimely(SEEN_MS + 9), untimely(SEEN_MS + 5)],
            waits(NOW_MS + 9),
        ),
        case(
            "the longest wait counts, last",
            |f| f.seen.candidates = vec![untimely(SEEN_MS), untimely(SEEN_MS + 5)],
            waits(NOW_MS + 5),
        ),
        case(
            "a wrong parent is not waited for",
            |f| f.seen.candidates = vec![SeenCandidate { parent_is_right: false, ..untimely(NOW_MS) }],
            propose(1),
        ),
        case(
            "nor is other content",
            |f| f.seen.candidates = vec![SeenCandidate { first_seen_ms: NOW_MS, ..foreign() }],
            propose(1),
        ),
        case(
            "a timely one is not held up",
            |f| f.seen.candidates = vec![untimely(NOW_MS), candidate()],
            attest(candidate()),
        ),
        case(
            "not live: still given time",
            |f| {
                f.seen.candidates = vec![untimely(NOW_MS)];
                f.clock.live_since_ms = None;
            },
            waits(NOW_MS + 60_000),
        ),
    ]);
}

#[test]
fn an_unbeatable_candidate_is_joined_whatever_its_time() {
    fn votes(facts: &mut Facts, witness_count: usize, quorum: usize, active_votes: usize) {
        // position 2 has the first turn in a set of five only
        facts.membership = Membership { position: Some(7 % witness_count), witness_count, quorum };
        facts.seen.candidates = vec![SeenCandidate { active_votes, ..untimely(NOW_MS) }];
    }
    let waits = Decision::Wait(Wait::Time { until_ms: NOW_MS + 60_000 });
    let joins = attest(untimely(NOW_MS));
    let case = |name, change, expected| Case { name, change, expected };
    check(&[
        case("3 of 5: two votes", |f| votes(f, 5, 3, 2), waits),
        case("3 of 5: three votes", |f| votes(f, 5, 3, 3), joins),
        case("4 of 4: none", |f| votes(f, 4, 4, 0), waits),
        case("4 of 4: one vote", |f| votes(f, 4, 4, 1), joins),
        case("5 of 7: two votes", |f| votes(f, 7, 5, 2), waits),
        case("5 of 7: three votes", |f| votes(f, 7, 5, 3), joins),
        case("nothing finalizes: never", |f| votes(f, 5, 0, 5), waits),
        case("wrong parent", |f| f.seen.candidates = vec![SeenCandidate { active_votes: 5, ..orphan() }], propose(1)),
        case("other content", |f| f.seen.candidates = vec![SeenCandidate { active_votes: 5, ..foreign() }], propose(1)),
    ]);
}

#[test]
fn the_first_proposed_acceptable_candidate_is_chosen() {
    const VOTED: fn() -> SeenCandidate = || SeenCandidate { active_votes: 2, ..timed(6) };
    let case = |name, change, expected| Case { name, change, expected };
    check(&[
        case("of two", |f| f.seen.candidates = vec![timed(5), timed(6)], attest(timed(5))),
        case("order, not time", |f| f.seen.candidates = vec![timed(6), timed(5)], attest(timed(6))),
        case("order, not votes", |f| f.seen.candidates = vec![timed(5), VOTED()], attest(timed(5))),
        case(
            "after wrong ones",
            |f| f.seen.candidates = vec![foreign(), orphan(), untimely(0), timed(6), timed(5)],
            attest(timed(6)),
        ),
        case(
            "every candidate counts as seen",
            |f| f.seen.candidates = vec![foreign(), orphan(), foreign()],
            propose(3),
        ),
    ]);
}

#[test]
fn an_incomplete_epoch_attests_late() {
    fn incomplete(facts: &mut Facts, since_ms: u64) {
        facts.own = derived(false);
        facts.clock.closed_ms = NOW_MS - since_ms;
        facts.seen.candidates = vec![candidate()];
    }
    let waits = |until_ms| Decision::Wait(Wait::Late { until_ms });
    let case = |name, change, expected| Case { name, change, expected };
    check(&[
        case("just closed", |f| incomplete(f, 0), waits(NOW_MS + 60_000)),
        case("before", |f| incomplete(f, 59_999), waits(NOW_MS + 1)),
        case("in time", |f| incomplete(f, 60_000), attest(candidate())),
        case(
            "counted from closing alone",
            |f| {
                incomplete(f, 60_000);
                f.clock.entered_ms = NOW_MS;
            },
            attest(candidate()),
        ),
        case(
            "complete: at once",
            |f| {
                incomplete(f, 0);
                f.own = derived(true);
            },
            attest(candidate()),
        ),
        case(
            "not live: attested still",
            |f| {
                incomplete(f, 60_000);
                f.clock.live_since_ms = None;
            },
            attest(candidate()),
        ),
    ]);
}

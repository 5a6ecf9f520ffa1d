//! What a vote does in the rounds of its slot, and between their cycles.

use super::*;
use crate::witness::rounds::{Phase, Round};

/// In round 0 the witness at position 2 leads, this one; in round 1 that at 3, in round 2 that at 4.
fn round(number: u64) -> Phase {
    Phase::Round(Round { cycle: 0, number, began_ms: began_ms(number) })
}

const fn began_ms(number: u64) -> u64 {
    OWN_MS + 60_000 * (number + 1)
}

/// A candidate of the witness at this position.
fn of(proposer: usize, off_ms: i64) -> SeenCandidate {
    SeenCandidate { proposer: Some(proposer), ..timed(off_ms) }
}

/// The own vote counts for the first of these candidates.
fn counted(facts: &mut Facts, phase: Phase, candidates: &[SeenCandidate]) {
    facts.seen.candidates = candidates.to_vec();
    facts.seen.phase = phase;
    facts.vote = OwnVote::Counted { candidate: candidates[0].hash, moved_in: None };
}

fn moved(from: SeenCandidate, to: ObservationHeader, candidates_seen: usize) -> Decision {
    Decision::Move { from: from.header, to, candidates_seen }
}

const FAR: i64 = TOLERANCE_MS as i64 + 1;

#[test]
fn a_vote_moves_to_the_leaders_first_acceptable_candidate() {
    let case = |name, change, expected| Case { name, change, expected };
    let to = |off_ms| moved(of(3, 1), of(4, off_ms).header, 2);
    check(&[
        case("of the leader", |f| counted(f, round(2), &[of(3, 1), of(4, 2)]), to(2)),
        case("in its second round", |f| counted(f, round(7), &[of(3, 1), of(4, 2)]), to(2)),
        case("before the rounds", |f| counted(f, Phase::Before, &[of(3, 1), of(4, 2)]), Decision::Voted),
        case("of another", |f| counted(f, round(1), &[of(2, 1), of(4, 2)]), Decision::Voted),
        case("there already", |f| counted(f, round(2), &[of(4, 1), of(4, 2)]), Decision::Voted),
        case("off in time", |f| counted(f, round(2), &[of(3, 1), of(4, FAR)]), Decision::Voted),
        case(
            "off in time, but to win",
            |f| counted(f, round(2), &[of(3, 1), SeenCandidate { active_votes: 3, ..of(4, FAR) }]),
            to(FAR),
        ),
        case(
            "the first is off in time",
            |f| counted(f, round(2), &[of(3, 1), of(4, FAR), of(4, 3)]),
            moved(of(3, 1), of(4, 3).header, 3),
        ),
        case(
            "its parent is wrong",
            |f| counted(f, round(2), &[of(3, 1), SeenCandidate { parent_is_right: false, ..of(4, 2) }]),
            Decision::Voted,
        ),
        case(
            "other content",
            |f| counted(f, round(2), &[of(3, 1), SeenCandidate { proposer: Some(4), ..foreign() }]),
            Decision::Voted,
        ),
        case(
            "the vote is on its way",
            |f| {
                counted(f, round(2), &[of(3, 1), of(4, 2)]);
                f.vote = OwnVote::Cast;
            },
            Decision::Voted,
        ),
        case(
            "the vote is for what this witness no longer derives",
            |f| counted(f, round(2), &[foreign(), of(4, 2)]),
            Decision::Voted,
        ),
        case(
            "not active",
            |f| {
                counted(f, round(2), &[of(3, 1), of(4, 2)]);
                f.membership.position = None;
            },
            Decision::Voted,
        ),
        case(
            "not live",
            |f| {
                counted(f, round(2), &[of(3, 1), of(4, 2)]);
                f.clock.live_since_ms = None;
            },
            to(2),
        ),
    ]);
}

#[test]
fn a_vote_moves_once_in_a_round() {
    for (moved_in, expected) in [
        (Some(began_ms(2)), Decision::Voted),
        (Some(began_ms(1)), moved(of(3, 1), of(4, 2).header, 2)),
        (None, moved(of(3, 1), of(4, 2).header, 2)),
    ] {
        let mut facts = base();
        counted(&mut facts, round(2), &[of(3, 1), of(4, 2)]);
        facts.vote = OwnVote::Counted { candidate: of(3, 1).hash, moved_in };
        assert_eq!(facts.decide(), expected, "{moved_in:?}");
    }
}

#[test]
fn a_leader_moves_its_vote_to_its_own_header() {
    let case = |name, change, expected| Case { name, change, expected };
    let own = moved(of(3, 1), content().header(parent(), OWN_MS), 1);
    check(&[
        case("it made none", |f| counted(f, round(0), &[of(3, 1)]), own),
        case("another leads", |f| counted(f, round(1), &[of(4, 1)]), Decision::Voted),
        case("it made one", |f| counted(f, round(0), &[of(3, 1), of(2, 5)]), moved(of(3, 1), of(2, 5).header, 2)),
        case(
            "it made one whose parent is wrong",
            |f| counted(f, round(0), &[of(3, 1), SeenCandidate { parent_is_right: false, ..of(2, 5) }]),
            Decision::Voted,
        ),
        case(
            "it made one of other content",
            |f| counted(f, round(0), &[of(3, 1), SeenCandidate { proposer: Some(2), ..foreign() }]),
            moved(of(3, 1), content().header(parent(), OWN_MS), 2),
        ),
        case("its header has the vote", |f| counted(f, round(0), &[of(3, 0)]), Decision::Voted),
        case(
            "not live",
            |f| {
                counted(f, round(0), &[of(3, 1)]);
                f.clock.live_since_ms = None;
            },
            Decision::Voted,
        ),
        case(
            "not to propose",
            |f| {
                counted(f, round(0), &[of(3, 1)]);
                f.proposing = Proposing::Never;
            },
            Decision::Voted,
        ),
    ]);
}

#[test]
fn between_the_cycles_a_vote_moves_to_what_must_win() {
    let with_votes = |active_votes, candidate| SeenCandidate { active_votes, ..candidate };
    for (name, candidates, expected) in [
        ("nothing must win", vec![of(3, 1), with_votes(2, of(4, 2))], Decision::Voted),
        ("another must win", vec![of(3, 1), with_votes(3, of(4, 2))], moved(of(3, 1), of(4, 2).header, 2)),
        ("off in time", vec![of(3, 1), with_votes(3, of(4, FAR))], moved(of(3, 1), of(4, FAR).header, 2)),
        ("what has the vote must win", vec![with_votes(3, of(3, 1)), of(4, 2)], Decision::Voted),
        ("other content", vec![of(3, 1), with_votes(3, foreign())], Decision::Voted),
    ] {
        let mut facts = base();
        counted(&mut facts, Phase::Between, &candidates);
        assert_eq!(facts.decide(), expected, "{name}");
    }
}

#[test]
fn who_has_not_voted_prefers_the_leaders_candidate_and_waits_for_no_other_time() {
    fn seen(facts: &mut Facts, phase: Phase, candidates: &[SeenCandidate]) {
        (facts.seen.phase, facts.seen.candidates) = (phase, candidates.to_vec());
    }
    /// The turn of rank 1 comes 12 s after this moment.
    fn of_rank_1(facts: &mut Facts) {
        facts.membership.position = Some(3);
        facts.clock = Clock { now_ms: NOW_MS, closed_ms: NOW_MS, entered_ms: NOW_MS, live_since_ms: Some(NOW_MS) };
    }
    let case = |name, change, expected| Case { name, change, expected };
    check(&[
        case("before", |f| seen(f, Phase::Before, &[of(3, 1), of(4, 2)]), attest(of(3, 1))),
        case("in a round", |f| seen(f, round(2), &[of(3, 1), of(4, 2)]), attest(of(4, 2))),
        case("the leader has none", |f| seen(f, round(0), &[of(3, 1), of(4, 2)]), attest(of(3, 1))),
        case("between", |f| seen(f, Phase::Between, &[of(3, 1), of(4, 2)]), attest(of(3, 1))),
        case(
            "off in time, before",
            |f| seen(f, Phase::Before, &[untimely(NOW_MS)]),
            Decision::Wait(Wait::Time { until_ms: NOW_MS + 60_000 }),
        ),
        case("off in time, in a round", |f| seen(f, round(2), &[untimely(NOW_MS)]), propose(1)),
        case("off in time, between", |f| seen(f, Phase::Between, &[untimely(NOW_MS)]), propose(1)),
        case(
            "in turn",
            |f| {
                seen(f, round(2), &[foreign()]);
                of_rank_1(f);
            },
            Decision::Wait(Wait::Turn { until_ms: NOW_MS + 12_000 }),
        ),
        case(
            "a leader at once",
            |f| {
                seen(f, round(1), &[foreign()]);
                of_rank_1(f);
            },
            propose(1),
        ),
        case(
            "a leader of an incomplete epoch later",
            |f| {
                seen(f, round(1), &[foreign()]);
                of_rank_1(f);
                f.own = derived(false);
            },
            Decision::Wait(Wait::Turn { until_ms: NOW_MS + 300_000 }),
        ),
    ]);
}

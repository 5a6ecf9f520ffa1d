//! What holds of every decision.

use proptest::prelude::*;

use super::*;
use crate::witness::rounds::{Phase, Round};

/// Candidates of every kind the rules tell apart, near every edge.
fn any_candidate() -> impl Strategy<Value = SeenCandidate> {
    let off_ms = prop_oneof![Just(0), Just(17_000), Just(-17_000), Just(17_001), -40_000..40_000_i64];
    let first_seen_ms = prop_oneof![Just(NOW_MS - 60_000), Just(NOW_MS - 59_999), 0..=NOW_MS];
    let proposer = proptest::option::weighted(0.9, 0..5_usize);
    (off_ms, first_seen_ms, any::<bool>(), 0..=5_usize, 0..4_u8, proposer).prop_map(
        |(off_ms, first_seen_ms, parent_is_right, active_votes, root, proposer)| {
            // mostly the own content
            let data_root = if root == 0 { B256::ZERO } else { content().data_root };
            let header = Content { data_root, ..content() }.header(parent(), OWN_MS.strict_add_signed(off_ms));
            SeenCandidate { hash: header.hash(), header, proposer, active_votes, parent_is_right, first_seen_ms }
        },
    )
}

fn any_own() -> impl Strategy<Value = OwnEpoch> {
    prop_oneof![4 => Just(derived(true)), 4 => Just(derived(false)), 1 => Just(OwnEpoch::Conflicting)]
}

/// The vote; one that is counted is for the candidate at this place, if there is one.
fn any_vote() -> impl Strategy<Value = (OwnVote, usize)> {
    let other = Content { data_root: B256::ZERO, ..content() };
    let executed = |content: Content| Just(OwnVote::Executed(content.hash()));
    let moved_in = prop_oneof![Just(None), Just(Some(OWN_MS)), Just(Some(OWN_MS + 60_000))];
    let counted = moved_in.prop_map(|moved_in| OwnVote::Counted { candidate: candidate().hash, moved_in });
    let vote = prop_oneof![
        6 => Just(OwnVote::None), 1 => Just(OwnVote::Cast), 4 => counted, 2 => executed(content()), 1 => executed(other),
    ];
    (vote, 0..5_usize)
}

fn any_phase() -> impl Strategy<Value = Phase> {
    let round = (0..10_u64).prop_map(|number| Phase::Round(Round { cycle: 0, number, began_ms: OWN_MS }));
    prop_oneof![2 => Just(Phase::Before), 3 => round, 1 => Just(Phase::Between)]
}

fn any_clock() -> impl Strategy<Value = Clock> {
    let moment = || prop_oneof![Just(NOW_MS), Just(NOW_MS - 60_000), Just(NOW_MS - 300_000), 0..=NOW_MS];
    (moment(), moment(), proptest::option::weighted(0.8, moment())).prop_map(
        |(closed_ms, entered_ms, live_since_ms)| Clock { now_ms: NOW_MS, closed_ms, entered_ms, live_since_ms },
    )
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let membership = (proptest::option::weighted(0.9, 0..5_usize), 3..=5_usize)
        .prop_map(|(position, quorum)| Membership { position, witness_count: 5, quorum });
    let candidates = proptest::collection::vec(any_candidate(), 0..5);
    (any_own(), candidates, membership, any_clock(), any_vote(), any_phase(), proptest::bool::weighted(0.1)).prop_map(
        |(own, candidates, membership, clock, (vote, place), phase, is_final)| {
            let vote = match (vote, candidates.get(place)) {
                (OwnVote::Counted { moved_in, .. }, Some(voted)) => {
                    OwnVote::Counted { candidate: voted.hash, moved_in }
                }
                (OwnVote::Counted { .. }, None) => OwnVote::None,
                (vote, _) => vote,
            };
            let finalized = is_final.then(|| content().hash());
            let seen = Seen { finalized, candidates, parent: parent(), phase };
            let proposing = Proposing::InTurn(content().sequence);
            Facts { own, seen, membership, clock, vote, proposing, agreement: Agreement::default() }
        },
    )
}

/// The rule in one sentence, independent of the code's own.
fn is_acceptable(facts: &Facts, candidate: &SeenCandidate) -> bool {
    let unbeatable = facts.membership.witness_count - facts.membership.quorum + 1;
    candidate.header.content() == content()
        && candidate.parent_is_right
        && (candidate.header.observed_unix_ms.abs_diff(OWN_MS) <= TOLERANCE_MS || candidate.active_votes >= unbeatable)
}

/// The leader of the round that runs, by the rule's own words.
fn leader(facts: &Facts) -> Option<usize> {
    let Phase::Round(round) = facts.seen.phase else { return None };
    let count = facts.membership.witness_count as u64;
    let rank = |position: &usize| (*position as u64 + 10 * count - content().sequence) % count;
    (0..facts.membership.witness_count).find(|position| rank(position) == round.number % count)
}

fn votes(decision: &Decision) -> bool {
    matches!(decision, Decision::Attest(_) | Decision::Propose { .. })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_the_leaders_or_the_first_acceptable_candidate_is_attested(facts in any_facts()) {
        if let Decision::Attest(header) = facts.decide() {
            let acceptable = || facts.seen.candidates.iter().filter(|candidate| is_acceptable(&facts, candidate));
            let of_leader = acceptable().find(|found| leader(&facts).is_some() && found.proposer == leader(&facts));
            let expected = of_leader.or(acceptable().next());
            prop_assert_eq!(expected.map(|candidate| candidate.header), Some(header));
        }
    }

    #[test]
    fn a_vote_moves_within_its_content_to_the_leaders_header_or_to_what_must_win(facts in any_facts()) {
        let Decision::Move { from, to, candidates_seen } = facts.decide() else { return Ok(()) };
        let OwnVote::Counted { candidate, moved_in } = facts.vote else { panic!("nothing to move") };
        prop_assert_eq!((from.hash(), candidates_seen), (candidate, facts.seen.candidates.len()));
        prop_assert!(to.content() == from.content() && to != from);
        prop_assert!(facts.seen.finalized.is_none() && facts.membership.position.is_some());
        let found = facts.seen.candidates.iter().filter(|found| found.header == to);
        let found: Vec<_> = found.filter(|found| is_acceptable(&facts, found)).collect();
        match facts.seen.phase {
            Phase::Before => prop_assert!(false, "before the rounds"),
            Phase::Between => {
                let unbeatable = facts.membership.witness_count - facts.membership.quorum + 1;
                prop_assert!(found.iter().any(|found| found.active_votes >= unbeatable));
            }
            Phase::Round(round) => {
                prop_assert_ne!(moved_in, Some(round.began_ms));
                let leads = leader(&facts) == facts.membership.position;
                let is_own = leads && to == content().header(parent(), OWN_MS);
                prop_assert!(is_own || found.iter().any(|found| found.proposer == leader(&facts)));
            }
        }
    }

    #[test]
    fn nothing_is_proposed_beside_an_acceptable_candidate(facts in any_facts()) {
        if let Decision::Propose { header, candidates_seen } = facts.decide() {
            prop_assert!(!facts.seen.candidates.iter().any(|candidate| is_acceptable(&facts, candidate)));
            prop_assert_eq!(header, content().header(parent(), OWN_MS));
            prop_assert_eq!(candidates_seen, facts.seen.candidates.len());
            prop_assert!(facts.clock.live_since_ms.is_some());
        }
    }

    #[test]
    fn nothing_is_voted_twice_or_for_nothing(facts in any_facts()) {
        let silent = facts.seen.finalized.is_some()
            || facts.own == OwnEpoch::Conflicting
            || facts.membership.position.is_none()
            || !matches!(facts.vote, OwnVote::None) && facts.vote != OwnVote::Executed(content().hash());
        prop_assert!(!(silent && votes(&facts.decide())), "{:?}", facts.decide());
    }

    #[test]
    fn a_vote_only_becomes_due(facts in any_facts(), later_ms in 0..1_000_000_u64) {
        let now = facts.decide();
        let mut later = facts;
        later.clock.now_ms += later_ms;
        if votes(&now) {
            prop_assert_eq!(later.decide(), now);
        }
    }

    #[test]
    fn a_wait_ends_when_it_says(facts in any_facts()) {
        let Decision::Wait(wait) = facts.decide() else { return Ok(()) };
        let (Wait::Turn { until_ms } | Wait::Time { until_ms } | Wait::Late { until_ms }) = wait else { return Ok(()) };
        prop_assert!(until_ms > facts.clock.now_ms);
        let at = |now_ms| Facts { clock: Clock { now_ms, ..facts.clock }, ..facts.clone() }.decide();
        prop_assert_eq!(at(until_ms - 1), Decision::Wait(wait));
        prop_assert_ne!(at(until_ms), Decision::Wait(wait));
    }

    #[test]
    fn witnesses_alike_attest_alike(facts in any_facts(), position in 0..5_usize) {
        let other = Facts { membership: Membership { position: Some(position), ..facts.membership }, ..facts.clone() };
        if let Decision::Attest(header) = facts.decide() {
            prop_assert_eq!(other.decide(), Decision::Attest(header));
        }
    }
}

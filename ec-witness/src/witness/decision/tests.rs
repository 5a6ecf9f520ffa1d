//! The decision as a table: one situation that proposes, and what each change to it leads to.

mod acceptance;
mod properties;
mod rounds;
mod turns;

use alloy::primitives::B256;
use ec_observation::{EpochHash, StreamHash};

use super::*;

pub(crate) const OWN_MS: u64 = 1_772_000_000_000;
pub(crate) const TOLERANCE_MS: u64 = 17_000;
pub(crate) const CLOSED_MS: u64 = 900_000;
pub(crate) const NOW_MS: u64 = 1_000_000;

/// All that a decision rests on.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) own: OwnEpoch,
    pub(crate) seen: Seen,
    pub(crate) membership: Membership,
    pub(crate) clock: Clock,
    pub(crate) vote: OwnVote,
    pub(crate) proposing: Proposing,
    pub(crate) agreement: Agreement,
}

impl Facts {
    pub(crate) fn decide(&self) -> Decision {
        decide(&self.own, &self.seen, &self.membership, &self.clock, &self.vote, self.proposing, &self.agreement)
    }

    /// Whether the slot is disputed, as the engine asks it.
    fn is_disputed(&self) -> bool {
        self.clock.is_disputed(&self.agreement)
    }
}

/// One line of a table.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What is different from [`base`].
    pub(crate) change: fn(&mut Facts),
    pub(crate) expected: Decision,
}

/// Judges every case and names all that differ.
pub(crate) fn check(cases: &[Case]) {
    let decided = |case: &Case| {
        let mut facts = base();
        (case.change)(&mut facts);
        facts.decide()
    };
    let wrong = cases.iter().filter(|case| decided(case) != case.expected);
    let wrong: Vec<_> =
        wrong.map(|case| format!("{}: {:?}, not {:?}", case.name, decided(case), case.expected)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A complete own epoch, an empty slot, the first turn: [`propose`].
pub(crate) fn base() -> Facts {
    Facts {
        own: derived(true),
        seen: Seen { parent: parent(), ..Seen::default() },
        membership: Membership { position: Some(2), witness_count: 5, quorum: 3 },
        clock: Clock { now_ms: NOW_MS, closed_ms: CLOSED_MS, entered_ms: 800_000, live_since_ms: Some(700_000) },
        vote: OwnVote::None,
        proposing: Proposing::InTurn(content().sequence),
        agreement: Agreement::default(),
    }
}

pub(crate) fn derived(complete: bool) -> OwnEpoch {
    OwnEpoch::Derived { content: content(), observed_unix_ms: OWN_MS, tolerance_ms: TOLERANCE_MS, complete }
}

pub(crate) fn content() -> Content {
    Content {
        stream_hash: StreamHash(B256::repeat_byte(1)),
        epoch_hash: EpochHash(B256::repeat_byte(2)),
        data_root: B256::repeat_byte(3),
        locator_hash: B256::repeat_byte(4),
        sequence: 7,
    }
}

pub(crate) fn parent() -> ObservationHash {
    ObservationHash(B256::repeat_byte(5))
}

/// A right candidate with one vote, seen long ago.
pub(crate) fn candidate() -> SeenCandidate {
    timed(0)
}

/// A candidate that is right but perhaps for its time.
pub(crate) fn timed(off_ms: i64) -> SeenCandidate {
    let header = content().header(parent(), OWN_MS.strict_add_signed(off_ms));
    SeenCandidate {
        hash: header.hash(),
        header,
        proposer: Some(4),
        active_votes: 1,
        parent_is_right: true,
        first_seen_ms: 0,
    }
}

/// A candidate whose time alone is outside the window, first seen at this moment.
pub(crate) fn untimely(first_seen_ms: u64) -> SeenCandidate {
    SeenCandidate { first_seen_ms, ..timed(TOLERANCE_MS as i64 + 1) }
}

/// A candidate of other content.
pub(crate) fn foreign() -> SeenCandidate {
    let header = Content { data_root: B256::ZERO, ..content() }.header(parent(), OWN_MS);
    SeenCandidate { hash: header.hash(), header, ..candidate() }
}

pub(crate) fn orphan() -> SeenCandidate {
    SeenCandidate { parent_is_right: false, ..candidate() }
}

pub(crate) fn propose(candidates_seen: usize) -> Decision {
    Decision::Propose { header: content().header(parent(), OWN_MS), candidates_seen }
}

pub(crate) fn attest(candidate: SeenCandidate) -> Decision {
    Decision::Attest(candidate.header)
}

#[test]
fn a_final_slot_is_recorded_whatever_else_holds() {
    fn finalized(facts: &mut Facts, content: Content) {
        facts.seen.finalized = Some(content.hash());
        facts.seen.candidates = vec![candidate()];
    }
    const OTHER: fn() -> Content = || Content { data_root: B256::ZERO, ..content() };
    let case = |name, change, comparison| Case { name, change, expected: Decision::Final(comparison) };
    check(&[
        case("equal", |f| finalized(f, content()), Comparison::Equal),
        case("other content", |f| finalized(f, OTHER()), Comparison::Mismatch),
        case(
            "incomplete but equal",
            |f| {
                finalized(f, content());
                f.own = derived(false);
            },
            Comparison::Equal,
        ),
        case(
            "incomplete, other",
            |f| {
                finalized(f, OTHER());
                f.own = derived(false);
            },
            Comparison::NotComparable,
        ),
        case(
            "conflicting",
            |f| {
                finalized(f, content());
                f.own = OwnEpoch::Conflicting;
            },
            Comparison::NotComparable,
        ),
        case(
            "voted",
            |f| {
                finalized(f, content());
                f.vote = OwnVote::Cast;
            },
            Comparison::Equal,
        ),
        case(
            "voted otherwise",
            |f| {
                finalized(f, OTHER());
                f.vote = OwnVote::Cast;
            },
            Comparison::Mismatch,
        ),
        case(
            "not live",
            |f| {
                finalized(f, content());
                f.clock.live_since_ms = None;
            },
            Comparison::Equal,
        ),
        case(
            "not active",
            |f| {
                finalized(f, content());
                f.membership.position = None;
            },
            Comparison::Equal,
        ),
    ]);
}

#[test]
fn a_conflicting_epoch_is_never_voted_on() {
    fn conflicting(facts: &mut Facts) {
        facts.own = OwnEpoch::Conflicting;
    }
    let case = |name, change| Case { name, change, expected: Decision::Abstain };
    check(&[
        case("empty slot", conflicting),
        case("candidate", |f| {
            conflicting(f);
            f.seen.candidates = vec![candidate()];
        }),
        case("vote cast", |f| {
            conflicting(f);
            f.vote = OwnVote::Cast;
        }),
        case("not live", |f| {
            conflicting(f);
            f.clock.live_since_ms = None;
        }),
    ]);
}

#[test]
fn a_vote_stands() {
    fn cannot_land(facts: &mut Facts, content: Content) {
        facts.vote = OwnVote::Executed(content.hash());
    }
    const OTHER: fn() -> Content = || Content { locator_hash: B256::ZERO, ..content() };
    let waits = Decision::Wait(Wait::OtherContent);
    check(&[
        Case { name: "cast", change: |f| f.vote = OwnVote::Cast, expected: Decision::Voted },
        Case {
            name: "cast, acceptable candidate",
            change: |f| {
                f.vote = OwnVote::Cast;
                f.seen.candidates = vec![candidate()];
            },
            expected: Decision::Voted,
        },
        Case {
            name: "cast, no longer active",
            change: |f| {
                f.vote = OwnVote::Cast;
                f.membership.position = None;
            },
            expected: Decision::Voted,
        },
        Case { name: "cannot land", change: |f| cannot_land(f, content()), expected: propose(0) },
        Case {
            name: "cannot land, another's candidate",
            change: |f| {
                cannot_land(f, content());
                f.seen.candidates = vec![candidate()];
            },
            expected: attest(candidate()),
        },
        Case { name: "cannot land, other content", change: |f| cannot_land(f, OTHER()), expected: waits },
        Case {
            name: "cannot land, other content, candidate",
            change: |f| {
                cannot_land(f, OTHER());
                f.seen.candidates = vec![candidate()];
            },
            expected: waits,
        },
    ]);
}

//! What to do with a slot: one pure function of what this witness derived, what the ledger shows, the clock and the
//! own vote (protocol §5). The numbers in the comments are the rules'.

mod moves;

use ec_observation::{Content, ContentHash, ObservationHash, ObservationHeader};

pub use super::agreement::Agreement;
use super::rounds::Phase;
use moves::destination;

/// What this witness's archive says of the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnEpoch {
    /// Two records claim one place.
    Conflicting,
    /// The content it derived.
    Derived {
        /// What must be agreed on.
        content: Content,
        /// The time it would propose.
        observed_unix_ms: u64,
        /// How far another's time may be from it.
        tolerance_ms: u64,
        /// Whether the epoch is complete.
        complete: bool,
    },
}

impl OwnEpoch {
    /// Whether it is complete.
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Derived { complete: true, .. })
    }
}

/// A candidate as the ledger shows it at the block that is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenCandidate {
    /// Its hash.
    pub hash: ObservationHash,
    /// The header.
    pub header: ObservationHeader,
    /// Where its proposer is among the active witnesses.
    pub proposer: Option<usize>,
    /// Votes of active witnesses.
    pub active_votes: usize,
    /// Whether its parent was right at its own place in the log.
    pub parent_is_right: bool,
    /// When this witness first saw it, on its own clock.
    pub first_seen_ms: u64,
}

/// The slot as the ledger shows it at the block that is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The content of the final observation.
    pub finalized: Option<ContentHash>,
    /// Candidates in the order of their proposals.
    pub candidates: Vec<SeenCandidate>,
    /// The newest final observation of the stream below the slot, or zero.
    pub parent: ObservationHash,
    /// Where the slot stands in its rounds.
    pub phase: Phase,
}

impl Seen {
    /// The position among the active witnesses of the one that leads the round that runs.
    pub(super) fn leader(&self, sequence: u64, membership: &Membership) -> Option<usize> {
        self.phase.round()?.leader(sequence, membership.witness_count)
    }
}

/// How the registry's active set at the block that is judged looks from this witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Where this witness is among the active ones in index order; `None` when it is not one of them.
    pub position: Option<usize>,
    /// Active witnesses.
    pub witness_count: usize,
    /// Votes that finalize.
    pub quorum: usize,
}

impl Membership {
    /// This witness's turn for a number, a sequence or an index: 0 proposes first. `None` when it is not active.
    pub fn rank(&self, number: u64) -> Option<u64> {
        let count = self.witness_count as u64;
        let position = self.position? as u64;
        // (position − number) mod count, without leaving the unsigned integers
        (count > 0).then(|| (position + count - number % count) % count)
    }

    /// Votes after which no other candidate can reach the quorum, unless some of them move.
    pub(super) fn unbeatable(&self) -> usize {
        (self.witness_count + 1).saturating_sub(self.quorum)
    }
}

/// Readings of this witness's own monotonic clock, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Now.
    pub now_ms: u64,
    /// When the epoch closed.
    pub closed_ms: u64,
    /// When the slot entered the window.
    pub entered_ms: u64,
    /// Since when the ledger has been live without a break; `None` while it is not.
    pub live_since_ms: Option<u64>,
}

impl Clock {
    /// The moment from which turns and disputes count.
    pub(super) fn base_ms(&self) -> Option<u64> {
        Some(self.closed_ms.max(self.entered_ms).max(self.live_since_ms?))
    }

    /// When an undecided slot becomes disputed; `None` where it is, or where that is not known.
    pub fn disputed_from_ms(&self, agreement: &Agreement) -> Option<u64> {
        let from_ms = self.base_ms()?.saturating_add(agreement.disputed_after_ms).saturating_add(1);
        (from_ms > self.now_ms).then_some(from_ms)
    }

    /// Whether an undecided slot is disputed by now.
    pub fn is_disputed(&self, agreement: &Agreement) -> bool {
        self.base_ms().is_some_and(|base| self.now_ms.saturating_sub(base) > agreement.disputed_after_ms)
    }
}

/// When this witness may propose in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposing {
    /// In the turn of its rank for this number: the sequence or, where that opens a session, the index.
    InTurn(u64),
    /// At once: it leads a naming round.
    AtOnce,
    /// Not at all: another leads the naming round.
    Never,
}

/// The own vote history of the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnVote {
    /// No vote was ever recorded.
    None,
    /// A vote is recorded and on its way.
    Cast,
    /// The ledger counts the vote, and nothing of it is on its way.
    Counted {
        /// For this candidate.
        candidate: ObservationHash,
        /// The beginning of the round in which it was moved last, in the chain's time.
        moved_in: Option<u64>,
    },
    /// All that carries votes of this content is executed. Where the ledger counts none, they came to nothing, and another
    /// header of the same content may follow.
    Executed(ContentHash),
}

/// How a final observation compares with the own derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same content.
    Equal,
    /// Other content than a complete own epoch has.
    Mismatch,
    /// Other content, but the own epoch is incomplete or conflicting.
    NotComparable,
}

/// Why nothing is done yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// This witness is not in the active set.
    NotActive,
    /// The ledger is not live.
    NotLive,
    /// The own epoch no longer has the content that was voted for.
    OtherContent,
    /// Another's turn to propose comes first.
    Turn {
        /// When the own one comes.
        until_ms: u64,
    },
    /// A candidate whose time alone is outside the window is given time to win.
    Time {
        /// When it may be rivalled.
        until_ms: u64,
    },
    /// The leader of a naming round has to propose first.
    Leader,
    /// Late records may still make the epoch complete.
    Late {
        /// When an equal candidate is attested.
        until_ms: u64,
    },
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The slot is final: record the comparison, move on.
    Final(Comparison),
    /// The own vote is cast: see it through.
    Voted,
    /// Vote for this candidate.
    Attest(ObservationHeader),
    /// Propose this header, if the slot holds exactly this many candidates.
    Propose {
        /// The header.
        header: ObservationHeader,
        /// The candidates that were judged.
        candidates_seen: usize,
    },
    /// Move the own vote, if the slot holds exactly this many candidates where that makes one more.
    Move {
        /// From this candidate.
        from: ObservationHeader,
        /// To this header of the same content.
        to: ObservationHeader,
        /// The candidates that were judged.
        candidates_seen: usize,
    },
    /// Do nothing yet.
    Wait(Wait),
    /// Never vote: the own epoch is conflicting.
    Abstain,
}

/// Judges a slot.
pub fn decide(
    own: &OwnEpoch,
    seen: &Seen,
    membership: &Membership,
    clock: &Clock,
    vote: &OwnVote,
    proposing: Proposing,
    agreement: &Agreement,
) -> Decision {
    // 1. final
    if let Some(finalized) = seen.finalized {
        return Decision::Final(compare(own, finalized));
    }
    // 5. conflicting
    let OwnEpoch::Derived { content, observed_unix_ms, tolerance_ms, complete } = *own else {
        return Decision::Abstain;
    };
    let acceptance = |candidate: &SeenCandidate| {
        let off_ms = candidate.header.observed_unix_ms.abs_diff(observed_unix_ms);
        accept(candidate, &content, off_ms <= tolerance_ms, membership, agreement)
    };
    let is_acceptable = |candidate: &&SeenCandidate| acceptance(candidate) == Acceptance::Acceptable;
    let own_header = content.header(seen.parent, observed_unix_ms);
    let candidates_seen = seen.candidates.len();
    match *vote {
        OwnVote::Cast => return Decision::Voted,
        OwnVote::Counted { candidate, moved_in } => {
            let may_lead = clock.live_since_ms.is_some() && proposing != Proposing::Never;
            let from = seen.candidates.iter().find(|seen| seen.hash == candidate);
            let to = from.and_then(|from| {
                let own = may_lead.then_some(own_header);
                destination(from, &content, own, moved_in, seen, membership, is_acceptable)
            });
            return match from.zip(to) {
                Some((from, to)) => Decision::Move { from: from.header, to, candidates_seen },
                None => Decision::Voted,
            };
        }
        OwnVote::Executed(voted) if voted != content.hash() => return Decision::Wait(Wait::OtherContent),
        OwnVote::None | OwnVote::Executed(_) => {}
    }
    let leader = seen.leader(content.sequence, membership);
    let leads = leader.is_some() && leader == membership.position;
    let rank = match proposing {
        Proposing::InTurn(number) if !leads => membership.rank(number),
        Proposing::InTurn(_) | Proposing::AtOnce | Proposing::Never => membership.position.map(|_| 0),
    };
    let Some(rank) = rank else { return Decision::Wait(Wait::NotActive) };
    let until =
        |until_ms: u64, wait: fn(u64) -> Wait| (clock.now_ms < until_ms).then(|| Decision::Wait(wait(until_ms)));

    // 2. attest the leader's acceptable candidate, else the first one
    let acceptable = || seen.candidates.iter().filter(is_acceptable);
    let of_leader = acceptable().find(|candidate| leader.is_some() && candidate.proposer == leader);
    if let Some(found) = of_leader.or_else(|| acceptable().next()) {
        let late = until(clock.closed_ms.saturating_add(agreement.late_ms), |until_ms| Wait::Late { until_ms });
        return late.filter(|_| !complete).unwrap_or(Decision::Attest(found.header));
    }
    let rivalled_from = seen.candidates.iter().filter_map(|candidate| match acceptance(candidate) {
        Acceptance::NotRivalledBefore(ms) if seen.phase == Phase::Before => Some(ms),
        _ => None,
    });
    if let Some(wait) = rivalled_from.max().and_then(|ms| until(ms, |until_ms| Wait::Time { until_ms })) {
        return wait;
    }

    if proposing == Proposing::Never {
        return Decision::Wait(Wait::Leader);
    }

    // 3. and 4. propose in turn, a leader at once, an incomplete epoch later
    let Some(base_ms) = clock.base_ms() else { return Decision::Wait(Wait::NotLive) };
    let incomplete_ms = if complete { 0 } else { agreement.incomplete_delay_ms };
    let turn_ms = rank.saturating_mul(agreement.propose_stagger_ms).saturating_add(incomplete_ms);
    until(base_ms.saturating_add(turn_ms), |until_ms| Wait::Turn { until_ms })
        .unwrap_or(Decision::Propose { header: own_header, candidates_seen })
}

fn compare(own: &OwnEpoch, finalized: ContentHash) -> Comparison {
    match own {
        OwnEpoch::Derived { content, .. } if content.hash() == finalized => Comparison::Equal,
        OwnEpoch::Derived { complete: true, .. } => Comparison::Mismatch,
        OwnEpoch::Derived { complete: false, .. } | OwnEpoch::Conflicting => Comparison::NotComparable,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Acceptance {
    /// To be attested.
    Acceptable,
    /// Right but for its time: no rival before this moment.
    NotRivalledBefore(u64),
    /// Other content or a wrong parent.
    Never,
}

fn accept(
    candidate: &SeenCandidate,
    own: &Content,
    in_time: bool,
    membership: &Membership,
    agreement: &Agreement,
) -> Acceptance {
    if candidate.header.content() != *own || !candidate.parent_is_right {
        Acceptance::Never
    } else if in_time || candidate.active_votes >= membership.unbeatable() {
        Acceptance::Acceptable
    } else {
        Acceptance::NotRivalledBefore(candidate.first_seen_ms.saturating_add(agreement.time_wait_ms))
    }
}

#[cfg(test)]
mod tests;

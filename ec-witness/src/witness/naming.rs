//! What is done while witnesses may have different sessions: a pure function of what this witness has, what the ledger
//! shows and the clocks (protocol §5.10).

use ec_observation::{Content, ObservationHeader};

use super::{
    decision::{Agreement, Membership},
    rounds::{Round, round_at},
};

/// A complete own epoch, undecided, that may be judged under different marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnWindow {
    /// Its index.
    pub index: u64,
    /// Its own time.
    pub observed_unix_ms: u64,
    /// How far a mark may be from that to be near.
    pub tolerance_ms: u64,
    /// The cycle in which this witness last opened a session for it, as a leader.
    pub led_in: Option<u32>,
}

/// A candidate that opened a session by the window's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opener {
    /// The header; its time is the session's mark.
    pub header: ObservationHeader,
    /// The own content of the window under this mark.
    pub own: Content,
    /// Where its proposer is among the active witnesses.
    pub proposer: Option<usize>,
    /// Whether its parent is right (§5.2).
    pub parent_is_right: bool,
    /// Whether this witness has voted in its slot.
    pub voted: bool,
}

/// What the ledger shows of a window at the block that is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamingSeen {
    /// The block time of the earliest candidate of the index, in any session, whose time differs from the own by no more
    /// than twice the tolerance; `None` where there is none.
    pub first_ms: Option<u64>,
    /// The block time of the head.
    pub head_ms: u64,
    /// Whether the ledger is live.
    pub live: bool,
    /// Whether a session has the own time for its mark.
    pub own_mark_is_taken: bool,
    /// Candidates of the index that opened a session with a mark near the own time, in the order of the log.
    pub openers: Vec<Opener>,
}

/// What to do for a window in its naming rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Lead: propose the own header with the own time as the mark, which opens a session in this cycle.
    Open {
        /// The cycle.
        cycle: u32,
    },
    /// Vote for the header with which the leader opened its session.
    Attest(ObservationHeader),
    /// Nothing.
    Nothing,
}

/// Judges a window in its naming rounds.
pub fn name(own: &OwnWindow, seen: &NamingSeen, membership: &Membership, agreement: &Agreement) -> Naming {
    let round =
        seen.first_ms.and_then(|first_ms| round_at(first_ms, seen.head_ms, agreement, membership.witness_count));
    let Some((round, position)) = round.zip(membership.position) else { return Naming::Nothing };
    match round.leader(own.index, membership.witness_count) {
        Some(leader) if leader == position => lead(own, seen, &round),
        Some(leader) => follow(own, seen, leader),
        None => Naming::Nothing,
    }
}

fn lead(own: &OwnWindow, seen: &NamingSeen, round: &Round) -> Naming {
    let may_open = seen.live && !seen.own_mark_is_taken && own.led_in != Some(round.cycle);
    if may_open { Naming::Open { cycle: round.cycle } } else { Naming::Nothing }
}

/// One vote for each leader, so that none can have more than one by opening several sessions.
fn follow(own: &OwnWindow, seen: &NamingSeen, leader: usize) -> Naming {
    let is_acceptable = |opener: &&Opener| {
        opener.proposer == Some(leader)
            && opener.header.content() == opener.own
            && opener.parent_is_right
            && opener.header.observed_unix_ms.abs_diff(own.observed_unix_ms) <= own.tolerance_ms
    };
    let found = seen.openers.iter().find(is_acceptable).filter(|opener| !opener.voted);
    found.map_or(Naming::Nothing, |opener| Naming::Attest(opener.header))
}

#[cfg(test)]
mod tests;

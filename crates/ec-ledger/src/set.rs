//! The registry's active set.

use alloy::primitives::Address;

use crate::{candidate::Candidate, seats::Seat};

/// The registry's active set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WitnessSet {
    /// The seats of the active witnesses, in index order.
    pub active: Vec<Seat>,
    /// Votes that finalize; 0 when nothing can.
    pub quorum: usize,
}

impl WitnessSet {
    /// The set of these witnesses, none of which took over its seat from another address.
    pub fn of(witnesses: impl IntoIterator<Item = Address>, quorum: usize) -> Self {
        Self { active: witnesses.into_iter().map(Seat).collect(), quorum }
    }

    /// The place of a seat among the active ones; `None` where it is none. Who may vote for it is not asked here: see
    /// [`LedgerState::seat_held_by`](crate::LedgerState::seat_held_by).
    pub fn position(&self, seat: Seat) -> Option<usize> {
        self.active.iter().position(|&active| active == seat)
    }

    /// Votes for a candidate by active witnesses.
    pub fn votes_for(&self, candidate: &Candidate) -> usize {
        candidate.voters.iter().filter(|voter| self.active.contains(voter)).count()
    }

    /// Active votes after which no other candidate of a slot can reach the quorum (protocol §5.3).
    pub fn unbeatable(&self) -> usize {
        (self.active.len() + 1).saturating_sub(self.quorum)
    }
}

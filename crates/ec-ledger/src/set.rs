//! The registry's active set.

use alloy::primitives::Address;

use crate::candidate::Candidate;

/// The registry's active set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WitnessSet {
    /// Active witnesses in index order.
    pub active: Vec<Address>,
    /// Votes that finalize; 0 when nothing can.
    pub quorum: usize,
}

impl WitnessSet {
    /// The place of a witness among the active ones; `None` where it is none.
    pub fn position(&self, witness: Address) -> Option<usize> {
        self.active.iter().position(|&active| active == witness)
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

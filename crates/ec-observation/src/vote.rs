//! A vote: which header, and how.

use strum::{IntoStaticStr, VariantNames};

use crate::header::{Choice, ObservationHeader};

/// The ways to vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum VoteKind {
    /// As a new candidate, if the slot holds exactly this many.
    Propose {
        /// The candidates that were judged.
        candidates_seen: usize,
    },
    /// For a candidate that is there.
    Attest,
    /// By moving the vote that is there to the header, as a new candidate if it is none yet and the slot holds exactly so
    /// many.
    Move {
        /// What the candidate that has the vote differs in: it is of the same content.
        from: Choice,
        /// The candidates that were judged.
        candidates_seen: usize,
    },
}

impl VoteKind {
    /// Every word that [`Self::name`] gives.
    pub const NAMES: &[&str] = Self::VARIANTS;

    /// Its name in logs and metrics.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A vote to be cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// The header voted for.
    pub header: ObservationHeader,
    /// As a proposal, as an attestation, or by a move.
    pub vote: VoteKind,
}

impl Ballot {
    /// The header that the vote is taken from, where it is moved.
    pub fn moved_from(&self) -> Option<ObservationHeader> {
        match self.vote {
            VoteKind::Move { from, .. } => Some(self.header.with(from)),
            VoteKind::Propose { .. } | VoteKind::Attest => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_has_its_word() {
        let from = ObservationHeader::abi_decode(&[0; crate::header::HEADER_LEN]).unwrap().choice();
        let kinds =
            [VoteKind::Propose { candidates_seen: 3 }, VoteKind::Attest, VoteKind::Move { from, candidates_seen: 3 }];
        let words = kinds.map(VoteKind::name);
        assert_eq!(words, ["propose", "attest", "move"]);
        assert_eq!(VoteKind::NAMES, words);
    }
}

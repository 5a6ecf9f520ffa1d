//! What executed transactions did not do, and why.

use alloy::{primitives::TxHash, rpc::types::TransactionReceipt, sol_types::SolEvent};
use strum::{IntoStaticStr, VariantNames};

use ec_ledger::contracts::{EveryChannelObservationLedger as Ledger, Revert};

/// Every word for what the ledger refused, as a metric's label.
pub const REVERTS: &[&str] = Reason::VARIANTS;

/// Why the ledger refuses a vote or a call, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
enum Reason {
    NotWitness,
    SlotFinalized,
    AlreadyVoted,
    Equivocation,
    StaleProposal,
    UnknownCandidate,
    QuorumNotReached,
    NoSuchVote,
    OtherContent,
    AlreadyProposed,
    AddressUsed,
    NotOffered,
    Other,
}

impl Reason {
    fn of(revert: Option<&Revert>) -> Self {
        match revert {
            Some(Revert::NotWitness { .. }) => Self::NotWitness,
            Some(Revert::SlotFinalized { .. }) => Self::SlotFinalized,
            Some(Revert::AlreadyVoted { .. }) => Self::AlreadyVoted,
            Some(Revert::Equivocation { .. }) => Self::Equivocation,
            Some(Revert::StaleProposal { .. }) => Self::StaleProposal,
            Some(Revert::UnknownCandidate { .. }) => Self::UnknownCandidate,
            Some(Revert::QuorumNotReached { .. }) => Self::QuorumNotReached,
            Some(Revert::NoSuchVote { .. }) => Self::NoSuchVote,
            Some(Revert::OtherContent { .. }) => Self::OtherContent,
            Some(Revert::AlreadyProposed { .. }) => Self::AlreadyProposed,
            Some(Revert::AddressUsed { .. }) => Self::AddressUsed,
            Some(Revert::NotOffered { .. }) => Self::NotOffered,
            _ => Self::Other,
        }
    }
}

/// The word of [`REVERTS`] for a refusal; `None` is one without a reason.
pub(super) fn word(revert: Option<&Revert>) -> &'static str {
    Reason::of(revert).into()
}

/// Votes of a batch that the ledger passed over.
pub(super) fn skipped(receipt: &TransactionReceipt) -> Vec<Revert> {
    let logs = receipt.inner.logs().iter();
    let events = logs.filter_map(|log| Ledger::VoteSkipped::decode_log(&log.inner).ok());
    events.map(|event| Revert::decode(&event.reason)).collect()
}

/// Logs a refusal, with what it means for this witness.
pub(super) fn tell(revert: Option<&Revert>, hash: TxHash) {
    match revert {
        Some(revert @ Revert::AlreadyVoted { .. }) => {
            tracing::debug!(tx = %hash, %revert, "the vote is in the ledger already");
        }
        Some(
            revert @ (Revert::SlotFinalized { .. } | Revert::StaleProposal { .. } | Revert::UnknownCandidate { .. }),
        ) => {
            tracing::info!(tx = %hash, %revert, "a vote came to nothing; the slot is judged again");
        }
        Some(revert @ Revert::NotWitness { .. }) => {
            tracing::error!(tx = %hash, %revert, "this witness is not in the active set; its votes do not count");
        }
        Some(revert @ Revert::Equivocation { .. }) => {
            tracing::error!(tx = %hash, %revert, "the ledger refused a second vote in a slot");
        }
        Some(revert @ Revert::NoSuchVote { .. }) => {
            tracing::warn!(tx = %hash, %revert, "a vote to be moved is elsewhere by now; the slot is judged again");
        }
        Some(revert @ Revert::AlreadyProposed { .. }) => {
            tracing::warn!(tx = %hash, %revert, "a second candidate by a move came to nothing; the slot is judged again");
        }
        Some(revert @ Revert::OtherContent { .. }) => {
            tracing::error!(tx = %hash, %revert, "the ledger refused to move a vote to other content");
        }
        Some(revert @ Revert::AddressUsed { .. }) => {
            tracing::error!(tx = %hash, %revert, "the seat was not offered; offer it to a fresh address");
        }
        Some(revert @ Revert::NotOffered { .. }) => {
            tracing::error!(tx = %hash, %revert, "the seat was not taken over; its holder offers it first");
        }
        Some(revert) => tracing::warn!(tx = %hash, %revert, "a transaction reverted"),
        None => tracing::warn!(tx = %hash, "a transaction reverted, and the node gives no reason"),
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, Bytes};

    use super::*;

    #[test]
    fn a_refusal_is_counted_under_its_word() {
        assert_eq!(word(Some(&Revert::NotWitness { account: Address::ZERO })), "not_witness");
        let index = alloy::primitives::U256::ZERO;
        assert_eq!(word(Some(&Revert::NotOffered { index, account: Address::ZERO })), "not_offered");
        assert_eq!(word(Some(&Revert::Unknown(Bytes::new()))), "other");
        assert_eq!(word(None), "other");
        let words = "not_witness slot_finalized already_voted equivocation stale_proposal unknown_candidate \
                     quorum_not_reached no_such_vote other_content already_proposed address_used not_offered other";
        assert_eq!(REVERTS.join(" "), words);
    }
}

//! What executed transactions did not do, and why.

use alloy::{rpc::types::TransactionReceipt, sol_types::SolEvent};

use ec_ledger::contracts::{EveryChannelObservationLedger as Ledger, Revert};

/// Votes of a batch that the ledger passed over.
pub(super) fn skipped(receipt: &TransactionReceipt) -> Vec<Revert> {
    let logs = receipt.inner.logs().iter();
    let events = logs.filter_map(|log| Ledger::VoteSkipped::decode_log(&log.inner).ok());
    events.map(|event| Revert::decode(&event.reason)).collect()
}

/// Logs a refusal, with what it means for this witness, and returns its name for counting.
pub(super) fn tell(revert: Option<&Revert>, hash: alloy::primitives::TxHash) -> &'static str {
    let name = name(revert);
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
        Some(revert) => tracing::warn!(tx = %hash, %revert, "a transaction reverted"),
        None => tracing::warn!(tx = %hash, "a transaction reverted, and the node gives no reason"),
    }
    name
}

/// Every word for what the ledger refused, as a metric's label.
pub const REVERTS: [&str; 8] = [
    "not_witness",
    "slot_finalized",
    "already_voted",
    "equivocation",
    "stale_proposal",
    "unknown_candidate",
    "quorum_not_reached",
    "other",
];

fn name(revert: Option<&Revert>) -> &'static str {
    match revert {
        Some(Revert::NotWitness { .. }) => "not_witness",
        Some(Revert::SlotFinalized { .. }) => "slot_finalized",
        Some(Revert::AlreadyVoted { .. }) => "already_voted",
        Some(Revert::Equivocation { .. }) => "equivocation",
        Some(Revert::StaleProposal { .. }) => "stale_proposal",
        Some(Revert::UnknownCandidate { .. }) => "unknown_candidate",
        Some(Revert::QuorumNotReached { .. }) => "quorum_not_reached",
        _ => "other",
    }
}

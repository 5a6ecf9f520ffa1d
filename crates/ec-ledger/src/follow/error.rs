//! Why the ledger cannot be followed.

use alloy::primitives::Address;
use ec_rpc::{AskError, BlockRef, Fault};
use strum::{IntoStaticStr, VariantNames};

use crate::settled::SettledError;

/// The variant whose own word is never said.
const ASK: &str = "ask";

/// Why the ledger cannot be followed.
#[derive(Debug, thiserror::Error, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum FollowError {
    /// The endpoints gave no answer to rely on.
    #[error("rpc: {0}")]
    Ask(#[from] AskError),
    /// The head changed while it was read; the next poll reads the new one.
    #[error("the head changed from block {0} while its logs were read")]
    HeadMoved(u64),
    /// The head is too old.
    #[error("the newest block is {age_s} s old: the chain stalls, the endpoint lags, or this host's clock is wrong")]
    StaleHead {
        /// Seconds since its timestamp.
        age_s: u64,
    },
    /// The ledger is gone.
    #[error("no contract at the ledger's address {0}")]
    NoLedger(Address),
    /// A reorg reaches below what was final.
    #[error(
        "the chain no longer holds block {} ({}), which was final: a reorg below the finalized head",
        _0.number, _0.hash
    )]
    DeepReorg(BlockRef),
    /// The endpoint does not have, or not yet, a block that was final.
    #[error(
        "the newest block is {latest}, but block {} was final already: the endpoint lags, or serves an older chain than \
         the vote store knows",
        finalized.number
    )]
    Behind {
        /// The endpoint's newest block.
        latest: u64,
        /// The block that was final.
        finalized: BlockRef,
    },
    /// The checkpoint of the log cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] SettledError),
    /// What was looked up in the checkpoint was not there as it was written.
    #[error("the ledger's checkpoint: {0}")]
    Lookup(String),
}

impl FollowError {
    /// A word for each kind, as a metric's label: of what the endpoints did, theirs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ask(error) => error.kind(),
            error => error.into(),
        }
    }

    /// Every word that [`Self::kind`] gives.
    pub fn kinds() -> impl Iterator<Item = &'static str> {
        let own = Self::VARIANTS.iter().filter(|kind| **kind != ASK);
        AskError::KINDS.iter().chain(own).copied()
    }

    /// Whether to stop rather than to try again.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Ask(error) => error.is_fatal(),
            Self::NoLedger(_) | Self::DeepReorg(_) | Self::Lookup(_) => true,
            Self::HeadMoved(_) | Self::StaleHead { .. } | Self::Behind { .. } | Self::Checkpoint(_) => false,
        }
    }

    /// Whether the chain is known not to be live, rather than silent.
    pub(super) fn is_not_live(&self) -> bool {
        match self {
            Self::Ask(error) => error.faults().any(|fault| *fault == Fault::Syncing),
            error => matches!(error, Self::StaleHead { .. }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_dashboards_know() {
        let words = "unanswered disagreement resting wrong_chain head_moved stale_head no_ledger deep_reorg behind checkpoint \
                     lookup";
        assert!(FollowError::kinds().eq(words.split(' ')));
    }
}

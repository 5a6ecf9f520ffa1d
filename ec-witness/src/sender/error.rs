//! Why votes are not sent, and whether that may pass.

use alloy::primitives::{Address, TxHash};
use ec_rpc::AskError;

use crate::{key::SignError, store::StoreError};

/// Why votes are not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The endpoints gave no answer to rely on.
    #[error("rpc: {0}")]
    Ask(#[from] AskError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A transaction in the store is none that this program signs.
    #[error("transaction {hash} in the vote store cannot be decoded: the store was changed")]
    Undecodable {
        /// As the store names it.
        hash: TxHash,
    },
    /// A nonce was used that the store does not know.
    #[error(
        "account {account} has used nonce {nonce}, which this vote store does not know: the store is an older copy, another \
         instance uses the key, or something else was sent from the account; `ec-witness config check` says which; stop every \
         process of the key, move this store aside and run `ec-witness init` again, which takes over every vote on the chain"
    )]
    ForeignNonce {
        /// The witness.
        account: Address,
        /// The first nonce that is not ours.
        nonce: u64,
    },
    /// What was final is not on the chain any more.
    #[error(
        "transaction {hash} of nonce {nonce} was final in block {block} and is not there any more: a reorg below the \
         finalized head"
    )]
    FinalTakenBack {
        /// The transaction.
        hash: TxHash,
        /// Its nonce.
        nonce: u64,
        /// Where it was final.
        block: u64,
    },
}

impl SendError {
    /// Whether to stop rather than to try again.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Ask(error) => error.is_fatal(),
            Self::Store(error) => !error.may_pass(),
            Self::Sign(error) => !error.may_pass(),
            Self::Undecodable { .. } | Self::ForeignNonce { .. } | Self::FinalTakenBack { .. } => true,
        }
    }
}

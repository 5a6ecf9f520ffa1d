//! Why nothing is forced.

use alloy::primitives::{Address, TxHash, U256};
use ec_rpc::{AskError, ConnectError};

use crate::{
    key::SignError,
    sender::SendError,
    store::{KeptHalt, StoreError},
};

/// Why nothing is forced, or what is under way is not gone on with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForceError {
    /// L1 cannot be reached.
    #[error("L1: {0}")]
    Connect(#[from] ConnectError),
    /// The endpoint of L1 is one of the L2.
    #[error("l1_rpc is of chain {0}, which is the L2 itself; set --l1-rpc to an endpoint of its L1")]
    IsL2(u64),
    /// The L2 names no portal on this L1.
    #[error("this L1 has no portal of the L2: {what}; is --l1-rpc of the right chain, and the L2 an OP Stack chain?")]
    NoPortal {
        /// What failed.
        what: String,
    },
    /// An endpoint gave no answer to rely on.
    #[error("rpc: {0}")]
    Ask(#[from] AskError),
    /// L1 is dearer than what may be paid, wei a unit of gas.
    #[error("the base fee of L1 is {base_fee} wei, and no more than {cap} wei may be paid (l1_max_fee_gwei)")]
    FeeCap {
        /// The latest block's base fee.
        base_fee: u128,
        /// The most that may be paid.
        cap: u128,
    },
    /// The account cannot pay on L1, wei.
    #[error("on L1 {account} holds {balance} wei and needs {needed} wei")]
    Funds {
        /// The witness.
        account: Address,
        /// What it has.
        balance: U256,
        /// What the transaction may cost.
        needed: U256,
    },
    /// A kept transaction is none that this program signs.
    #[error("the forced transaction {hash} in the vote store cannot be decoded: the store was changed")]
    Undecodable {
        /// As the store names it.
        hash: TxHash,
    },
    /// What is out cannot be told, or the chain contradicts the store.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The key could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A deposit used a nonce beyond those that the store knows.
    #[error("{0}")]
    Halted(Box<KeptHalt>),
    /// The deposit's receipt is not the witness's.
    #[error("deposit {hash} was sent by {from}, not by the witness")]
    ForeignDeposit {
        /// The deposit.
        hash: TxHash,
        /// Who sent it.
        from: Address,
    },
}

impl ForceError {
    /// Whether to try again: an endpoint, or a signer elsewhere, gave no answer that is of use.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Ask(error) => !error.is_fatal(),
            Self::Sign(error) => error.may_pass(),
            _ => false,
        }
    }
}

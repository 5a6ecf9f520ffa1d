//! What `force` prints of a call.

use std::fmt;

use alloy::primitives::{TxHash, U256, utils::format_ether};
use ec_witness::{
    force::{Came, Cost, Left},
    sender::Stuck,
    store::ForcedTx,
};
use serde::Serialize;

/// Wei.
const GWEI: U256 = U256::from_limbs([1_000_000_000, 0, 0, 0]);

/// What is or would be done with a call, or came of it.
#[derive(Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(super) enum Outcome {
    /// Its deposit is final.
    Final {
        repeats: TxHash,
        l1_transaction_hash: TxHash,
        transaction_hash: TxHash,
        nonce: u64,
        block_number: u64,
        /// The call did nothing.
        reverted: bool,
    },
    /// No deposit comes of it.
    Lost { repeats: TxHash, l1_transaction_hash: TxHash, why: String },
    /// It is left alone.
    Left { transaction_hash: TxHash, nonce: u64, why: String },
    /// It would be forced.
    Chosen { transaction_hash: TxHash, nonce: u64, l1_gas: u64, l1_cost_gwei: u64 },
    /// It is forced already, and not final.
    UnderWay { repeats: TxHash, l1_transaction_hash: TxHash },
}

impl Outcome {
    /// What this one came to, once that is final.
    pub(super) fn of(came: Came, repeats: TxHash, l1_transaction_hash: TxHash) -> Option<Self> {
        match came {
            Came::Sent | Came::OnL1 | Came::Executed { .. } => None,
            Came::Final { hash: transaction_hash, nonce, block: block_number, reverted } => {
                Some(Self::Final { repeats, l1_transaction_hash, transaction_hash, nonce, block_number, reverted })
            }
            Came::Lost(loss) => Some(Self::Lost { repeats, l1_transaction_hash, why: loss.to_string() }),
        }
    }

    pub(super) fn left(stuck: &Stuck, why: Left) -> Self {
        Self::Left { transaction_hash: stuck.hash, nonce: stuck.nonce, why: why.to_string() }
    }

    pub(super) fn chosen(stuck: &Stuck, Cost { l1_gas, wei }: Cost) -> Self {
        let l1_cost_gwei = wei.div_ceil(GWEI).saturating_to();
        Self::Chosen { transaction_hash: stuck.hash, nonce: stuck.nonce, l1_gas, l1_cost_gwei }
    }

    pub(super) fn under_way(&ForcedTx { l1_hash: l1_transaction_hash, repeats, .. }: &ForcedTx) -> Self {
        Self::UnderWay { repeats, l1_transaction_hash }
    }

    /// Whether nothing of it stays out.
    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Final { .. })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Final { repeats, l1_transaction_hash, transaction_hash, nonce, block_number, reverted } => {
                write!(
                    f,
                    "{repeats} was forced by {l1_transaction_hash} on L1: transaction {transaction_hash} used nonce {nonce} \
                     in block {block_number}, which is final"
                )?;
                if *reverted {
                    f.write_str("; it reverted, as its vote counts already or comes too late")
                } else {
                    Ok(())
                }
            }
            Self::Lost { repeats, l1_transaction_hash, why } => {
                write!(f, "{repeats} was not forced by {l1_transaction_hash} on L1: {why}")
            }
            Self::Left { transaction_hash, nonce, why } => {
                write!(f, "{transaction_hash} of nonce {nonce} is left alone: {why}")
            }
            Self::Chosen { transaction_hash, nonce, l1_gas, l1_cost_gwei } => {
                let ether = format_ether(U256::from(*l1_cost_gwei) * GWEI);
                write!(
                    f,
                    "{transaction_hash} of nonce {nonce} would be forced, for {l1_gas} gas and at most {ether} ether on L1"
                )
            }
            Self::UnderWay { repeats, l1_transaction_hash } => {
                write!(f, "{repeats} is forced by {l1_transaction_hash} on L1, and its deposit is not final")
            }
        }
    }
}

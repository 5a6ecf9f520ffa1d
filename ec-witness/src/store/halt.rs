//! A halt: what contradicted what, and what an operator is told of it.

use std::{fmt, path::PathBuf};

use alloy::primitives::{Address, TxHash};
use ec_observation::{ObservationHash, ObservationHeader, SlotId};
use ec_rpc::BlockRef;
use serde::{Deserialize, Serialize};

/// What contradicted what; kept as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum Evidence {
    /// The chain holds a vote of this witness in a slot that the store has no vote for, or for a header of the same
    /// content that the store does not know.
    ForeignVote {
        /// The slot.
        slot: SlotId,
        /// The observation that the chain shows this witness's vote for.
        observation: ObservationHash,
    },
    /// The chain holds a vote of this witness for other content than it stands for.
    GuardContradiction {
        /// The slot.
        slot: SlotId,
        /// The observation that the chain shows this witness's vote for.
        observation: ObservationHash,
        /// The headers that the store recorded for the slot.
        recorded: Vec<ObservationHeader>,
    },
    /// The account used a nonce that the store does not know.
    ForeignNonce {
        /// The witness.
        account: Address,
        /// The first such nonce.
        nonce: u64,
    },
    /// The chain no longer holds a transaction of this witness that was final.
    FinalTakenBack {
        /// The transaction.
        hash: TxHash,
        /// Its nonce.
        nonce: u64,
        /// The block that it was final in.
        block: u64,
    },
    /// The chain no longer holds a block that was final.
    DeepReorg {
        /// The block that was final.
        block: BlockRef,
    },
}

impl Evidence {
    /// The kind, as it is stored and shown.
    pub fn kind(&self) -> &'static str {
        self.into()
    }
}

/// A halt that no operator has resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptHalt {
    /// Names it when it is resumed.
    pub id: i64,
    /// When it was recorded, Unix milliseconds.
    pub halted_unix_ms: i64,
    /// What the witness said when it stopped.
    pub message: String,
    /// What contradicted what.
    pub evidence: Evidence,
    /// The directory of the store that keeps it.
    pub store: PathBuf,
}

impl KeptHalt {
    /// The command that ends it, to be pasted into a shell.
    pub fn resumed_by(&self) -> String {
        let store = self.store.to_string_lossy();
        format!("ec-witness resume --store {} --acknowledge {}", shell_words::quote(&store), self.id)
    }
}

impl fmt::Display for KeptHalt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, halted_unix_ms, message, evidence, store: _ } = self;
        write!(f, "halt {id} ({}, ", evidence.kind())?;
        match jiff::Timestamp::from_millisecond(*halted_unix_ms) {
            Ok(at) => write!(f, "{at}")?,
            Err(_) => write!(f, "{halted_unix_ms} ms")?,
        }
        let evidence = serde_json::to_string(evidence).map_err(|_| fmt::Error)?;
        write!(f, "): {message}; evidence: {evidence}; when its cause is gone: `{}`", self.resumed_by())
    }
}

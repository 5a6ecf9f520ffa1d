//! Numbers about sending, for metrics, `status` and people.

use std::collections::BTreeMap;

use alloy::primitives::U256;

use super::{fees::Fees, plan::Hold};

/// How sending stands. Transactions are counted by nonce.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SenderState {
    /// Recorded votes that no transaction carries yet.
    pub waiting_votes: usize,
    /// Signed, and no pool is known to hold it.
    pub signed: usize,
    /// Held by a pool.
    pub sent: usize,
    /// Executed above the safe head.
    pub executed: usize,
    /// Executed between the safe and the finalized head.
    pub safe: usize,
    /// The age of the oldest one that is not executed, milliseconds since this process knows it.
    pub oldest_open_ms: Option<u64>,
    /// Why nothing new is signed, if that is so.
    pub held: Option<Hold>,
    /// The account's balance when it was last asked for, wei.
    pub balance: Option<U256>,
    /// What was offered last, wei a unit of gas.
    pub fees: Option<Fees>,
    /// Transactions replaced by dearer ones, in this process.
    pub replaced: u64,
    /// Transactions whose stored bytes were sent again, in this process.
    pub resent: u64,
    /// Votes and calls that the ledger refused, by reason, in this process.
    pub reverts: BTreeMap<&'static str, u64>,
}

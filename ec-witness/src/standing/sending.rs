//! How sending stands.

use std::collections::BTreeMap;

use alloy::primitives::U256;

use crate::sender::Stage;

/// How sending stands. Transactions are counted by nonce.
#[derive(Clone, Debug, Default)]
pub struct SendingStanding {
    /// Transactions that are not finalized.
    pub transactions: BTreeMap<Stage, usize>,
    /// Recorded votes that no transaction carries yet.
    pub waiting_votes: usize,
    /// Why nothing new is sent, if so.
    pub held: Option<String>,
    /// The same as a metric's label.
    pub held_for: Option<&'static str>,
    /// The account's balance, wei, where it is known.
    pub balance_wei: Option<U256>,
    /// What was offered last, wei a unit of gas: at most, and of it as a tip.
    pub fees_wei: Option<(u128, u128)>,
    /// Gas that was spent within an hour, and the most that may be, where it is known.
    pub gas: Option<(u64, u64)>,
    /// Slots that are left alone, as all that may be was sent for them.
    pub spent_slots: usize,
    /// How many slots nothing is sent for, as the ledger's log contradicts the own receipts, and what one of them is about.
    pub contradicted: Option<(usize, String)>,
    /// Transactions replaced by dearer ones, in this process.
    pub replaced: u64,
    /// Transactions whose stored bytes were sent again, in this process.
    pub resent: u64,
    /// Votes and calls that the ledger refused, by reason, in this process.
    pub reverts: BTreeMap<&'static str, u64>,
    /// What one vote costs at most, by the fees offered last, wei, where that is known.
    pub vote_cost_wei: Option<U256>,
}

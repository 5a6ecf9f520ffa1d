//! How sending stands.

use std::collections::BTreeMap;

use alloy::primitives::U256;

use crate::sender::{Stage, VoteCost};

/// How sending stands. Transactions are counted by nonce.
#[derive(Clone, Debug, Default)]
pub struct SendingStanding {
    /// Transactions that are not finalized.
    pub transactions: BTreeMap<Stage, usize>,
    /// Recorded votes that no transaction carries yet.
    pub waiting_votes: usize,
    /// Those among them on old epochs.
    pub waiting_old_votes: usize,
    /// The most gas that votes on old epochs may have on its way now; `None` where that is not bounded, or not known.
    pub paced_gas: Option<u64>,
    /// Whether votes on old epochs wait, as the hour's gas is spent but for what is kept for those on new ones.
    pub is_hour_spent: bool,
    /// What part of the gas limit the own transactions used in the newest block that has any, where it is known.
    pub block_share: Option<f64>,
    /// What a vote cost, by the word for its kind, as far as receipts tell.
    pub vote_costs: Vec<(&'static str, VoteCost)>,
    /// The newest block's base fee, and the most that may be paid, where it is known, wei a unit of gas.
    pub base_fee_wei: Option<(u128, u128)>,
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

//! Numbers about sending, for metrics, `status` and people.

use std::collections::BTreeMap;

use alloy::primitives::U256;
use strum::{IntoStaticStr, VariantArray};

use super::{costs::VoteCost, fees::Fees, hold::Hold};

/// How far a nonce has come that is not final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Stage {
    /// Signed, and no pool is known to hold it.
    Signed,
    /// Held by a pool.
    Sent,
    /// Executed above the safe head.
    Executed,
    /// Executed between the safe and the finalized head.
    Safe,
}

impl Stage {
    /// Every stage.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// A word for each, as a metric's label.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// How sending stands. Transactions are counted by nonce.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SenderState {
    /// Recorded votes that no transaction carries yet.
    pub waiting_votes: usize,
    /// Those among them on old epochs.
    pub waiting_old_votes: usize,
    /// The most gas that votes on old epochs may have on its way now; `None` where that is not bounded.
    pub paced_gas: Option<u64>,
    /// Whether votes on old epochs wait, as the hour's gas is spent but for what is kept for those on new ones.
    pub is_hour_spent: bool,
    /// What part of the gas limit the own transactions used in the newest block that has any, where a block was seen.
    pub block_share: Option<f64>,
    /// What a vote cost, by the word for its kind.
    pub vote_costs: Vec<(&'static str, VoteCost)>,
    /// The newest block's base fee, where one was seen, wei a unit of gas.
    pub base_fee: Option<u128>,
    /// The most that may be paid for a unit of gas, wei.
    pub max_fee: u128,
    /// Transactions that are not final, by stage.
    pub transactions: BTreeMap<Stage, usize>,
    /// Why nothing new is signed, if that is so.
    pub held: Option<Hold>,
    /// The account's balance when it was last asked for, wei.
    pub balance: Option<U256>,
    /// What was offered last, wei a unit of gas.
    pub fees: Option<Fees>,
    /// Gas that was spent within an hour, and the most that may be.
    pub gas: (u64, u64),
    /// Slots that are left alone, as all that may be was sent for them.
    pub spent_slots: usize,
    /// Transactions replaced by dearer ones, in this process.
    pub replaced: u64,
    /// Transactions whose stored bytes were sent again, in this process.
    pub resent: u64,
    /// Votes and calls that the ledger refused, by reason, in this process.
    pub reverts: BTreeMap<&'static str, u64>,
}

/// Counts of this process.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) replaced: u64,
    pub(super) resent: u64,
    pub(super) reverts: BTreeMap<&'static str, u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_has_its_word() {
        let words: Vec<_> = Stage::ALL.iter().map(|stage| stage.name()).collect();
        assert_eq!(words, ["signed", "sent", "executed", "safe"]);
    }
}

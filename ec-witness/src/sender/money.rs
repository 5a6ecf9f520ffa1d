//! What may be paid.

use alloy::primitives::U256;

use super::{
    fees::{FeeRule, Fees, Market},
    hold::Hold,
    pace::Block,
};

/// What sending costs, and what there is to pay it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Means {
    pub(crate) market: Market,
    /// What the account has, wei.
    pub(crate) balance: U256,
    /// The block that all this is of.
    pub(crate) block: Block,
}

/// What may be offered, beside what is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    rule: FeeRule,
    market: Market,
    balance: U256,
    /// What the open transactions may cost; a pool wants the account to have all of it.
    committed: U256,
}

impl Budget {
    pub(super) fn new(rule: FeeRule, market: Market, balance: U256, committed: U256) -> Self {
        Self { rule, market, balance, committed }
    }

    /// The fees of a further transaction of so much gas.
    pub(super) fn first(&self, gas: u64) -> Result<Fees, Hold> {
        let fees = self.rule.first(self.market).ok_or_else(|| self.too_dear())?;
        self.afford(with_margin(self.committed + cost(gas, fees)))?;
        Ok(fees)
    }

    /// The fees of a transaction that replaces an open one of so much gas, which offers `last`.
    pub(super) fn next(&self, gas: u64, last: Fees) -> Result<Fees, Hold> {
        let fees = self.rule.next(last, self.market).ok_or_else(|| self.too_dear())?;
        self.afford(self.committed + cost(gas, fees) - cost(gas, last))?;
        Ok(fees)
    }

    /// Commits what a replacement costs more than what it replaces.
    pub(super) fn replace(&mut self, gas: u64, last: Fees, fees: Fees) {
        self.committed += cost(gas, fees) - cost(gas, last);
    }

    /// The most gas that a further transaction may have.
    pub(super) fn affordable_gas(&self) -> u64 {
        let fees = self.rule.first(self.market).unwrap_or_default();
        let spendable = self.balance / U256::from(5) * U256::from(4);
        let gas = spendable.saturating_sub(self.committed) / U256::from(fees.max.max(1));
        u64::try_from(gas).unwrap_or(u64::MAX)
    }

    /// A pool says that the account cannot pay for what is open.
    pub(super) fn unfunded(&self) -> Hold {
        Hold::Funds { balance: self.balance, needed: with_margin(self.committed) }
    }

    fn too_dear(&self) -> Hold {
        Hold::FeeCap { base_fee: self.market.base_fee, cap: self.rule.cap }
    }

    fn afford(&self, needed: U256) -> Result<(), Hold> {
        let balance = self.balance;
        if needed > balance { Err(Hold::Funds { balance, needed }) } else { Ok(()) }
    }
}

/// What a transaction may cost, wei.
pub(crate) fn cost(gas: u64, fees: Fees) -> U256 {
    U256::from(gas) * U256::from(fees.max)
}

/// A quarter more: what an OP Stack chain charges for the data on L1 is no part of a transaction's own fees.
fn with_margin(cost: U256) -> U256 {
    cost + cost / U256::from(4)
}

/// What was paid and offered last.
#[derive(Debug, Default)]
pub(super) struct Money {
    /// The account's balance when it was last asked for, wei.
    pub(super) balance: Option<U256>,
    /// What was offered last.
    pub(super) offered: Option<Fees>,
}

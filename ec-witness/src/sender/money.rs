//! What may be paid, and what stands in the way of sending for want of it.

use alloy::primitives::U256;
use strum::{IntoStaticStr, VariantNames};

use super::fees::{FeeRule, Fees, Market};

/// How often a hold is complained about, milliseconds.
const COMPLAIN_EVERY_MS: u64 = 60_000;

/// Why nothing new is signed, and nothing replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Hold {
    /// The market is above what may be paid, wei a unit of gas.
    #[error("the base fee is {base_fee} wei, and no more than {cap} wei may be paid (max_fee_gwei)")]
    FeeCap {
        /// The latest block's base fee.
        base_fee: u128,
        /// The most that may be paid.
        cap: u128,
    },
    /// The account cannot pay, wei.
    #[error("the account holds {balance} wei and needs {needed} wei, and the chain's fee for data where it has one")]
    Funds {
        /// What it has.
        balance: U256,
        /// What it needs for what is open and the next transaction.
        needed: U256,
    },
    /// The gas of an hour is spent.
    #[error(
        "{spent} gas was spent within an hour, the next transaction may need {needed}, and no more than {budget} may be \
         spent (max_gas_per_hour)"
    )]
    GasBudget {
        /// What the transactions of the last hour used, or may use where they are not executed.
        spent: u64,
        /// What the next one may use.
        needed: u64,
        /// The most within an hour.
        budget: u64,
    },
}

impl Hold {
    /// Every word that [`Self::kind`] gives.
    pub const KINDS: &[&str] = Self::VARIANTS;

    /// A word for each kind, as a metric's label.
    pub fn kind(&self) -> &'static str {
        self.into()
    }
}

/// What sending costs, and what there is to pay it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Means {
    pub(crate) market: Market,
    /// What the account has, wei.
    pub(crate) balance: U256,
    pub(crate) block_gas_limit: u64,
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

/// What was paid and offered last, and what is held for want of money.
#[derive(Debug, Default)]
pub(super) struct Money {
    /// The account's balance when it was last asked for, wei.
    pub(super) balance: Option<U256>,
    /// What was offered last.
    pub(super) offered: Option<Fees>,
    /// What stands in the way of what is open.
    open: Option<Hold>,
    /// What stands in the way of new transactions.
    new: Option<Hold>,
    complained_ms: u64,
}

impl Money {
    /// What stands in the way of anything.
    pub(super) fn held(&self) -> Option<Hold> {
        self.open.or(self.new)
    }

    /// Whether something stands in the way of what is open: then nothing new is begun.
    pub(super) fn holds_open(&self) -> bool {
        self.open.is_some()
    }

    /// Notes and says what stands in the way of the `pending` transactions that are open, or that nothing does.
    pub(super) fn hold_open(&mut self, hold: Option<Hold>, pending: usize, now_ms: u64) {
        let before = self.held();
        self.open = hold;
        self.tell(before, pending, now_ms);
    }

    /// Notes and says what stands in the way of a new transaction, or that nothing does.
    pub(super) fn hold_new(&mut self, hold: Option<Hold>, pending: usize, now_ms: u64) {
        let before = self.held();
        self.new = hold;
        self.tell(before, pending, now_ms);
    }

    /// Says what stands in the way, at once and then once a minute, and that it no longer does.
    fn tell(&mut self, before: Option<Hold>, pending: usize, now_ms: u64) {
        match self.held() {
            Some(hold) if before.is_none() || now_ms.saturating_sub(self.complained_ms) >= COMPLAIN_EVERY_MS => {
                self.complained_ms = now_ms;
                tracing::error!(%hold, open = pending, "sending is held; it goes on by itself");
            }
            None if before.is_some() => tracing::info!("sending goes on"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNDS: Hold = Hold::Funds { balance: U256::ZERO, needed: U256::ONE };
    const CAP: Hold = Hold::FeeCap { base_fee: 2, cap: 1 };

    #[test]
    fn each_hold_has_its_word() {
        assert_eq!([CAP, FUNDS].map(|hold| hold.kind()), ["fee_cap", "funds"]);
        assert_eq!(Hold::KINDS, ["fee_cap", "funds", "gas_budget"]);
    }

    #[test]
    fn what_is_open_comes_before_what_is_new_and_each_is_lifted_alone() {
        let mut money = Money::default();
        money.hold_new(Some(FUNDS), 0, 0);
        assert!(money.held() == Some(FUNDS) && !money.holds_open());
        money.hold_open(Some(CAP), 1, 0);
        assert!(money.held() == Some(CAP) && money.holds_open());
        money.hold_open(None, 1, 0);
        assert_eq!(money.held(), Some(FUNDS));
        money.hold_new(None, 1, 0);
        assert_eq!(money.held(), None);
    }

    #[test]
    fn a_hold_is_complained_about_at_once_and_then_every_minute() {
        let mut money = Money::default();
        let said = [(5, Some(CAP)), (60_004, Some(CAP)), (60_005, Some(CAP)), (60_006, None), (60_007, Some(FUNDS))];
        let at = said.map(|(now_ms, hold)| {
            money.hold_open(hold, 1, now_ms);
            money.complained_ms
        });
        assert_eq!(at, [5, 5, 60_005, 60_005, 60_007]);
    }
}

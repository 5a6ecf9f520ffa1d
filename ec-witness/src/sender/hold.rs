//! What stands in the way of sending, and saying so.

use alloy::primitives::U256;
use strum::{IntoStaticStr, VariantNames};

/// How often a hold is complained about, milliseconds.
const COMPLAIN_EVERY_MS: u64 = 60_000;

/// Why nothing new is signed, and nothing replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, IntoStaticStr, VariantNames)]
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
    /// The signer elsewhere does not sign, or not what it is asked for.
    #[error("{why}")]
    Signer {
        /// What it did instead.
        why: String,
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

/// What is held now.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// What stands in the way of what is open.
    open: Option<Hold>,
    /// What stands in the way of new transactions.
    new: Option<Hold>,
    complained_ms: u64,
}

impl Holds {
    /// What stands in the way of anything.
    pub(super) fn held(&self) -> Option<&Hold> {
        self.open.as_ref().or(self.new.as_ref())
    }

    /// Whether something stands in the way of what is open: then nothing new is begun.
    pub(super) fn holds_open(&self) -> bool {
        self.open.is_some()
    }

    /// Notes and says what stands in the way of the `pending` transactions that are open, or that nothing does.
    pub(super) fn on_open(&mut self, hold: Option<Hold>, pending: usize, now_ms: u64) {
        let was_held = self.held().is_some();
        self.open = hold;
        self.tell(was_held, pending, now_ms);
    }

    /// Notes and says what stands in the way of a new transaction, or that nothing does.
    pub(super) fn on_new(&mut self, hold: Option<Hold>, pending: usize, now_ms: u64) {
        let was_held = self.held().is_some();
        self.new = hold;
        self.tell(was_held, pending, now_ms);
    }

    /// Notes that a signer which stood in the way of new transactions has signed one.
    pub(super) fn on_signed(&mut self, pending: usize, now_ms: u64) {
        if matches!(self.new, Some(Hold::Signer { .. })) {
            self.on_new(None, pending, now_ms);
        }
    }

    /// Says what stands in the way, at once and then once a minute, and that it no longer does.
    fn tell(&mut self, was_held: bool, pending: usize, now_ms: u64) {
        let is_due = !was_held || now_ms.saturating_sub(self.complained_ms) >= COMPLAIN_EVERY_MS;
        match self.held() {
            Some(hold) if is_due => {
                tracing::error!(%hold, open = pending, "sending is held; it goes on by itself");
                self.complained_ms = now_ms;
            }
            None if was_held => tracing::info!("sending goes on"),
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
        assert_eq!(Hold::KINDS, ["fee_cap", "funds", "gas_budget", "signer"]);
    }

    #[test]
    fn what_is_open_comes_before_what_is_new_and_each_is_lifted_alone() {
        let mut holds = Holds::default();
        holds.on_new(Some(FUNDS), 0, 0);
        assert!(holds.held() == Some(&FUNDS) && !holds.holds_open());
        holds.on_open(Some(CAP), 1, 0);
        assert!(holds.held() == Some(&CAP) && holds.holds_open());
        holds.on_open(None, 1, 0);
        assert_eq!(holds.held(), Some(&FUNDS));
        holds.on_new(None, 1, 0);
        assert_eq!(holds.held(), None);
    }

    #[test]
    fn a_hold_is_complained_about_at_once_and_then_every_minute() {
        let mut holds = Holds::default();
        let said = [(5, Some(CAP)), (60_004, Some(CAP)), (60_005, Some(CAP)), (60_006, None), (60_007, Some(FUNDS))];
        let at = said.map(|(now_ms, hold)| {
            holds.on_open(hold, 1, now_ms);
            holds.complained_ms
        });
        assert_eq!(at, [5, 5, 60_005, 60_005, 60_007]);
    }
}

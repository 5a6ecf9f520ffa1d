//! What to do with the nonces that are open: one decision, no I/O.
//!
//! A replacement carries exactly the calldata of what it replaces, even where its slot has become final meanwhile: a
//! vote that comes too late reverts, or is skipped, and costs little. A cancelling transaction would cost as much, and
//! then what a nonce stands for would depend on which of the two is executed.

use std::ops::Range;

use alloy::primitives::U256;

use super::{
    fees::{FeeRule, Fees, Market},
    hold::Hold,
    money::{Budget, cost},
    pace::PaceRule,
    spending::SpendRule,
};

/// Blocks that must have passed a transaction over before it is replaced: in a chain that stands still a higher fee
/// helps nobody.
const PASSED_OVER: u64 = 2;

/// Gas of the transfer of nothing that fills a gap.
pub(super) const FILL_GAS: u64 = 21_000;

/// How votes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendRule {
    /// What is paid.
    pub fees: FeeRule,
    /// How long a pool may hold a transaction before its fees are raised, milliseconds. op-service waits for 48 s,
    /// four blocks of L1; so this is four blocks of the chain.
    pub bump_after_ms: u64,
    /// How long a transaction may wait before its bytes are sent again, milliseconds.
    pub resend_after_ms: u64,
    /// Nonces that may be open at once. geth's pool guarantees 16 places to an account (`AccountSlots`).
    pub max_in_flight: usize,
    /// Votes in one transaction.
    pub max_batch: usize,
    /// What is sent at most.
    pub spending: SpendRule,
    /// How fast.
    pub pace: PaceRule,
}

/// What the pool said of the newest transaction of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Answer {
    /// It has it.
    Held,
    /// It wants higher fees.
    Underpriced,
    /// The account cannot pay.
    Unfunded,
    /// The nonce is used: a receipt will tell by what.
    Used,
    /// Anything else, in words; the same bytes may be welcome later.
    Refused,
    /// None came; it may have it or not.
    Nothing,
}

impl Answer {
    /// Its name in logs.
    pub(super) fn name(self) -> &'static str {
        self.into()
    }
}

/// A nonce that is not executed, by its newest transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) nonce: u64,
    pub(super) gas: u64,
    pub(super) fees: Fees,
    /// The last time the newest transaction was sent by this process, and what came of it.
    pub(super) sent: Option<(u64, Answer)>,
    /// When a pool first held it, and the head at that time.
    pub(super) held_since: Option<(u64, u64)>,
    /// The same of a pool that first refused it for a reason that is not known to be about fees.
    pub(super) refused_since: Option<(u64, u64)>,
}

/// What the chain says, at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChainState {
    /// Transactions of the account that the latest block has executed.
    pub(super) used: u64,
    pub(super) head: u64,
    pub(super) market: Market,
    pub(super) balance: U256,
    pub(super) now_ms: u64,
    /// Blocks were taken back; pools may have lost what these held.
    pub(super) reorg: bool,
}

/// What to do with one nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Send the newest transaction's stored bytes.
    Send { nonce: u64 },
    /// Sign, keep and send the same call with these fees.
    Replace { nonce: u64, fees: Fees },
    /// Sign, keep and send a transfer of nothing, for a nonce that no transaction of ours has.
    Fill { nonce: u64, fees: Fees },
}

impl Action {
    /// The nonce that it is about.
    pub(super) fn nonce(&self) -> u64 {
        match *self {
            Self::Send { nonce } | Self::Replace { nonce, .. } | Self::Fill { nonce, .. } => nonce,
        }
    }
}

/// The actions in the order of nonces, and what stands in the way of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) actions: Vec<Action>,
    pub(super) hold: Option<Hold>,
}

/// Looks after what is open, lowest nonce first. `gap` are nonces below it that the chain wants first and that were
/// never ours. `unsigned` is why nothing can be signed now, where that is so.
pub(super) fn plan(open: &[Open], gap: Range<u64>, now: &ChainState, rule: &SendRule, unsigned: Option<&Hold>) -> Plan {
    let mut budget = budget(open, now.market, now.balance, rule);
    let mut plan = Plan::default();
    let signed = |fees: Result<Fees, Hold>| fees.and_then(|fees| unsigned.cloned().map_or(Ok(fees), Err));
    for nonce in gap {
        match signed(budget.first(FILL_GAS)) {
            Ok(fees) => plan.actions.push(Action::Fill { nonce, fees }),
            Err(hold) => plan.hold = Some(hold),
        }
    }
    for (place, one) in open.iter().enumerate().filter(|(_, one)| one.nonce >= now.used) {
        let lowest = place == 0 || open[place - 1].nonce < now.used;
        if is_too_cheap(one, lowest, now, rule) {
            match signed(budget.next(one.gas, one.fees)) {
                Ok(fees) => {
                    budget.replace(one.gas, one.fees, fees);
                    plan.actions.push(Action::Replace { nonce: one.nonce, fees });
                    continue;
                }
                Err(hold) => plan.hold = Some(hold),
            }
        }
        if is_due(one, now, rule) {
            plan.actions.push(Action::Send { nonce: one.nonce });
        }
    }
    if open.iter().any(|one| matches!(one.sent, Some((_, Answer::Unfunded)))) {
        plan.hold = Some(budget.unfunded());
    }
    plan
}

/// What may be offered beside what is open.
pub(super) fn budget(open: &[Open], market: Market, balance: U256, rule: &SendRule) -> Budget {
    Budget::new(rule.fees, market, balance, committed(open))
}

/// What the open transactions may cost.
fn committed(open: &[Open]) -> U256 {
    open.iter().map(|one| cost(one.gas, one.fees)).sum()
}

/// Whether a pool said so, or blocks passed it over. One that waits behind a lower nonce is passed over by right, unless
/// it is too cheap for any block.
fn is_too_cheap(one: &Open, lowest: bool, now: &ChainState, rule: &SendRule) -> bool {
    match one.sent {
        Some((_, Answer::Underpriced)) => return true,
        Some((_, Answer::Unfunded)) => return false,
        _ => {}
    }
    // nobody knows every client's words: a refusal, too, may be about fees, and raising them is bounded
    let Some((since_ms, since_head)) = one.held_since.or(one.refused_since) else { return false };
    let passed_over =
        now.now_ms.saturating_sub(since_ms) >= rule.bump_after_ms && now.head >= since_head.saturating_add(PASSED_OVER);
    passed_over && (lowest || one.fees.max < now.market.base_fee)
}

fn is_due(one: &Open, now: &ChainState, rule: &SendRule) -> bool {
    match one.sent {
        None | Some((_, Answer::Nothing)) => true,
        Some((sent_ms, _)) => now.reorg || now.now_ms.saturating_sub(sent_ms) >= rule.resend_after_ms,
    }
}

#[cfg(test)]
mod tests;

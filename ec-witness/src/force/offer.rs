//! What to pay for a forced transaction on L1: first, and again when blocks pass it over. One decision each, no I/O.

use alloy::{
    consensus::{TxEip1559, TxEnvelope},
    eips::Decodable2718,
    primitives::{Address, U256},
};

use super::ForceError;
use crate::{
    sender::{FeeRule, Fees, Market, cost},
    store::ForcedTx,
};

/// For how long L1's blocks may pass a transaction over before it is made dearer, seconds: op-service resubmits after 48 s,
/// four blocks of L1.
const PASSED_OVER_S: u64 = 48;

/// The witness's account on L1, and what blocks cost there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OnL1 {
    pub(super) account: Address,
    /// Wei.
    pub(super) balance: U256,
    pub(super) market: Market,
    /// Transactions of the account that the latest block has executed.
    pub(super) used: u64,
    /// When the latest block was made, Unix seconds.
    pub(super) latest_unix_s: u64,
}

/// A forced transaction that no block of L1 has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Out {
    pub(super) tx: TxEip1559,
    pub(super) kept_unix_ms: u64,
}

impl Out {
    /// A kept transaction, decoded.
    pub(super) fn of(kept: &ForcedTx) -> Result<Self, ForceError> {
        match TxEnvelope::decode_2718_exact(&kept.l1_raw) {
            Ok(TxEnvelope::Eip1559(signed)) => {
                Ok(Self { tx: signed.strip_signature(), kept_unix_ms: kept.kept_unix_ms })
            }
            _ => Err(ForceError::Undecodable { hash: kept.l1_hash }),
        }
    }

    fn fees(&self) -> Fees {
        Fees { max: self.tx.max_fee_per_gas, tip: self.tx.max_priority_fee_per_gas }
    }
}

/// The fees of a new transaction of so much gas.
pub(super) fn first(gas: u64, now: &OnL1, rule: FeeRule) -> Result<Fees, ForceError> {
    let fees = rule.first(now.market).ok_or_else(|| too_dear(now, rule))?;
    afford(cost(gas, fees), now)?;
    Ok(fees)
}

/// The fees of one that is to replace this one; `None` where it may do yet, an error where it does not and nothing dearer
/// may be offered.
pub(super) fn dearer(out: &Out, now: &OnL1, rule: FeeRule) -> Result<Option<Fees>, ForceError> {
    let is_unused = out.tx.nonce >= now.used;
    let is_too_cheap = out.tx.max_fee_per_gas < now.market.base_fee;
    // one that waits behind a lower nonce is passed over by right
    let is_passed_over = out.tx.nonce == now.used && now.latest_unix_s >= out.kept_unix_ms / 1000 + PASSED_OVER_S;
    if !is_unused || !(is_too_cheap || is_passed_over) {
        return Ok(None);
    }
    let fees = rule.next(out.fees(), now.market).ok_or_else(|| too_dear(now, rule))?;
    afford(cost(out.tx.gas_limit, fees), now)?;
    Ok(Some(fees))
}

fn too_dear(now: &OnL1, rule: FeeRule) -> ForceError {
    ForceError::FeeCap { base_fee: now.market.base_fee, cap: rule.cap }
}

fn afford(needed: U256, &OnL1 { account, balance, .. }: &OnL1) -> Result<(), ForceError> {
    if needed > balance { Err(ForceError::Funds { account, balance, needed }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: FeeRule = FeeRule { cap: 1000, min_tip: 2 };
    const NOW: OnL1 = OnL1 {
        account: Address::ZERO,
        balance: U256::MAX,
        market: Market { base_fee: 100, tip: 5 },
        used: 7,
        latest_unix_s: 1_000,
    };

    /// Of this nonce, kept so many seconds before the latest block, with this fee.
    fn out(nonce: u64, before_s: u64, max: u128) -> Out {
        let fees = TxEip1559 { max_fee_per_gas: max, max_priority_fee_per_gas: 5, ..TxEip1559::default() };
        Out { tx: TxEip1559 { nonce, gas_limit: 10, ..fees }, kept_unix_ms: (NOW.latest_unix_s - before_s) * 1000 }
    }

    #[test]
    fn it_is_made_dearer_where_no_block_can_take_it_or_blocks_passed_it_over() {
        let raised = |max, tip| Some(Fees { max, tip });
        for (what, out, expected) in [
            ("new", out(7, 0, 205), None),
            ("nearly passed over", out(7, 47, 205), None),
            ("passed over", out(7, 48, 205), raised(226, 6)),
            ("passed over behind another", out(8, 48, 205), None),
            ("below the base fee", out(7, 0, 99), raised(205, 6)),
            ("below the base fee behind another", out(8, 0, 99), raised(205, 6)),
            ("its nonce is used", out(6, 100, 99), None),
        ] {
            assert_eq!(dearer(&out, &NOW, RULE).unwrap(), expected, "{what}");
        }
    }

    #[test]
    fn what_may_not_be_offered_or_cannot_be_paid_is_not() {
        let poor = OnL1 { balance: U256::from(2049), ..NOW };
        let dear = OnL1 { market: Market { base_fee: 999, tip: 5 }, ..NOW };
        assert_eq!(first(10, &NOW, RULE).unwrap(), Fees { max: 205, tip: 5 });
        let funds = |found| matches!(found, Err(ForceError::Funds { needed, .. }) if needed > poor.balance);
        assert!(funds(first(10, &poor, RULE).map(drop)) && funds(dearer(&out(7, 48, 205), &poor, RULE).map(drop)));
        let cap = |found| matches!(found, Err(ForceError::FeeCap { base_fee, cap: 1000 }) if base_fee <= 999);
        assert!(cap(first(10, &dear, RULE).map(drop)) && cap(dearer(&out(7, 0, 205), &dear, RULE).map(drop)));
        assert!(cap(dearer(&out(7, 48, 950), &NOW, RULE).map(drop)), "a tenth more is above the cap");
    }
}

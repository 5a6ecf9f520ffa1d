//! How much is sent at most, whatever the chain seems to say: transactions of one slot, and gas within an hour.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use alloy::{
    consensus::{Transaction, TxEnvelope},
    eips::Decodable2718,
};
use ec_observation::SlotId;

use super::{error::SendError, hold::Hold};
use crate::store::VoteStore;

/// Within what time gas is summed up, milliseconds.
const HOUR_MS: u64 = 3_600_000;

/// What is sent at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpendRule {
    /// Transactions that carry votes of one slot, ever. The few that are meant: a vote, its repetition after a reorg or a
    /// stale proposal, a move in a round.
    pub max_sends_per_slot: usize,
    /// Gas of all transactions within an hour.
    pub max_gas_per_hour: u64,
}

/// What was spent, as far as it bounds what may be.
#[derive(Debug)]
pub(super) struct Spending {
    rule: SpendRule,
    /// When each nonce was signed, on the sender's clock, and its gas: what it may use, then what it used. Those of before
    /// this process have times below zero.
    recent: BTreeMap<u64, (i64, u64)>,
    /// The slots that wait to be sent for, of which it is known how many transactions were.
    looked_at: HashSet<SlotId>,
    /// Those of them that have had all that they may.
    spent: BTreeSet<SlotId>,
}

impl Spending {
    /// Takes up what the store says was signed within the last hour, at `now_unix_ms`.
    pub(super) fn of(store: &VoteStore, rule: SpendRule, now_unix_ms: u64) -> Result<Self, SendError> {
        let mut recent = BTreeMap::new();
        for (signed_unix_ms, tx) in store.signed_since(now_unix_ms.saturating_sub(HOUR_MS))? {
            let decoded = TxEnvelope::decode_2718_exact(&tx.raw);
            let gas = decoded.map_err(|_| SendError::Undecodable { hash: tx.hash })?.gas_limit();
            let age_ms = i64::try_from(now_unix_ms.saturating_sub(signed_unix_ms)).unwrap_or(i64::MAX);
            recent.insert(tx.nonce, (-age_ms, gas));
        }
        Ok(Self { rule, recent, looked_at: HashSet::new(), spent: BTreeSet::new() })
    }

    /// Gas that was spent within the hour before.
    pub(super) fn last_hour(&self) -> u64 {
        self.recent.values().map(|(_, gas)| gas).sum()
    }

    /// The most that may be.
    pub(super) fn per_hour(&self) -> u64 {
        self.rule.max_gas_per_hour
    }

    /// Lets go of what is older than an hour, and returns the gas that is left.
    pub(super) fn left(&mut self, now_ms: u64) -> u64 {
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        self.recent.retain(|_, (at_ms, _)| now_ms.saturating_sub(*at_ms) < HOUR_MS as i64);
        self.rule.max_gas_per_hour.saturating_sub(self.last_hour())
    }

    /// The gas of the hour that votes on old epochs may have beside so much for others: a quarter stays for those on new ones,
    /// which would wait for the hour's end otherwise. Where nothing was spent yet, they may have all.
    pub(super) fn spare(&self, others: u64) -> u64 {
        let spent = self.last_hour().saturating_add(others);
        let most = self.rule.max_gas_per_hour - self.rule.max_gas_per_hour / 4;
        if spent == 0 { self.rule.max_gas_per_hour } else { most.saturating_sub(spent) }
    }

    /// Whether a further transaction of so much gas may be signed.
    pub(super) fn allows(&mut self, gas: u64, now_ms: u64) -> Result<(), Hold> {
        if gas <= self.left(now_ms) {
            return Ok(());
        }
        Err(Hold::GasBudget { spent: self.last_hour(), needed: gas, budget: self.rule.max_gas_per_hour })
    }

    /// A transaction was signed that may use so much gas.
    pub(super) fn signed(&mut self, nonce: u64, gas: u64, now_ms: u64) {
        self.recent.insert(nonce, (i64::try_from(now_ms).unwrap_or(i64::MAX), gas));
    }

    /// It was executed, and used so much.
    pub(super) fn executed(&mut self, nonce: u64, gas: u64) {
        if let Some((_, of)) = self.recent.get_mut(&nonce) {
            *of = gas;
        }
    }

    /// Finds out for which of the slots that wait all that may be was sent. The store is asked once for each, until something
    /// [was sent](Self::sent_for) for it.
    pub(super) fn look(
        &mut self,
        store: &VoteStore,
        waiting: impl IntoIterator<Item = SlotId>,
    ) -> Result<(), SendError> {
        let most = self.rule.max_sends_per_slot;
        let Self { looked_at, spent, .. } = self;
        store.at_once(|| {
            for slot in waiting {
                if looked_at.contains(&slot) {
                    continue;
                }
                if store.sends(slot)? >= most {
                    tracing::error!(%slot, most, "as many transactions as may be were sent for this slot; it is left alone");
                    spent.insert(slot);
                }
                looked_at.insert(slot);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Whether all that may be was sent for a slot that waits.
    pub(super) fn is_spent(&self, slot: SlotId) -> bool {
        self.spent.contains(&slot)
    }

    /// A transaction was signed that carries votes of these slots.
    pub(super) fn sent_for(&mut self, slots: &[SlotId]) {
        for slot in slots {
            self.looked_at.remove(slot);
            self.spent.remove(slot);
        }
    }

    /// Nothing is known of what was sent for slots.
    pub(super) fn doubt(&mut self) {
        self.looked_at.clear();
        self.spent.clear();
    }

    /// How many slots are left alone.
    pub(super) fn spent_slots(&self) -> usize {
        self.spent.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spending(budget: u64) -> Spending {
        let rule = SpendRule { max_sends_per_slot: 3, max_gas_per_hour: budget };
        Spending { rule, recent: BTreeMap::new(), looked_at: HashSet::new(), spent: BTreeSet::new() }
    }

    #[test]
    fn a_quarter_of_an_hours_gas_stays_for_new_epochs() {
        let mut spending = spending(1000);
        assert_eq!([spending.spare(0), spending.spare(100)], [1000, 650]);
        spending.signed(1, 700, 0);
        assert_eq!([spending.spare(0), spending.spare(60)], [50, 0]);
        spending.executed(1, 200);
        assert_eq!(spending.spare(0), 550);
    }

    #[test]
    fn an_hours_gas_is_what_was_used_and_what_may_be() {
        let mut spending = spending(1000);
        spending.signed(1, 600, 0);
        assert_eq!(spending.allows(500, 10), Err(Hold::GasBudget { spent: 600, needed: 500, budget: 1000 }));
        spending.executed(1, 200);
        assert_eq!(spending.allows(500, 10), Ok(()));
        spending.signed(2, 500, 10);
        // the dearer one of the same nonce is no second one
        spending.signed(2, 500, 20);
        assert_eq!((spending.last_hour(), spending.left(20)), (700, 300));
        assert_eq!(spending.left(HOUR_MS), 500, "an hour after the first");
        assert_eq!(spending.left(HOUR_MS + 20), 1000);
        // of before this process
        spending.recent.insert(0, (-(HOUR_MS as i64) + 5, 1));
        assert_eq!([4, 5].map(|now_ms| spending.left(now_ms)), [999, 1000]);
    }
}

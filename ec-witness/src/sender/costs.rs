//! What votes cost, by the receipts of the transactions that carried them.

use std::collections::BTreeMap;

use alloy::rpc::types::TransactionReceipt;
use ec_observation::VoteKind;

use super::batch;

/// Of how many transactions the average is, about: each new one counts for so much less than all before it.
const AVERAGE_OF: u128 = 8;

/// What a vote cost, on average of the newest transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoteCost {
    /// Gas that it used.
    pub gas: u64,
    /// What was paid for that, wei; a fee for data on L1 is not in it.
    pub fee_wei: u128,
}

impl VoteCost {
    /// The average with one more transaction.
    fn and(self, newest: Self) -> Self {
        let mean = |before: u128, newest: u128| (before * (AVERAGE_OF - 1) + newest) / AVERAGE_OF;
        let gas = mean(self.gas.into(), newest.gas.into());
        Self { gas: u64::try_from(gas).unwrap_or(u64::MAX), fee_wei: mean(self.fee_wei, newest.fee_wei) }
    }
}

/// What votes of each kind cost, and how much of a block the own transactions took.
#[derive(Clone, Debug, Default)]
pub(super) struct Costs {
    of: BTreeMap<&'static str, VoteCost>,
    /// The newest block with an own transaction, and the gas that they used there.
    newest: (u64, u64),
}

impl Costs {
    /// What votes cost, by the word for their kind.
    pub(super) fn all(&self) -> Vec<(&'static str, VoteCost)> {
        self.of.iter().map(|(&kind, &cost)| (kind, cost)).collect()
    }

    /// The gas that the own transactions used in the newest block that has any; 0 without one.
    pub(super) fn gas_in_block(&self) -> u64 {
        self.newest.1
    }

    /// Takes in a call that a block has executed.
    pub(super) fn executed(&mut self, input: &[u8], receipt: &TransactionReceipt, block: u64) {
        self.take_block(block, receipt.gas_used);
        let carried = batch::carried(input).filter(|&(_, votes)| votes > 0 && receipt.status());
        let Some((kind, votes)) = carried else { return };
        self.take(kind, votes, receipt.gas_used, receipt.effective_gas_price);
    }

    fn take(&mut self, kind: &'static str, votes: usize, gas: u64, gas_price: u128) {
        let votes = votes as u64;
        let fee_wei = u128::from(gas).saturating_mul(gas_price) / u128::from(votes);
        let newest = VoteCost { gas: gas / votes, fee_wei };
        self.of.entry(kind).and_modify(|cost| *cost = cost.and(newest)).or_insert(newest);
    }

    fn take_block(&mut self, block: u64, gas: u64) {
        let (newest, sum) = &mut self.newest;
        match block.cmp(newest) {
            std::cmp::Ordering::Greater => self.newest = (block, gas),
            std::cmp::Ordering::Equal => *sum = sum.saturating_add(gas),
            std::cmp::Ordering::Less => {}
        }
    }

    /// The gas that a vote will probably use: a quarter more than others of its kind did, at most what it may.
    pub(super) fn expected_gas(&self, vote: VoteKind) -> u64 {
        let most = batch::vote_gas(&vote);
        let used = self.of.get(vote.name()).map(|cost| cost.gas.saturating_add(cost.gas / 4));
        used.map_or(most, |used| used.min(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROPOSE: VoteKind = VoteKind::Propose { candidates_seen: 0 };

    #[test]
    fn a_vote_costs_its_part_of_what_the_newest_transactions_did() {
        let mut costs = Costs::default();
        assert_eq!((costs.expected_gas(PROPOSE), costs.expected_gas(VoteKind::Attest)), (160_000, 90_000));
        costs.take(PROPOSE.name(), 10, 540_000, 7);
        assert_eq!(costs.all(), [("propose", VoteCost { gas: 54_000, fee_wei: 378_000 })]);
        assert_eq!((costs.expected_gas(PROPOSE), costs.expected_gas(VoteKind::Attest)), (67_500, 90_000));
        costs.take(PROPOSE.name(), 1, 81_000, 9);
        assert_eq!(costs.all()[0].1, VoteCost { gas: 57_375, fee_wei: (378_000 * 7 + 729_000) / 8 });
        for _ in 0..40 {
            costs.take(PROPOSE.name(), 1, 155_000, 9);
        }
        assert_eq!(costs.expected_gas(PROPOSE), 160_000, "no more than it may");
    }

    #[test]
    fn gas_is_summed_up_in_the_newest_block() {
        let mut costs = Costs::default();
        assert_eq!(costs.gas_in_block(), 0);
        [(7, 100), (7, 50), (6, 1000)].into_iter().for_each(|(block, gas)| costs.take_block(block, gas));
        assert_eq!(costs.gas_in_block(), 150);
        costs.take_block(8, 3);
        assert_eq!(costs.gas_in_block(), 3);
    }
}

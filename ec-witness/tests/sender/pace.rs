//! How fast old epochs are caught up on, and what that does to the chain.

use std::time::SystemTime;

use alloy::{
    eips::BlockNumberOrTag,
    providers::{Provider, ext::AnvilApi},
};
use ec_observation::ObservationHeader;
use ec_witness::sender::{FeeRule, Hold, PaceRule, SendRule};

use super::bench::{Bench, GWEI, RULE, header};

/// Blocks of forty votes or so, of which half leave the base fee as it is.
const GAS_LIMIT: u64 = 3_000_000;
/// What a unit of gas costs at first, and what is paid at most, wei.
const BASE_FEE: u128 = GWEI;
const CAP: u128 = 3 * GWEI;
/// Votes on old epochs: so many blocks full of them make a unit of gas four times as dear.
const OLD: u64 = 800;

/// A chain of small blocks, and many votes on old epochs that wait.
async fn bench(catch_up_percent: u64) -> Bench {
    let fees = FeeRule { cap: CAP, ..RULE.fees };
    let mut bench = Bench::start(SendRule { fees, max_batch: 4, pace: PaceRule { catch_up_percent }, ..RULE }).await;
    bench.node.anvil_set_block_gas_limit(GAS_LIMIT).await.unwrap();
    bench.base_fee(BASE_FEE).await;
    bench.mine().await;
    bench.record(0..OLD);
    bench
}

impl Bench {
    /// The gas that the newest block used, and its base fee.
    async fn newest(&self) -> (u64, u128) {
        let block = self.node.get_block_by_number(BlockNumberOrTag::Latest).await.unwrap().unwrap();
        assert_eq!(block.header.gas_limit, GAS_LIMIT);
        (block.header.gas_used, block.header.base_fee_per_gas.unwrap().into())
    }

    /// Whether nothing is open and nothing waits.
    fn is_done(&self) -> bool {
        self.sender.pending() == 0 && self.store.unsigned_after(0, usize::MAX).unwrap().is_empty()
    }
}

/// An epoch that closed just now.
fn new_epoch(slot: u64) -> ObservationHeader {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    ObservationHeader { observed_unix_ms: now.as_millis() as u64, ..header(slot) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_archive_is_caught_up_on_without_making_the_chain_dear() {
    let mut bench = bench(50).await;
    let (mut fullest, mut dearest, mut blocks) = (0, 0, 0);
    let mut new = Vec::new();
    while !bench.is_done() {
        assert!(blocks < 400, "{:?}", bench.sender.state());
        bench.turn().await.unwrap();
        let state = bench.sender.state();
        assert_eq!(state.held, None);
        // halfway an epoch closes every few blocks, and its vote is in the next one
        let is_halfway = (OLD / 4..OLD * 3 / 4).contains(&(state.waiting_old_votes as u64));
        if is_halfway && blocks % 3 == 0 {
            new.push(new_epoch(OLD + blocks));
            bench.record_these(&new[new.len() - 1..]);
            bench.turn().await.unwrap();
        }
        bench.mine().await;
        if let Some(new) = new.last() {
            assert!(bench.is_final(*new).await, "it goes before {} old ones", state.waiting_old_votes);
        }
        let (gas, base_fee) = bench.newest().await;
        (fullest, dearest, blocks) = (gas.max(fullest), base_fee.max(dearest), blocks + 1);
    }
    assert!(new.len() > 5, "{}", new.len());
    assert!(dearest <= BASE_FEE, "no block was dearer than the first: {dearest}");
    // half of the target, and a new epoch's vote; the first blocks are emptier, as it is not known yet what a vote uses
    assert!((GAS_LIMIT / 8..GAS_LIMIT / 4 + 100_000).contains(&fullest), "{fullest} gas in a block");
    for slot in 0..OLD {
        assert!(bench.is_final(header(slot)).await, "{slot}");
    }
    let (word, cost) = bench.sender.state().vote_costs[0];
    assert_eq!(word, "propose");
    assert!((40_000..90_000).contains(&cost.gas), "{cost:?}");
    assert!(cost.fee_wei > 0 && cost.fee_wei <= u128::from(cost.gas) * CAP, "{cost:?}");
    println!("{OLD} votes in {blocks} blocks: {fullest} gas in the fullest, {dearest} wei at most, a vote {cost:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn as_fast_as_it_goes_the_chain_gets_too_dear() {
    let mut bench = bench(0).await;
    let (mut fullest, mut dearest, mut blocks) = (0, 0, 0);
    while !matches!(bench.sender.state().held, Some(Hold::FeeCap { .. })) {
        assert!(blocks < 100 && !bench.is_done(), "{dearest} wei at most: {:?}", bench.sender.state());
        bench.turn().await.unwrap();
        bench.mine().await;
        let (gas, base_fee) = bench.newest().await;
        (fullest, dearest, blocks) = (gas.max(fullest), base_fee.max(dearest), blocks + 1);
    }
    assert!(dearest > CAP - RULE.fees.min_tip && fullest > GAS_LIMIT / 2, "{dearest} wei, {fullest} gas");
    println!("after {blocks} blocks nothing is sent: {fullest} gas in the fullest, {dearest} wei at most");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_shares_what_blocks_take_and_the_hour_keeps_a_quarter_for_new_epochs() {
    let mut among = bench(50).await;
    among.sender.among(5);
    let mut fullest = 0;
    for _ in 0..20 {
        among.turn().await.unwrap();
        among.mine().await;
        fullest = fullest.max(among.newest().await.0);
    }
    assert!((40_000..=GAS_LIMIT / 4 / 5).contains(&fullest), "{fullest} gas in a block");

    let mut hour = Bench::start(SendRule {
        spending: ec_witness::sender::SpendRule { max_gas_per_hour: 2_000_000, ..RULE.spending },
        pace: PaceRule { catch_up_percent: 50 },
        ..RULE
    })
    .await;
    hour.record(0..40);
    hour.turns(20).await;
    let state = hour.sender.state();
    assert!(state.is_hour_spent && state.held.is_none() && state.waiting_old_votes > 10, "{state:?}");
    assert!(state.gas.0 <= 1_500_000, "{state:?}");
    let new = new_epoch(100);
    hour.record_these(&[new]);
    hour.turns(1).await;
    assert!(hour.is_final(new).await);
    hour.now_ms += 3_600_000;
    hour.turns(20).await;
    assert!(hour.sender.state().waiting_old_votes < state.waiting_old_votes, "an hour later it goes on");
}

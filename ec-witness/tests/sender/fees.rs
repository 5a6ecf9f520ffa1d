//! What is paid, and what happens when that is not enough.

use alloy::{
    consensus::Transaction,
    primitives::U256,
    providers::{Provider, ext::AnvilApi},
};
use ec_witness::sender::Hold;

use super::{
    bench::{Bench, GWEI, RULE, WITNESS},
    common::proxy::Fault,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_became_too_cheap_is_replaced_by_the_same_call_a_tenth_dearer() {
    let mut bench = Bench::start(RULE).await;
    let header = bench.record(0..1)[0];
    bench.turn().await.unwrap();
    let first = bench.store.outbox().unwrap().remove(0);
    for _ in 0..4 {
        bench.base_fee(20 * GWEI).await;
        bench.mine().await;
        assert_eq!(bench.used().await, 0, "the first one is too cheap for every block");
        bench.turn().await.unwrap();
    }
    let siblings = bench.store.outbox().unwrap();
    assert!(siblings.len() > 1 && siblings.contains(&first), "every sibling is kept: {siblings:?}");
    bench.drain(10).await;
    assert!(bench.is_final(header).await);

    // the proxy enforces geth's rule, so the price was right; the rest is the same
    let state = bench.sender.state();
    assert!(state.replaced >= 1, "{state:?}");
    let block = bench.node.get_block_by_number(bench.node.get_block_number().await.unwrap().into()).full();
    let executed = block.await.unwrap().unwrap().transactions.into_transactions().next();
    let executed = executed.expect("the last block has the transaction");
    assert_eq!(executed.nonce(), 0);
    assert!(executed.max_fee_per_gas() >= 40 * GWEI, "twice the base fee");
    let found = bench.store.outbox().unwrap();
    let winner = found.iter().find(|tx| tx.hash == *executed.inner.tx_hash()).unwrap();
    assert!(winner.state.block().is_some());
    bench.assert_executed_as_kept(std::slice::from_ref(winner)).await;
    assert_eq!(bench.used().await, 1, "one vote, one nonce");
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_cap_nothing_new_is_signed_until_the_base_fee_falls() {
    let mut bench = Bench::start(RULE).await;
    bench.base_fee(200 * GWEI).await;
    bench.mine().await;
    bench.record(0..3);
    bench.turn().await.unwrap();
    let state = bench.sender.state();
    assert!(matches!(state.held, Some(Hold::FeeCap { base_fee, .. }) if base_fee == 200 * GWEI), "{state:?}");
    assert_eq!((state.waiting_votes, bench.store.next_nonce().unwrap()), (3, 0), "no nonce is burnt");

    // empty blocks make it fall by an eighth each
    bench.drain(30).await;
    assert_eq!((bench.sender.state().held, bench.used().await), (None, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_above_the_cap_is_held_sent_again_and_goes_on() {
    let mut bench = Bench::start(RULE).await;
    let header = bench.record(0..1)[0];
    bench.turn().await.unwrap();
    for _ in 0..8 {
        bench.base_fee(200 * GWEI).await;
        bench.mine().await;
        bench.turn().await.unwrap();
    }
    let state = bench.sender.state();
    assert!(matches!(state.held, Some(Hold::FeeCap { .. })) && state.resent > 0, "{state:?}");
    assert_eq!(bench.used().await, 0);
    bench.drain(40).await;
    assert!(bench.is_final(header).await);
    assert_eq!(bench.sender.state().held, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_funds_it_holds_and_goes_on_when_there_are() {
    let mut bench = Bench::start(RULE).await;
    let (node, account) = (bench.node.clone(), bench.net.account(WITNESS));
    node.anvil_set_balance(account, U256::from(1000)).await.unwrap();
    bench.record(0..3);
    bench.turns(5).await;
    let state = bench.sender.state();
    let Some(Hold::Funds { balance, needed }) = state.held else { panic!("{state:?}") };
    assert_eq!((balance, state.balance), (U256::from(1000), Some(U256::from(1000))));
    assert_eq!(bench.store.next_nonce().unwrap(), 0, "no nonce is burnt");
    assert_eq!(bench.proxy().requests("eth_sendRawTransaction"), 0, "nothing is tried in vain");

    // enough for one at a time
    node.anvil_set_balance(account, needed).await.unwrap();
    bench.turn().await.unwrap();
    assert_eq!(bench.store.next_nonce().unwrap(), 1);
    node.anvil_set_balance(account, U256::from(u64::MAX)).await.unwrap();
    bench.drain(5).await;
    assert_eq!((bench.sender.state().held, bench.used().await), (None, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_sees_a_fee_for_data_holds_it_as_well() {
    let mut bench = Bench::start(RULE).await;
    bench.record(0..3);
    bench.proxy().always("eth_sendRawTransaction", Fault::INSUFFICIENT_FUNDS);
    bench.turns(5).await;
    let state = bench.sender.state();
    assert!(matches!(state.held, Some(Hold::Funds { .. })), "{state:?}");
    let asked = bench.proxy().requests("eth_sendRawTransaction");
    assert!((3..=7).contains(&asked), "asked again, without spinning: {asked}");
    bench.proxy().heal();
    bench.drain(8).await;
    assert_eq!((bench.sender.state().held, bench.used().await), (None, 3));
}

//! What pools lose, and what they say.

use alloy::{
    primitives::U256,
    providers::{Provider, ext::AnvilApi},
};
use ec_witness::{
    sender::{SendError, SendRule},
    store::{StoreError, VoteStore},
};

use super::{
    bench::{Bench, RULE, WITNESS},
    common::proxy::Fault,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_transaction_comes_back_byte_for_byte() {
    let mut bench = Bench::start(RULE).await;
    let header = bench.record(0..1)[0];
    bench.turn().await.unwrap();
    let kept = bench.store.outbox().unwrap();
    assert_eq!(bench.node.anvil_drop_transaction(kept[0].hash).await.unwrap(), Some(kept[0].hash));
    bench.drain(6).await;
    assert!(bench.is_final(header).await);
    bench.assert_executed_as_kept(&kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_the_pool_heals() {
    let mut bench = Bench::start(RULE).await;
    bench.record(0..4);
    bench.turn().await.unwrap();
    let kept = bench.store.outbox().unwrap();
    bench.node.anvil_drop_transaction(kept[1].hash).await.unwrap();
    bench.mine().await;
    assert_eq!(bench.used().await, 1, "the rest waits for the second");
    bench.drain(6).await;
    bench.assert_executed_as_kept(&kept).await;
    assert_eq!(bench.used().await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_and_a_lost_request_cost_no_second_transaction() {
    for fault in [Fault::DropReply, Fault::DropRequest, Fault::HalfJson, Fault::Garbage, Fault::ALREADY_KNOWN] {
        let mut bench = Bench::start(RULE).await;
        bench.record(0..3);
        bench.proxy().next(2, "eth_sendRawTransaction", fault);
        bench.turn().await.unwrap();
        let kept = bench.store.outbox().unwrap();
        assert!(!kept.is_empty());
        bench.drain(8).await;
        bench.assert_executed_as_kept(&kept).await;
        assert_eq!((bench.used().await, bench.sender.state().replaced), (3, 0), "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_too_low_is_looked_up() {
    let mut bench = Bench::start(RULE).await;
    let header = bench.record(0..1)[0];
    // it is taken and executed, but all that is heard of it is the second refusal
    bench.proxy().next(1, "eth_sendRawTransaction", Fault::DropReply);
    bench.turn().await.unwrap();
    bench.mine().await;
    bench.proxy().always("eth_sendRawTransaction", Fault::NONCE_TOO_LOW);
    bench.drain(3).await;
    assert!(bench.is_final(header).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_fees_is_answered_with_dearer_ones() {
    let mut bench = Bench::start(RULE).await;
    bench.record(0..1);
    bench.proxy().next(3, "eth_sendRawTransaction", Fault::UNDERPRICED);
    bench.drain(8).await;
    assert_eq!((bench.used().await, bench.sender.state().replaced), (1, 3));
    assert_eq!(bench.store.outbox().unwrap().len(), 4, "every one that was signed is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_does_not_overflow_the_pool() {
    let mut bench = Bench::start(SendRule { max_in_flight: 4, ..RULE }).await;
    bench.record(0..11);
    for expected in [4, 8, 11] {
        bench.turn().await.unwrap();
        let pending = bench.node.get_transaction_count(bench.net.account(WITNESS)).pending().await.unwrap();
        assert_eq!(pending, expected);
        bench.mine().await;
    }
    bench.drain(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_carries_what_is_ready() {
    let mut bench = Bench::start(SendRule { max_batch: 64, ..RULE }).await;
    let headers = bench.record(0..150);
    bench.drain(2).await;
    assert_eq!(bench.used().await, 3, "64 + 64 + 22");
    for header in headers {
        assert!(bench.is_final(header).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_somebody_else_used_stops_it() {
    let mut bench = Bench::start(RULE).await;
    bench.record(0..1);
    bench.drain(2).await;
    let account = bench.net.account(WITNESS);
    bench.node.anvil_set_nonce(account, 4).await.unwrap();
    bench.record(1..2);
    let stopped = bench.turn().await;
    assert!(matches!(stopped, Err(SendError::ForeignNonce { nonce: 1, .. })), "{stopped:?}");
    assert_eq!(bench.store.next_nonce().unwrap(), 1, "no vote after it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_somebody_else_used_in_place_of_ours_stops_it() {
    let mut bench = Bench::start(RULE).await;
    bench.record(0..1);
    bench.turn().await.unwrap();
    let kept = bench.store.outbox().unwrap();
    bench.node.anvil_drop_transaction(kept[0].hash).await.unwrap();
    bench.node.anvil_set_nonce(bench.net.account(WITNESS), 1).await.unwrap();
    let mut polls = 0;
    let stopped = loop {
        polls += 1;
        match bench.turn().await {
            Ok(()) => assert!(polls < 20, "a lag does not last"),
            Err(error) => break error,
        }
    };
    assert!(matches!(stopped, SendError::ForeignNonce { nonce: 0, .. }), "{stopped:?}");
    assert!(polls > 3, "a lagging endpoint is given some polls");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_from_before_the_store_that_was_taken_back_is_filled() {
    let mut bench = Bench::start(RULE).await;
    // as if `init` had seen three transactions, of which a reorg took two back
    let (identity, dir) = (bench.store.identity(), bench.net.dir.path().join("later"));
    bench.store = VoteStore::create(&dir, identity, 3, |_| Ok::<_, StoreError>(())).unwrap();
    bench.node.anvil_set_nonce(bench.net.account(WITNESS), 1).await.unwrap();
    bench.sender = bench.again();
    let header = bench.record(0..1)[0];
    bench.drain(20).await;
    assert!(bench.is_final(header).await);
    assert_eq!(bench.used().await, 4);
    assert_eq!(bench.node.get_balance(bench.deployed.ledger).await.unwrap(), U256::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_stands_or_a_process_that_restarts_changes_nothing() {
    let mut bench = Bench::start(RULE).await;
    bench.record(0..40);
    for _ in 0..4 {
        bench.turn().await.unwrap();
        bench = bench.restart();
    }
    assert_eq!(bench.store.next_nonce().unwrap(), 16, "what is open is known");
    bench.drain(20).await;
    assert_eq!(bench.used().await, 40);
}

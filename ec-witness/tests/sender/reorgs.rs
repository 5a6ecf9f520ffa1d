//! Reorgs at every state of the outbox.

use alloy::providers::{Provider, ext::AnvilApi};
use ec_witness::{
    sender::SendError,
    store::{OutboxTx, TxState},
};

use super::bench::{Bench, FINALITY, RULE};

type Is = fn(TxState) -> bool;

/// Turns until the one transaction of the outbox is in a state.
async fn until(bench: &mut Bench, what: &str, is: Is) -> OutboxTx {
    for _ in 0..10 {
        bench.turn().await.unwrap();
        let kept = bench.store.outbox().unwrap().remove(0);
        if is(kept.state) {
            return kept;
        }
        bench.mine().await;
    }
    panic!("it never was {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_state_and_depth_the_same_bytes_are_sent_again() {
    let states: [(&str, Is); 3] = [
        ("sent", |state| state == TxState::Sent),
        ("executed", |state| matches!(state, TxState::Executed { .. })),
        ("safe", |state| matches!(state, TxState::Safe { .. })),
    ];
    let mut bench = Bench::start(RULE).await;
    bench.node.anvil_mine(Some(20), None).await.unwrap();
    let mut slot = 0;
    for (what, is) in states {
        for depth in 1..=FINALITY {
            let header = bench.record(slot..slot + 1)[0];
            slot += 1;
            let before = until(&mut bench, what, is).await;
            bench.take_back(depth).await;
            if what == "sent" {
                let _ = bench.node.anvil_drop_transaction(before.hash).await.unwrap();
            }
            bench.drain(8).await;
            bench.assert_executed_as_kept(std::slice::from_ref(&before)).await;
            assert!(bench.is_final(header).await, "{what} {depth}");
            bench.turns(FINALITY as usize + 2).await;
            assert!(bench.store.outbox().unwrap().is_empty(), "{what} {depth}");
            assert_eq!(bench.used().await, slot, "no other transaction: {what} {depth}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_while_the_process_is_down_is_found_at_the_start() {
    let mut bench = Bench::start(RULE).await;
    bench.node.anvil_mine(Some(20), None).await.unwrap();
    let headers = bench.record(0..3);
    bench.drain(3).await;
    let kept = bench.store.outbox().unwrap();
    bench.take_back(2).await;
    let mut bench = bench.restart();
    bench.drain(8).await;
    bench.assert_executed_as_kept(&kept).await;
    assert!(bench.is_final(headers[2]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_final_and_is_gone_stops_it() {
    let mut bench = Bench::start(RULE).await;
    bench.node.anvil_mine(Some(20), None).await.unwrap();
    bench.record(0..1);
    bench.drain(3).await;
    let kept = bench.store.outbox().unwrap().remove(0);
    bench.turns(FINALITY as usize + 2).await;
    assert!(bench.store.outbox().unwrap().is_empty());
    bench.take_back(FINALITY + 6).await;
    assert_eq!(bench.node.get_transaction_receipt(kept.hash).await.unwrap().map(|receipt| receipt.block_number), None);
    let mut bench = bench.restart();
    let stopped = loop {
        if let Err(error) = bench.turn().await {
            break error;
        }
        assert!(bench.now_ms < 200_000, "a lag does not last");
    };
    assert!(matches!(stopped, SendError::FinalTakenBack { hash, .. } if hash == kept.hash), "{stopped:?}");
}

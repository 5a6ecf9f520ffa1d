//! The number: transactions through a faulty RPC, none of them lost.

use std::{collections::BTreeSet, env, sync::Mutex, time::Instant};

use alloy::{
    eips::BlockNumberOrTag,
    providers::{Provider, ext::AnvilApi},
    rpc::types::Filter,
    sol_types::SolEvent,
};
use ec_ledger::contracts::EveryChannelObservationLedger as Ledger;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::{
    bench::{Bench, FINALITY, RULE, header},
    common::proxy::{ANY, Fault, Proxy},
};

/// Transactions in an ordinary run; `EC_FAULTY_TXS` says how many else.
const TRANSACTIONS: u64 = 1000;

/// Faults of the connection that strike any request.
const FAULTS: [Fault; 10] = [
    Fault::DropRequest,
    Fault::DropReply,
    Fault::Reset,
    Fault::RateLimited(None),
    Fault::Status(500),
    Fault::BadGateway,
    Fault::Html,
    Fault::HalfJson,
    Fault::CutBody,
    Fault::Garbage,
];

/// What a pool says, true or not.
const WORDS: [Fault; 5] = [
    Fault::ALREADY_KNOWN,
    Fault::NONCE_TOO_LOW,
    Fault::UNDERPRICED,
    Fault::INSUFFICIENT_FUNDS,
    Fault::Refuse(-32000, "txpool is full"),
];

fn number(name: &str, otherwise: impl FnOnce() -> u64) -> u64 {
    env::var(name).ok().map_or_else(otherwise, |text| text.parse().unwrap())
}

/// A one-in-`n` chance of its own.
fn chance(seed: u64, n: u32) -> impl Fn() -> bool + Send + Sync {
    let rng = Mutex::new(StdRng::seed_from_u64(seed));
    move || rng.lock().unwrap().random_ratio(1, n)
}

fn strike(proxy: &Proxy, seed: u64) {
    proxy.random(seed, 0.001, ANY, &[Fault::Hang, Fault::HangReply]);
    proxy.random(seed + 1, 0.006, ANY, &FAULTS);
    proxy.random(seed + 2, 0.05, "eth_sendRawTransaction", &WORDS);
    proxy.random(seed + 3, 0.04, "eth_sendRawTransaction", &FAULTS);
    // reads that lag behind: of the nonce, and of receipts
    let (old_nonce, no_receipt) = (chance(seed + 4, 20), chance(seed + 5, 20));
    proxy.lie("eth_getTransactionCount", move |_, result| {
        let count = u64::from_str_radix(result.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
        if old_nonce() {
            *result = json!(format!("{:#x}", count.saturating_sub(3)));
        }
    });
    proxy.lie("eth_getTransactionReceipt", move |_, result| {
        if no_receipt() {
            *result = Value::Null;
        }
    });
}

/// Now and then the node loses a transaction, or some blocks, or the witness's process dies.
async fn disturb(mut bench: Bench, rng: &mut StdRng) -> Bench {
    if rng.random_ratio(1, 5) {
        let kept = bench.store.outbox().unwrap();
        if let Some(tx) = kept.get(rng.random_range(0..kept.len().max(1))) {
            bench.node.anvil_drop_transaction(tx.hash).await.unwrap();
        }
    }
    if rng.random_ratio(1, 12) {
        bench.take_back(rng.random_range(1..FINALITY)).await;
    }
    if rng.random_ratio(1, 20) {
        let base_fee = rng.random_range(1..60) * super::bench::GWEI;
        bench.base_fee(base_fee).await;
    }
    if rng.random_ratio(1, 30) {
        let latest = bench.node.get_block_number().await.unwrap();
        bench.proxies[rng.random_range(0..3)].lag_at(latest.saturating_sub(1));
    } else if rng.random_ratio(1, 3) {
        bench.proxies.iter().for_each(Proxy::lag_off);
    }
    if rng.random_ratio(1, 25) { bench.restart() } else { bench }
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_through_a_faulty_rpc_all_arrive() {
    let begun = Instant::now();
    let transactions = number("EC_FAULTY_TXS", || TRANSACTIONS);
    let seed = number("EC_FAULTY_SEED", || rand::random::<u32>().into());
    println!("{transactions} transactions, EC_FAULTY_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut bench = Bench::with(1, 1, 3, RULE).await;
    bench.node.anvil_mine(Some(2 * FINALITY), None).await.unwrap();
    for (proxy, seed) in bench.proxies.iter().zip((seed..).step_by(10)) {
        strike(proxy, seed);
    }

    let (mut recorded, mut turns) = (0, 0);
    let mut replaced = 0;
    while bench.used().await < transactions {
        if recorded < transactions {
            let more = rng.random_range(0..20).min(transactions - recorded);
            bench.record(recorded..recorded + more);
            recorded += more;
        }
        bench.turn().await.unwrap();
        replaced = replaced.max(bench.sender.state().replaced);
        if rng.random_ratio(4, 5) {
            bench.mine().await;
        }
        bench = disturb(bench, &mut rng).await;
        turns += 1;
        if turns % 50 == 0 {
            println!("{turns} turns, {:?}: nonce {} of {transactions}", begun.elapsed(), bench.used().await);
        }
        assert!(turns < 20 * transactions.max(100), "stuck: {:?}", bench.sender.state());
    }
    let injected: Vec<_> = bench.proxies.iter().map(Proxy::injected).collect();
    bench.proxies.iter().for_each(Proxy::heal);
    bench.drain(60).await;
    bench.turns(FINALITY as usize + 2).await;
    println!(
        "{turns} turns in {:?}, at most {replaced} replaced between restarts, faults: {injected:?}",
        begun.elapsed()
    );

    assert!(bench.store.outbox().unwrap().is_empty(), "everything is final");
    assert_eq!(bench.used().await, transactions, "every nonce is used, by one transaction each");
    assert_eq!(finals(&bench).await, (0..transactions).map(|slot| header(slot).hash().0).collect());
}

/// The observations that the ledger's log has as final.
async fn finals(bench: &Bench) -> BTreeSet<alloy::primitives::B256> {
    let filter = Filter::new().address(bench.deployed.ledger).from_block(BlockNumberOrTag::Earliest);
    let logs =
        bench.node.get_logs(&filter.event_signature(Ledger::ObservationFinalized::SIGNATURE_HASH)).await.unwrap();
    logs.iter().map(|log| Ledger::ObservationFinalized::decode_log(&log.inner).unwrap().observationHash).collect()
}

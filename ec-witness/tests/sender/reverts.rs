//! Votes that the ledger refuses.

use alloy::primitives::U256;
use ec_ledger::contracts::{EveryChannelObservationLedger as Ledger, EveryChannelWitnessRegistry as Registry};
use ec_observation::ObservationHeader;
use ec_witness::sender::SendRule;

use super::bench::{Bench, RULE, header, proposal};

/// Price of what is to go first in its block.
const DEAR: u128 = 50_000_000_000;

/// The two other witnesses make a header final, before whatever waits in the pool.
async fn others_finalize(bench: &Bench, header: ObservationHeader) {
    let ledger = Ledger::new(bench.deployed.ledger, &bench.node);
    for (witness, price) in [(2, DEAR), (3, DEAR - 1)] {
        let call = ledger.propose(header.into(), U256::ZERO).from(bench.net.account(witness));
        let _ = call.max_fee_per_gas(price).max_priority_fee_per_gas(price).gas(200_000).send().await.unwrap();
    }
}

fn reverts(bench: &Bench, reason: &str) -> Option<u64> {
    bench.sender.state().reverts.get(reason).copied()
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_by_their_reasons_and_what_follows_goes_on() {
    let mut bench = Bench::among(3, 2, RULE).await;
    bench.record(0..1);
    bench.turn().await.unwrap();
    others_finalize(&bench, ObservationHeader { observed_unix_ms: 7, ..header(0) }).await;
    bench.drain(3).await;
    assert_eq!(reverts(&bench, "slot_finalized"), Some(1), "{:?}", bench.sender.state());

    // cast once more, though it is in the ledger
    bench.record(1..2);
    bench.drain(3).await;
    bench.sender.flush(&mut bench.store, &[proposal(header(1))], |_| true, bench.now_ms).await.unwrap();
    bench.drain(3).await;
    assert_eq!((bench.used().await, reverts(&bench, "already_voted")), (3, Some(1)));

    let registry = Registry::new(bench.deployed.registry, &bench.node);
    let removal = registry.removeWitness(bench.net.account(1)).from(bench.net.account(0));
    let _ = removal.gas(200_000).send().await.unwrap();
    bench.mine().await;
    bench.record(2..3);
    bench.drain(3).await;
    assert_eq!((bench.used().await, reverts(&bench, "not_witness")), (4, Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_batch_skips_is_told_and_the_rest_counts() {
    let mut bench = Bench::among(3, 2, SendRule { max_batch: 8, ..RULE }).await;
    let headers = bench.record(0..3);
    bench.turn().await.unwrap();
    others_finalize(&bench, ObservationHeader { observed_unix_ms: 7, ..header(1) }).await;
    bench.drain(3).await;
    assert_eq!(reverts(&bench, "slot_finalized"), Some(1));
    let ledger = Ledger::new(bench.deployed.ledger, &bench.node);
    for (header, counts) in headers.into_iter().zip([true, false, true]) {
        let voted = ledger.hasVoted(header.slot().0, bench.net.account(1)).call().await.unwrap();
        assert_eq!(voted, counts);
    }
}

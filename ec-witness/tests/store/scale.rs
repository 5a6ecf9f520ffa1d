//! How long it takes to open a store that has voted for years.

use std::{env, time::Instant};

use ec_witness::store::{OutboxTx, StoreError, TxState, VoteStore};

use super::{
    power::workload::{ballot, identity},
    signed,
};

const BATCH: u64 = 64;

#[test]
#[ignore = "takes minutes; EC_SCALE_VOTES is the number of votes (default 1000000)"]
fn opening_a_large_store() {
    let votes: u64 = env::var("EC_SCALE_VOTES").map_or(1_000_000, |votes| votes.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let mut store = VoteStore::create(&path, identity(), 0, |_| Ok::<_, StoreError>(())).unwrap();
    let begun = Instant::now();
    for nonce in 0..votes / BATCH {
        let ballots: Vec<_> = (nonce * BATCH..(nonce + 1) * BATCH).map(|epoch| ballot(epoch, 1)).collect();
        assert!(store.record(&ballots).unwrap().iter().all(Result::is_ok));
        let (hash, raw) = signed::signed(identity().chain_id, nonce, 1);
        let carried: Vec<_> = ballots.iter().map(|ballot| ballot.header.hash()).collect();
        store.keep(&OutboxTx { hash, nonce, raw, state: TxState::Finalized { block: nonce } }, &carried).unwrap();
    }
    println!("{votes} votes recorded in {:?}", begun.elapsed());
    drop(store);
    let begun = Instant::now();
    let store = VoteStore::open(&path, identity()).unwrap();
    println!("opened and checked in {:?}", begun.elapsed());
    let begun = Instant::now();
    assert!(store.unsigned().unwrap().is_empty());
    assert!(store.outbox().unwrap().is_empty());
    println!("what is to be sent was found in {:?}", begun.elapsed());
    let size = std::fs::metadata(path.join(ec_witness::store::STORE_FILE)).unwrap().len();
    println!("{} MiB", size >> 20);
}

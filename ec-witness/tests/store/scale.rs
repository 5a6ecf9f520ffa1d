//! What a store costs that has voted for years: at a start, in a turn, and to compact.

use std::{
    env, fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use ec_witness::store::{OutboxTx, STORE_FILE, StoreError, TxState, VoteStore};

use super::{
    power::workload::{ballot, identity},
    signed,
};

/// Makes a store of so many votes, so many of them to a transaction.
fn fill(path: &Path, votes: u64, batch: u64) {
    let mut store = VoteStore::create(path, identity(), 0, |_| Ok::<_, StoreError>(())).unwrap();
    let begun = Instant::now();
    for nonce in 0..votes / batch {
        let ballots: Vec<_> = (nonce * batch..(nonce + 1) * batch).map(|epoch| ballot(epoch, 1)).collect();
        assert!(store.record(&ballots).unwrap().iter().all(Result::is_ok));
        let (hash, raw) = signed::signed(identity().chain_id, nonce, 1);
        let carried: Vec<_> = ballots.iter().map(|ballot| ballot.header.hash()).collect();
        store.keep(&OutboxTx { hash, nonce, raw, state: TxState::Finalized { block: nonce } }, &carried).unwrap();
    }
    println!("{votes} votes recorded in {:?}", begun.elapsed());
}

#[test]
#[ignore = "takes minutes; EC_SCALE_VOTES votes (default 1000000), EC_SCALE_BATCH in a transaction (64); or EC_SCALE_STORE, a store of these that an earlier run was killed over"]
fn opening_a_large_store() {
    let number = |name, default| env::var(name).map_or(default, |number| number.parse::<u64>().unwrap());
    let (votes, batch) = (number("EC_SCALE_VOTES", 1_000_000), number("EC_SCALE_BATCH", 64));
    let dir = tempfile::tempdir().unwrap();
    let path = env::var_os("EC_SCALE_STORE").map_or_else(|| dir.path().join("store"), PathBuf::from);
    if !path.exists() {
        fill(&path, votes, batch);
    }
    let begun = Instant::now();
    let store = VoteStore::open(&path, identity()).unwrap();
    let opened = begun.elapsed();
    println!("opened and checked in {opened:?}");
    store.close().unwrap();
    let begun = Instant::now();
    let mut store = VoteStore::open(&path, identity()).unwrap();
    let reopened = begun.elapsed();
    println!("opened after it was closed in order in {reopened:?}");
    let turn = || {
        let begun = Instant::now();
        store.unsigned_after(0, usize::MAX).unwrap();
        assert!(store.outbox().unwrap().is_empty());
        assert!(store.last_final().unwrap().is_some());
        store.signed_since(u64::MAX >> 1).unwrap();
        store.next_nonce().unwrap();
        store.standing().unwrap();
        begun.elapsed()
    };
    let mut turns = [Duration::ZERO; 100].map(|_| turn());
    turns.sort_unstable();
    // the median: what else runs on the machine delays some of them
    let turn = turns[turns.len() / 2];
    println!("what a turn asks: {turn:?}");
    let begun = Instant::now();
    store.check_beside().unwrap();
    let mut longest = Duration::ZERO;
    for epoch in votes.. {
        if !store.is_being_checked() {
            break;
        }
        let begun = Instant::now();
        store.record(&[ballot(epoch, 1)]).unwrap().remove(0).unwrap();
        longest = longest.max(begun.elapsed());
        thread::sleep(Duration::from_millis(100));
    }
    store.checked().unwrap();
    println!("the rest was checked beside in {:?}; the slowest of ten votes a second: {longest:?}", begun.elapsed());
    println!("{:?}", store.growth().unwrap());
    drop(store);
    let bytes = fs::metadata(path.join(STORE_FILE)).unwrap().len();
    println!(
        "measured turn_us={} reopened_ms={} opened_ms={} slowest_ms={} bytes_a_vote={}",
        turn.as_micros(),
        reopened.as_millis(),
        opened.as_millis(),
        longest.as_millis(),
        bytes / votes
    );
    let begun = Instant::now();
    println!("{:?}", VoteStore::compact(&path, u64::MAX).unwrap());
    println!("compacted in {:?}", begun.elapsed());
}

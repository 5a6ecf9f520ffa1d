//! What a store costs that has voted for years: at a start, in a turn, and to compact.

use std::{
    env, fs,
    io::{BufWriter, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use ec_witness::store::{Identity, OutboxTx, STORE_FILE, StoreError, TxState, VoteStore, history::SlotVotes};

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

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |number| number.parse().unwrap())
}

/// Opens a store that was closed in order; how long that took.
fn reopen(path: &Path) -> (VoteStore, Duration) {
    let begun = Instant::now();
    let store = VoteStore::open(path, identity()).unwrap();
    let took = begun.elapsed();
    println!("opened after it was closed in order in {took:?}");
    (store, took)
}

/// What a turn asks of a store in which nothing is new. The median of many: what else runs on the machine delays some of them.
fn turn(store: &VoteStore) -> Duration {
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
    let turn = turns[turns.len() / 2];
    println!("what a turn asks: {turn:?}");
    turn
}

/// Takes over so many votes more, as `history import` does: in the order of their slots, which costs a tenth of recording each.
fn adopt(path: &Path, votes: u64, after: u64) {
    let begun = Instant::now();
    let mut slots: Vec<_> = (after..after + votes).map(|epoch| (ballot(epoch, 1).header.slot(), epoch)).collect();
    slots.sort_unstable();
    let Identity { chain_id, ledger, witness } = identity();
    let (history, writer) = std::io::pipe().unwrap();
    let write = move || -> std::io::Result<()> {
        let mut to = BufWriter::new(writer);
        write!(to, r#"{{"v":1,"chain_id":{chain_id},"ledger":"{ledger}","witness":"{witness}","votes":["#)?;
        for (at, (slot, epoch)) in slots.into_iter().enumerate() {
            to.write_all(if at == 0 { b"" } else { b"," })?;
            let votes = SlotVotes { slot, content: None, headers: vec![ballot(epoch, 1).header] };
            serde_json::to_writer(&mut to, &votes)?;
        }
        to.write_all(b"]}")?;
        to.flush()
    };
    let writing = thread::spawn(write);
    let mut store = VoteStore::open(path, identity()).unwrap();
    assert_eq!(store.import(history).unwrap().adopted as u64, votes);
    writing.join().unwrap().unwrap();
    println!("{votes} votes taken over in {:?}", begun.elapsed());
    store.close().unwrap();
}

#[test]
#[ignore = "takes minutes; EC_SCALE_VOTES votes (default 1000000), EC_SCALE_BATCH in a transaction (64)"]
fn opening_a_large_store() {
    let (votes, batch) = (number("EC_SCALE_VOTES", 1_000_000), number("EC_SCALE_BATCH", 64));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    fill(&path, votes, batch);
    let begun = Instant::now();
    let store = VoteStore::open(&path, identity()).unwrap();
    let opened = begun.elapsed();
    println!("opened and checked in {opened:?}");
    store.close().unwrap();
    let (mut store, reopened) = reopen(&path);
    let turn = turn(&store);
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

/// With more votes than could be recorded in an afternoon: most are taken over.
#[test]
#[ignore = "takes half an hour and 1.3 kB of disk a vote; EC_SCALE_VOTES votes (default 26000000), EC_SCALE_BATCH in a transaction (1000)"]
fn a_turn_at_a_very_large_store() {
    let (votes, batch) = (number("EC_SCALE_VOTES", 26_000_000), number("EC_SCALE_BATCH", 1000));
    let recorded = votes / 100 / batch * batch;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    fill(&path, recorded, batch);
    adopt(&path, votes - recorded, recorded);
    let (store, reopened) = reopen(&path);
    let turn = turn(&store);
    let bytes = fs::metadata(path.join(STORE_FILE)).unwrap().len();
    println!(
        "measured turn_us={} reopened_ms={} opened_ms=- slowest_ms=- bytes_a_vote={}",
        turn.as_micros(),
        reopened.as_millis(),
        bytes / votes
    );
}

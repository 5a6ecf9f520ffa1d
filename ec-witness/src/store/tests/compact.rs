//! A compacted store is as good a guard as before.

use super::*;

/// Everything is old at this time.
const LATER: u64 = u64::MAX;

fn path(dir: &TempDir) -> std::path::PathBuf {
    dir.path().join("store")
}

fn vote(store: &mut VoteStore, epoch: u8, nonce: u64, state: TxState) -> ObservationHeader {
    let header = header(epoch, 1, 1);
    record(store, attest(header)).unwrap();
    carry(store, nonce, &[header], state);
    header
}

const FINAL: TxState = TxState::Finalized { block: 9 };

#[test]
fn what_was_final_long_ago_is_a_row_of_the_guard_and_nothing_else_changes() {
    let (dir, mut store) = created();
    let gone = [vote(&mut store, 1, 5, FINAL), vote(&mut store, 2, 6, FINAL)];
    let last_final = vote(&mut store, 3, 7, FINAL);
    let executed = vote(&mut store, 4, 8, TxState::Executed { block: 10 });
    let adopted = header(5, 1, 1);
    store.adopt(&[adopted]).unwrap();
    let waiting = header(6, 1, 1);
    record(&mut store, attest(waiting)).unwrap();
    store.fix_from_sequence("tv", 3).unwrap();
    let (outbox, before) = (store.outbox().unwrap(), store.standing().unwrap().votes);
    drop(store);
    let Compacted { votes, all_votes, transactions, .. } = VoteStore::compact(&path(&dir), LATER).unwrap();
    // of the last final one the transaction stays: the next start knows the chain by it
    assert_eq!((votes, all_votes, transactions), (3, 3, 2));
    assert_eq!(VoteStore::check(&path(&dir)).unwrap(), before);

    let mut store = reopened(&dir);
    assert_eq!((store.next_nonce().unwrap(), store.last_final().unwrap().unwrap().nonce), (9, 7));
    assert_eq!(store.outbox().unwrap(), outbox);
    assert_eq!(unsigned(&store), [attest(waiting)]);
    assert_eq!(store.from_sequence("tv").unwrap(), Some(3));
    for kept in [executed, adopted, waiting] {
        assert_eq!(store.headers(kept.slot()).unwrap(), [kept]);
    }
    for header in gone.into_iter().chain([last_final]) {
        assert_eq!(store.compacted(header.slot()).unwrap(), Some(header.content().hash()));
        assert_eq!(store.vote(header.slot()).unwrap(), None);
        assert!(matches!(record(&mut store, attest(header)), Err(StoreError::Compacted { .. })), "never again");
        let same = ObservationHeader { observed_unix_ms: 2, ..header };
        assert!(matches!(record(&mut store, attest(same)), Err(StoreError::Compacted { .. })), "the same content");
        let other = ObservationHeader { data_root: B256::repeat_byte(2), ..header };
        assert!(matches!(record(&mut store, attest(other)), Err(StoreError::OtherContent { .. })));
        assert_eq!(store.adopt(&[header]).unwrap(), 0, "it is known");
        assert!(matches!(store.adopt(&[other]), Err(StoreError::OtherContent { .. })));
    }
    assert!(unsigned(&store).len() == 1, "nothing is sent for them");

    // more of it, and again
    store.set_state(outbox[0].hash, TxState::Finalized { block: 10 }).unwrap();
    vote(&mut store, 7, 9, FINAL);
    store.close().unwrap();
    let Compacted { votes, all_votes, .. } = VoteStore::compact(&path(&dir), LATER).unwrap();
    assert_eq!((votes, all_votes), (2, 5));
    let unchanged = VoteStore::compact(&path(&dir), LATER).unwrap();
    assert_eq!((unchanged.votes, unchanged.before_bytes), (0, unchanged.after_bytes));
    assert_eq!(reopened(&dir).next_nonce().unwrap(), 10);
}

#[test]
fn what_is_young_or_may_still_land_stays_whole() {
    let (dir, mut store) = created();
    let sent = vote(&mut store, 1, 5, TxState::Sent);
    let safe = vote(&mut store, 2, 6, TxState::Safe { block: 4 });
    // dead, as another one of its nonce is final; but its vote is carried once more
    let again = vote(&mut store, 3, 7, FINAL);
    carry(&mut store, 8, &[again], TxState::Sent);
    drop(store);
    for before in [0, LATER] {
        assert_eq!(VoteStore::compact(&path(&dir), before).unwrap().votes, 0);
    }
    let store = reopened(&dir);
    for header in [sent, safe, again] {
        assert_eq!(store.headers(header.slot()).unwrap(), [header]);
    }
    assert!(!path(&dir).join("votes.sqlite.compact.part").exists());
}

#[test]
fn siblings_and_moves_go_together_with_what_was_final() {
    let (dir, mut store) = created();
    let first = header(1, 1, 1);
    record(&mut store, attest(first)).unwrap();
    let dead = carry_at(&mut store, 5, 1, &[first], TxState::Sent);
    let landed = carry_at(&mut store, 5, 2, &[first], TxState::Sent);
    store.set_state(landed, FINAL).unwrap();
    let moved = header(1, 1, 2);
    let vote_kind = VoteKind::Move { from: first.choice(), candidates_seen: 2 };
    record(&mut store, Ballot { header: moved, vote: vote_kind }).unwrap();
    carry(&mut store, 6, &[moved], FINAL);
    vote(&mut store, 2, 7, FINAL);
    drop(store);
    let compacted = VoteStore::compact(&path(&dir), LATER).unwrap();
    assert_eq!((compacted.votes, compacted.transactions), (2, 3), "{dead} as well");
    let mut store = reopened(&dir);
    assert!(matches!(record(&mut store, attest(moved)), Err(StoreError::Compacted { .. })));
}

#[test]
fn a_history_carries_what_is_compacted() {
    let (dir, mut store) = created();
    let gone = vote(&mut store, 1, 5, FINAL);
    let kept = vote(&mut store, 2, 6, TxState::Sent);
    assert_eq!(store.export().unwrap().v, history::HISTORY_VERSION);
    drop(store);
    assert_eq!(VoteStore::compact(&path(&dir), LATER).unwrap().votes, 1);
    let store = reopened(&dir);
    let exported = store.export().unwrap();
    assert_eq!((exported.v, exported.votes.len()), (history::COMPACTED_HISTORY_VERSION, 2));
    let mut written = Vec::new();
    store.export_to(&mut written).unwrap();
    assert_eq!(serde_json::from_slice::<history::History>(&written).unwrap(), exported, "by pieces the same");

    let (other_dir, mut other) = created();
    assert_eq!(other.import(&*written).unwrap(), Imported { slots: 2, adopted: 2 });
    assert_eq!(other.import(&*written).unwrap(), Imported { slots: 2, adopted: 0 });
    assert!(matches!(record(&mut other, attest(gone)), Err(StoreError::Compacted { .. })));
    assert_eq!(other.headers(kept.slot()).unwrap(), [kept]);
    assert_eq!(other.export().unwrap(), exported);
    drop(other);
    assert_eq!(VoteStore::check(&path(&other_dir)).unwrap(), 2);

    // beside one that has it whole, or for another content
    let (_whole_dir, mut whole) = created();
    record(&mut whole, attest(gone)).unwrap();
    assert_eq!(whole.import(&*written).unwrap(), Imported { slots: 2, adopted: 1 });
    assert_eq!(whole.headers(gone.slot()).unwrap(), [gone]);
    let (_contrary_dir, mut contrary) = created();
    record(&mut contrary, attest(ObservationHeader { data_root: B256::repeat_byte(2), ..gone })).unwrap();
    assert!(matches!(contrary.import(&*written), Err(HistoryError::Store(StoreError::OtherContent { .. }))));
}

#[test]
fn a_compacted_store_is_handed_on() {
    let (dir, mut store) = created();
    for (epoch, nonce) in [(1, 5), (2, 6), (3, 7)] {
        vote(&mut store, epoch, nonce, FINAL);
    }
    drop(store);
    VoteStore::compact(&path(&dir), LATER).unwrap();
    let mut store = reopened(&dir);
    store.hand_on(Address::repeat_byte(8), 2).unwrap();
    assert_eq!(store.next_nonce().unwrap(), 2);
    store.close().unwrap();
    assert_eq!(VoteStore::check(&path(&dir)).unwrap(), 3);
}

#[test]
fn it_is_refused_beside_a_process_that_votes_and_while_a_halt_stands() {
    let (dir, mut store) = created();
    vote(&mut store, 1, 5, FINAL);
    assert!(matches!(VoteStore::compact(&path(&dir), LATER), Err(StoreError::InUse { .. })));
    store.halt(&Evidence::ForeignNonce { account: Address::ZERO, nonce: 9 }, "why").unwrap();
    drop(store);
    assert!(matches!(VoteStore::compact(&path(&dir), LATER), Err(StoreError::Halted(_))));
}

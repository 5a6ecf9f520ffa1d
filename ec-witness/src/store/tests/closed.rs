//! What is checked after a store was closed in order, and when.

use std::{thread, time::Duration};

use super::*;
use crate::store::closed;

/// Changes a store behind its back.
fn change(dir: &TempDir, sql: &str) {
    let connection = Connection::open(dir.path().join("store").join(STORE_FILE)).unwrap();
    assert_eq!(connection.execute(sql, []).unwrap(), 1, "{sql}");
}

/// A store of two votes, of which the first one's transaction is final and the second one's is sent, and closed in order.
fn of_two_votes() -> TempDir {
    let (dir, mut store) = created();
    for (epoch, state) in [(1, TxState::Finalized { block: 3 }), (2, TxState::Sent)] {
        let header = header(epoch, 1, 1);
        record(&mut store, attest(header)).unwrap();
        carry(&mut store, 4 + u64::from(epoch), &[header], state);
    }
    store.close().unwrap();
    dir
}

fn opened(dir: &TempDir) -> Result<VoteStore, StoreError> {
    VoteStore::open(&dir.path().join("store"), identity())
}

/// What the check beside finds.
fn found_beside(store: &mut VoteStore) -> Result<(), StoreError> {
    store.check_beside().unwrap();
    while store.is_being_checked() {
        thread::sleep(Duration::from_millis(1));
    }
    store.checked()
}

fn is_closed(dir: &TempDir) -> bool {
    closed::is_closed(&Connection::open(dir.path().join("store").join(STORE_FILE)).unwrap()).unwrap()
}

#[test]
fn a_store_is_closed_in_order_until_it_is_opened() {
    let dir = of_two_votes();
    assert!(is_closed(&dir));
    let mut store = opened(&dir).unwrap();
    assert!(!store.is_checked && !is_closed(&dir), "noted before anything else is written");
    found_beside(&mut store).unwrap();
    drop(store);
    assert!(!is_closed(&dir), "dropped like one that is killed");
    let store = opened(&dir).unwrap();
    assert!(store.is_checked, "so all of it was checked");
    store.close().unwrap();
    assert!(is_closed(&dir));
    // refused before anything is written
    let other = Identity { chain_id: 8, ..identity() };
    assert!(VoteStore::open(&dir.path().join("store"), other).is_err());
    assert!(is_closed(&dir));
}

#[test]
fn damage_is_found_at_once_where_a_vote_rests_on_it_and_else_beside() {
    let at_once = [
        ("what may be sent again", "UPDATE transactions SET raw = '0x00' WHERE nonce = '6'"),
        ("the last final one", "UPDATE transactions SET raw = '0x00' WHERE nonce = '5'"),
        ("a nonce", "UPDATE transactions SET nonce = '8' WHERE nonce = '6'"),
        ("a table's form", "UPDATE identity SET first_nonce = 'x'"),
    ];
    for (what, sql) in at_once {
        let dir = of_two_votes();
        change(&dir, sql);
        assert!(matches!(opened(&dir), Err(StoreError::Damaged { .. })), "{what}");
        assert!(is_closed(&dir), "{what}: nothing was written");
    }
    let later = [
        ("a vote's content", "UPDATE votes SET content = '0x' || substr(content, 4) || '0' WHERE rowid = 1"),
        ("a header", "UPDATE headers SET header = replace(header, '9', '8') WHERE id = 1"),
        ("what is marked", "UPDATE headers SET carried = 0 WHERE id = 1"),
        ("what is compacted", "UPDATE votes SET compacted = 1 WHERE rowid = 1"),
    ];
    for (what, sql) in later {
        let dir = of_two_votes();
        change(&dir, sql);
        let mut store = opened(&dir).unwrap();
        let Err(StoreError::Damaged { path, .. }) = found_beside(&mut store) else { panic!("{what}") };
        assert_eq!(path, dir.path().join("store").join(STORE_FILE), "{what}");
        let recorded = store.record(&[attest(header(7, 1, 1))]);
        assert!(matches!(recorded, Err(StoreError::Damaged { .. })), "{what}: nothing is voted any more");
        assert!(store.close().is_err(), "{what}");
        assert!(!is_closed(&dir), "{what}");
        assert!(matches!(opened(&dir), Err(StoreError::Damaged { .. })), "{what}: at each start, now");
    }
}

#[test]
fn a_row_that_an_index_lacks_is_found_beside_and_its_slot_is_not_voted_again() {
    let dir = of_two_votes();
    // the entry of one slot in the guard's index changes on the disk
    let file = dir.path().join("store").join(STORE_FILE);
    let connection = Connection::open(&file).unwrap();
    let page: u32 = connection
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_votes_1'", [], |row| row.get(0))
        .unwrap();
    let page = page as usize;
    drop(connection);
    let mut bytes = fs::read(&file).unwrap();
    let slot = hex(header(1, 1, 1).slot().0);
    let (from, to) = ((page - 1) * 4096, page * 4096);
    let at = bytes[from..to].windows(slot.len()).position(|window| window == slot.as_bytes()).unwrap() + from;
    let last = at + slot.len() - 1;
    bytes[last] = if bytes[last] == b'0' { b'1' } else { b'0' };
    fs::write(&file, &bytes).unwrap();
    let mut store = opened(&dir).unwrap();
    assert!(!store.is_checked);
    let recorded = store.record(&[attest(header(1, 2, 1))]);
    assert!(matches!(recorded, Err(StoreError::Damaged { .. })), "before it is found: {recorded:?}");
    assert!(matches!(found_beside(&mut store), Err(StoreError::Damaged { .. })));
}

#[test]
fn the_check_beside_keeps_nobody_from_voting_and_ends_at_once() {
    let (dir, mut store) = created();
    let headers: Vec<_> = (0..5_000u64).map(|i| header((i % 250) as u8, 1, i)).collect();
    store.adopt(&headers).unwrap();
    store.close().unwrap();
    let mut store = opened(&dir).unwrap();
    store.check_beside().unwrap();
    for epoch in 251..=255 {
        record(&mut store, attest(header(epoch, 1, 1))).unwrap();
    }
    let begun = std::time::Instant::now();
    store.close().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(is_closed(&dir), "what was not checked is checked beside the next time");
    let mut store = opened(&dir).unwrap();
    found_beside(&mut store).unwrap();
}

#[test]
fn a_store_that_finds_no_room_for_the_note_takes_it_away_with_what_it_writes_first() {
    let dir = of_two_votes();
    let mut store = opened(&dir).unwrap();
    store.close().unwrap();
    store = VoteStore::open_checked(&dir.path().join("store"), false).unwrap();
    assert!(store.is_noted_closed && is_closed(&dir), "as if there was no room");
    record(&mut store, attest(header(3, 1, 1))).unwrap();
    assert!(!store.is_noted_closed && !is_closed(&dir));
}

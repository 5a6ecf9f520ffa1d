//! Forced transactions: their deposits use whatever nonce comes.

use alloy::primitives::{Bytes, keccak256};

use super::*;

/// Keeps a forced transaction that repeats this one.
fn force(store: &mut VoteStore, l1_nonce: u64, repeats: TxHash) -> ForcedTx {
    force_for(store, l1_nonce, 1, repeats)
}

/// The same with this fee.
fn force_for(store: &mut VoteStore, l1_nonce: u64, fee: u128, repeats: TxHash) -> ForcedTx {
    let (l1_hash, l1_raw) = signed::signed(1, l1_nonce, fee);
    let forced = ForcedTx { l1_hash, l1_nonce, l1_raw, repeats, kept_unix_ms: 1_000 };
    store.keep_forced(&forced).unwrap();
    forced
}

/// A final deposit that used this nonce.
fn deposit(nonce: u64) -> OutboxTx {
    let raw = Bytes::from(vec![DEPOSIT_TYPE, nonce as u8]);
    OutboxTx { hash: keccak256(&raw), nonce, raw, state: TxState::Finalized { block: 9 } }
}

fn fate(store: &VoteStore, header: ObservationHeader) -> VoteFate {
    store.vote(header.slot()).unwrap().unwrap().1
}

/// Two votes on their way, by nonces 5 and 6.
fn two_on_their_way(store: &mut VoteStore) -> [(ObservationHeader, TxHash); 2] {
    [(1, 5), (2, 6)].map(|(epoch, nonce)| {
        let header = header(epoch, 1, 1);
        record(store, attest(header)).unwrap();
        (header, carry(store, nonce, &[header], TxState::Sent))
    })
}

#[test]
fn a_deposit_of_its_nonce_carries_the_vote_and_ends_the_original() {
    let (dir, mut store) = created();
    let [(first, original), (second, _)] = two_on_their_way(&mut store);
    let forced = force(&mut store, 0, original);
    drop(store);
    let mut store = reopened(&dir);
    assert_eq!(store.forced().unwrap(), std::slice::from_ref(&forced), "it is there after a crash");
    store.note_deposit(&forced, &deposit(5)).unwrap();
    assert_eq!(fate(&store, first), VoteFate::Executed { block: 9 });
    assert_eq!(fate(&store, second), VoteFate::OnItsWay);
    drop(store);
    let store = reopened(&dir);
    let open: Vec<_> = store.outbox().unwrap().iter().map(|tx| tx.nonce).collect();
    assert_eq!((open, store.next_nonce().unwrap()), (vec![6], 7), "the original is not sent again");
    assert_eq!(store.last_final().unwrap(), None, "a deposit is not looked up as if it had been sent");
    let signed: Vec<_> = store.signed_since(0).unwrap().iter().map(|(_, tx)| tx.hash).collect();
    assert!(signed.contains(&original) && !signed.contains(&deposit(5).hash), "nor counted as if it had been paid for");
    assert!(store.forced().unwrap().is_empty());
}

#[test]
fn a_deposit_may_use_the_nonce_of_another_vote() {
    let (dir, mut store) = created();
    let [(first, original), (second, _)] = two_on_their_way(&mut store);
    let forced = force(&mut store, 0, original);
    store.set_state(original, TxState::Finalized { block: 8 }).unwrap();
    store.note_deposit(&forced, &deposit(6)).unwrap();
    assert_eq!(fate(&store, first), VoteFate::Executed { block: 9 });
    assert_eq!(fate(&store, second), VoteFate::Executed { block: 9 }, "what it comes to is for the ledger to tell");
    drop(store);
    assert!(reopened(&dir).outbox().unwrap().is_empty());
}

#[test]
fn a_deposit_may_use_the_next_nonce_and_none_beyond() {
    let (dir, mut store) = created();
    let [(_, original), (_, other)] = two_on_their_way(&mut store);
    let forced = force(&mut store, 0, original);
    for hash in [original, other] {
        store.set_state(hash, TxState::Executed { block: 8 }).unwrap();
    }
    assert!(matches!(store.note_deposit(&forced, &deposit(8)), Err(StoreError::NonceIsUnknown { nonce: 7 })));
    assert_eq!(store.forced().unwrap().len(), 1, "nothing was noted");
    store.note_deposit(&forced, &deposit(7)).unwrap();
    assert_eq!(store.next_nonce().unwrap(), 8);
    drop(store);
    assert_eq!(reopened(&dir).next_nonce().unwrap(), 8);
}

#[test]
fn a_deposit_whose_nonce_another_has_for_good_is_refused() {
    let (_dir, mut store) = created();
    let [(_, original), _] = two_on_their_way(&mut store);
    let forced = force(&mut store, 0, original);
    store.set_state(original, TxState::Finalized { block: 8 }).unwrap();
    assert!(matches!(store.note_deposit(&forced, &deposit(5)), Err(StoreError::NonceIsFinal { .. })));
    assert_eq!((store.forced().unwrap().len(), store.outbox().unwrap().len()), (1, 1), "nothing was noted");
}

#[test]
fn a_deposit_takes_the_place_of_one_that_a_reorg_took_back() {
    let (_dir, mut store) = created();
    let [(first, original), _] = two_on_their_way(&mut store);
    let forced = force(&mut store, 0, original);
    store.set_state(original, TxState::Executed { block: 8 }).unwrap();
    store.note_deposit(&forced, &deposit(5)).unwrap();
    assert_eq!(fate(&store, first), VoteFate::Executed { block: 9 });
    assert_eq!(store.outbox().unwrap().len(), 1);
}

#[test]
fn while_one_is_under_way_the_store_is_not_handed_on() {
    let (dir, mut store) = created();
    let [(_, original), _] = two_on_their_way(&mut store);
    let forced = force(&mut store, 0, original);
    let refused = |store: &mut VoteStore| match store.hand_on(Address::repeat_byte(9), 0) {
        Err(StoreError::Forced { l1_hash }) => l1_hash == forced.l1_hash,
        _ => false,
    };
    assert!(refused(&mut store) && store.refuse_forced().is_err());
    store.note_lost(&forced).unwrap();
    store.refuse_forced().unwrap();
    let again = force(&mut store, 1, original);
    store.note_deposit(&again, &deposit(5)).unwrap();
    store.hand_on(Address::repeat_byte(9), 0).unwrap();
    drop(store);
    drop(VoteStore::open_halted(&dir.path().join("store")).unwrap());
}

#[test]
fn of_one_nonce_on_l1_a_block_has_one_and_the_others_are_lost() {
    let (dir, mut store) = created();
    let [(_, original), (_, other)] = two_on_their_way(&mut store);
    let [cheap, second, dear] = [(0, 1, original), (1, 1, other), (0, 2, original)]
        .map(|(l1_nonce, fee, repeats)| force_for(&mut store, l1_nonce, fee, repeats));
    drop(store);
    let mut store = reopened(&dir);
    assert_eq!(store.forced().unwrap(), [cheap.clone(), dear, second.clone()]);
    store.note_deposit(&cheap, &deposit(5)).unwrap();
    assert_eq!(store.forced().unwrap(), std::slice::from_ref(&second), "the dearer one is gone");
    let dearer = force_for(&mut store, 1, 2, other);
    store.note_lost(&dearer).unwrap();
    assert!(store.forced().unwrap().is_empty());
    assert_eq!(store.outbox().unwrap().len(), 1, "what was lost may be forced again");
}

#[test]
fn one_that_was_changed_is_found() {
    let (dir, mut store) = created();
    let [(_, original), (_, other)] = two_on_their_way(&mut store);
    force(&mut store, 0, original);
    let forced = force(&mut store, 1, other);
    store.note_deposit(&forced, &deposit(5)).unwrap();
    drop(store);
    drop(reopened(&dir));
    let path = dir.path().join("store");
    let changes = [
        "UPDATE forced SET l1_nonce = '7' WHERE state = 'kept'",
        "UPDATE forced SET l1_raw = '0x02' WHERE state = 'kept'",
        "UPDATE transactions SET raw = '0x7e' WHERE raw LIKE '0x7e%'",
        "UPDATE transactions SET state = 'safe' WHERE raw LIKE '0x7e%'",
    ];
    let file = path.join(STORE_FILE);
    let whole = fs::read(&file).unwrap();
    for change in changes {
        assert_eq!(Connection::open(&file).unwrap().execute(change, []).unwrap(), 1, "{change}");
        assert!(matches!(VoteStore::open(&path, identity()), Err(StoreError::Damaged { .. })), "{change}");
        fs::write(&file, &whole).unwrap();
    }
}

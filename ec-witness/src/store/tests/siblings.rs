//! Transactions of one nonce replace one another: at most one of them can be executed.

use super::*;

/// Keeps a replacement of a transaction, under a hash of its own.
fn replace(store: &mut VoteStore, nonce: u64, headers: &[ObservationHeader]) -> TxHash {
    carry_at(store, nonce, 2, headers, TxState::Signed)
}

fn fate(store: &VoteStore, header: ObservationHeader) -> VoteFate {
    store.vote(header.slot()).unwrap().unwrap().1
}

#[test]
fn a_vote_is_executed_when_one_of_its_nonce_is() {
    let (_dir, mut store) = created();
    let header = header(1, 1, 1);
    record(&mut store, attest(header)).unwrap();
    carry(&mut store, 5, &[header], TxState::Sent);
    let second = replace(&mut store, 5, &[header]);
    assert_eq!(fate(&store, header), VoteFate::OnItsWay);
    assert_eq!(store.next_nonce().unwrap(), 6, "a replacement takes no new nonce");
    store.set_state(second, TxState::Executed { block: 7 }).unwrap();
    assert_eq!(fate(&store, header), VoteFate::Executed { block: 7 });
    assert_eq!(record(&mut store, attest(super::header(1, 1, 2))).unwrap(), Recorded::Another);
}

#[test]
fn one_that_carries_nothing_uses_the_nonce_up_all_the_same() {
    let (_dir, mut store) = created();
    let header = header(1, 1, 1);
    record(&mut store, attest(header)).unwrap();
    carry(&mut store, 5, &[header], TxState::Sent);
    let cancel = replace(&mut store, 5, &[]);
    store.set_state(cancel, TxState::Safe { block: 9 }).unwrap();
    assert_eq!(fate(&store, header), VoteFate::Executed { block: 9 });
}

#[test]
fn every_nonce_that_carries_a_vote_must_be_used_up() {
    let (_dir, mut store) = created();
    let header = header(1, 1, 1);
    record(&mut store, attest(header)).unwrap();
    let first = carry(&mut store, 5, &[header], TxState::Sent);
    let again = carry(&mut store, 6, &[header], TxState::Sent);
    store.set_state(first, TxState::Executed { block: 7 }).unwrap();
    assert_eq!(fate(&store, header), VoteFate::OnItsWay, "nonce 6 can still land");
    store.set_state(again, TxState::Executed { block: 8 }).unwrap();
    assert_eq!(fate(&store, header), VoteFate::Executed { block: 8 });
}

#[test]
fn a_reorg_may_execute_the_other_one() {
    let (_dir, mut store) = created();
    let header = header(1, 1, 1);
    record(&mut store, attest(header)).unwrap();
    let first = carry(&mut store, 5, &[header], TxState::Signed);
    let second = replace(&mut store, 5, &[header]);
    store.set_state(first, TxState::Executed { block: 7 }).unwrap();
    store.set_state(second, TxState::Executed { block: 8 }).unwrap();
    let states: Vec<_> = store.outbox().unwrap().iter().map(|tx| tx.state).collect();
    assert_eq!(states, [TxState::Sent, TxState::Executed { block: 8 }]);
    store.set_state(second, TxState::Sent).unwrap();
    assert_eq!(fate(&store, header), VoteFate::OnItsWay, "taken back");
}

#[test]
fn siblings_of_a_final_one_are_done() {
    let (dir, mut store) = created();
    let header = header(1, 1, 1);
    record(&mut store, attest(header)).unwrap();
    let first = carry(&mut store, 5, &[header], TxState::Sent);
    let second = replace(&mut store, 5, &[header]);
    store.set_state(second, TxState::Finalized { block: 8 }).unwrap();
    assert!(store.outbox().unwrap().is_empty());
    let refused = store.set_state(first, TxState::Executed { block: 9 });
    assert!(matches!(refused, Err(StoreError::NonceIsFinal { .. })));
    drop(store);
    assert_eq!(fate(&reopened(&dir), header), VoteFate::Executed { block: 8 });
}

#[test]
fn the_outbox_is_in_order_of_nonces() {
    let (_dir, mut store) = created();
    for nonce in [10, 9, 100, 8] {
        carry(&mut store, nonce, &[], TxState::Sent);
    }
    replace(&mut store, 9, &[]);
    let nonces: Vec<_> = store.outbox().unwrap().iter().map(|tx| tx.nonce).collect();
    assert_eq!(nonces, [8, 9, 9, 10, 100]);
    assert_eq!(store.next_nonce().unwrap(), 101);
}

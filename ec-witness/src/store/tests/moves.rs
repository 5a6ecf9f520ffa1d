//! A vote that moves is recorded like any other, with the header that it leaves.

use super::*;

fn moved(from: ObservationHeader, to: ObservationHeader) -> Ballot {
    Ballot { header: to, vote: VoteKind::Move { from: from.choice(), candidates_seen: 2 } }
}

/// A store whose vote for this header is executed.
fn voted(header: ObservationHeader) -> (TempDir, VoteStore) {
    let (dir, mut store) = created();
    record(&mut store, attest(header)).unwrap();
    carry(&mut store, 5, &[header], TxState::Executed { block: 40 });
    (dir, store)
}

#[test]
fn a_move_is_kept_with_the_header_that_it_leaves_and_found_after_a_crash() {
    let (from, to) = (header(1, 1, 100), header(1, 1, 200));
    let (dir, mut store) = voted(from);
    assert_eq!(record(&mut store, moved(from, to)).unwrap(), Recorded::Another);
    drop(store);
    let mut store = reopened(&dir);
    assert_eq!(unsigned(&store), [moved(from, to)]);
    assert_eq!(store.vote(to.slot()).unwrap(), Some((to, VoteFate::Recorded)));
    assert_eq!(record(&mut store, moved(from, to)).unwrap(), Recorded::Again);
    carry(&mut store, 6, &[to], TxState::Signed);
    drop(store);
    let store = reopened(&dir);
    assert_eq!(unsigned(&store), []);
    assert_eq!(store.ballots().unwrap(), [attest(from), moved(from, to)]);
    assert_eq!(store.headers(to.slot()).unwrap(), [from, to]);
}

#[test]
fn no_vote_moves_to_other_content() {
    let (from, other) = (header(1, 1, 100), header(1, 2, 100));
    let (_dir, mut store) = voted(from);
    assert!(matches!(record(&mut store, moved(from, other)), Err(StoreError::OtherContent { .. })));
    assert_eq!(store.ballots().unwrap(), [attest(from)]);
}

#[test]
fn a_move_from_other_content_is_damage() {
    let (from, to, other) = (header(1, 1, 100), header(1, 1, 200), header(2, 2, 100));
    let (dir, mut store) = voted(from);
    record(&mut store, moved(from, to)).unwrap();
    record(&mut store, attest(other)).unwrap();
    let db = Connection::open(dir.path().join("store").join(STORE_FILE)).unwrap();
    db.execute("UPDATE moves SET moved_from = ?1", [other.hash().to_string()]).unwrap();
    assert!(matches!(store.ballots(), Err(StoreError::Sqlite(_))), "{:?}", store.ballots());
}

#[test]
fn no_vote_moves_that_may_still_land() {
    let [first, second, third] = [100, 200, 300].map(|time| header(1, 1, time));
    let (_dir, mut store) = created();
    record(&mut store, attest(first)).unwrap();
    let refused =
        |store: &mut VoteStore, ballot| matches!(record(store, ballot), Err(StoreError::StillOnItsWay { .. }));
    assert!(refused(&mut store, moved(first, second)), "the vote is recorded, not carried");
    let vote = carry(&mut store, 5, &[first], TxState::Sent);
    assert!(refused(&mut store, moved(first, second)), "the vote is on its way");
    store.set_state(vote, TxState::Executed { block: 40 }).unwrap();
    assert_eq!(record(&mut store, moved(first, second)).unwrap(), Recorded::Another);
    assert!(refused(&mut store, moved(second, third)), "the move is recorded, not carried");
    let move_on = carry(&mut store, 6, &[second], TxState::Sent);
    assert!(refused(&mut store, moved(second, third)), "the move is on its way");
    store.set_state(move_on, TxState::Executed { block: 41 }).unwrap();
    store.set_state(vote, TxState::Signed).unwrap();
    assert!(refused(&mut store, moved(second, third)), "a reorg took the vote back");
    store.set_state(vote, TxState::Executed { block: 42 }).unwrap();
    assert_eq!(record(&mut store, moved(second, third)).unwrap(), Recorded::Another);
}

#[test]
fn a_vote_may_move_back_and_is_carried_again() {
    let (first, second) = (header(1, 1, 100), header(1, 1, 200));
    let (dir, mut store) = voted(first);
    record(&mut store, moved(first, second)).unwrap();
    carry(&mut store, 6, &[second], TxState::Executed { block: 41 });
    assert_eq!(record(&mut store, moved(second, first)).unwrap(), Recorded::Again);
    carry(&mut store, 7, &[first], TxState::Signed);
    drop(store);
    let store = reopened(&dir);
    assert_eq!(store.ballots().unwrap(), [attest(first), moved(first, second)], "each as it was recorded first");
    assert_eq!(store.vote(first.slot()).unwrap().map(|(_, fate)| fate), Some(VoteFate::OnItsWay));
}

#[test]
fn an_imported_history_knows_what_was_moved_to() {
    let (from, to) = (header(1, 1, 100), header(1, 1, 200));
    let (_dir, mut store) = voted(from);
    record(&mut store, moved(from, to)).unwrap();
    let (_other_dir, mut other) = created();
    assert_eq!(import(&mut other, &store.export().unwrap()).unwrap().adopted, 2);
    assert!(other.knows(to.hash()).unwrap() && other.knows(from.hash()).unwrap());
    assert!(unsigned(&other).is_empty());
}

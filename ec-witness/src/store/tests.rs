//! The guard's promises, on a real disk.

mod closed;
mod compact;
mod forced;
mod halts;
mod moves;
mod plans;
mod private;
mod race;
mod siblings;
#[path = "../../tests/store/signed.rs"]
mod signed;

use std::fs;

use alloy::primitives::{B256, TxHash};
use ec_observation::{Ballot, EpochHash, ObservationHash, ObservationHeader, StreamHash, VoteKind};
use tempfile::TempDir;

use super::{
    history::{HistoryError, Imported},
    *,
};

fn identity() -> Identity {
    Identity { chain_id: 7, ledger: Address::repeat_byte(1), witness: signed::witness() }
}

fn create(directory: &Path, first_nonce: u64) -> Result<VoteStore, StoreError> {
    VoteStore::create(directory, identity(), first_nonce, |_| Ok(()))
}

fn created() -> (TempDir, VoteStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = create(&dir.path().join("store"), 5).unwrap();
    (dir, store)
}

fn reopened(dir: &TempDir) -> VoteStore {
    VoteStore::open(&dir.path().join("store"), identity()).unwrap()
}

fn header(epoch: u8, content: u8, time: u64) -> ObservationHeader {
    ObservationHeader {
        stream_hash: StreamHash(B256::repeat_byte(9)),
        epoch_hash: EpochHash(B256::with_last_byte(epoch)),
        parent_observation_hash: ObservationHash::ZERO,
        data_root: B256::repeat_byte(content),
        locator_hash: B256::ZERO,
        observed_unix_ms: time,
        sequence: u64::MAX,
    }
}

fn attest(header: ObservationHeader) -> Ballot {
    Ballot { header, vote: VoteKind::Attest }
}

fn record(store: &mut VoteStore, ballot: Ballot) -> Result<Recorded, StoreError> {
    store.record(&[ballot]).unwrap().remove(0)
}

/// Keeps a transaction that carries these headers, in this state.
fn carry(store: &mut VoteStore, nonce: u64, headers: &[ObservationHeader], state: TxState) -> TxHash {
    carry_at(store, nonce, 1, headers, state)
}

/// The same at this fee: transactions of one nonce replace one another.
fn carry_at(store: &mut VoteStore, nonce: u64, fee: u128, headers: &[ObservationHeader], state: TxState) -> TxHash {
    let (hash, raw) = signed::signed(identity().chain_id, nonce, fee);
    let votes: Vec<_> = headers.iter().map(ObservationHeader::hash).collect();
    store.keep(&OutboxTx { hash, nonce, raw, state }, &votes).unwrap();
    hash
}

/// The votes that no transaction carries.
fn unsigned(store: &VoteStore) -> Vec<Ballot> {
    store.unsigned_after(0, usize::MAX).unwrap().into_iter().map(|(_, ballot)| ballot).collect()
}

#[test]
fn one_content_per_slot_for_ever() {
    let (dir, mut store) = created();
    let first = header(1, 1, 100);
    assert_eq!(record(&mut store, attest(first)).unwrap(), Recorded::First);
    assert_eq!(record(&mut store, attest(first)).unwrap(), Recorded::Again);
    drop(store);
    let mut store = reopened(&dir);
    assert!(matches!(record(&mut store, attest(header(1, 2, 100))), Err(StoreError::OtherContent { .. })));
    assert_eq!(record(&mut store, attest(header(2, 2, 100))).unwrap(), Recorded::First, "another slot");
    assert_eq!(store.vote(first.slot()).unwrap(), Some((first, VoteFate::Recorded)));
}

#[test]
fn another_header_follows_only_when_the_vote_cannot_land() {
    let (_dir, mut store) = created();
    let (first, second) = (header(1, 1, 100), header(1, 1, 200));
    record(&mut store, attest(first)).unwrap();
    let refused =
        |store: &mut VoteStore| matches!(record(store, attest(second)), Err(StoreError::StillOnItsWay { .. }));
    assert!(refused(&mut store), "recorded, not carried");
    let hash = carry(&mut store, 5, &[first], TxState::Signed);
    assert!(refused(&mut store), "on its way");
    assert_eq!(store.vote(first.slot()).unwrap(), Some((first, VoteFate::OnItsWay)));
    store.set_state(hash, TxState::Executed { block: 40 }).unwrap();
    assert_eq!(store.vote(first.slot()).unwrap(), Some((first, VoteFate::Executed { block: 40 })));
    assert_eq!(record(&mut store, attest(second)).unwrap(), Recorded::Another);
    assert_eq!(store.vote(first.slot()).unwrap(), Some((second, VoteFate::Recorded)));
    store.set_state(hash, TxState::Signed).unwrap();
    let third = header(1, 1, 300);
    assert!(matches!(record(&mut store, attest(third)), Err(StoreError::StillOnItsWay { .. })), "a reorg took it back");
    assert!(matches!(record(&mut store, attest(header(1, 3, 1))), Err(StoreError::OtherContent { .. })));
}

#[test]
fn only_a_recorded_vote_is_known() {
    let (_dir, mut store) = created();
    let (first, same_content) = (header(1, 1, 100), header(1, 1, 200));
    record(&mut store, attest(first)).unwrap();
    let known = [first, same_content].map(|header| store.knows(header.hash()).unwrap());
    assert_eq!(known, [true, false]);
    assert_eq!(store.headers(first.slot()).unwrap(), [first]);
}

#[test]
fn an_adopted_vote_counts_as_executed() {
    let (_dir, mut store) = created();
    let first = header(1, 1, 100);
    assert_eq!(store.adopt(&[first]).unwrap(), 1);
    assert_eq!(store.vote(first.slot()).unwrap(), Some((first, VoteFate::Executed { block: 0 })));
    assert!(matches!(record(&mut store, attest(header(1, 2, 100))), Err(StoreError::OtherContent { .. })));
    assert_eq!(record(&mut store, attest(header(1, 1, 200))).unwrap(), Recorded::Another);
}

#[test]
fn a_refused_vote_does_not_hinder_the_others() {
    let (_dir, mut store) = created();
    record(&mut store, attest(header(1, 1, 1))).unwrap();
    let outcomes = store.record(&[attest(header(2, 1, 1)), attest(header(1, 9, 1)), attest(header(3, 1, 1))]).unwrap();
    assert!(matches!(
        outcomes.as_slice(),
        [Ok(Recorded::First), Err(StoreError::OtherContent { .. }), Ok(Recorded::First)]
    ));
    assert_eq!(unsigned(&store).len(), 3);
}

#[test]
fn what_is_recorded_and_not_carried_is_found_after_a_crash() {
    let (dir, mut store) = created();
    let proposal = Ballot { header: header(1, 1, 1), vote: VoteKind::Propose { candidates_seen: 3 } };
    let attestation = attest(header(2, 1, 1));
    store.record(&[proposal, attestation]).unwrap();
    drop(store);
    let mut store = reopened(&dir);
    assert_eq!(unsigned(&store), [proposal, attestation]);
    let hash = carry(&mut store, 5, &[proposal.header], TxState::Signed);
    assert_eq!(unsigned(&store), [attestation]);
    assert_eq!(store.next_nonce().unwrap(), 6);
    drop(store);
    let store = reopened(&dir);
    let outbox = store.outbox().unwrap();
    assert_eq!((outbox.len(), outbox[0].nonce, outbox[0].hash), (1, 5, hash));
    assert_eq!(store.next_nonce().unwrap(), 6);
}

#[test]
fn finalized_transactions_leave_the_outbox_and_keep_their_nonce() {
    let (_dir, mut store) = created();
    assert_eq!(store.next_nonce().unwrap(), 5, "the first one is the account's count at init");
    record(&mut store, attest(header(1, 1, 1))).unwrap();
    let hash = carry(&mut store, 5, &[header(1, 1, 1)], TxState::Signed);
    store.set_state(hash, TxState::Finalized { block: 9 }).unwrap();
    assert!(store.outbox().unwrap().is_empty());
    assert_eq!(store.next_nonce().unwrap(), 6);
}

#[test]
fn a_missing_foreign_newer_or_damaged_store_is_refused() {
    let (dir, store) = created();
    drop(store);
    let path = dir.path().join("store");
    assert!(matches!(VoteStore::open(&dir.path().join("other"), identity()), Err(StoreError::Missing { .. })));
    let foreign = [
        ("chain id", Identity { chain_id: 8, ..identity() }),
        ("ledger", Identity { ledger: Address::ZERO, ..identity() }),
        ("witness", Identity { witness: Address::ZERO, ..identity() }),
    ];
    for (expected, given) in foreign {
        let opened = VoteStore::open(&path, given);
        assert!(matches!(opened, Err(StoreError::Foreign { field, .. }) if field == expected), "{expected}");
    }
    let file = path.join(STORE_FILE);
    Connection::open(&file).unwrap().pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    assert!(matches!(VoteStore::open(&path, identity()), Err(StoreError::Newer { found: 6, .. })));
    fs::write(&file, b"not a database, but longer than its header").unwrap();
    assert!(VoteStore::open(&path, identity()).is_err());
    fs::write(&file, b"").unwrap();
    assert!(matches!(VoteStore::open(&path, identity()), Err(StoreError::Damaged { .. })), "never opened as empty");
}

#[test]
fn a_start_is_fixed_once() {
    let (dir, mut store) = created();
    assert_eq!(store.from_sequence("tv").unwrap(), None);
    assert_eq!(store.fix_from_sequence("tv", u64::MAX).unwrap(), u64::MAX);
    assert_eq!(store.fix_from_sequence("tv", 3).unwrap(), u64::MAX);
    drop(store);
    assert_eq!(reopened(&dir).from_sequence("tv").unwrap(), Some(u64::MAX));
}

/// Imports a history as it is exported.
fn import(store: &mut VoteStore, history: &history::History) -> Result<Imported, HistoryError> {
    store.import(&*serde_json::to_vec(history).unwrap())
}

#[test]
fn an_imported_history_binds_and_is_not_sent() {
    let (_dir, mut store) = created();
    record(&mut store, attest(header(1, 1, 1))).unwrap();
    let history = store.export().unwrap();
    let (_other_dir, mut other) = created();
    assert_eq!(import(&mut other, &history).unwrap(), Imported { slots: 1, adopted: 1 });
    assert_eq!(import(&mut other, &history).unwrap(), Imported { slots: 1, adopted: 0 }, "again changes nothing");
    assert!(unsigned(&other).is_empty());
    assert_eq!(other.next_nonce().unwrap(), 5);
    assert!(matches!(record(&mut other, attest(header(1, 2, 1))), Err(StoreError::OtherContent { .. })));
    assert_eq!(other.export().unwrap(), history);
}

#[test]
fn a_history_that_contradicts_leaves_no_trace() {
    let (_dir, mut store) = created();
    record(&mut store, attest(header(1, 1, 1))).unwrap();
    let before = store.export().unwrap();
    let entry =
        |header: ObservationHeader| history::SlotVotes { slot: header.slot(), content: None, headers: vec![header] };
    let mut other = before.clone();
    other.votes = vec![entry(header(2, 1, 1)), entry(header(1, 2, 1))];
    assert!(matches!(import(&mut store, &other), Err(HistoryError::Store(StoreError::OtherContent { .. }))));
    other.votes = vec![history::SlotVotes { headers: vec![header(3, 1, 1)], ..entry(header(2, 1, 1)) }];
    assert!(matches!(import(&mut store, &other), Err(HistoryError::Slot { .. })));
    assert!(matches!(import(&mut store, &history::History { v: 3, ..before.clone() }), Err(HistoryError::Version(3))));
    let foreign = history::History { ledger: Address::ZERO, ..before.clone() };
    assert!(matches!(import(&mut store, &foreign), Err(HistoryError::Foreign { field: "ledger", .. })));
    assert_eq!(store.export().unwrap(), before);
}

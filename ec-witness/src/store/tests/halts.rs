//! A halted store does not vote until it is resumed.

use ec_rpc::BlockRef;

use super::*;

const DEEP: BlockRef = BlockRef { number: 9, hash: B256::repeat_byte(9) };

fn path(dir: &TempDir) -> std::path::PathBuf {
    dir.path().join("store")
}

#[test]
fn nothing_is_voted_until_the_halt_is_resumed() {
    let (dir, mut store) = created();
    record(&mut store, attest(header(1, 1, 1))).unwrap();
    let evidence = Evidence::ForeignNonce { account: identity().witness, nonce: 7 };
    let halt = store.halt(&evidence, "why").unwrap();
    assert!(matches!(store.record(&[attest(header(2, 1, 1))]), Err(StoreError::Halted(_))), "at once");
    drop(store);
    let Err(StoreError::Halted(found)) = VoteStore::open(&path(&dir), identity()) else { panic!("opened") };
    assert_eq!(*found, halt);
    let said = StoreError::Halted(found).to_string();
    for part in ["foreign_nonce", "why", "\"nonce\":7", "T", "Z", &halt.resumed_by()] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(VoteStore::read(&path(&dir)).unwrap().kept_halt().unwrap(), Some(halt));

    let mut store = VoteStore::open_halted(&path(&dir)).unwrap();
    assert!(matches!(store.resume(2), Err(StoreError::NotKept { asked: 2, kept: Some(1) })));
    store.resume(1).unwrap();
    assert!(matches!(store.resume(1), Err(StoreError::NotKept { asked: 1, kept: None })));
    drop(store);
    let mut store = reopened(&dir);
    assert_eq!(record(&mut store, attest(header(2, 1, 1))).unwrap(), Recorded::First);
    assert_eq!(store.halt(&evidence, "again").unwrap().id, 2);
}

#[test]
fn the_first_halt_is_the_one_that_is_kept() {
    let (_dir, mut store) = created();
    let first = store.halt(&Evidence::DeepReorg { block: DEEP }, "first").unwrap();
    let slot = header(1, 1, 1).slot();
    let second = Evidence::ForeignVote { slot, observation: ObservationHash::ZERO };
    assert_eq!(store.halt(&second, "second").unwrap(), first);
}

#[test]
fn every_kind_of_evidence_is_read_back_as_it_was() {
    let header = header(1, 1, 1);
    for evidence in [
        Evidence::ForeignVote { slot: header.slot(), observation: header.hash() },
        Evidence::GuardContradiction { slot: header.slot(), observation: header.hash(), recorded: vec![header] },
        Evidence::ForeignNonce { account: Address::ZERO, nonce: u64::MAX },
        Evidence::DeepReorg { block: DEEP },
    ] {
        let (_dir, mut store) = created();
        store.halt(&evidence, "").unwrap();
        let halt = store.kept_halt().unwrap().unwrap();
        assert_eq!(halt.evidence, evidence);
        assert_eq!(serde_json::to_value(&halt).unwrap()["evidence"]["kind"], evidence.kind());
    }
}

#[test]
fn after_a_deep_reorg_nothing_counts_as_final() {
    let (_dir, mut store) = created();
    record(&mut store, attest(header(1, 1, 1))).unwrap();
    carry(&mut store, 5, &[header(1, 1, 1)], TxState::Finalized { block: 8 });
    store.note_finalized_head(DEEP).unwrap();
    let halt = store.halt(&Evidence::DeepReorg { block: DEEP }, "").unwrap();
    assert_eq!(store.finalized_head().unwrap(), Some(DEEP));
    store.resume(halt.id).unwrap();
    assert_eq!(store.finalized_head().unwrap(), None);
    assert_eq!(store.outbox().unwrap()[0].state, TxState::Sent);
    assert_eq!(store.next_nonce().unwrap(), 6);
}

#[test]
fn the_finalized_head_is_kept() {
    let (dir, mut store) = created();
    assert_eq!(store.finalized_head().unwrap(), None);
    for number in [1, u64::MAX] {
        store.note_finalized_head(BlockRef { number, ..DEEP }).unwrap();
    }
    drop(store);
    assert_eq!(reopened(&dir).finalized_head().unwrap(), Some(BlockRef { number: u64::MAX, ..DEEP }));
}

#[test]
fn an_init_that_was_killed_leaves_no_store_and_does_not_hinder_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let killed = VoteStore::create(&path(&dir), identity(), 5, |_| {
        Err(StoreError::Missing { path: "the process is gone here".into() })
    });
    assert!(killed.is_err());
    assert!(path(&dir).join(UNFINISHED_FILE).is_file());
    assert!(matches!(VoteStore::open(&path(&dir), identity()), Err(StoreError::Missing { .. })));
    let store = VoteStore::create(&path(&dir), identity(), 6, |store| {
        store.adopt(&[header(1, 1, 1)]).map(|adopted| assert_eq!(adopted, 1))
    });
    assert_eq!(store.unwrap().next_nonce().unwrap(), 6);
    assert!(!path(&dir).join(UNFINISHED_FILE).exists());
}

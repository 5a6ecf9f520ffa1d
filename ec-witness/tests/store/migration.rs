//! A store that the last version-1 program wrote is migrated once, and nothing of it is lost.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use ec_observation::{Ballot, ObservationHeader, VoteKind};
use ec_witness::store::{Identity, Recorded, STORE_FILE, StoreError, TxState, VoteFate, VoteStore};
use rusqlite::{Connection, types::Value};
use tempfile::TempDir;

use super::{create_private, older::bring_to_version, write_private};

/// Whose store the fixture is.
pub(crate) fn identity() -> Identity {
    Identity {
        chain_id: 31337,
        ledger: "0xe7f1725e7734ce288f8367e1bb143e90bb3f0512".parse().unwrap(),
        witness: "0x70997970c51812dc3a010c7d01b50e0d17dc79c8".parse().unwrap(),
    }
}

pub(crate) fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/v1").join(STORE_FILE)
}

/// A private copy of the version-1 store.
pub(crate) fn old_store() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    create_private(&store);
    write_private(&store.join(STORE_FILE), &fs::read(fixture()).unwrap());
    (dir, store)
}

/// A private copy of the store as a version-2 program had it: the version-1 store, brought there, with what only version 2
/// can hold.
fn store_of_version_2() -> (TempDir, PathBuf) {
    let (dir, store) = old_store();
    bring_to_version(&store.join(STORE_FILE), 2);
    let connection = Connection::open(store.join(STORE_FILE)).unwrap();
    let more = "INSERT INTO finalized_head VALUES (1, '18446744073709551615', '0x01', 7);
                INSERT INTO halts (kind, message, evidence, halted_unix_ms, resumed_unix_ms) VALUES ('k', 'm', '{}', 5, 6)";
    connection.execute_batch(more).unwrap();
    drop(connection);
    (dir, store)
}

fn rows(database: &Path, query: &str) -> Vec<Vec<Value>> {
    let connection = Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare(query).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect()).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

fn backups(store: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "bak"));
    found
}

#[test]
fn every_vote_and_transaction_of_version_1_is_kept() {
    let (_dir, store) = old_store();
    drop(VoteStore::open(&store, identity()).unwrap());
    let (old, new) = (fixture(), store.join(STORE_FILE));
    for query in [
        "SELECT * FROM identity",
        "SELECT * FROM streams ORDER BY 1",
        "SELECT slot, content FROM votes ORDER BY 1",
        "SELECT id, slot, observation, header, candidates_seen, recorded_unix_ms FROM headers ORDER BY id",
        "SELECT * FROM transactions WHERE state <> 'adopted' ORDER BY id",
        "SELECT id, hash, state, signed_unix_ms FROM transactions ORDER BY id",
        "SELECT * FROM ballots ORDER BY 1, 2",
        "SELECT 20, 20, 16, 20 UNION ALL SELECT (SELECT count(*) FROM votes), (SELECT count(*) FROM headers),
            (SELECT count(*) FROM transactions), (SELECT count(*) FROM ballots)",
    ] {
        let expected = rows(&old, query);
        assert!(!expected.is_empty(), "{query}");
        assert_eq!(rows(&new, query), expected, "{query}");
    }
    assert!(rows(&new, "SELECT 1 FROM sqlite_schema WHERE name LIKE '%v1%'").is_empty());
}

#[test]
fn everything_of_version_2_is_kept_and_votes_move_there() {
    let (dir, store) = store_of_version_2();
    let old = dir.path().join("old.sqlite");
    fs::copy(store.join(STORE_FILE), &old).unwrap();
    let mut open = VoteStore::open(&store, identity()).unwrap();
    let query = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let tables: Vec<_> = rows(&old, query).into_iter().flatten().map(|name| format!("{name:?}")).collect();
    assert_eq!(tables.len(), 8, "{tables:?}");
    for table in ["identity", "streams", "votes", "headers", "transactions", "ballots", "halts", "finalized_head"] {
        let columns = if table == "votes" { "slot, content" } else { "*" };
        let query = format!("SELECT {columns} FROM {table} ORDER BY 1, 2");
        let expected = rows(&old, &query);
        assert!(!expected.is_empty(), "{table}");
        assert_eq!(rows(&store.join(STORE_FILE), &query), expected, "{table}");
    }
    let names: Vec<_> = backups(&store).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert!(matches!(names.as_slice(), [name] if name.to_str().unwrap().starts_with("votes.sqlite.v2.")), "{names:?}");
    // adopted, so nothing of it is on its way
    let from = open.ballots().unwrap()[0].header;
    let to = ObservationHeader { observed_unix_ms: from.observed_unix_ms + 1, ..from };
    let moved = Ballot { header: to, vote: VoteKind::Move { from: from.choice(), candidates_seen: 1 } };
    assert_eq!(*open.record(&[moved]).unwrap()[0].as_ref().unwrap(), Recorded::Another);
    drop(open);
    let unsigned = VoteStore::open(&store, identity()).unwrap().unsigned_after(0, usize::MAX).unwrap();
    assert_eq!(unsigned.into_iter().map(|(_, ballot)| ballot).collect::<Vec<_>>(), [moved]);
}

#[test]
fn everything_of_version_4_is_kept_and_all_of_it_is_checked() {
    let (dir, store) = old_store();
    let (file, old) = (store.join(STORE_FILE), dir.path().join("old.sqlite"));
    bring_to_version(&file, 4);
    let connection = Connection::open(&file).unwrap();
    let more = "INSERT INTO forced (l1_hash, l1_nonce, l1_raw, repeats, state, kept_unix_ms)
                    SELECT '0x01', '7', '0x02', hash, 'lost', 9 FROM transactions WHERE nonce = '7'";
    assert_eq!(connection.execute(more, []).unwrap(), 1);
    drop(connection);
    fs::copy(&file, &old).unwrap();
    let open = VoteStore::open(&store, identity()).unwrap();
    assert_eq!((open.next_nonce().unwrap(), open.outbox().unwrap().len()), (8, 4));
    assert!(open.signed_since(0).unwrap().iter().any(|(_, tx)| tx.nonce == 7));
    drop(open);
    for table in ["identity", "streams", "headers", "transactions", "ballots", "forced"] {
        let query = format!("SELECT * FROM {table} ORDER BY 1, 2");
        let expected = rows(&old, &query);
        assert!(!expected.is_empty(), "{table}");
        assert_eq!(rows(&file, &query), expected, "{table}");
    }
    let votes = rows(&old, "SELECT slot, content, 0 FROM votes ORDER BY 1");
    assert_eq!(rows(&file, "SELECT slot, content, compacted FROM votes ORDER BY 1"), votes);
    assert!(
        rows(&file, "SELECT 1 FROM closed UNION ALL SELECT 1 FROM compaction").is_empty(),
        "nobody has checked it yet"
    );
    let names: Vec<_> = backups(&store).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert!(matches!(names.as_slice(), [name] if name.to_str().unwrap().starts_with("votes.sqlite.v4.")), "{names:?}");
}

#[test]
fn a_migrated_store_goes_on_where_it_was() {
    let (_dir, store) = old_store();
    let mut open = VoteStore::open(&store, identity()).unwrap();
    let ballots = open.ballots().unwrap();
    let proposals = ballots.iter().filter(|ballot| matches!(ballot.vote, VoteKind::Propose { .. })).count();
    assert_eq!((ballots.len(), proposals), (20, 7));
    assert!(open.unsigned_after(0, usize::MAX).unwrap().is_empty());
    let outbox = open.outbox().unwrap();
    assert_eq!(outbox.iter().map(|tx| tx.nonce).collect::<Vec<_>>(), [4, 5, 6, 7]);
    assert!(matches!(outbox[1].state, TxState::Executed { .. }));
    assert_eq!(outbox[2].state, TxState::Signed);
    assert_eq!(open.next_nonce().unwrap(), 8);
    assert_eq!(open.from_sequence("la-nbc").unwrap(), Some(29_547_078));
    let fate = |header| open.vote(header).unwrap().unwrap().1;
    assert_eq!(fate(ballots[0].header.slot()), VoteFate::Executed { block: 0 }, "adopted");
    assert_eq!(fate(ballots[19].header.slot()), VoteFate::OnItsWay);
    assert!(open.record(&ballots).unwrap().iter().all(Result::is_ok));
    let mut other = ballots[3];
    other.header.data_root.0[0] ^= 1;
    assert!(matches!(open.record(&[other]).unwrap()[0], Err(StoreError::OtherContent { .. })));
}

#[test]
fn the_old_store_is_kept_beside_it_once() {
    let (_dir, store) = old_store();
    fs::write(store.join("votes.sqlite.v1.1.part"), "half a copy, left by a kill").unwrap();
    drop(VoteStore::open(&store, identity()).unwrap());
    let kept = backups(&store);
    let [backup] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!(fs::read(backup).unwrap(), fs::read(fixture()).unwrap());
    assert_eq!(fs::metadata(backup).unwrap().permissions().mode() & 0o777, 0o600);
    let migrated = fs::read(store.join(STORE_FILE)).unwrap();
    drop(VoteStore::open(&store, identity()).unwrap());
    assert_eq!(backups(&store), kept, "once");
    assert_eq!(fs::read(store.join(STORE_FILE)).unwrap(), migrated);
    assert_eq!(fs::read_dir(&store).unwrap().count(), 3, "the store, its lock and the copy");
}

#[test]
fn a_reader_does_not_migrate() {
    let (_dir, store) = old_store();
    let refused = VoteStore::read(&store).unwrap_err();
    assert!(matches!(refused, StoreError::Older { found: 1, .. }));
    assert!(refused.to_string().contains("ec-witness run"), "{refused}");
    assert_eq!(fs::read(store.join(STORE_FILE)).unwrap(), fs::read(fixture()).unwrap());
}

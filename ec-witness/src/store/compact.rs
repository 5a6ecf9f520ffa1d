//! Compacting: of votes that were final long ago only what the guard needs is kept, and the file gets smaller.
//!
//! The compacted store is written beside the old one, checked, and takes its name: until then the old one is as it was, and
//! never is there less than one of the two. That needs room for the new one only, and none for a journal of what goes.
//!
//! What is kept of a compacted vote is its row of the guard, slot and content. No vote is cast in such a slot any more,
//! neither for another content nor for the same one.

use std::{fs, path::Path};

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, named_params};
use serde::Serialize;

use super::{
    APPLICATION_ID, SCHEMA_VERSION, STORE_FILE, StoreError, VoteStore, check, files, halts::refuse_halted, migrate,
    parsed, unix_ms,
};
use crate::failpoint;

/// What it is written to until all of it is there.
const UNFINISHED_FILE: &str = "votes.sqlite.compact.part";

/// Memory for pages, KiB: the guard's index of a million votes.
const CACHE_KIB: i64 = 96 * 1024;

/// What compacting came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compacted {
    /// Votes that were compacted now.
    pub votes: i64,
    /// Votes that are compacted, with those of before.
    pub all_votes: i64,
    /// Transactions that are gone now.
    pub transactions: i64,
    /// The file's size before, bytes.
    pub before_bytes: u64,
    /// The file's size now, bytes.
    pub after_bytes: u64,
}

/// What may go: votes of which every header was recorded before `:before`, and is carried by transactions of which each was
/// signed before it and is final, or dead, as another one of its nonce is final. What was cast elsewhere is not among
/// them: nobody here knows whether it is final.
const IS_OLD: &str = "EXISTS (SELECT 1 FROM old.headers h WHERE h.slot = v.slot) AND NOT EXISTS (
    SELECT 1 FROM old.headers h
    LEFT JOIN old.ballots b ON b.observation = h.observation
    LEFT JOIN old.transactions t ON t.id = b.transaction_id
    WHERE h.slot = v.slot AND NOT (
        t.id IS NOT NULL AND h.recorded_unix_ms < :before AND t.signed_unix_ms < :before AND EXISTS (
            SELECT 1 FROM old.transactions f
            WHERE f.nonce = t.nonce AND f.state = 'finalized' AND f.signed_unix_ms < :before)))";

/// Nonces go with all of their transactions: where all of them are old, one is final, none carries a vote that is kept, and
/// none has to do with a forced one. The highest final one stays, as the next start knows the chain by it.
const STAYS: &str = "t.nonce IS NULL OR t.nonce = :last_final
    OR NOT EXISTS (SELECT 1 FROM old.transactions f WHERE f.nonce = t.nonce AND f.state = 'finalized')
    OR EXISTS (SELECT 1 FROM old.transactions s WHERE s.nonce = t.nonce AND (
        s.signed_unix_ms >= :before
        OR s.hash IN (SELECT repeats FROM old.forced UNION SELECT l2_hash FROM old.forced WHERE l2_hash IS NOT NULL)
        OR EXISTS (SELECT 1 FROM old.ballots b JOIN main.headers h ON h.observation = b.observation
                   WHERE b.transaction_id = s.id)))";

impl VoteStore {
    /// Compacts the store in this directory: votes that were cast, as above, before a time, Unix milliseconds. All of it is
    /// checked before, and what comes of it is, too.
    ///
    /// # Errors
    ///
    /// The store is missing, in use, damaged or newer than this program, or a halt stands, or the disk refuses; then it is as it was.
    pub fn compact(directory: &Path, before_unix_ms: u64) -> Result<Compacted, StoreError> {
        let path = directory.join(STORE_FILE);
        let unfinished = directory.join(UNFINISHED_FILE);
        let store = Self::open_checked(directory, true)?;
        // what was final may be looked up again then
        refuse_halted(&store.connection)?;
        // what one that was killed left
        files::remove(&unfinished)?;
        let written = write(&store, &path, &unfinished, before_unix_ms);
        let (subject, Self { connection, _lock: lock, .. }) = (store.subject(), store);
        // what another process does with the file meanwhile is for SQLite's locks; ours ends here
        connection.close().map_err(|(_, error)| error)?;
        let compacted = match written {
            Ok(Some(compacted)) => compacted,
            Ok(None) => return Compacted::nothing(&path),
            Err(error) => {
                // what is left is removed by the next one at the latest
                let _ = files::remove(&unfinished);
                return Err(error);
            }
        };
        let checked = files::connect(&unfinished, true)?;
        check::whole(&checked, &check::Subject { path: unfinished.clone(), ..subject })?;
        checked.close().map_err(|(_, error)| error)?;
        failpoint::COMPACT.begins();
        files::rename(&unfinished, &path)?;
        failpoint::COMPACT.is_done();
        drop(lock);
        Ok(compacted)
    }
}

impl Compacted {
    /// Where nothing was old enough.
    fn nothing(path: &Path) -> Result<Self, StoreError> {
        let bytes = size(path)?;
        Ok(Self { before_bytes: bytes, after_bytes: bytes, ..Self::default() })
    }
}

fn size(path: &Path) -> Result<u64, StoreError> {
    Ok(fs::metadata(path).map_err(StoreError::io(path))?.len())
}

/// Writes the compacted store, durably, under another name; `None` where nothing is old enough.
fn write(store: &VoteStore, path: &Path, unfinished: &Path, before: u64) -> Result<Option<Compacted>, StoreError> {
    let last_final = store.last_final()?.map(|tx| tx.nonce.to_string());
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    files::private().create_new(true).open(unfinished).map_err(StoreError::io(unfinished))?;
    let mut connection = files::connect(unfinished, true)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.execute("ATTACH DATABASE ?1 AS old", [path.to_str()])?;
    let db = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    db.pragma_update(None, "application_id", APPLICATION_ID)?;
    db.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    db.execute_batch(migrate::SCHEMA)?;
    let mut compacted = take_over(&db, before, last_final.as_deref())?;
    refuse_lost_votes(&db, path)?;
    failpoint::COMPACT_WRITE.begins();
    db.commit()?;
    failpoint::COMPACT_WRITE.is_done();
    connection.close().map_err(|(_, error)| error)?;
    (compacted.before_bytes, compacted.after_bytes) = (size(path)?, size(unfinished)?);
    match compacted.votes {
        0 => files::remove(unfinished).map(|()| None),
        _ => Ok(Some(compacted)),
    }
}

/// Takes over what stays.
fn take_over(db: &Transaction<'_>, before: i64, last_final: Option<&str>) -> Result<Compacted, StoreError> {
    let count = |query: &str| db.query_row(query, [], |row| row.get::<_, i64>(0));
    for table in ["identity", "streams", "halts", "finalized_head"] {
        db.execute(&format!("INSERT INTO main.{table} SELECT * FROM old.{table}"), [])?;
    }
    // in the order in which they lie, so that a higher row is a later one as before
    let votes = format!(
        "INSERT INTO main.votes (slot, content, compacted)
         SELECT v.slot, v.content, v.compacted OR ({IS_OLD}) FROM old.votes v ORDER BY v.rowid"
    );
    db.execute(&votes, named_params! { ":before": before })?;
    let headers = "INSERT INTO main.headers SELECT h.* FROM old.headers h JOIN main.votes v ON v.slot = h.slot
                   WHERE v.compacted = 0 ORDER BY h.id";
    db.execute(headers, [])?;
    let transactions =
        format!("INSERT INTO main.transactions SELECT t.* FROM old.transactions t WHERE {STAYS} ORDER BY t.id");
    db.execute(&transactions, named_params! { ":before": before, ":last_final": last_final })?;
    let carries = "EXISTS (SELECT 1 FROM main.headers h WHERE h.observation = o.observation)";
    for table in ["ballots", "moves"] {
        let query = format!("INSERT INTO main.{table} SELECT o.* FROM old.{table} o WHERE {carries} ORDER BY o.rowid");
        db.execute(&query, [])?;
    }
    db.execute("INSERT INTO main.forced SELECT * FROM old.forced ORDER BY id", [])?;
    let gone = "SELECT t.nonce FROM old.transactions t WHERE t.nonce IS NOT NULL AND length(t.nonce) > 0
                AND NOT EXISTS (SELECT 1 FROM main.transactions m WHERE m.id = t.id)
                ORDER BY length(t.nonce) DESC, t.nonce DESC LIMIT 1";
    let highest_gone: Option<u64> = db.query_row(gone, [], |row| parsed(row, 0)).optional()?;
    let below_before = db.query_row("SELECT nonces_below FROM old.compaction", [], |row| parsed(row, 0)).optional()?;
    let nonces_below = highest_gone.map_or(0, |nonce| nonce.saturating_add(1)).max(below_before.unwrap_or_default());
    let all_votes = count("SELECT count(*) FROM main.votes WHERE compacted = 1")?;
    let votes_before = count("SELECT count(*) FROM old.votes WHERE compacted = 1")?;
    if all_votes > 0 {
        let note = "INSERT INTO main.compaction VALUES (1, ?1, ?2, ?3)";
        db.execute(note, rusqlite::params![all_votes, nonces_below.to_string(), unix_ms()])?;
    }
    let transactions =
        count("SELECT (SELECT count(*) FROM old.transactions) - (SELECT count(*) FROM main.transactions)")?;
    Ok(Compacted { votes: all_votes - votes_before, all_votes, transactions, ..Compacted::default() })
}

/// Refuses to go on unless the guard has every vote that it had, for the same content.
fn refuse_lost_votes(db: &Transaction<'_>, path: &Path) -> Result<(), StoreError> {
    let lost = "SELECT o.slot FROM old.votes o LEFT JOIN main.votes v ON v.slot = o.slot
                WHERE v.content IS NOT o.content LIMIT 1";
    let lost: Option<String> = db.query_row(lost, [], |row| row.get(0)).optional()?;
    match lost {
        None => Ok(()),
        Some(slot) => Err(StoreError::Damaged { path: path.to_owned(), what: format!("compacting lost slot {slot}") }),
    }
}

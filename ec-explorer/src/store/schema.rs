//! The tables, and how a database is opened.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, config::DbConfig};

use super::{BUSY_TIMEOUT, StoreError, read_flags};

/// The number changes with the tables, or with what is counted in them; a database of another one is made again.
const VERSION: i64 = 2;

/// The tables.
///
/// Rows that there are millions of are small: a record is the first eight bytes of its hash and where it stands, some 20
/// bytes, since the archive itself has the rest.
const TABLES: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- blocks to which the log was heard: those that may be taken back, and the newest one below
CREATE TABLE block(number INTEGER PRIMARY KEY, hash BLOB NOT NULL);

CREATE TABLE stream(id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, stream_id TEXT, rule TEXT);

-- a seat is the row of its first address
CREATE TABLE address(id INTEGER PRIMARY KEY, address BLOB NOT NULL UNIQUE, seat INTEGER NOT NULL, since INTEGER NOT NULL);

CREATE TABLE slot(
  id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, stream INTEGER NOT NULL, sequence INTEGER NOT NULL,
  mark INTEGER, idx INTEGER, observed_ms INTEGER NOT NULL,
  first_ms INTEGER, candidates INTEGER NOT NULL DEFAULT 0, contents INTEGER NOT NULL DEFAULT 0, votes INTEGER NOT NULL DEFAULT 0,
  final_candidate INTEGER, final_content INTEGER, final_block INTEGER, final_index INTEGER, final_ms INTEGER, final_tx BLOB,
  equal INTEGER NOT NULL DEFAULT 0, differing INTEGER NOT NULL DEFAULT 0, incomplete INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX slot_time ON slot(stream, observed_ms, final_block, differing, candidates, contents, first_ms);
CREATE INDEX slot_all ON slot(observed_ms);
CREATE INDEX slot_session ON slot(stream, mark, idx) WHERE mark IS NOT NULL;
CREATE INDEX slot_sequence ON slot(stream, sequence);
CREATE INDEX slot_final ON slot(final_block) WHERE final_block IS NOT NULL;

CREATE TABLE candidate(
  id INTEGER PRIMARY KEY, slot INTEGER NOT NULL, hash BLOB NOT NULL, hash_key INTEGER NOT NULL, header BLOB NOT NULL,
  content INTEGER NOT NULL, root_key INTEGER NOT NULL, proposer INTEGER NOT NULL,
  block INTEGER NOT NULL, log_index INTEGER NOT NULL, ms INTEGER NOT NULL, tx BLOB
);
CREATE INDEX candidate_slot ON candidate(slot);
CREATE INDEX candidate_hash ON candidate(hash_key);
CREATE INDEX candidate_root ON candidate(root_key);
CREATE INDEX candidate_block ON candidate(block);

CREATE TABLE vote(
  slot INTEGER NOT NULL, block INTEGER NOT NULL, log_index INTEGER NOT NULL, seat INTEGER NOT NULL, address INTEGER NOT NULL,
  kind INTEGER NOT NULL, candidate INTEGER NOT NULL, from_candidate INTEGER, ms INTEGER NOT NULL, tx BLOB,
  PRIMARY KEY(slot, block, log_index)
) WITHOUT ROWID;
CREATE INDEX vote_seat ON vote(seat, ms);
CREATE INDEX vote_block ON vote(block);

-- a stream in an archive
CREATE TABLE source(
  id INTEGER PRIMARY KEY, archive TEXT NOT NULL, stream INTEGER NOT NULL, broadcast TEXT NOT NULL,
  records INTEGER NOT NULL DEFAULT 0, bad_lines INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
  UNIQUE(archive, stream)
);
-- which session a segment of a lane is
CREATE TABLE segment(
  source INTEGER NOT NULL, segment INTEGER NOT NULL, mark INTEGER NOT NULL, idx INTEGER NOT NULL, is_final INTEGER NOT NULL,
  PRIMARY KEY(source, segment)
) WITHOUT ROWID;
CREATE TABLE epoch(
  source INTEGER NOT NULL, segment INTEGER NOT NULL, idx INTEGER NOT NULL, slot INTEGER, state INTEGER NOT NULL,
  leaves INTEGER NOT NULL, root BLOB, root_key INTEGER, observed_ms INTEGER,
  PRIMARY KEY(source, segment, idx)
) WITHOUT ROWID;
CREATE INDEX epoch_slot ON epoch(slot) WHERE slot IS NOT NULL;
CREATE INDEX epoch_root ON epoch(root_key) WHERE root_key IS NOT NULL;
CREATE INDEX epoch_nameless ON epoch(source, observed_ms) WHERE slot IS NULL;

-- runs of records, each by hash: `records.rs` says why
CREATE TABLE run(
  id INTEGER PRIMARY KEY, level INTEGER NOT NULL, records INTEGER NOT NULL DEFAULT 0, is_whole INTEGER NOT NULL DEFAULT 0,
  merged_into INTEGER, next_key INTEGER NOT NULL DEFAULT -9223372036854775808
);
CREATE TABLE record(
  run INTEGER NOT NULL, hash_key INTEGER NOT NULL, source INTEGER NOT NULL, segment INTEGER NOT NULL, sequence INTEGER NOT NULL,
  PRIMARY KEY(run, hash_key, source, segment, sequence)
) WITHOUT ROWID;
";

/// Opens a database that is there, of this version and identity; `None` where it is to be made (again).
pub(super) fn open(path: &Path, identity: &str) -> Result<Option<Connection>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let connection = Connection::open(path)?;
    let version = connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    match version {
        Ok(VERSION) => {}
        // a file that is no database, or one that a crash of the machine left torn, is made again like an older one
        Ok(_) => return Ok(None),
        Err(error) if is_damage(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let found: Option<String> =
        connection.query_row("SELECT value FROM meta WHERE key = 'identity'", [], |row| row.get(0)).optional()?;
    if found.as_deref() != Some(identity) {
        return Ok(None);
    }
    set_up(&connection)?;
    Ok(Some(connection))
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    error.sqlite_error_code().is_some_and(|code| matches!(code, DatabaseCorrupt | NotADatabase))
}

/// Makes a database where there is none.
pub(super) fn make(path: &Path, identity: &str) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA page_size = 8192")?;
    set_up(&connection)?;
    connection.execute_batch(TABLES)?;
    connection.execute("INSERT INTO meta VALUES ('identity', ?)", [identity])?;
    connection.execute_batch(&format!("PRAGMA user_version = {VERSION}"))?;
    Ok(connection)
}

fn set_up(connection: &Connection) -> Result<(), StoreError> {
    prepare(connection)?;
    // a power cut may take the last moments back, which are read again
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY",
    )?;
    Ok(())
}

/// What holds for every connection.
fn prepare(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(128);
    // else some statements are planned anew for each value that they ask for
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// One more connection that reads.
pub(super) fn read_only(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, read_flags())?;
    prepare(&connection)?;
    connection.execute_batch("PRAGMA cache_size = -8192; PRAGMA mmap_size = 1073741824; PRAGMA query_only = ON")?;
    Ok(connection)
}

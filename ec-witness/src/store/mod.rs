//! The vote store: what this witness stands for, durable before anything is signed or sent.
//!
//! One SQLite file. SQLite, because no store is tested harder against power loss, and because an operator can read it
//! with a tool he has. Every change is one transaction with `synchronous = EXTRA`: when a function returns, what it
//! wrote is on the disk. A lock file beside it, held for the life of the process, keeps a second one out; reading
//! beside a running daemon is allowed.

pub mod history;
mod holder;
mod outbox;
mod standing;
#[cfg(test)]
mod tests;
mod votes;

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

use alloy::primitives::Address;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

pub use holder::holder;
pub use outbox::{OutboxTx, TxState};
pub use standing::StoreStanding;
pub use votes::{Ballot, Recorded, VoteProgress};

/// The file inside the store's directory.
pub const STORE_FILE: &str = "votes.sqlite";

const LOCK_FILE: &str = "lock";
const SCHEMA_VERSION: i64 = 1;
/// "ecvs" in ASCII: marks the file as a vote store.
const APPLICATION_ID: i64 = 0x6563_7673;

/// Why the store refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no store.
    #[error("{}: no vote store; `ec-witness init` creates one", path.display())]
    Missing {
        /// The store's directory.
        path: PathBuf,
    },
    /// There is a store already.
    #[error("{}: there is a vote store already; it must never be replaced while its key votes", path.display())]
    Exists {
        /// The store's directory.
        path: PathBuf,
    },
    /// Another process has it.
    #[error("{}: another process uses this vote store; two must never vote with one store", path.display())]
    InUse {
        /// The store's directory.
        path: PathBuf,
    },
    /// The file is not a store of ours, or damaged.
    #[error("{}: not an intact vote store: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// A newer program wrote it.
    #[error("{}: the store has schema version {found}, this program knows {SCHEMA_VERSION}; use a newer one", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: i64,
    },
    /// It belongs to another chain, ledger or witness.
    #[error("{}: the store belongs to {field} {stored}, but {given} is configured", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What differs.
        field: &'static str,
        /// The store's.
        stored: String,
        /// The configured one.
        given: String,
    },
    /// A vote with other content than the recorded one was asked for: refused, for ever.
    #[error("slot {slot}: refused to vote for content {asked}; this witness stands for content {recorded}")]
    OtherContent {
        /// The slot.
        slot: crate::observation::SlotId,
        /// The recorded content.
        recorded: crate::observation::ContentHash,
        /// The refused one.
        asked: crate::observation::ContentHash,
    },
    /// A second header was asked for while the first one's vote may still land.
    #[error("slot {slot}: refused to vote for another header while the vote recorded first can still land")]
    StillOnItsWay {
        /// The slot.
        slot: crate::observation::SlotId,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite refused; what was asked did not happen.
    #[error("vote store: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl StoreError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Io { path: path.to_owned(), source }
    }
}

/// Whose votes a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The chain.
    pub chain_id: u64,
    /// The ledger.
    pub ledger: Address,
    /// The witness.
    pub witness: Address,
}

/// An open vote store.
#[derive(Debug)]
pub struct VoteStore {
    connection: Connection,
    identity: Identity,
    first_nonce: u64,
    /// Held for the life of the store; `None` when it was opened to be read.
    _lock: Option<File>,
}

impl VoteStore {
    /// Creates a store. `first_nonce` is the account's transaction count: whatever came before it is not this
    /// store's.
    ///
    /// # Errors
    ///
    /// There is one already, or the disk refuses.
    pub fn create(directory: &Path, identity: Identity, first_nonce: u64) -> Result<Self, StoreError> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(StoreError::io(directory))?;
        let lock = lock(directory)?;
        let path = directory.join(STORE_FILE);
        if path.exists() {
            return Err(StoreError::Exists { path: directory.to_owned() });
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.map_err(StoreError::io(&path))?;
        let mut store = Self { connection: connect(&path, true)?, identity, first_nonce, _lock: Some(lock) };
        store.write(|db| {
            db.pragma_update(None, "application_id", APPLICATION_ID)?;
            db.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            db.execute_batch(include_str!("schema.sql"))?;
            db.execute(
                "INSERT INTO identity VALUES (1, ?1, ?2, ?3, ?4, ?5)",
                params![
                    identity.chain_id.to_string(),
                    hex(identity.ledger),
                    hex(identity.witness),
                    first_nonce.to_string(),
                    unix_ms(),
                ],
            )?;
            Ok(())
        })?;
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(StoreError::io(directory))?;
        Ok(store)
    }

    /// Opens the store of this identity for voting.
    ///
    /// # Errors
    ///
    /// It is missing, in use, damaged, newer than this program, or another's.
    pub fn open(directory: &Path, identity: Identity) -> Result<Self, StoreError> {
        Self::exists(directory)?;
        let lock = lock(directory)?;
        let store = Self::load(directory, true, Some(lock))?;
        store.belongs_to(directory, identity)?;
        Ok(store)
    }

    /// Opens a store to be read, beside a process that votes with it.
    ///
    /// # Errors
    ///
    /// It is missing, damaged or newer than this program.
    pub fn read(directory: &Path) -> Result<Self, StoreError> {
        Self::exists(directory)?;
        Self::load(directory, false, None)
    }

    fn exists(directory: &Path) -> Result<(), StoreError> {
        let exists = directory.join(STORE_FILE).is_file();
        exists.then_some(()).ok_or_else(|| StoreError::Missing { path: directory.to_owned() })
    }

    fn load(directory: &Path, writable: bool, lock: Option<File>) -> Result<Self, StoreError> {
        let path = directory.join(STORE_FILE);
        let damaged = |what: String| StoreError::Damaged { path: path.clone(), what };
        let connection = connect(&path, writable)?;
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let application_id = pragma("application_id").map_err(|error| damaged(error.to_string()))?;
        if application_id != APPLICATION_ID {
            return Err(damaged("it is not marked as one".into()));
        }
        match pragma("user_version")? {
            SCHEMA_VERSION => {}
            found if found > SCHEMA_VERSION => return Err(StoreError::Newer { path, found }),
            found => return Err(damaged(format!("schema version {found}"))),
        }
        let check: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if check != "ok" {
            return Err(damaged(check));
        }
        let (identity, first_nonce) = identity(&connection)?.ok_or_else(|| damaged("it has no identity".into()))?;
        Ok(Self { connection, identity, first_nonce, _lock: lock })
    }

    fn belongs_to(&self, directory: &Path, given: Identity) -> Result<(), StoreError> {
        let stored = self.identity;
        let fields = [
            ("chain id", stored.chain_id.to_string(), given.chain_id.to_string()),
            ("ledger", stored.ledger.to_string(), given.ledger.to_string()),
            ("witness", stored.witness.to_string(), given.witness.to_string()),
        ];
        match fields.into_iter().find(|(_, stored, given)| stored != given) {
            None => Ok(()),
            Some((field, stored, given)) => {
                Err(StoreError::Foreign { path: directory.join(STORE_FILE), field, stored, given })
            }
        }
    }

    /// Whose votes these are.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Where a stream's judging starts, if that is fixed yet.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn from_sequence(&self, stream_id: &str) -> Result<Option<u64>, StoreError> {
        let query = "SELECT from_sequence FROM streams WHERE stream_id = ?1";
        Ok(self.connection.query_row(query, [stream_id], |row| parsed(row, 0)).optional()?)
    }

    /// Fixes where a stream's judging starts. What was fixed before stays and is returned.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn fix_from_sequence(&mut self, stream_id: &str, from_sequence: u64) -> Result<u64, StoreError> {
        self.write(|db| {
            let insert = "INSERT OR IGNORE INTO streams VALUES (?1, ?2)";
            db.execute(insert, params![stream_id, from_sequence.to_string()])?;
            Ok(())
        })?;
        Ok(self.from_sequence(stream_id)?.unwrap_or(from_sequence))
    }

    /// Runs `change` as one exclusive durable transaction: all of it or nothing.
    fn write<T>(&mut self, change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = change(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }
}

fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join(LOCK_FILE);
    let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = options.map_err(StoreError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(StoreError::Io { path, source }),
    }
}

fn connect(path: &Path, writable: bool) -> Result<Connection, StoreError> {
    let mode = if writable { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    fs::metadata(path).map_err(StoreError::io(path))?;
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "EXTRA")?;
    Ok(connection)
}

fn identity(connection: &Connection) -> Result<Option<(Identity, u64)>, StoreError> {
    let query = "SELECT chain_id, ledger, witness, first_nonce FROM identity";
    let row = connection.query_row(query, [], |row| {
        let identity = Identity { chain_id: parsed(row, 0)?, ledger: parsed(row, 1)?, witness: parsed(row, 2)? };
        Ok((identity, parsed(row, 3)?))
    });
    Ok(row.optional()?)
}

/// A column that holds the text of a `T`.
fn parsed<T>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    alloy::hex::encode_prefixed(bytes)
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

//! The vote store: what this witness stands for, durable before anything is signed or sent.
//!
//! One SQLite file. SQLite, because no store is tested harder against power loss, and because an operator can read it
//! with a tool he has. Every change is one transaction with `synchronous = EXTRA`: when a function returns, what it
//! wrote is on the disk. A lock file beside it, held for the life of the process, keeps a second one out; reading
//! beside a running daemon is allowed.

mod adoption;
mod beside;
mod check;
mod closed;
mod compact;
mod error;
mod files;
mod finalized;
mod forced;
mod growth;
mod halt;
mod halts;
pub mod history;
mod holder;
mod migrate;
mod outbox;
mod rotation;
mod standing;
#[cfg(test)]
mod tests;
mod votes;

use std::{
    fs::File,
    path::{Path, PathBuf},
    str::FromStr,
};

use alloy::primitives::Address;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

pub use compact::Compacted;
pub use error::StoreError;
pub use forced::{DEPOSIT_TYPE, ForcedTx};
pub use growth::Growth;
pub use halt::{Evidence, KeptHalt};
pub use holder::holder;
pub use outbox::{OutboxTx, TxState};
pub use standing::StoreStanding;
pub use votes::{Recorded, VoteFate};

use beside::Checking;
use check::Subject;

use crate::{
    clock,
    failpoint::{self, Step},
};

/// The file inside the store's directory.
pub const STORE_FILE: &str = "votes.sqlite";

/// What `init` works on until all of it is there.
const UNFINISHED_FILE: &str = "votes.sqlite.init";

const FROM_SEQUENCE: &str = "SELECT from_sequence FROM streams WHERE stream_id = ?1";
const FIXED_STREAMS: &str = "SELECT stream_id FROM streams ORDER BY stream_id";
const FIX_FROM_SEQUENCE: &str = "INSERT OR IGNORE INTO streams VALUES (?1, ?2)";
const IDENTITY: &str = "SELECT chain_id, ledger, witness, first_nonce FROM identity";

const SCHEMA_VERSION: i64 = 5;
/// "ecvs" in ASCII: marks the file as a vote store.
const APPLICATION_ID: i64 = 0x6563_7673;

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
    no_room: bool,
    /// Whether a note stands that it is closed, which what is written next takes away.
    is_noted_closed: bool,
    /// Whether all of it was checked when it was opened, or is being checked beside.
    is_checked: bool,
    checking: Option<Checking>,
    /// Held for the life of the store; `None` when it was opened to be read.
    _lock: Option<File>,
}

impl VoteStore {
    /// Creates a store, `fill`s it, and opens it. `first_nonce` is the account's transaction count: whatever came
    /// before it is not this store's. A store is there only when all of it is: killed before, nothing was created.
    ///
    /// # Errors
    ///
    /// There is one already, the disk refuses, or `fill` fails.
    pub fn create<E: From<StoreError>>(
        directory: &Path,
        identity: Identity,
        first_nonce: u64,
        fill: impl FnOnce(&mut Self) -> Result<(), E>,
    ) -> Result<Self, E> {
        files::create_directory(directory)?;
        files::refuse_open_to_others(directory)?;
        let lock = files::lock(directory)?;
        let path = directory.join(STORE_FILE);
        if path.exists() {
            return Err(StoreError::Exists { path: directory.to_owned() }.into());
        }
        let unfinished = directory.join(UNFINISHED_FILE);
        let mut store = Self::begin(&unfinished, identity, first_nonce)?;
        fill(&mut store)?;
        drop(store);
        failpoint::CREATE.begins();
        files::rename(&unfinished, &path)?;
        failpoint::CREATE.is_done();
        Ok(Self::load(directory, true, Some(lock))?)
    }

    /// An empty store under another name. What an earlier `init` left there is nobody's.
    fn begin(unfinished: &Path, identity: Identity, first_nonce: u64) -> Result<Self, StoreError> {
        files::remove(unfinished)?;
        files::private().create_new(true).open(unfinished).map_err(StoreError::io(unfinished))?;
        let connection = files::connect(unfinished, true)?;
        let mut store = Self::of(connection, identity, first_nonce, None);
        store.write(failpoint::BEGIN, |db| {
            db.pragma_update(None, "application_id", APPLICATION_ID)?;
            db.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            db.execute_batch(migrate::SCHEMA)?;
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
        Ok(store)
    }

    fn of(connection: Connection, identity: Identity, first_nonce: u64, lock: Option<File>) -> Self {
        Self {
            connection,
            identity,
            first_nonce,
            no_room: false,
            is_noted_closed: false,
            is_checked: true,
            checking: None,
            _lock: lock,
        }
    }

    /// Opens the store of this identity for voting. An older one is migrated.
    ///
    /// Where it was not closed in order, all of it is checked first; else as much as must be sound before the first vote,
    /// and the rest is for [`Self::check_beside`].
    ///
    /// # Errors
    ///
    /// It is missing, in use, damaged, newer than this program or another's, or a halt stands.
    pub fn open(directory: &Path, identity: Identity) -> Result<Self, StoreError> {
        let mut store = Self::open_checked(directory, false)?;
        store.belongs_to(directory, identity)?;
        halts::refuse_halted(&store.connection)?;
        store.note_open()?;
        Ok(store)
    }

    /// Opens a store to be changed, but not for voting: it may be halted.
    ///
    /// # Errors
    ///
    /// It is missing, in use, damaged or newer than this program.
    pub fn open_halted(directory: &Path) -> Result<Self, StoreError> {
        let mut store = Self::open_checked(directory, false)?;
        store.note_open()?;
        Ok(store)
    }

    /// Checks all of a store that nobody else has open; how many votes there are.
    ///
    /// # Errors
    ///
    /// It is missing, in use, damaged or newer than this program.
    pub fn check(directory: &Path) -> Result<i64, StoreError> {
        Ok(Self::open_checked(directory, true)?.standing()?.votes)
    }

    /// Opens a store whose lock nobody has, and checks it: all of it, or as much as must be sound before the first vote if it
    /// was closed in order. Nothing is written yet.
    fn open_checked(directory: &Path, wholly: bool) -> Result<Self, StoreError> {
        Self::exists(directory)?;
        files::refuse_open_to_others(directory)?;
        files::refuse_open_to_others(&directory.join(STORE_FILE))?;
        let lock = files::lock(directory)?;
        migrate::migrate(directory)?;
        let mut store = Self::load(directory, true, Some(lock))?;
        let subject = store.subject();
        // where that cannot be read, all is checked, and that tells why
        store.is_noted_closed = closed::is_closed(&store.connection).unwrap_or(false);
        store.is_checked = wholly || !store.is_noted_closed;
        match store.is_checked {
            true => check::whole(&store.connection, &subject)?,
            false => check::beginning(&store.connection, &subject)?,
        }
        Ok(store)
    }

    /// Begins to check the rest of a store of which opening it checked the beginning, in a thread of its own: it neither
    /// keeps this process from writing nor delays its end. What it finds [`Self::checked`] tells.
    ///
    /// # Errors
    ///
    /// There is no thread for it.
    pub fn check_beside(&mut self) -> Result<(), StoreError> {
        if !self.is_checked {
            self.checking = Some(Checking::begin(self.subject())?);
            self.is_checked = true;
        }
        Ok(())
    }

    /// Whether the check beside is under way.
    pub fn is_being_checked(&self) -> bool {
        self.checking.as_ref().is_some_and(|checking| !checking.is_at_its_end())
    }

    /// Fails once the check beside has found the store damaged: as opening it would have. No vote is recorded from then on.
    ///
    /// # Errors
    ///
    /// What was found.
    pub fn checked(&mut self) -> Result<(), StoreError> {
        self.checking.as_mut().map_or(Ok(()), Checking::found)
    }

    fn subject(&self) -> Subject {
        let path = self.connection.path().map(PathBuf::from).unwrap_or_default();
        Subject { path, identity: self.identity, first_nonce: self.first_nonce }
    }

    /// Opens a store to be read, beside a process that votes with it.
    ///
    /// # Errors
    ///
    /// It is missing, no store, or of another version than this program. Its rows are checked as they are read, but not
    /// all at once: that would keep the process that votes from writing.
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
        let connection = files::connect(&path, writable)?;
        let found = migrate::version(&connection, &path)?;
        if found < SCHEMA_VERSION {
            return Err(StoreError::Older { path, found });
        }
        let identity = identity(&connection).map_err(|error| files::damaged_by(error, &path))?;
        let (identity, first_nonce) = identity.ok_or_else(|| damaged("it has no identity".into()))?;
        Ok(Self::of(connection, identity, first_nonce, lock))
    }

    /// Refuses what is not this witness's.
    ///
    /// # Errors
    ///
    /// It belongs to another chain, ledger or witness.
    pub fn belongs_to(&self, directory: &Path, given: Identity) -> Result<(), StoreError> {
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

    /// What `read` asks for, it asks of one state of the store, which costs a third of asking each time of the newest.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn at_once<T>(&self, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let _one_state = self.connection.unchecked_transaction()?;
        read()
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
        Ok(self.connection.query_row(FROM_SEQUENCE, [stream_id], |row| parsed(row, 0)).optional()?)
    }

    /// The ids of the streams whose starts are fixed.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn fixed_streams(&self) -> Result<Vec<String>, StoreError> {
        let mut query = self.connection.prepare(FIXED_STREAMS)?;
        Ok(query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Fixes where a stream's judging starts. What was fixed before stays and is returned.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn fix_from_sequence(&mut self, stream_id: &str, from_sequence: u64) -> Result<u64, StoreError> {
        self.write(failpoint::FIX_FROM_SEQUENCE, |db| {
            db.execute(FIX_FROM_SEQUENCE, params![stream_id, from_sequence.to_string()])?;
            Ok(())
        })?;
        Ok(self.from_sequence(stream_id)?.unwrap_or(from_sequence))
    }

    /// Whether the last write found no room on the disk.
    pub fn has_no_room(&self) -> bool {
        self.no_room
    }

    /// Runs `change` as one exclusive durable transaction, and notes whether there was room.
    fn write<T>(
        &mut self,
        step: Step,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let written = self.transact(step, change);
        self.no_room = matches!(written, Err(StoreError::NoRoom(_)));
        written
    }

    /// Runs `change` as one exclusive durable transaction: all of it or nothing.
    fn transact<T, E: From<StoreError>>(
        &mut self,
        step: Step,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let begun = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(StoreError::from)?;
        if self.is_noted_closed {
            transaction.execute(closed::OPEN, []).map_err(StoreError::from)?;
        }
        let done = change(&transaction)?;
        step.begins();
        transaction.commit().map_err(StoreError::from)?;
        self.is_noted_closed = false;
        step.is_done();
        Ok(done)
    }
}

fn identity(connection: &Connection) -> rusqlite::Result<Option<(Identity, u64)>> {
    let row = connection.query_row(IDENTITY, [], |row| {
        let identity = Identity { chain_id: parsed(row, 0)?, ledger: parsed(row, 1)?, witness: parsed(row, 2)? };
        Ok((identity, parsed(row, 3)?))
    });
    row.optional()
}

/// A column that holds the text of a `T`.
fn parsed<T>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error| invalid(column, error))
}

/// A text column that does not hold what it should.
fn invalid(column: usize, what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    alloy::hex::encode_prefixed(bytes)
}

/// Now, Unix milliseconds, in an integer as SQLite has them.
fn unix_ms() -> i64 {
    i64::try_from(clock::unix_ms()).unwrap_or(i64::MAX)
}

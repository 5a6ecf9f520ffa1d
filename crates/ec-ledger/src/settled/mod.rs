//! What of the ledger is settled, on the disk: a checkpoint of its log at a finalized block.
//!
//! A cache. All of it can be read again from the chain, so the file may be deleted whenever no process has it; what does not fit
//! its chain, its ledger or itself is thrown away. What no reorg changes any more and no vote concerns is rows, looked up by
//! key; the rest of the state is one text, in pieces, written anew with every checkpoint, in the transaction of the rows that belong
//! to it.

mod rows;
mod tail;
mod text;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    marker::PhantomData,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use alloy::primitives::B256;
use ec_observation::StreamHash;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, config::DbConfig, params};
use serde::{Serialize, de::DeserializeOwned};

use self::{rows::sum, text::TextError};
pub(crate) use self::{
    rows::{Kind, Pieces, Row},
    tail::{Order, Shelf, Tail},
};

/// Raised whenever the file's shape or the text's changes: an older one is thrown away.
const VERSION: i64 = 2;
/// "eccp" in ASCII: marks the file as a checkpoint.
const APPLICATION_ID: i64 = 0x6563_6370;

/// How many rows are read at once: few where one is wanted, ever more where many are.
const FIRST_PAGE: usize = 8;
const LARGEST_PAGE: usize = 1024;

/// How long to wait for another process that has the file.
const BUSY: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
    CREATE TABLE checkpoint (one INTEGER PRIMARY KEY CHECK (one = 1), hash BLOB NOT NULL) STRICT;
    CREATE TABLE piece (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE stream (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE) STRICT;
    CREATE TABLE settled (
        kind INTEGER NOT NULL, stream INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, sum BLOB NOT NULL,
        PRIMARY KEY (kind, stream, key)
    ) STRICT, WITHOUT ROWID;
";

/// Why a checkpoint cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum SettledError {
    /// SQLite refuses.
    #[error("{}: {error}; it is a cache: delete it when no witness runs, and it is read again from the chain", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it says.
        error: rusqlite::Error,
    },
    /// A row is not what was written.
    #[error("{}: {what}; it is a cache: delete it when no witness runs, and it is read again from the chain", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// The file, open.
pub(crate) struct Settled {
    path: PathBuf,
    connection: Mutex<Connection>,
    streams: Mutex<HashMap<StreamHash, i64>>,
    /// The first thing that went wrong when it was read: what was told since may lack something.
    fault: OnceLock<String>,
}

/// A row to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    stream: StreamHash,
    kind: Kind,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Written {
    pub(crate) fn new(stream: StreamHash, kind: Kind, key: impl Row, value: impl Row) -> Self {
        Self { stream, kind, key: key.to_bytes(), value: value.to_bytes() }
    }
}

impl fmt::Debug for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settled").field("path", &self.path).field("fault", &self.fault).finish_non_exhaustive()
    }
}

impl Settled {
    /// Opens the file to be written, by one process at a time. It is made anew where it is missing or none that this program
    /// can read.
    pub(crate) fn open(path: &Path) -> Result<Self, SettledError> {
        let failed = |error| SettledError::Sqlite { path: path.to_owned(), error };
        if let Some(settled) = Self::existing(path)? {
            return Ok(settled);
        }
        for suffix in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            match std::fs::remove_file(&name) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let what = format!("cannot be removed: {error}");
                    return Err(SettledError::Damaged { path: name.into(), what });
                }
                _ => {}
            }
        }
        let create = || {
            let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
            connection.execute_batch(SCHEMA)?;
            connection.pragma_update(None, "application_id", APPLICATION_ID)?;
            connection.pragma_update(None, "user_version", VERSION)?;
            Ok(connection)
        };
        Self::of(path, create().map_err(failed)?).map_err(failed)
    }

    /// Opens the file to be read as it stands now, also beside a process that writes it; `None` where there is none that this
    /// program can read.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, SettledError> {
        let Some(settled) = Self::existing(path)? else { return Ok(None) };
        let begun = settled.connection().execute_batch("BEGIN; SELECT count(*) FROM checkpoint");
        begun.map_err(|error| settled.failed(error))?;
        Ok(Some(settled))
    }

    fn existing(path: &Path) -> Result<Option<Self>, SettledError> {
        if !path.is_file() {
            return Ok(None);
        }
        let opened = || -> rusqlite::Result<Option<Self>> {
            let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            let is_ours = (number("application_id")?, number("user_version")?) == (APPLICATION_ID, VERSION);
            if is_ours { Self::of(path, connection).map(Some) } else { Ok(None) }
        };
        match opened() {
            Err(error)
                if matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)) =>
            {
                Ok(None)
            }
            opened => opened.map_err(|error| SettledError::Sqlite { path: path.to_owned(), error }),
        }
    }

    fn of(path: &Path, connection: Connection) -> rusqlite::Result<Self> {
        let streams = connection
            .prepare("SELECT hash, id FROM stream")?
            .query_map([], |row| Ok((StreamHash(B256::new(row.get(0)?)), row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let (connection, streams) = (Mutex::new(connection), Mutex::new(streams));
        Ok(Self { path: path.to_owned(), connection, streams, fault: OnceLock::new() })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id_of(&self, stream: StreamHash) -> Option<i64> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).get(&stream).copied()
    }

    fn failed(&self, error: rusqlite::Error) -> SettledError {
        SettledError::Sqlite { path: self.path.clone(), error }
    }

    /// What went wrong when rows were looked up, if anything did: what was found since may lack some.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.get().map(String::as_str)
    }

    fn note(&self, error: &SettledError) {
        self.fault.get_or_init(|| error.to_string());
    }

    /// The checkpoint's text; `None` where there is none, or not as it was written.
    pub(crate) fn text<T: DeserializeOwned>(&self) -> Result<Option<T>, SettledError> {
        text::read(&self.connection()).map_err(|error| self.failed(error))
    }

    /// Writes a checkpoint and the rows that were settled since the last one: all of it or nothing.
    pub(crate) fn save(&self, text: &impl Serialize, rows: &[Written]) -> Result<(), SettledError> {
        let write = |connection: &mut Connection| -> Result<HashMap<StreamHash, i64>, TextError> {
            let mut ids = HashMap::new();
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            {
                let mut stream = transaction.prepare_cached("INSERT INTO stream (hash) VALUES (?1)")?;
                let mut insert =
                    transaction.prepare_cached("INSERT OR REPLACE INTO settled VALUES (?1, ?2, ?3, ?4, ?5)")?;
                for row in rows {
                    let known = ids.get(&row.stream).copied().or_else(|| self.id_of(row.stream));
                    let id = match known {
                        Some(id) => id,
                        None => stream.insert([&row.stream.0[..]])?,
                    };
                    ids.insert(row.stream, id);
                    let kind = row.kind as i64;
                    insert.execute(params![kind, id, row.key, row.value, sum(kind, id, &row.key, &row.value)])?;
                }
            }
            text::write(&transaction, text)?;
            transaction.commit()?;
            Ok(ids)
        };
        let unwritten = |error| match error {
            TextError::Sqlite(error) => self.failed(error),
            TextError::Json(error) => {
                let what = format!("the checkpoint has no text: {error}");
                SettledError::Damaged { path: self.path.clone(), what }
            }
        };
        let ids = write(&mut self.connection()).map_err(unwritten)?;
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
        Ok(())
    }

    /// Throws away all of it. Where there is nothing, nothing is written: a disk may be full.
    pub(crate) fn clear(&self) -> Result<(), SettledError> {
        let found = "SELECT EXISTS (SELECT 1 FROM stream) OR EXISTS (SELECT 1 FROM checkpoint)";
        let is_there = self.connection().query_row(found, [], |row| row.get(0));
        if !is_there.map_err(|error| self.failed(error))? {
            return Ok(());
        }
        let write = |connection: &mut Connection| -> rusqlite::Result<()> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction
                .execute_batch("DROP TABLE checkpoint; DROP TABLE piece; DROP TABLE stream; DROP TABLE settled;")?;
            transaction.execute_batch(SCHEMA)?;
            transaction.commit()
        };
        write(&mut self.connection()).map_err(|error| self.failed(error))?;
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    /// Up to `limit` rows with keys from `from` on, below `until`.
    fn page<K: Row, V: Row>(
        &self,
        (kind, stream): (Kind, i64),
        (from, until): (&[u8], &[u8]),
        order: Order,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, K, V)>, SettledError> {
        const PAGE: [&str; 2] = [
            "SELECT key, value, sum FROM settled WHERE kind = ?1 AND stream = ?2 AND key >= ?3 AND key < ?4 ORDER BY key LIMIT ?5",
            "SELECT key, value, sum FROM settled WHERE kind = ?1 AND stream = ?2 AND key >= ?3 AND key < ?4 ORDER BY key DESC LIMIT ?5",
        ];
        type Found = (Vec<u8>, Vec<u8>, Vec<u8>);
        let connection = self.connection();
        let read = || -> rusqlite::Result<Vec<Found>> {
            let mut select = connection.prepare_cached(PAGE[usize::from(order == Order::Descending)])?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let found = select.query_map(params![kind as i64, stream, from, until, limit], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            found.collect()
        };
        let rows = read().map_err(|error| self.failed(error))?;
        let decode = |(key, value, found): Found| {
            let decoded = (found == sum(kind as i64, stream, &key, &value))
                .then(|| Some((K::from_bytes(&key)?, V::from_bytes(&value)?)));
            let Some((decoded, value)) = decoded.flatten() else {
                let what = format!("a row ({kind:?} {}) is not what was written", alloy::hex::encode(&key));
                return Err(SettledError::Damaged { path: self.path.clone(), what });
            };
            Ok((key, decoded, value))
        };
        rows.into_iter().map(decode).collect()
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    // else some statements are planned anew for each value that they ask for
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // what is lost with the power is read again from the chain; what is there is whole
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// Where a ledger's settled entries are: nowhere, if it has no file. Two are equal if they are one file, opened once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(pub(crate) Option<Arc<Settled>>);

impl PartialEq for Disk {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl Eq for Disk {}

impl Disk {
    /// Whether there is any.
    pub(crate) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// The entries of one kind of a stream.
    pub(crate) fn shelf<K, V>(&self, stream: StreamHash, kind: Kind) -> Rows<'_, K, V> {
        let settled = self.0.as_deref();
        Rows { of: settled.and_then(|settled| Some((settled, settled.id_of(stream)?))), kind, entry: PhantomData }
    }
}

/// The [`Shelf`] of one kind of entries of one stream.
#[derive(Debug)]
pub(crate) struct Rows<'a, K, V> {
    of: Option<(&'a Settled, i64)>,
    kind: Kind,
    entry: PhantomData<(K, V)>,
}

impl<K: Row, V: Row> Shelf<K, V> for Rows<'_, K, V> {
    fn range(self, range: RangeInclusive<K>, order: Order) -> impl Iterator<Item = (K, V)> {
        let (from, to) = range.into_inner();
        // no key is longer than another, so whatever is below this is at most `to`
        let until = [to.to_bytes(), vec![0]].concat();
        let left = self.of.map(|(settled, stream)| Left { settled, stream, from: from.to_bytes(), until });
        Paged { left, kind: self.kind, order, page: VecDeque::new(), len: FIRST_PAGE }
    }
}

/// The rows of a range that were not read yet.
struct Left<'a> {
    settled: &'a Settled,
    stream: i64,
    from: Vec<u8>,
    until: Vec<u8>,
}

/// Rows, read page by page.
struct Paged<'a, K, V> {
    left: Option<Left<'a>>,
    kind: Kind,
    order: Order,
    page: VecDeque<(K, V)>,
    len: usize,
}

impl<K: Row, V: Row> Iterator for Paged<'_, K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        if self.page.is_empty()
            && let Some(mut left) = self.left.take()
        {
            let bounds = (&left.from[..], &left.until[..]);
            let read = left.settled.page::<K, V>((self.kind, left.stream), bounds, self.order, self.len);
            let rows = read.inspect_err(|error| left.settled.note(error)).unwrap_or_default();
            if let Some((last, ..)) = rows.last().filter(|_| rows.len() == self.len) {
                match self.order {
                    Order::Ascending => left.from = [&last[..], &[0]].concat(),
                    Order::Descending => left.until.clone_from(last),
                }
                self.left = Some(left);
                self.len = (self.len * 4).min(LARGEST_PAGE);
            }
            self.page = rows.into_iter().map(|(_, key, value)| (key, value)).collect();
        }
        self.page.pop_front()
    }
}

#[cfg(test)]
mod tests;

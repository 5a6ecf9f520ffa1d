//! What the explorer knows of one ledger and of the archives of its streams: a SQLite file, which can be thrown away and is
//! made again from the chain and the archives.
//!
//! Everything of the log stands with the block that holds it, and nothing is ever changed in place that a reorg may take back:
//! to go back to a block is to delete what came after it. What is counted of a slot is counted again whenever anything of it
//! changed.

mod archive;
mod ledger;
mod read;
mod records;
mod rules;
mod schema;
mod slots;
mod word;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alloy::primitives::B256;
use ec_observation::ObservationHeader;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

pub use self::{
    archive::{ArchiveWriter, EpochRow},
    ledger::{Heard, LedgerWriter},
    read::{
        AddressRow, CandidateRow, EpochOfSlot, Reader, RecordKey, SessionRow, SlotOrder, SlotQuery, SlotRow, SourceRow,
        StreamRow, Tally, VoteRow, Window,
    },
    records::RecordRow,
    word::EpochWord,
};

/// How long a statement waits for another connection's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(20);

/// How near times must be that are of the same epoch in a lane, milliseconds: `precision_ms + message_delay_ms` of the
/// agreement, by its defaults (protocol §5.3).
pub const TOLERANCE_MS: u64 = 17_000;

/// After how long without a quorum a slot is disputed, milliseconds: `disputed_after_ms` of the agreement, by its default.
pub const DISPUTED_AFTER_MS: u64 = 600_000;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite refuses.
    #[error("database: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Too many ask at once.
    #[error("too many questions at once")]
    Busy,
}

/// One ledger's database.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Store {
    /// Opens the database of what is `identity`, a ledger on its chain; makes it where there is none, and makes it again where it
    /// is of another identity or of another version of this program. So many questions are answered at once.
    ///
    /// # Errors
    ///
    /// The system or SQLite refuses.
    pub fn open(path: &Path, identity: &str, readers: usize) -> Result<Arc<Self>, StoreError> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(|source| StoreError::Io { path: directory.to_owned(), source })?;
        }
        let writer = match schema::open(path, identity)? {
            Some(writer) => writer,
            None => {
                tracing::info!(file = %path.display(), "the database is made anew");
                remove(path)?;
                schema::make(path, identity)?
            }
        };
        let permits = Semaphore::new(readers);
        let store = Self { path: path.to_owned(), writer: Mutex::new(writer), readers: Mutex::default(), permits };
        Ok(Arc::new(store))
    }

    /// The connection that writes. Whoever has it keeps everybody else from writing.
    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the database, beside whoever writes, on a thread that may wait for a disk.
    ///
    /// # Errors
    ///
    /// SQLite refuses; or so many wait that it is better to say so.
    pub async fn read<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&Reader<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let wait = tokio::time::timeout(Duration::from_secs(5), self.permits.acquire());
        let _permit = wait.await.ok().and_then(Result::ok).ok_or(StoreError::Busy)?;
        let store = Arc::clone(self);
        let asked = tokio::task::spawn_blocking(move || store.read_now(ask));
        asked.await.unwrap_or_else(|_| Err(StoreError::Busy.into()))
    }

    /// The same on this thread.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn read_now<T, E: From<StoreError>>(&self, ask: impl FnOnce(&Reader<'_>) -> Result<T, E>) -> Result<T, E> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => schema::read_only(&self.path)?,
        };
        // one view for the whole answer
        let answer = {
            let view = connection.transaction().map_err(StoreError::from)?;
            ask(&Reader::new(&view))
        };
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        answer
    }

    /// How large the database is, its log included, bytes.
    pub fn size_bytes(&self) -> u64 {
        let size = |path: PathBuf| fs::metadata(path).map_or(0, |file| file.len());
        size(self.path.clone()) + size(beside(&self.path, "-wal"))
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Removes a database and what SQLite keeps beside it.
fn remove(path: &Path) -> Result<(), StoreError> {
    for path in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(StoreError::Io { path, source }),
            _ => {}
        }
    }
    Ok(())
}

/// A number as SQLite has it. Beyond 2^63 it is not told apart: the header has the true one.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of SQLite's.
pub(crate) fn uint(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// The first bytes of a hash, by which an index finds it; whoever finds it compares the rest.
pub(crate) fn key_of(hash: &[u8; 32]) -> i64 {
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    i64::from_be_bytes(first)
}

/// A hash as a column has it; zero where it is none.
pub(crate) fn hash_of(bytes: &[u8]) -> B256 {
    B256::try_from(bytes).unwrap_or_default()
}

/// A header as a column has it.
pub(crate) fn header_of(bytes: &[u8]) -> Option<ObservationHeader> {
    ObservationHeader::abi_decode(bytes.try_into().ok()?)
}

/// Opens for reading.
fn read_flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI
}

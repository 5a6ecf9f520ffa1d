//! The store's files: directory, lock, database, and that they outlive a power cut.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use ec_files::FileError;
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::StoreError;

pub(super) const LOCK_FILE: &str = "lock";
/// How long a commit waits for readers: longer than any of them takes.
const BUSY: Duration = Duration::from_secs(60);

/// Creates the directory, private, with those above it, durably.
pub(super) fn create_directory(directory: &Path) -> Result<(), StoreError> {
    let new: Vec<&Path> = directory.ancestors().take_while(|path| !path.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(StoreError::io(directory))?;
    new.into_iter().filter_map(Path::parent).try_for_each(sync_directory)
}

/// Refuses a directory or file that others than its owner may look into or change. It is not set right here: whoever
/// opened it to others, and whoever used that, is for the operator to find out.
pub(super) fn refuse_open_to_others(path: &Path) -> Result<(), StoreError> {
    let metadata = fs::metadata(path).map_err(StoreError::io(path))?;
    let mode = metadata.permissions().mode() & 0o777;
    let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
    if mode & 0o077 == 0 { Ok(()) } else { Err(StoreError::OpenToOthers { path: path.to_owned(), mode, wanted }) }
}

/// For writing files that only their owner may read.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// Takes the lock that keeps a second process out.
pub(super) fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join(LOCK_FILE);
    let file = private().create(true).truncate(false).open(&path).map_err(StoreError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(StoreError::Io { path, source }),
    }
}

/// Makes the directory's entries durable.
pub(super) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    ec_files::sync_dir(directory).map_err(|FileError { path, source, .. }| StoreError::Io { path, source })
}

/// Removes a database that was never finished, and its journal, as far as they are there.
pub(super) fn remove(database: &Path) -> Result<(), StoreError> {
    let mut journal = database.as_os_str().to_owned();
    journal.push("-journal");
    for left in [database, Path::new(&journal)] {
        match fs::remove_file(left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::io(left)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Gives a file its name, durably. What had the name before is gone.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(StoreError::io(to))?;
    to.parent().map_or(Ok(()), sync_directory)
}

/// Opens a database that is there. Every commit is on the disk when it returns.
pub(super) fn connect(path: &Path, writable: bool) -> Result<Connection, StoreError> {
    let mode = if writable { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    fs::metadata(path).map_err(StoreError::io(path))?;
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    // else some are planned anew for each value that they ask for
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "EXTRA").map_err(|error| damaged_by(error, path))?;
    Ok(connection)
}

/// An error that reading a store met: the file's fault where SQLite says so.
pub(super) fn damaged_by(error: rusqlite::Error, path: &Path) -> StoreError {
    use rusqlite::{Error, ErrorCode};
    match error {
        Error::SqliteFailure(ref failure, _)
            if !matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) =>
        {
            error.into()
        }
        error => StoreError::Damaged { path: path.to_owned(), what: error.to_string() },
    }
}

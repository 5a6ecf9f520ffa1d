//! Brings a store that an older program wrote to this program's schema: once, all of it or nothing, with a copy kept.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, TransactionBehavior};

use super::{APPLICATION_ID, SCHEMA_VERSION, STORE_FILE, StoreError, files, unix_ms};
use crate::failpoint;

/// The schema.
pub(super) const SCHEMA: &str = concat!(
    include_str!("schema/v2.sql"),
    include_str!("schema/v3.sql"),
    include_str!("schema/v4.sql"),
    include_str!("schema/v5.sql")
);

/// What brings a store from the version at its index, plus one, to the next.
const STEPS: [&[&str]; 4] = [
    &[include_str!("schema/v1_aside.sql"), include_str!("schema/v2.sql"), include_str!("schema/v1_taken_over.sql")],
    &[include_str!("schema/v3.sql")],
    &[include_str!("schema/v4.sql")],
    &[include_str!("schema/v5.sql")],
];

/// The schema version of a store of ours.
///
/// # Errors
///
/// It is not one, or newer than this program.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let damaged = |what: String| StoreError::Damaged { path: path.to_owned(), what };
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if pragma("application_id").map_err(|error| damaged(error.to_string()))? != APPLICATION_ID {
        return Err(damaged("it is not marked as one".into()));
    }
    match pragma("user_version").map_err(|error| damaged(error.to_string()))? {
        found if found > SCHEMA_VERSION => Err(StoreError::Newer { path: path.to_owned(), found }),
        found if found < 1 => Err(damaged(format!("schema version {found}"))),
        found => Ok(found),
    }
}

/// Migrates the store in `directory`, whose lock the caller holds, where it is an older one.
///
/// Killed at any moment, it leaves the old store or the new one; the next call goes on.
///
/// # Errors
///
/// The store cannot be read, or a disk refuses; then it stays as it was.
pub(super) fn migrate(directory: &Path) -> Result<(), StoreError> {
    let path = directory.join(STORE_FILE);
    // opening rolls back what a killed process left half-written, so that the copy is whole
    let found = version(&files::connect(&path, true)?, &path)?;
    if found == SCHEMA_VERSION {
        return Ok(());
    }
    // copied while no connection is open: closing a second handle on the file would drop SQLite's locks
    let backup = back_up(directory, found)?;
    tracing::warn!(from = found, to = SCHEMA_VERSION, backup = %backup.display(), "migrating the vote store");
    let mut connection = files::connect(&path, true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    let done = usize::try_from(found - 1).unwrap_or_default();
    for sql in STEPS.iter().skip(done).copied().flatten() {
        transaction.execute_batch(sql)?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    failpoint::MIGRATE.begins();
    transaction.commit()?;
    failpoint::MIGRATE.is_done();
    Ok(())
}

/// Copies the store beside itself, durably. What earlier attempts left half-copied is removed.
fn back_up(directory: &Path, version: i64) -> Result<PathBuf, StoreError> {
    for entry in fs::read_dir(directory).map_err(StoreError::io(directory))? {
        let path = entry.map_err(StoreError::io(directory))?.path();
        if path.extension() == Some(OsStr::new("part")) {
            fs::remove_file(&path).map_err(StoreError::io(&path))?;
        }
    }
    let backup = directory.join(format!("{STORE_FILE}.v{version}.{}.bak", unix_ms()));
    let part = backup.with_extension("part");
    copy(&directory.join(STORE_FILE), &part).map_err(StoreError::io(&part))?;
    failpoint::BACK_UP.begins();
    files::rename(&part, &backup)?;
    failpoint::BACK_UP.is_done();
    Ok(backup)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut copied = files::private().create_new(true).open(to)?;
    io::copy(&mut File::open(from)?, &mut copied)?;
    copied.sync_all()
}

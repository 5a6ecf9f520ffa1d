//! Whether a store is whole: the database's own checks, and that every row says what its hashes say.
//!
//! After a process that was killed all of it is checked before the first vote. After one that closed the store in order
//! that would find what it found before, or that the disk decayed: then what may be sent again is checked first, and the
//! rest beside the votes, a stretch of rows at a time.

mod indexes;
mod rows;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, Row};

use super::{Identity, StoreError, files, migrate, outbox, parsed};

/// What [`beginning`] asks, with what is asked of the outbox anyway.
#[cfg(test)]
pub(super) const ASKED: &[&str] = &[rows::NONCE_IS_THERE];

/// Rows that one statement looks at: so few that whoever wants to write waits for milliseconds.
const STRETCH: i64 = 256;

/// How often a check that takes long says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What is wrong, or what kept it from being looked at.
enum Fault {
    Wrong(String),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

type Checked = Result<(), Fault>;

fn ensure(holds: bool, wrong: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Fault::Wrong(wrong())) }
}

fn each(
    db: &Connection,
    query: &str,
    bounds: impl rusqlite::Params,
    mut look: impl FnMut(&Row<'_>) -> Checked,
) -> Checked {
    let mut statement = db.prepare_cached(query)?;
    let mut rows = statement.query(bounds)?;
    while let Some(row) = rows.next()? {
        look(row)?;
    }
    Ok(())
}

/// The store that is checked, and what its rows have to agree with.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// Its file.
    pub(super) path: PathBuf,
    /// Whose it is.
    pub(super) identity: Identity,
    /// The first nonce that is its own.
    pub(super) first_nonce: u64,
}

impl Subject {
    /// What was found, as whoever opens the store is told it.
    fn told<T>(&self, checked: Result<T, Fault>) -> Result<T, StoreError> {
        checked.map_err(|fault| match fault {
            Fault::Wrong(what) => StoreError::Damaged { path: self.path.clone(), what },
            Fault::Sqlite(error) => files::damaged_by(error, &self.path),
        })
    }
}

/// Checks all of a store.
///
/// Signatures are verified of the transactions that may be sent again; of final ones, that their bytes are those that
/// were signed. That is what makes it fast enough to look at every row.
///
/// # Errors
///
/// [`StoreError::Damaged`] names the first thing that is wrong.
pub(super) fn whole(db: &Connection, of: &Subject) -> Result<(), StoreError> {
    let mut pace = Pace::begin(&of.path);
    let mut looked = || -> Checked {
        database(db)?;
        schema(db)?;
        let mut walk = Walk::begin(db, rows::of_votes(of.identity))?;
        while walk.step(db)? {
            pace.tell(walk.progress());
        }
        rows::compacted(db)?;
        rows::forced(db, of.identity)?;
        nonces(db, of)?;
        pace.end(walk.progress());
        Ok(())
    };
    of.told(looked())
}

/// Checks what has to be sound before the first vote of a store that was closed in order, in a time that its history does
/// not add to: its tables, whatever may be sent again, and that no nonce above those that are final is missing.
///
/// # Errors
///
/// As [`whole`].
pub(super) fn beginning(db: &Connection, of: &Subject) -> Result<(), StoreError> {
    let looked = || -> Checked {
        schema(db)?;
        let lowest = rows::open_transactions(db, of.identity)?;
        rows::forced(db, of.identity)?;
        let next = outbox::next_nonce(db, of.first_nonce)?;
        rows::nonces(db, lowest.unwrap_or(next).max(first_kept_nonce(db, of)?)..next)
    };
    of.told(looked())
}

/// A check of all rows, a stretch at a time, that lets others write between any two.
pub(super) struct Beside<'a> {
    of: &'a Subject,
    walk: Walk<'a>,
    pace: Pace,
}

impl<'a> Beside<'a> {
    /// Begins a check of what the store holds now.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub(super) fn begin(db: &Connection, of: &'a Subject) -> Result<Self, StoreError> {
        let pace = Pace::begin(&of.path);
        let begin = || -> Result<Walk<'a>, Fault> {
            let next = outbox::next_nonce(db, of.first_nonce)?;
            let nonces = rows::of_nonces(first_kept_nonce(db, of)?..next);
            let parts = [rows::of_votes(of.identity), rows::of_references(), vec![nonces], indexes::parts()];
            Walk::begin(db, parts.into_iter().flatten().collect())
        };
        Ok(Self { of, walk: of.told(begin())?, pace })
    }

    /// Looks at the next rows; whether there are more.
    ///
    /// # Errors
    ///
    /// As [`whole`]. That others keep the store busy is none: it is looked again.
    pub(super) fn step(&mut self, db: &Connection) -> Result<bool, StoreError> {
        let is_busy = |error: &rusqlite::Error| {
            matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
        };
        match self.walk.step(db) {
            Ok(true) => self.pace.tell(self.walk.progress()),
            Ok(false) => {
                self.pace.end(self.walk.progress());
                return Ok(false);
            }
            Err(Fault::Sqlite(error)) if is_busy(&error) => {}
            Err(fault) => self.of.told(Err(fault))?,
        }
        Ok(true)
    }
}

/// Says how far a check is that takes long, and how long it took.
struct Pace {
    begun: Instant,
    told: Instant,
}

/// Rows that were looked at, of how many.
struct Progress {
    done: i64,
    of: i64,
}

impl Pace {
    fn begin(path: &Path) -> Self {
        tracing::info!(store = %path.display(), "checking the vote store");
        let begun = Instant::now();
        Self { begun, told: begun }
    }

    fn tell(&mut self, Progress { done, of }: Progress) {
        if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            let percent = done.saturating_mul(100) / of.max(1);
            tracing::info!(done, of, percent, for_s = self.begun.elapsed().as_secs(), "checking the vote store");
        }
    }

    fn end(&self, Progress { of, .. }: Progress) {
        let took_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(rows = of, took_ms, "the vote store is whole");
    }
}

/// Rows after one, up to another.
#[derive(Clone, Copy)]
struct Stretch {
    after: i64,
    to: i64,
}

/// Looks at a stretch of rows.
type Look<'a> = Box<dyn Fn(&Connection, Stretch) -> Checked + 'a>;

/// What is looked at of the rows of a table.
struct Part<'a> {
    rows: Stretch,
    look: Look<'a>,
}

impl<'a> Part<'a> {
    /// Of all rows that a table has when the check gets there.
    fn of(table: &'static str, look: impl Fn(&Connection, Stretch) -> Checked + 'a) -> (Option<&'static str>, Self) {
        (Some(table), Self { rows: Stretch { after: 0, to: 0 }, look: Box::new(look) })
    }
}

/// Goes through parts, a stretch at a time.
#[derive(Default)]
struct Walk<'a> {
    parts: Vec<Part<'a>>,
    at: usize,
    done: i64,
    of: i64,
}

impl<'a> Walk<'a> {
    /// Before the first row of the first part.
    fn begin(db: &Connection, named: Vec<(Option<&'static str>, Part<'a>)>) -> Result<Self, Fault> {
        let mut walk = Self::default();
        for (table, mut part) in named {
            if let Some(table) = table {
                let highest = format!("SELECT COALESCE(MAX(rowid), 0) FROM {table}");
                part.rows.to = db.query_row(&highest, [], |row| row.get(0))?;
            }
            walk.of = walk.of.saturating_add(part.rows.to.saturating_sub(part.rows.after));
            walk.parts.push(part);
        }
        Ok(walk)
    }

    /// Looks at the next rows; whether there were any. What could not be looked at is next again.
    fn step(&mut self, db: &Connection) -> Result<bool, Fault> {
        while let Some(Part { rows, look }) = self.parts.get_mut(self.at) {
            if rows.after >= rows.to {
                self.at += 1;
                continue;
            }
            let to = rows.after.saturating_add(STRETCH).min(rows.to);
            look(db, Stretch { to, ..*rows })?;
            self.done += to - rows.after;
            rows.after = to;
            return Ok(true);
        }
        Ok(false)
    }

    fn progress(&self) -> Progress {
        Progress { done: self.done, of: self.of }
    }
}

/// SQLite's own view: pages, indexes, constraints and references.
fn database(db: &Connection) -> Checked {
    let found: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    ensure(found == "ok", || found)?;
    let mut dangling = db.prepare("PRAGMA foreign_key_check")?;
    let dangling = dangling.query([])?.next()?.map(|row| row.get::<_, String>(0)).transpose()?;
    ensure(dangling.is_none(), || format!("a row of {} refers to nothing", dangling.unwrap_or_default()))
}

/// The tables are those that this program would create.
fn schema(db: &Connection) -> Checked {
    let tables = |db: &Connection| -> rusqlite::Result<Vec<(String, Option<String>)>> {
        let mut statement = db.prepare("SELECT name, sql FROM sqlite_schema ORDER BY type, name")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    let fresh = Connection::open_in_memory()?;
    fresh.execute_batch(migrate::SCHEMA)?;
    ensure(tables(db)? == tables(&fresh)?, || "its tables are not those of its version".into())
}

/// The first nonce of which a transaction has to be there.
fn first_kept_nonce(db: &Connection, of: &Subject) -> Result<u64, Fault> {
    Ok(of.first_nonce.max(outbox::compacted_below(db)?))
}

/// Nonces are given out one by one, so none is missing. Those below the store's first are not its own: they fill what a
/// reorg took back; and of those that are compacted some may be left.
fn nonces(db: &Connection, of: &Subject) -> Checked {
    let first = first_kept_nonce(db, of)?;
    let mut next = first;
    let query = "SELECT DISTINCT nonce FROM transactions WHERE nonce IS NOT NULL ORDER BY length(nonce), nonce";
    each(db, query, [], |row| {
        let nonce: u64 = parsed(row, 0)?;
        if nonce < first {
            return Ok(());
        }
        ensure(nonce == next, || format!("the transaction of nonce {next} is missing, {nonce} is there"))?;
        next = nonce.saturating_add(1);
        Ok(())
    })
}

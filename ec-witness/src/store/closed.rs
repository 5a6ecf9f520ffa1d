//! Whether the store was closed in order: what the next start goes by where it decides how much to check before it votes.

use rusqlite::{Connection, params};

use super::{StoreError, VoteStore, unix_ms};
use crate::failpoint;

/// What is asked when the store is opened.
pub(super) const IS_CLOSED: &str = "SELECT EXISTS (SELECT 1 FROM closed)";
/// What is done before anything else is written.
pub(super) const OPEN: &str = "DELETE FROM closed";

/// Whether whoever had the store last closed it in order, and nobody has written since.
pub(super) fn is_closed(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row(IS_CLOSED, [], |row| row.get(0))
}

impl VoteStore {
    /// Notes, before anything else is written, that somebody has the store: killed from here on, all of it is checked.
    ///
    /// Where there is no room for that the note comes with the first thing that is written, in the same transaction.
    pub(super) fn note_open(&mut self) -> Result<(), StoreError> {
        if !self.is_noted_closed {
            return Ok(());
        }
        match self.write(failpoint::OPEN, |_| Ok(())) {
            Err(error) if error.may_pass() => Ok(()),
            noted => noted,
        }
    }

    /// Closes the store in order: the last thing that is written says so, and the next start votes before all is checked.
    ///
    /// Not called, as by whoever is killed or stops for an error, the next start checks all first. That is never wrong.
    ///
    /// # Errors
    ///
    /// What was checked meanwhile is damaged, or the disk refuses; that it has no room is none. Then it is not noted.
    pub fn close(mut self) -> Result<(), StoreError> {
        if let Some(checking) = self.checking.take() {
            checking.end()?;
        }
        let noted = self.write(failpoint::CLOSE, |db| {
            db.execute("INSERT OR REPLACE INTO closed VALUES (1, ?1)", params![unix_ms()])?;
            Ok(())
        });
        match noted {
            Err(error) if error.may_pass() => {
                tracing::warn!(%error, "the next start checks all of the vote store before it votes");
                Ok(())
            }
            noted => noted,
        }
    }
}

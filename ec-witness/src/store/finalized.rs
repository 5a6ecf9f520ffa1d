//! The chain's finalized head as last seen: what ties a store to the chain it voted on.

use ec_rpc::BlockRef;
use rusqlite::{OptionalExtension, params};

use super::{StoreError, VoteStore, hex, parsed, unix_ms};
use crate::failpoint;

/// What is asked in turns.
pub(super) const NOTED: &str = "SELECT number, hash FROM finalized_head";
/// What is written once a minute.
pub(super) const NOTE: &str = "INSERT OR REPLACE INTO finalized_head VALUES (1, ?1, ?2, ?3)";

impl VoteStore {
    /// The finalized head that was noted last.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn finalized_head(&self) -> Result<Option<BlockRef>, StoreError> {
        let row =
            self.connection.query_row(NOTED, [], |row| Ok(BlockRef { number: parsed(row, 0)?, hash: parsed(row, 1)? }));
        Ok(row.optional()?)
    }

    /// Notes the finalized head, for the next start to check that the chain still holds it.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn note_finalized_head(&mut self, head: BlockRef) -> Result<(), StoreError> {
        self.write(failpoint::NOTE_FINALIZED_HEAD, |db| {
            db.execute(NOTE, params![head.number.to_string(), hex(head.hash), unix_ms()])?;
            Ok(())
        })
    }
}

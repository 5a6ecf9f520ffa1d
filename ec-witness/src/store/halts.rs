//! Durable halts: a contradiction stops the witness until an operator says that it may go on.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    StoreError, VoteStore,
    halt::{Evidence, KeptHalt},
    invalid, unix_ms,
};
use crate::failpoint;

/// What is asked before each vote.
pub(super) const STANDS: &str = "SELECT id, halted_unix_ms, message, evidence FROM halts WHERE resumed_unix_ms IS NULL";

impl VoteStore {
    /// Records a halt, durably: from now on this store does not vote. While one stands, another is not recorded: the
    /// first one is the cause.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn halt(&mut self, evidence: &Evidence, message: &str) -> Result<KeptHalt, StoreError> {
        self.write(failpoint::HALT, |db| {
            if let Some(kept) = kept(db)? {
                return Ok(kept);
            }
            let halted_unix_ms = unix_ms();
            let insert = "INSERT INTO halts (kind, message, evidence, halted_unix_ms) VALUES (?1, ?2, ?3, ?4)";
            let json = serde_json::to_string(evidence).map_err(json_error)?;
            db.execute(insert, params![evidence.kind(), message, json, halted_unix_ms])?;
            let id = db.last_insert_rowid();
            let (message, evidence, store) = (message.to_owned(), evidence.clone(), directory(db));
            Ok(KeptHalt { id, halted_unix_ms, message, evidence, store })
        })
    }

    /// The halt that stands, if one does.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn kept_halt(&self) -> Result<Option<KeptHalt>, StoreError> {
        kept(&self.connection)
    }

    /// Ends the halt of this id: an operator has seen to its cause.
    ///
    /// After a reorg below the finalized head nothing that was final counts as such any more: the finalized head is
    /// forgotten, and every transaction is looked up again, save the deposits of forced ones, which are nothing to send.
    ///
    /// # Errors
    ///
    /// Another halt stands, or none, or SQLite refuses.
    pub fn resume(&mut self, id: i64) -> Result<KeptHalt, StoreError> {
        self.write(failpoint::RESUME, |db| {
            let halt = kept(db)?;
            let kept = halt.as_ref().map(|halt| halt.id);
            let Some(halt) = halt.filter(|halt| halt.id == id) else {
                return Err(StoreError::NotKept { asked: id, kept });
            };
            db.execute("UPDATE halts SET resumed_unix_ms = ?2 WHERE id = ?1", params![id, unix_ms()])?;
            if matches!(halt.evidence, Evidence::DeepReorg { .. } | Evidence::FinalTakenBack { .. }) {
                db.execute("DELETE FROM finalized_head", [])?;
                let again = "UPDATE transactions SET state = 'sent', block = NULL
                             WHERE state IN ('executed', 'safe', 'finalized')
                             AND hash NOT IN (SELECT l2_hash FROM forced WHERE l2_hash IS NOT NULL)";
                db.execute(again, [])?;
            }
            Ok(halt)
        })
    }
}

/// Refuses while a halt stands.
pub(super) fn refuse_halted(db: &Connection) -> Result<(), StoreError> {
    kept(db)?.map_or(Ok(()), |halt| Err(StoreError::Halted(Box::new(halt))))
}

fn kept(db: &Connection) -> Result<Option<KeptHalt>, StoreError> {
    Ok(db.prepare_cached(STANDS)?.query_row([], |row| halt_at(row, directory(db))).optional()?)
}

fn halt_at(row: &Row<'_>, store: PathBuf) -> rusqlite::Result<KeptHalt> {
    let json: String = row.get(3)?;
    let evidence = serde_json::from_str(&json).map_err(|error| invalid(3, error))?;
    Ok(KeptHalt { id: row.get(0)?, halted_unix_ms: row.get(1)?, message: row.get(2)?, evidence, store })
}

/// Where a store's file is.
fn directory(db: &Connection) -> PathBuf {
    db.path().map(Path::new).and_then(Path::parent).map(Path::to_owned).unwrap_or_default()
}

fn json_error(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}

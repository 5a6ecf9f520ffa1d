//! The outbox: signed transactions, kept until they are executed below the finalized head.

use alloy::primitives::{Bytes, TxHash};
use rusqlite::params;

use super::{StoreError, VoteStore, hex, parsed, unix_ms};
use crate::observation::ObservationHash;

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxState {
    /// Signed, perhaps sent, not executed.
    Signed,
    /// Executed in this block, which a reorg may still take back.
    Executed {
        /// The block.
        block: u64,
    },
    /// Executed at or below the finalized head.
    Finalized {
        /// The block.
        block: u64,
    },
}

impl TxState {
    fn columns(self) -> (&'static str, Option<String>) {
        match self {
            Self::Signed => ("signed", None),
            Self::Executed { block } => ("executed", Some(block.to_string())),
            Self::Finalized { block } => ("finalized", Some(block.to_string())),
        }
    }
}

/// A transaction as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxTx {
    /// Its hash.
    pub hash: TxHash,
    /// Its nonce.
    pub nonce: u64,
    /// The signed bytes, resent as they are.
    pub raw: Bytes,
    /// What became of it.
    pub state: TxState,
}

impl VoteStore {
    /// Keeps a signed transaction with the votes it carries. Nothing may be sent that is not kept here.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn keep(&mut self, tx: &OutboxTx, votes: &[ObservationHash]) -> Result<(), StoreError> {
        self.write(|db| {
            let (state, block) = tx.state.columns();
            let insert = "INSERT INTO transactions (hash, nonce, raw, state, block, signed_unix_ms)
                          VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            db.execute(insert, params![hex(tx.hash), tx.nonce.to_string(), hex(&tx.raw), state, block, unix_ms()])?;
            let id = db.last_insert_rowid();
            for vote in votes {
                db.execute("INSERT INTO ballots VALUES (?1, ?2)", params![id, hex(vote.0)])?;
            }
            Ok(())
        })
    }

    /// Notes what became of a transaction.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn set_state(&mut self, hash: TxHash, state: TxState) -> Result<(), StoreError> {
        self.write(|db| {
            let (state, block) = state.columns();
            let update = "UPDATE transactions SET state = ?2, block = ?3 WHERE hash = ?1";
            db.execute(update, params![hex(hash), state, block])?;
            Ok(())
        })
    }

    /// Transactions that are not finalized, by nonce.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn outbox(&self) -> Result<Vec<OutboxTx>, StoreError> {
        let query = "SELECT hash, nonce, raw, state, block FROM transactions
                     WHERE state IN ('signed', 'executed') ORDER BY id";
        let mut statement = self.connection.prepare(query)?;
        let rows = statement.query_map([], |row| {
            let state: String = row.get(3)?;
            let state = match state.as_str() {
                "executed" => TxState::Executed { block: parsed(row, 4)? },
                _ => TxState::Signed,
            };
            Ok(OutboxTx { hash: parsed(row, 0)?, nonce: parsed(row, 1)?, raw: parsed(row, 2)?, state })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The nonce that the next transaction takes.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn next_nonce(&self) -> Result<u64, StoreError> {
        let query = "SELECT nonce FROM transactions WHERE state <> 'adopted'";
        let mut statement = self.connection.prepare(query)?;
        let nonces: Vec<u64> = statement.query_map([], |row| parsed(row, 0))?.collect::<Result<_, _>>()?;
        Ok(nonces.into_iter().max().map_or(self.first_nonce, |nonce| nonce + 1).max(self.first_nonce))
    }
}

//! Forced transactions: kept before L1 sees them, until what they came to on the L2 is final.
//!
//! While one is kept nobody knows which nonce its deposit takes. So nothing else is signed until that is final: then the
//! deposit becomes a final transaction of its nonce, and the others of that nonce are dead.
//!
//! Those with the same nonce on L1 repeat the same transaction and differ in their fees: a block of L1 has one of them.

use alloy::primitives::{Bytes, TxHash};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{
    OutboxTx, StoreError, TxState, VoteStore,
    halts::refuse_halted,
    hex,
    outbox::{carry_like, insert, take_back_siblings},
    parsed,
};
use crate::failpoint;

/// What is asked of forced transactions at each start, in turns, and for each that is out.
#[cfg(test)]
pub(super) const ASKED: &[&str] = &[KEPT, FIRST_KEPT, LOSE, SIGNED_UNIX_MS];

pub(super) const KEPT: &str = "SELECT l1_hash, l1_nonce, l1_raw, repeats, kept_unix_ms FROM forced WHERE state = 'kept'
    ORDER BY length(l1_nonce), l1_nonce, id";
const FIRST_KEPT: &str = "SELECT l1_hash FROM forced WHERE state = 'kept' ORDER BY id LIMIT 1";
const LOSE: &str = "UPDATE forced SET state = 'lost' WHERE l1_nonce = ?1 AND state = 'kept'";
const SIGNED_UNIX_MS: &str = "SELECT MIN(signed_unix_ms) FROM transactions WHERE nonce = ?1";

/// The transaction type of a deposit on an OP Stack chain: what is kept with it was executed by way of L1.
pub const DEPOSIT_TYPE: u8 = 0x7e;

/// A transaction of L1 that makes the L2 execute a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForcedTx {
    /// Its hash on L1.
    pub l1_hash: TxHash,
    /// The account's nonce on L1.
    pub l1_nonce: u64,
    /// The signed bytes, resent as they are.
    pub l1_raw: Bytes,
    /// The transaction of the L2 whose call it repeats.
    pub repeats: TxHash,
    /// When it was kept, Unix milliseconds.
    pub kept_unix_ms: u64,
}

impl VoteStore {
    /// Keeps a forced transaction. Nothing may be sent to L1 that is not kept here. One of a nonce on L1 that is kept
    /// already competes with it.
    ///
    /// # Errors
    ///
    /// A halt stands, the store does not know what it repeats, or SQLite refuses.
    pub fn keep_forced(&mut self, tx: &ForcedTx) -> Result<(), StoreError> {
        self.write(failpoint::KEEP, |db| {
            refuse_halted(db)?;
            let insert = "INSERT INTO forced (l1_hash, l1_nonce, l1_raw, repeats, state, kept_unix_ms)
                          VALUES (?1, ?2, ?3, ?4, 'kept', ?5)";
            let ForcedTx { l1_hash, l1_nonce, l1_raw, repeats, kept_unix_ms } = tx;
            let kept_unix_ms = i64::try_from(*kept_unix_ms).unwrap_or(i64::MAX);
            db.execute(insert, params![hex(l1_hash), l1_nonce.to_string(), hex(l1_raw), hex(repeats), kept_unix_ms])?;
            Ok(())
        })
    }

    /// The forced transactions of which it is not final what they came to, by nonce on L1, and of one nonce in the order in
    /// which they were kept.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn forced(&self) -> Result<Vec<ForcedTx>, StoreError> {
        let mut statement = self.connection.prepare(KEPT)?;
        let rows = statement.query_map([], forced_tx)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Refuses while it is not final what a forced transaction came to.
    ///
    /// # Errors
    ///
    /// One is kept, or SQLite refuses.
    pub fn refuse_forced(&self) -> Result<(), StoreError> {
        refuse_forced(&self.connection)
    }

    /// Notes the final deposit of a forced transaction: it is one more transaction of the nonce that it used, and carries
    /// what the repeated one does. Where another one of that nonce was executed, that has been taken back.
    ///
    /// # Errors
    ///
    /// The nonce is beyond the next one, so that others use the key too; another of its nonce is final; a halt stands, or
    /// SQLite refuses. Then nothing is noted.
    pub fn note_deposit(&mut self, forced: &ForcedTx, deposit: &OutboxTx) -> Result<(), StoreError> {
        let next = self.next_nonce()?;
        if deposit.nonce > next {
            return Err(StoreError::NonceIsUnknown { nonce: next });
        }
        self.write(failpoint::SET_STATES, |db| {
            let id = insert(db, &OutboxTx { state: TxState::Sent, ..deposit.clone() })?;
            carry_like(db, id, forced.repeats)?;
            take_back_siblings(db, deposit.hash)?;
            let (word, block) = deposit.state.columns();
            let update = "UPDATE transactions SET state = ?2, block = ?3 WHERE id = ?1";
            db.execute(update, params![id, word, block])?;
            let update = "UPDATE forced SET state = 'final', l2_hash = ?2 WHERE l1_hash = ?1";
            db.execute(update, [hex(forced.l1_hash), hex(deposit.hash)])?;
            lose_kept(db, forced.l1_nonce)
        })
    }

    /// Notes that no deposit ever comes of a forced transaction, nor of those that compete with it.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn note_lost(&mut self, forced: &ForcedTx) -> Result<(), StoreError> {
        self.write(failpoint::SET_STATES, |db| lose_kept(db, forced.l1_nonce))
    }

    /// When the first transaction of a nonce was signed, Unix milliseconds.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn signed_unix_ms(&self, nonce: u64) -> Result<Option<u64>, StoreError> {
        let first: Option<i64> = self.connection.query_row(SIGNED_UNIX_MS, [nonce.to_string()], |row| row.get(0))?;
        Ok(first.and_then(|first| u64::try_from(first).ok()))
    }
}

/// Refuses while it is not final what a forced transaction came to.
pub(super) fn refuse_forced(db: &Connection) -> Result<(), StoreError> {
    let kept = db.query_row(FIRST_KEPT, [], |row| parsed(row, 0)).optional()?;
    kept.map_or(Ok(()), |l1_hash| Err(StoreError::Forced { l1_hash }))
}

/// Those of this nonce on L1 of which nothing came are lost.
fn lose_kept(db: &Transaction<'_>, l1_nonce: u64) -> Result<(), StoreError> {
    db.execute(LOSE, [l1_nonce.to_string()])?;
    Ok(())
}

/// A row of `l1_hash, l1_nonce, l1_raw, repeats, kept_unix_ms`.
pub(super) fn forced_tx(row: &Row<'_>) -> rusqlite::Result<ForcedTx> {
    Ok(ForcedTx {
        l1_hash: parsed(row, 0)?,
        l1_nonce: parsed(row, 1)?,
        l1_raw: parsed(row, 2)?,
        repeats: parsed(row, 3)?,
        kept_unix_ms: u64::try_from(row.get::<_, i64>(4)?).unwrap_or_default(),
    })
}

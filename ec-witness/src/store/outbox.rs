//! The outbox: signed transactions, kept until they are executed below the finalized head.

use alloy::primitives::{Bytes, TxHash};
use ec_observation::{ObservationHash, SlotId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{StoreError, VoteStore, halts::refuse_halted, hex, invalid, parsed, unix_ms};
use crate::failpoint;

/// What is asked of transactions at each start and in turns.
#[cfg(test)]
pub(super) const ASKED: &[&str] = &[
    INSERT_BALLOT,
    SET_STATE,
    SENDS,
    SIGNED_SINCE,
    OUTBOX,
    LAST_FINAL,
    HIGHEST_NONCE,
    COMPACTED_BELOW,
    INSERT,
    CARRY,
    HAS_FINAL,
    TAKE_BACK,
];

const INSERT_BALLOT: &str = "INSERT INTO ballots VALUES (?1, ?2)";
const SET_STATE: &str = "UPDATE transactions SET state = ?2, block = ?3 WHERE hash = ?1";
const SENDS: &str = "SELECT count(DISTINCT t.nonce) FROM headers h
    JOIN ballots b ON b.observation = h.observation
    JOIN transactions t ON t.id = b.transaction_id
    WHERE h.slot = ?1";
/// The index is named, as SQLite would rather read all than sort the few of an hour.
const SIGNED_SINCE: &str = "SELECT hash, nonce, raw, state, block, signed_unix_ms
    FROM transactions t INDEXED BY transactions_by_time
    WHERE nonce IS NOT NULL AND signed_unix_ms >= ?1
    AND NOT EXISTS (SELECT 1 FROM forced f WHERE f.l2_hash = t.hash) ORDER BY id";
pub(super) const OUTBOX: &str = "SELECT hash, nonce, raw, state, block FROM transactions t
    WHERE state IN ('signed', 'sent', 'executed', 'safe')
    AND NOT EXISTS (SELECT 1 FROM transactions f WHERE f.nonce = t.nonce AND f.state = 'finalized')
    ORDER BY length(nonce), nonce, id";
/// By nonces from the highest one down: those above the last final one are the few of the outbox.
pub(super) const LAST_FINAL: &str = "SELECT hash, nonce, raw, state, block FROM transactions t
    WHERE nonce IS NOT NULL AND length(nonce) > 0 AND state = 'finalized'
    AND NOT EXISTS (SELECT 1 FROM forced f WHERE f.l2_hash = t.hash)
    ORDER BY length(nonce) DESC, nonce DESC LIMIT 1";
const HIGHEST_NONCE: &str = "SELECT nonce FROM transactions WHERE nonce IS NOT NULL AND length(nonce) > 0
    ORDER BY length(nonce) DESC, nonce DESC LIMIT 1";
const COMPACTED_BELOW: &str = "SELECT nonces_below FROM compaction";
const INSERT: &str = "INSERT INTO transactions (hash, nonce, raw, state, block, signed_unix_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const CARRY: &str = "INSERT INTO ballots SELECT ?1, b.observation FROM ballots b
    JOIN transactions t ON t.id = b.transaction_id WHERE t.hash = ?2";
const HAS_FINAL: &str = "SELECT EXISTS (SELECT 1 FROM transactions
    WHERE nonce = (SELECT nonce FROM transactions WHERE hash = ?1) AND hash <> ?1 AND state = 'finalized')";
const TAKE_BACK: &str = "UPDATE transactions SET state = 'sent', block = NULL
    WHERE nonce = (SELECT nonce FROM transactions WHERE hash = ?1) AND hash <> ?1 AND state IN ('executed', 'safe')";

/// What became of a transaction. Blocks are where it was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumDiscriminants)]
#[strum_discriminants(
    name(StateWord),
    vis(pub(super)),
    doc = "The word for a state in the column `state`.",
    derive(strum::IntoStaticStr, strum::EnumString),
    strum(serialize_all = "snake_case")
)]
pub enum TxState {
    /// Signed, perhaps sent.
    Signed,
    /// Taken by an endpoint, not executed.
    Sent,
    /// Executed, and a reorg may still take it back.
    Executed {
        /// The block.
        block: u64,
    },
    /// Executed at or below the safe head.
    Safe {
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
    /// The block that executed it, if one did.
    pub fn block(self) -> Option<u64> {
        match self {
            Self::Signed | Self::Sent => None,
            Self::Executed { block } | Self::Safe { block } | Self::Finalized { block } => Some(block),
        }
    }

    /// The columns `state, block`.
    pub(super) fn columns(self) -> (&'static str, Option<String>) {
        (StateWord::from(self).into(), self.block().map(|block| block.to_string()))
    }

    /// What [`Self::columns`] made; `None` for anything else.
    fn of_columns(word: &str, block: Option<u64>) -> Option<Self> {
        match (word.parse().ok()?, block) {
            (StateWord::Signed, None) => Some(Self::Signed),
            (StateWord::Sent, None) => Some(Self::Sent),
            (StateWord::Executed, Some(block)) => Some(Self::Executed { block }),
            (StateWord::Safe, Some(block)) => Some(Self::Safe { block }),
            (StateWord::Finalized, Some(block)) => Some(Self::Finalized { block }),
            _ => None,
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
    /// Keeps a signed transaction with the votes it carries. Nothing may be sent that is not kept here. One with the
    /// nonce of an earlier one replaces it: whichever is executed first, the other one never is.
    ///
    /// # Errors
    ///
    /// A halt stands, or SQLite refuses.
    pub fn keep(&mut self, tx: &OutboxTx, votes: &[ObservationHash]) -> Result<(), StoreError> {
        self.write(failpoint::KEEP, |db| {
            let id = insert(db, tx)?;
            for vote in votes {
                db.prepare_cached(INSERT_BALLOT)?.execute(params![id, hex(vote.0)])?;
            }
            Ok(())
        })
    }

    /// Keeps a signed transaction that replaces the one with the hash `of`, and carries exactly its votes.
    ///
    /// # Errors
    ///
    /// A halt stands, or SQLite refuses.
    pub fn keep_replacement(&mut self, tx: &OutboxTx, of: TxHash) -> Result<(), StoreError> {
        self.write(failpoint::KEEP_REPLACEMENT, |db| {
            let id = insert(db, tx)?;
            carry_like(db, id, of)
        })
    }

    /// Notes what became of transactions, of all or of none. Of one nonce's transactions at most one is executed: where
    /// this one is, another one that was has been taken back by a reorg, and becomes `sent` in the same step.
    ///
    /// # Errors
    ///
    /// One is executed, but another of its nonce is final; or SQLite refuses.
    pub fn set_states(&mut self, states: &[(TxHash, TxState)]) -> Result<(), StoreError> {
        self.write(failpoint::SET_STATES, |db| {
            for &(hash, state) in states {
                if state.block().is_some() {
                    take_back_siblings(db, hash)?;
                }
                let (word, block) = state.columns();
                db.prepare_cached(SET_STATE)?.execute(params![hex(hash), word, block])?;
            }
            Ok(())
        })
    }

    /// How many nonces carry votes of a slot: what was sent for it. Replacements of one nonce count once, as one of them is
    /// executed.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn sends(&self, slot: SlotId) -> Result<usize, StoreError> {
        let mut statement = self.connection.prepare_cached(SENDS)?;
        let sends: i64 = statement.query_row([hex(slot.0)], |row| row.get(0))?;
        Ok(usize::try_from(sends).unwrap_or(usize::MAX))
    }

    /// Transactions that were signed at this time or later, Unix milliseconds, each with when; oldest first. Deposits are
    /// none of them: L1 pays for those.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn signed_since(&self, unix_ms: u64) -> Result<Vec<(u64, OutboxTx)>, StoreError> {
        let mut statement = self.connection.prepare(SIGNED_SINCE)?;
        let since = i64::try_from(unix_ms).unwrap_or(i64::MAX);
        let signed = statement.query_map([since], |row| {
            let at: i64 = row.get(5)?;
            Ok((u64::try_from(at).unwrap_or_default(), outbox_tx(row)?))
        })?;
        Ok(signed.collect::<Result<_, _>>()?)
    }

    /// Notes what became of one transaction, as [`Self::set_states`] does.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn set_state(&mut self, hash: TxHash, state: TxState) -> Result<(), StoreError> {
        self.set_states(&[(hash, state)])
    }

    /// Transactions to look after: those that are not finalized, and of whose nonce no other one is; by nonce, and
    /// of one nonce in the order in which they were signed.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn outbox(&self) -> Result<Vec<OutboxTx>, StoreError> {
        let mut statement = self.connection.prepare(OUTBOX)?;
        let rows = statement.query_map([], outbox_tx)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The final transaction with the highest nonce, of those that the witness sent to the chain itself: the receipt of a
    /// deposit is of another kind.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn last_final(&self) -> Result<Option<OutboxTx>, StoreError> {
        Ok(self.connection.query_row(LAST_FINAL, [], outbox_tx).optional()?)
    }

    /// The account's transaction count when the store was made: what is below was not signed here.
    pub fn first_nonce(&self) -> u64 {
        self.first_nonce
    }

    /// The nonce that the next transaction takes, unless it is to replace one.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn next_nonce(&self) -> Result<u64, StoreError> {
        Ok(next_nonce(&self.connection, self.first_nonce)?)
    }
}

/// The nonce above all that were given out.
pub(super) fn next_nonce(db: &Connection, first_nonce: u64) -> rusqlite::Result<u64> {
    let highest: Option<u64> = db.query_row(HIGHEST_NONCE, [], |row| parsed(row, 0)).optional()?;
    Ok(highest.map_or(first_nonce, |nonce| nonce.saturating_add(1)).max(first_nonce))
}

/// Below which nonce transactions may be gone, as they were compacted; 0 where none are.
pub(super) fn compacted_below(db: &Connection) -> rusqlite::Result<u64> {
    let below = db.query_row(COMPACTED_BELOW, [], |row| parsed(row, 0)).optional()?;
    Ok(below.unwrap_or_default())
}

/// Inserts a transaction; returns its row.
pub(super) fn insert(db: &Transaction<'_>, tx: &OutboxTx) -> Result<i64, StoreError> {
    refuse_halted(db)?;
    let (state, block) = tx.state.columns();
    let row = params![hex(tx.hash), tx.nonce.to_string(), hex(&tx.raw), state, block, unix_ms()];
    db.prepare_cached(INSERT)?.execute(row)?;
    Ok(db.last_insert_rowid())
}

/// Has the transaction of this row carry exactly the votes that the one with the hash `of` does.
pub(super) fn carry_like(db: &Transaction<'_>, row: i64, of: TxHash) -> Result<(), StoreError> {
    db.prepare_cached(CARRY)?.execute(params![row, hex(of)])?;
    Ok(())
}

/// Takes back the executed transactions of the same nonce.
pub(super) fn take_back_siblings(db: &Transaction<'_>, hash: TxHash) -> Result<(), StoreError> {
    if db.prepare_cached(HAS_FINAL)?.query_row([hex(hash)], |row| row.get(0))? {
        return Err(StoreError::NonceIsFinal { hash });
    }
    db.prepare_cached(TAKE_BACK)?.execute([hex(hash)])?;
    Ok(())
}

/// A row of `hash, nonce, raw, state, block`.
pub(super) fn outbox_tx(row: &Row<'_>) -> rusqlite::Result<OutboxTx> {
    let word: String = row.get(3)?;
    let block: Option<String> = row.get(4)?;
    let block = block.map(|_| parsed(row, 4)).transpose()?;
    let state = TxState::of_columns(&word, block).ok_or_else(|| invalid(3, format!("state {word}")))?;
    Ok(OutboxTx { hash: parsed(row, 0)?, nonce: parsed(row, 1)?, raw: parsed(row, 2)?, state })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_what_its_columns_say_and_nothing_else_is_one() {
        let block = 7;
        let states = [
            ("signed", TxState::Signed),
            ("sent", TxState::Sent),
            ("executed", TxState::Executed { block }),
            ("safe", TxState::Safe { block }),
            ("finalized", TxState::Finalized { block }),
        ];
        for (word, state) in states {
            assert_eq!(state.columns(), (word, state.block().map(|block| block.to_string())));
            assert_eq!(TxState::of_columns(word, state.block()), Some(state));
            let other = if state.block().is_some() { None } else { Some(block) };
            assert_eq!(TxState::of_columns(word, other), None, "{word}");
        }
        for word in ["adopted", "Signed", ""] {
            assert_eq!(TxState::of_columns(word, None), None, "{word}");
        }
    }
}

//! The outbox: signed transactions, kept until they are executed below the finalized head.

use alloy::primitives::{Bytes, TxHash};
use ec_observation::{ObservationHash, SlotId};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{StoreError, VoteStore, halts::refuse_halted, hex, invalid, parsed, unix_ms};
use crate::failpoint;

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
                db.execute("INSERT INTO ballots VALUES (?1, ?2)", params![id, hex(vote.0)])?;
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
                let update = "UPDATE transactions SET state = ?2, block = ?3 WHERE hash = ?1";
                db.execute(update, params![hex(hash), word, block])?;
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
        let query = "SELECT count(DISTINCT t.nonce) FROM headers h
                     JOIN ballots b ON b.observation = h.observation
                     JOIN transactions t ON t.id = b.transaction_id
                     WHERE h.slot = ?1";
        let mut statement = self.connection.prepare_cached(query)?;
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
        let query = "SELECT hash, nonce, raw, state, block, signed_unix_ms FROM transactions
                     WHERE nonce IS NOT NULL AND signed_unix_ms >= ?1
                     AND hash NOT IN (SELECT l2_hash FROM forced WHERE l2_hash IS NOT NULL) ORDER BY id";
        let mut statement = self.connection.prepare(query)?;
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
        let query = "SELECT hash, nonce, raw, state, block FROM transactions t
                     WHERE state IN ('signed', 'sent', 'executed', 'safe')
                     AND NOT EXISTS (SELECT 1 FROM transactions f WHERE f.nonce = t.nonce AND f.state = 'finalized')
                     ORDER BY length(nonce), nonce, id";
        let mut statement = self.connection.prepare(query)?;
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
        let query = "SELECT hash, nonce, raw, state, block FROM transactions WHERE state = 'finalized'
                     AND hash NOT IN (SELECT l2_hash FROM forced WHERE l2_hash IS NOT NULL)
                     ORDER BY length(nonce) DESC, nonce DESC LIMIT 1";
        Ok(self.connection.query_row(query, [], outbox_tx).optional()?)
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
        let query = "SELECT nonce FROM transactions WHERE nonce IS NOT NULL ORDER BY length(nonce) DESC, nonce DESC";
        let highest: Option<u64> = self.connection.query_row(query, [], |row| parsed(row, 0)).optional()?;
        Ok(highest.map_or(self.first_nonce, |nonce| nonce.saturating_add(1)).max(self.first_nonce))
    }
}

/// Inserts a transaction; returns its row.
pub(super) fn insert(db: &Transaction<'_>, tx: &OutboxTx) -> Result<i64, StoreError> {
    refuse_halted(db)?;
    let (state, block) = tx.state.columns();
    let insert = "INSERT INTO transactions (hash, nonce, raw, state, block, signed_unix_ms)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.execute(insert, params![hex(tx.hash), tx.nonce.to_string(), hex(&tx.raw), state, block, unix_ms()])?;
    Ok(db.last_insert_rowid())
}

/// Has the transaction of this row carry exactly the votes that the one with the hash `of` does.
pub(super) fn carry_like(db: &Transaction<'_>, row: i64, of: TxHash) -> Result<(), StoreError> {
    let carry = "INSERT INTO ballots SELECT ?1, b.observation FROM ballots b
                 JOIN transactions t ON t.id = b.transaction_id WHERE t.hash = ?2";
    db.execute(carry, params![row, hex(of)])?;
    Ok(())
}

/// Takes back the executed transactions of the same nonce.
pub(super) fn take_back_siblings(db: &Transaction<'_>, hash: TxHash) -> Result<(), StoreError> {
    let siblings = "nonce = (SELECT nonce FROM transactions WHERE hash = ?1) AND hash <> ?1";
    let is_final = format!("SELECT EXISTS (SELECT 1 FROM transactions WHERE {siblings} AND state = 'finalized')");
    if db.query_row(&is_final, [hex(hash)], |row| row.get(0))? {
        return Err(StoreError::NonceIsFinal { hash });
    }
    let take_back = format!(
        "UPDATE transactions SET state = 'sent', block = NULL WHERE {siblings} AND state IN ('executed', 'safe')"
    );
    db.execute(&take_back, [hex(hash)])?;
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

//! The seat's new key goes on with the store of the one before it.

use alloy::primitives::Address;
use rusqlite::params;

use super::{Identity, StoreError, VoteStore, forced::refuse_forced, halts::refuse_halted, hex};
use crate::failpoint;

impl VoteStore {
    /// Gives the store to the address that the witness's seat passed to, whose nonces begin at `first_nonce`: the votes and
    /// where judging begins stay, and so does the guard. What no transaction carries yet is for the new key to send.
    ///
    /// Not checked: that the seat passed on, for good. Until then the transactions of the key before could still be
    /// executed, and nobody follows them any more: like votes that were cast elsewhere they are neither sent nor looked up.
    ///
    /// # Errors
    ///
    /// A halt stands, a forced transaction is under way, or SQLite refuses; it is still the store of the key before.
    pub fn hand_on(&mut self, witness: Address, first_nonce: u64) -> Result<(), StoreError> {
        self.write(failpoint::HAND_ON, |db| {
            refuse_halted(db)?;
            refuse_forced(db)?;
            let leave = "UPDATE transactions SET state = 'adopted', nonce = NULL, raw = NULL, block = NULL
                         WHERE state <> 'adopted'";
            db.execute(leave, [])?;
            // its nonces are others
            db.execute("UPDATE compaction SET nonces_below = '0'", [])?;
            let identity = "UPDATE identity SET witness = ?1, first_nonce = ?2";
            db.execute(identity, params![hex(witness), first_nonce.to_string()])?;
            Ok(())
        })?;
        self.identity = Identity { witness, ..self.identity };
        self.first_nonce = first_nonce;
        Ok(())
    }
}

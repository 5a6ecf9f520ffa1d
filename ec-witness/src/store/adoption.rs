//! Taking over votes that were cast elsewhere with this key: found on the chain, or exported from another store.

use ec_observation::{Ballot, ObservationHash, ObservationHeader, VoteKind};
use rusqlite::{Transaction, params};

use super::{
    StoreError, VoteStore, hex, unix_ms,
    votes::{insert_header, insert_vote, recorded_content, refuse_other_content},
};
use crate::failpoint;

/// Memory for the store's pages while many votes are taken over, KiB. New rows go to the ends of tables, but to any place in
/// the index of headers by their hashes: that of a million fits.
const CACHE_KIB: i64 = 96 * 1024;

/// Votes that one adopted transaction stands for at most.
const CARRIED_TOGETHER: usize = 1000;

impl VoteStore {
    /// Takes over votes that were cast elsewhere with this key. They are recorded as carried, so nothing is sent for them.
    /// Returns how many were new.
    ///
    /// # Errors
    ///
    /// One contradicts a recorded vote, and then none is taken over, or SQLite refuses.
    pub fn adopt(&mut self, headers: &[ObservationHeader]) -> Result<usize, StoreError> {
        self.write(failpoint::ADOPT, |db| {
            let mut adoption = Adoption::begin(db);
            headers.iter().try_for_each(|header| adoption.take(header))?;
            Ok(adoption.adopted())
        })
    }

    /// Uses more memory from now on, so that taking over many votes costs as much for each as for few.
    pub(super) fn expect_many(&self) -> Result<(), StoreError> {
        Ok(self.connection.pragma_update(None, "cache_size", -CACHE_KIB)?)
    }
}

/// Votes that are being taken over, within one transaction.
pub(super) struct Adoption<'a> {
    db: &'a Transaction<'a>,
    /// The adopted transaction that stands for the votes now, and for how many.
    carrier: Option<(i64, usize)>,
    adopted: usize,
}

impl<'a> Adoption<'a> {
    pub(super) fn begin(db: &'a Transaction<'a>) -> Self {
        Self { db, carrier: None, adopted: 0 }
    }

    /// How many headers were new.
    pub(super) fn adopted(&self) -> usize {
        self.adopted
    }

    /// Takes over one vote.
    ///
    /// # Errors
    ///
    /// It contradicts a recorded one, or SQLite refuses.
    pub(super) fn take(&mut self, header: &ObservationHeader) -> Result<(), StoreError> {
        let ballot = Ballot { header: *header, vote: VoteKind::Attest };
        let content = recorded_content(self.db, header.slot())?;
        refuse_other_content(content, header)?;
        if content.is_none() {
            insert_vote(self.db, header)?;
        }
        if insert_header(self.db, &ballot)? {
            self.carry_nowhere(header.hash())?;
            self.adopted += 1;
        }
        Ok(())
    }

    /// Marks a vote as carried by a transaction that is not ours to follow.
    fn carry_nowhere(&mut self, observation: ObservationHash) -> Result<(), StoreError> {
        let observation = hex(observation.0);
        let (carrier, carried) = match self.carrier {
            Some((carrier, carried)) if carried < CARRIED_TOGETHER => (carrier, carried),
            _ => {
                // a vote is taken over once, so that its hash makes this one unique
                let insert = "INSERT INTO transactions (hash, state, signed_unix_ms) VALUES (?1, 'adopted', ?2)";
                self.db.execute(insert, params![format!("adopted:{observation}"), unix_ms()])?;
                (self.db.last_insert_rowid(), 0)
            }
        };
        self.db.prepare_cached("INSERT INTO ballots VALUES (?1, ?2)")?.execute(params![carrier, observation])?;
        self.carrier = Some((carrier, carried + 1));
        Ok(())
    }
}

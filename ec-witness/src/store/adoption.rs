//! Taking over votes that were cast elsewhere with this key: found on the chain, or exported from another store.

use ec_observation::{Ballot, ContentHash, ObservationHash, ObservationHeader, SlotId, VoteKind};
use rusqlite::{Transaction, params};

use super::{
    StoreError, VoteStore, hex, unix_ms,
    votes::{Guarded, guarded, insert_header, insert_vote, refuse_other_content},
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
            let mut adoption = Adoption::begin(db)?;
            headers.iter().try_for_each(|header| adoption.take(header.slot(), header, header.hash()))?;
            adoption.end()
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
    /// How many headers there were before.
    before: usize,
    aside: Option<Aside>,
}

impl<'a> Adoption<'a> {
    pub(super) fn begin(db: &'a Transaction<'a>) -> Result<Self, StoreError> {
        let before: i64 = db.query_row("SELECT COALESCE(MAX(id), 0) FROM headers", [], |row| row.get(0))?;
        let before = usize::try_from(before).unwrap_or_default();
        Ok(Self { db, carrier: None, adopted: 0, before, aside: None })
    }

    /// Puts back what was put aside; how many headers were new.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub(super) fn end(self) -> Result<usize, StoreError> {
        if let Some(aside) = self.aside {
            aside.put_back(self.db)?;
        }
        Ok(self.adopted)
    }

    /// Takes over a vote of which nothing but its content is kept.
    ///
    /// # Errors
    ///
    /// It contradicts a recorded one, or SQLite refuses.
    pub(super) fn take_compacted(&mut self, slot: SlotId, content: ContentHash) -> Result<(), StoreError> {
        match guarded(self.db, slot)? {
            Some(Guarded { content: recorded, .. }) if recorded != content => {
                Err(StoreError::OtherContent { slot, recorded, asked: content })
            }
            Some(_) => Ok(()),
            None => {
                let insert = "INSERT INTO votes (slot, content, compacted) VALUES (?1, ?2, 1)";
                self.db.prepare_cached(insert)?.execute([hex(slot.0), hex(content.0)])?;
                let count =
                    "INSERT INTO compaction VALUES (1, 1, '0', ?1) ON CONFLICT (one) DO UPDATE SET votes = votes + 1";
                self.db.prepare_cached(count)?.execute([unix_ms()])?;
                self.adopted += 1;
                Ok(())
            }
        }
    }

    /// Takes over one vote, of which slot and hash are given.
    ///
    /// # Errors
    ///
    /// It contradicts a recorded one, or SQLite refuses.
    pub(super) fn take(
        &mut self,
        slot: SlotId,
        header: &ObservationHeader,
        observation: ObservationHash,
    ) -> Result<(), StoreError> {
        let ballot = Ballot { header: *header, vote: VoteKind::Attest };
        let guarded = guarded(self.db, slot)?;
        refuse_other_content(guarded, header)?;
        match guarded {
            None => insert_vote(self.db, slot, header)?,
            // what is compacted stands for the same content, and is known
            Some(guarded) if guarded.compacted => return Ok(()),
            Some(_) => {}
        }
        // what marks it else is put aside
        let carried = self.aside.is_some();
        if insert_header(self.db, &ballot, (slot, observation), carried)? {
            self.carry_nowhere(observation)?;
            self.adopted += 1;
            if self.aside.is_none() && is_worth_it(self.before, self.adopted) {
                self.aside = Some(Aside::put(self.db)?);
            }
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

/// New votes from which on indexes are put aside: before, they cost less than building them anew.
const MANY: usize = 10_000;
/// Memory for building an index, KiB, beside which the pages are held no more.
const SORTING_KIB: i64 = 24 * 1024;

/// Whether so many votes are new, to a store that had so many, that building indexes anew costs less than keeping them: they
/// are of the same order as all that is sorted then.
fn is_worth_it(before: usize, adopted: usize) -> bool {
    adopted >= MANY && adopted >= before / 4
}

/// Indexes and a trigger that are kept row by row, put aside within the transaction: what is not asked while votes are taken
/// over. A row's place in them is anywhere.
struct Aside(Vec<String>);

impl Aside {
    /// Takes them out, and remembers what they were.
    fn put(db: &Transaction<'_>) -> Result<Self, StoreError> {
        let query = "SELECT type, name, sql FROM sqlite_schema
                     WHERE name IN ('headers_by_slot', 'headers_not_carried', 'ballots_by_observation', 'ballot_is_carried')
                     ORDER BY type, name";
        let mut statement = db.prepare(query)?;
        let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let found: Vec<(String, String, String)> = found.collect::<Result<_, _>>()?;
        for (kind, name, _) in &found {
            db.execute_batch(&format!("DROP {kind} {name}"))?;
        }
        Ok(Self(found.into_iter().map(|(_, _, sql)| sql).collect()))
    }

    /// Makes them anew, word by word.
    fn put_back(self, db: &Transaction<'_>) -> Result<(), StoreError> {
        db.pragma_update(None, "cache_size", -SORTING_KIB)?;
        Ok(self.0.iter().try_for_each(|sql| db.execute_batch(sql))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_built_anew_where_many_votes_are_new_and_not_few_among_many() {
        assert!(!is_worth_it(0, MANY - 1));
        assert!(is_worth_it(0, MANY));
        assert!(!is_worth_it(1_000_000, 249_999));
        assert!(is_worth_it(1_000_000, 250_000));
    }
}

//! Writes what the log of the ledger says.

use std::{collections::HashSet, sync::Arc};

use alloy::primitives::Address;
use ec_ledger::{LedgerEvent, LedgerLog};
use ec_observation::{ObservationHash, SlotId};
use ec_rpc::BlockRef;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{
    Store, StoreError, hash_of, header_of, int, key_of,
    rules::rule_of,
    slots::{Known, doubt_segments, epochs_like, find_slot, place_epoch, recount, slot_of},
    uint,
};

/// The words for the ways to vote, as the database has them.
pub(super) const PROPOSE: i64 = 0;
pub(super) const ATTEST: i64 = 1;
pub(super) const MOVE: i64 = 2;

/// What was new in a stretch of the log, for those who listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A candidate of a slot.
    Candidate {
        /// The slot.
        slot: SlotId,
        /// The candidate.
        observation: ObservationHash,
    },
    /// A vote in a slot.
    Vote {
        /// The slot.
        slot: SlotId,
        /// The block.
        block: u64,
        /// The log's index in that.
        log_index: u64,
    },
    /// A slot is final.
    Final {
        /// The slot.
        slot: SlotId,
    },
}

/// Writes one ledger's log.
#[derive(Debug)]
pub struct LedgerWriter {
    store: Arc<Store>,
    known: Known,
    /// How many streams have a rule in the database, when they were read last.
    rules: i64,
}

impl LedgerWriter {
    /// For this database.
    pub fn new(store: Arc<Store>) -> Self {
        Self { store, known: Known::default(), rules: -1 }
    }

    /// The blocks to which the log was heard, ascending.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn heard(&self) -> Result<Vec<BlockRef>, StoreError> {
        let sql = self.store.writer();
        let mut select = sql.prepare("SELECT number, hash FROM block ORDER BY number")?;
        let block = |row: &rusqlite::Row<'_>| {
            let (number, hash): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            Ok::<_, rusqlite::Error>(BlockRef { number: uint(number), hash: hash_of(&hash) })
        };
        let rows = select.query_map([], block)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The finalized head at which the means to go back were given up last.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn finalized(&self) -> Result<Option<u64>, StoreError> {
        let sql = self.store.writer();
        let found: Option<String> =
            sql.query_row("SELECT value FROM meta WHERE key = 'finalized'", [], |row| row.get(0)).optional()?;
        Ok(found.and_then(|text| text.parse().ok()))
    }

    /// Writes a stretch of the log, up to this block.
    ///
    /// # Errors
    ///
    /// SQLite refuses; nothing of it is written then.
    pub fn read(&mut self, to: BlockRef, logs: &[LedgerLog]) -> Result<Vec<Heard>, StoreError> {
        let store = Arc::clone(&self.store);
        let mut sql = store.writer();
        let sql = sql.transaction()?;
        self.learn_rules(&sql)?;
        let mut changed = HashSet::new();
        let mut heard = Vec::new();
        for log in logs {
            note_block(&sql, log.block)?;
            apply(&sql, &mut self.known, log, &mut changed, &mut heard)?;
        }
        note_block(&sql, to)?;
        changed.into_iter().try_for_each(|slot| recount(&sql, slot))?;
        sql.commit()?;
        Ok(heard)
    }

    /// Takes back what was heard of blocks above this one; everything, where there is none.
    ///
    /// # Errors
    ///
    /// SQLite refuses; nothing is taken back then.
    pub fn take_back(&mut self, to: Option<u64>) -> Result<(), StoreError> {
        let store = Arc::clone(&self.store);
        let mut sql = store.writer();
        let sql = sql.transaction()?;
        self.learn_rules(&sql)?;
        let above = to.map_or(-1, int);
        let slots: HashSet<i64> = {
            let mut select = sql.prepare(
                "SELECT slot FROM vote WHERE block > ?1 UNION SELECT slot FROM candidate WHERE block > ?1
                 UNION SELECT id FROM slot WHERE final_block > ?1",
            )?;
            let rows = select.query_map([above], |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        sql.execute(
            "UPDATE slot SET final_candidate = NULL, final_content = NULL, final_block = NULL, final_index = NULL,
               final_ms = NULL, final_tx = NULL WHERE final_block > ?",
            [above],
        )?;
        sql.execute("DELETE FROM vote WHERE block > ?", [above])?;
        sql.execute("DELETE FROM candidate WHERE block > ?", [above])?;
        sql.execute("DELETE FROM address WHERE since > ?", [above])?;
        sql.execute("DELETE FROM block WHERE number > ?", [above])?;
        self.known.forget_marks();
        let mut changed = slots.clone();
        doubt_segments(&sql, &self.known, &slots, &mut changed)?;
        changed.into_iter().try_for_each(|slot| recount(&sql, slot))?;
        sql.commit()?;
        Ok(())
    }

    /// Gives up the means to go back below the finalized head; the slots whose finality came below it since `before`.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn settle(&mut self, before: u64, finalized: u64, most: usize) -> Result<Vec<SlotId>, StoreError> {
        let sql = self.store.writer();
        sql.execute("INSERT OR REPLACE INTO meta VALUES ('finalized', ?)", [finalized.to_string()])?;
        sql.execute(
            "DELETE FROM block WHERE number < (SELECT max(number) FROM block WHERE number <= ?)",
            [int(finalized)],
        )?;
        let mut select =
            sql.prepare_cached("SELECT hash FROM slot WHERE final_block > ? AND final_block <= ? LIMIT ?")?;
        let rows =
            select.query_map(params![int(before), int(finalized), most as i64], |row| row.get::<_, Vec<u8>>(0))?;
        rows.map(|hash| Ok(SlotId(hash_of(&hash?)))).collect()
    }

    /// Rules that archives have told since.
    fn learn_rules(&mut self, sql: &Connection) -> Result<(), StoreError> {
        let count: i64 = sql.query_row("SELECT count(rule) FROM stream", [], |row| row.get(0))?;
        if count != self.rules {
            self.rules = count;
            learn_rules(sql, &mut self.known)?;
        }
        Ok(())
    }
}

/// Reads the rules of all streams.
pub(super) fn learn_rules(sql: &Connection, known: &mut Known) -> Result<(), StoreError> {
    let mut select = sql.prepare("SELECT id, rule FROM stream WHERE rule IS NOT NULL")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(rule) = rule_of(&row.get::<_, String>(1)?) {
            known.note(row.get(0)?, rule);
        }
    }
    Ok(())
}

fn note_block(sql: &Transaction<'_>, block: BlockRef) -> Result<(), StoreError> {
    let mut insert = sql.prepare_cached("INSERT OR REPLACE INTO block VALUES (?, ?)")?;
    insert.execute(params![int(block.number), block.hash.as_slice()])?;
    Ok(())
}

/// The row of an address; one that is new has a seat of its own.
fn address_of(sql: &Connection, address: Address, block: u64) -> Result<(i64, i64), StoreError> {
    let mut select = sql.prepare_cached("SELECT id, seat FROM address WHERE address = ?")?;
    let found = select.query_row([address.as_slice()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    let next: i64 = sql.query_row("SELECT coalesce(max(id), 0) + 1 FROM address", [], |row| row.get(0))?;
    let mut insert = sql.prepare_cached("INSERT INTO address(id, address, seat, since) VALUES (?1, ?2, ?1, ?3)")?;
    insert.execute(params![next, address.as_slice(), int(block)])?;
    Ok((next, next))
}

fn candidate_of(sql: &Connection, slot: i64, observation: ObservationHash) -> Result<Option<i64>, StoreError> {
    let mut select = sql.prepare_cached("SELECT id FROM candidate WHERE slot = ? AND hash = ?")?;
    Ok(select.query_row(params![slot, observation.0.as_slice()], |row| row.get(0)).optional()?)
}

/// One vote in its slot.
struct Cast {
    slot: i64,
    witness: Address,
    kind: i64,
    candidate: i64,
    from: Option<i64>,
}

fn cast(sql: &Connection, log: &LedgerLog, cast: &Cast) -> Result<(), StoreError> {
    let (address, seat) = address_of(sql, cast.witness, log.block.number)?;
    if cast.kind == MOVE {
        // where the candidate is new, its proposal came right before and tells of the same vote
        let mut delete = sql.prepare_cached(
            "DELETE FROM vote WHERE slot = ? AND block = ? AND seat = ? AND candidate = ? AND kind = ? AND log_index < ?",
        )?;
        delete.execute(params![cast.slot, int(log.block.number), seat, cast.candidate, PROPOSE, int(log.index)])?;
    }
    let mut insert = sql.prepare_cached("INSERT OR IGNORE INTO vote VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    insert.execute(params![
        cast.slot,
        int(log.block.number),
        int(log.index),
        seat,
        address,
        cast.kind,
        cast.candidate,
        cast.from,
        milliseconds(log),
        log.transaction.as_ref().map(|hash| hash.as_slice())
    ])?;
    Ok(())
}

/// The time of a log's block.
fn milliseconds(log: &LedgerLog) -> i64 {
    int(log.timestamp_s.saturating_mul(1000))
}

fn apply(
    sql: &Connection,
    known: &mut Known,
    log: &LedgerLog,
    changed: &mut HashSet<i64>,
    heard: &mut Vec<Heard>,
) -> Result<(), StoreError> {
    let (block, log_index) = (log.block.number, log.index);
    match log.event {
        LedgerEvent::Proposed { proposer, header, .. } => {
            let stream = known.id_of(sql, header.stream_hash)?;
            let (slot_hash, observation) = (header.slot(), header.hash());
            let name = known.name_of(sql, stream, &header)?;
            let slot = slot_of(sql, slot_hash, (stream, header.sequence), name, header.observed_unix_ms)?;
            let (_, seat) = address_of(sql, proposer, block)?;
            let candidate = match candidate_of(sql, slot, observation)? {
                Some(candidate) => candidate,
                None => {
                    let mut insert = sql.prepare_cached(
                        "INSERT INTO candidate(slot, hash, hash_key, header, content, root_key, proposer, block, log_index, ms, tx)
                         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    )?;
                    insert.execute(params![
                        slot,
                        observation.0.as_slice(),
                        key_of(&observation.0.0),
                        header.abi_encode().as_slice(),
                        key_of(&header.content().hash().0.0),
                        key_of(&header.data_root.0),
                        seat,
                        int(block),
                        int(log_index),
                        milliseconds(log),
                        log.transaction.as_ref().map(|hash| hash.as_slice())
                    ])?;
                    sql.last_insert_rowid()
                }
            };
            cast(sql, log, &Cast { slot, witness: proposer, kind: PROPOSE, candidate, from: None })?;
            heard.push(Heard::Candidate { slot: slot_hash, observation });
            heard.push(Heard::Vote { slot: slot_hash, block, log_index });
            changed.insert(slot);
            for place in epochs_like(sql, stream, &header.data_root)? {
                place_epoch(sql, known, place, changed)?;
            }
        }
        LedgerEvent::Attested { slot, observation, witness } => {
            let Some((id, candidate)) = known_candidate(sql, slot, observation)? else { return Ok(()) };
            cast(sql, log, &Cast { slot: id, witness, kind: ATTEST, candidate, from: None })?;
            heard.push(Heard::Vote { slot, block, log_index });
            changed.insert(id);
        }
        LedgerEvent::Moved { slot, from, to, witness } => {
            let Some((id, candidate)) = known_candidate(sql, slot, to)? else { return Ok(()) };
            let from = candidate_of(sql, id, from)?;
            cast(sql, log, &Cast { slot: id, witness, kind: MOVE, candidate, from })?;
            // the vote of the proposal that came with it is the same
            let told =
                |other: &Heard| matches!(other, Heard::Vote { slot: of, block: at, .. } if *of == slot && *at == block);
            if heard.last().is_some_and(told) && heard.len() > 1 {
                let before = &heard[heard.len() - 2];
                if matches!(before, Heard::Candidate { observation, .. } if *observation == to) {
                    heard.pop();
                }
            }
            heard.push(Heard::Vote { slot, block, log_index });
            changed.insert(id);
        }
        LedgerEvent::Rotated { from, to } => {
            let (_, seat) = address_of(sql, from, block)?;
            let (next, _) = address_of(sql, to, block)?;
            sql.execute("UPDATE address SET seat = ? WHERE id = ?", params![seat, next])?;
        }
        LedgerEvent::Finalized { slot, observation } => {
            let Some((id, candidate)) = known_candidate(sql, slot, observation)? else { return Ok(()) };
            let mut update = sql.prepare_cached(
                "UPDATE slot SET final_candidate = ?, final_block = ?, final_index = ?, final_ms = ?, final_tx = ? WHERE id = ?",
            )?;
            update.execute(params![
                candidate,
                int(block),
                int(log_index),
                milliseconds(log),
                log.transaction.as_ref().map(|hash| hash.as_slice()),
                id
            ])?;
            heard.push(Heard::Final { slot });
            changed.insert(id);
            let mut select = sql.prepare_cached(
                "SELECT c.header, s.stream FROM candidate c JOIN slot s ON s.id = c.slot WHERE c.id = ?",
            )?;
            let (header, stream): (Vec<u8>, i64) =
                select.query_row([candidate], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if let Some(header) = header_of(&header) {
                for place in epochs_like(sql, stream, &header.data_root)? {
                    place_epoch(sql, known, place, changed)?;
                }
            }
        }
    }
    Ok(())
}

fn known_candidate(
    sql: &Connection,
    slot: SlotId,
    observation: ObservationHash,
) -> Result<Option<(i64, i64)>, StoreError> {
    let Some(id) = find_slot(sql, slot)? else { return Ok(None) };
    Ok(candidate_of(sql, id, observation)?.map(|candidate| (id, candidate)))
}

/// Names the slots of a stream whose rule was learnt after they were heard of.
pub(super) fn name_slots(sql: &Connection, known: &mut Known, stream: i64) -> Result<(), StoreError> {
    let first: Vec<(i64, Vec<u8>)> = {
        let mut select = sql.prepare(
            "SELECT c.slot, c.header FROM candidate c JOIN slot s ON s.id = c.slot
             WHERE s.stream = ? AND s.mark IS NULL ORDER BY c.block, c.log_index",
        )?;
        let rows = select.query_map([stream], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<_, _>>()?
    };
    let mut named = HashSet::new();
    for (slot, header) in first {
        if !named.insert(slot) {
            continue;
        }
        let Some(header) = header_of(&header) else { continue };
        let name = known.name_of(sql, stream, &header)?.filter(|name| name.mark > 0);
        if let Some(name) = name {
            sql.prepare_cached("UPDATE slot SET mark = ?, idx = ? WHERE id = ?")?.execute(params![
                int(name.mark),
                int(name.index),
                slot
            ])?;
        }
    }
    Ok(())
}

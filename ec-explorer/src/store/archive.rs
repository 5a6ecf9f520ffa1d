//! Writes what an archive has: where each record stands, and what its epochs are.

use std::{collections::HashSet, sync::Arc};

use alloy::primitives::B256;
use ec_observation::{EpochKey, StreamRule};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Store, StoreError, int, key_of,
    ledger::{learn_rules, name_slots},
    records::{self, RecordRow},
    rules::{rule_of, text_of},
    slots::{Known, place_epoch, recount},
    uint,
    word::EpochWord,
};

/// A closed epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochRow {
    /// Where it stands in the archive.
    pub key: EpochKey,
    /// How it is.
    pub word: EpochWord,
    /// Its records.
    pub leaves: u64,
    /// The root over them.
    pub root: Option<B256>,
    /// Its own time.
    pub observed_ms: Option<u64>,
}

/// Writes what one stream in one archive has.
#[derive(Debug)]
pub struct ArchiveWriter {
    store: Arc<Store>,
    known: Known,
    source: i64,
    /// Bytes of the index that were read when it was written last.
    bytes: u64,
    /// As long as less of the index is read, records may be here already.
    again_below: u64,
    /// Whether they may.
    is_again: bool,
}

impl ArchiveWriter {
    /// For a stream of an archive.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn new(store: Arc<Store>, archive: &str, broadcast: &str, rule: &StreamRule) -> Result<Self, StoreError> {
        let mut known = Known::default();
        let (source, bytes) = {
            let mut sql = store.writer();
            let sql = sql.transaction()?;
            learn_rules(&sql, &mut known)?;
            let stream = known.id_of(&sql, rule.stream_hash())?;
            learn_rule(&sql, &mut known, stream, rule)?;
            sql.execute(
                "INSERT INTO source(archive, stream, broadcast) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET broadcast = excluded.broadcast",
                params![archive, stream, broadcast],
            )?;
            let found = sql.query_row(
                "SELECT id, bytes FROM source WHERE archive = ? AND stream = ?",
                params![archive, stream],
                |row| Ok((row.get(0)?, uint(row.get(1)?))),
            )?;
            sql.commit()?;
            found
        };
        Ok(Self { store, known, source, bytes, again_below: bytes, is_again: bytes > 0 })
    }

    /// Its number in the database.
    pub fn source(&self) -> i64 {
        self.source
    }

    /// Bytes of the index that were read when it was written last.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives up all that was read: it is read again.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn begin_anew(&mut self) -> Result<(), StoreError> {
        let mut sql = self.store.writer();
        let sql = sql.transaction()?;
        let slots: HashSet<i64> = {
            let mut select = sql.prepare("SELECT slot FROM epoch WHERE source = ? AND slot IS NOT NULL")?;
            let rows = select.query_map([self.source], |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        for table in ["epoch", "segment"] {
            sql.execute(&format!("DELETE FROM {table} WHERE source = ?"), [self.source])?;
        }
        records::remove(&sql, self.source)?;
        sql.execute("UPDATE source SET records = 0, bad_lines = 0, bytes = 0 WHERE id = ?", [self.source])?;
        slots.into_iter().try_for_each(|slot| recount(&sql, slot))?;
        sql.commit()?;
        (self.bytes, self.is_again) = (0, false);
        Ok(())
    }

    /// Writes what was read: records, closed epochs, how many lines were bad, and how many bytes of the index are read now.
    /// Returns how many records are new.
    ///
    /// # Errors
    ///
    /// SQLite refuses; nothing of it is written then, or all of it.
    pub fn write(
        &mut self,
        records: &mut [RecordRow],
        epochs: &[EpochRow],
        bad_lines: u64,
        bytes: u64,
    ) -> Result<u64, StoreError> {
        let new = self.write_at_once(records, epochs, bad_lines, bytes)?;
        self.bytes = bytes;
        self.is_again &= bytes < self.again_below;
        records::merge(&self.store, new)?;
        Ok(new)
    }

    fn write_at_once(
        &mut self,
        records: &mut [RecordRow],
        epochs: &[EpochRow],
        bad_lines: u64,
        bytes: u64,
    ) -> Result<u64, StoreError> {
        // neighbours in the table are written one after the other
        records.sort_unstable();
        let mut sql = self.store.writer();
        let sql = sql.transaction()?;
        let new = records::insert(&sql, self.source, records, self.is_again)?;
        let mut changed = HashSet::new();
        for epoch in epochs {
            upsert_epoch(&sql, self.source, epoch)?;
            let place = (self.source, int(epoch.key.segment), int(epoch.key.index));
            place_epoch(&sql, &self.known, place, &mut changed)?;
        }
        changed.into_iter().try_for_each(|slot| recount(&sql, slot))?;
        sql.prepare_cached(
            "UPDATE source SET records = records + ?, bad_lines = bad_lines + ?, bytes = ? WHERE id = ?",
        )?
        .execute(params![int(new), int(bad_lines), int(bytes), self.source])?;
        sql.commit()?;
        Ok(new)
    }

    /// Takes back epochs that cannot be read any more.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn withhold(&mut self, low: EpochKey, high: EpochKey) -> Result<(), StoreError> {
        // what is lost may come again, at any length
        (self.again_below, self.is_again) = (u64::MAX, true);
        let mut sql = self.store.writer();
        let sql = sql.transaction()?;
        let bounds = params![self.source, int(low.segment), int(low.index), int(high.segment), int(high.index)];
        const WITHIN: &str = "source = ?1 AND (segment, idx) >= (?2, ?3) AND (segment, idx) <= (?4, ?5)";
        let slots: HashSet<i64> = {
            let mut select = sql.prepare(&format!("SELECT slot FROM epoch WHERE {WITHIN} AND slot IS NOT NULL"))?;
            let rows = select.query_map(bounds, |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        sql.execute(&format!("DELETE FROM epoch WHERE {WITHIN}"), bounds)?;
        slots.into_iter().try_for_each(|slot| recount(&sql, slot))?;
        sql.commit()?;
        Ok(())
    }
}

/// Notes a stream's rule; where the ledger told of it before, its slots get their names.
fn learn_rule(sql: &Connection, known: &mut Known, stream: i64, rule: &StreamRule) -> Result<(), StoreError> {
    let before: Option<String> =
        sql.query_row("SELECT rule FROM stream WHERE id = ?", [stream], |row| row.get(0)).optional()?.flatten();
    if before.as_deref().and_then(rule_of).as_ref() != Some(rule) {
        let text = text_of(rule);
        sql.execute("UPDATE stream SET stream_id = ?, rule = ? WHERE id = ?", params![rule.stream_id, text, stream])?;
        known.note(stream, rule.clone());
        sql.execute("UPDATE slot SET mark = NULL, idx = NULL WHERE stream = ?", [stream])?;
        name_slots(sql, known, stream)?;
    }
    Ok(())
}

fn upsert_epoch(sql: &Connection, source: i64, epoch: &EpochRow) -> Result<(), StoreError> {
    let mut upsert = sql.prepare_cached(
        "INSERT INTO epoch(source, segment, idx, state, leaves, root, root_key, observed_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT DO UPDATE SET state = ?4, leaves = ?5, root = ?6, root_key = ?7, observed_ms = ?8",
    )?;
    upsert.execute(params![
        source,
        int(epoch.key.segment),
        int(epoch.key.index),
        epoch.word.to_sql(),
        int(epoch.leaves),
        epoch.root.as_ref().map(|root| root.as_slice()),
        epoch.root.map(|root| key_of(&root.0)),
        epoch.observed_ms.map(int)
    ])?;
    Ok(())
}

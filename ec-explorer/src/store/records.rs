//! Where records stand, by the first bytes of their hashes.
//!
//! Hashes come at random, and a tree that is larger than memory writes a page for each. So records come into a *run* that is
//! small, and a run that is full stays as it is. Where a level has enough whole runs, they are merged into one of the next
//! level, in the order of their hashes and bit by bit: each record is written once a level, beside its neighbours. Whoever looks
//! for a hash looks into every run, and there are few.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError, int, key_of, uint};

/// Records of a run that is whole without having been merged: some megabytes, which stay in the cache.
const FRESH: u64 = if cfg!(test) { 64 } else { 1 << 18 };
/// Whole runs of a level that are merged.
const MERGED: usize = if cfg!(test) { 3 } else { 16 };
/// Records that are merged in one transaction, about.
const STEP: u64 = if cfg!(test) { 40 } else { 1 << 16 };
/// Records that are merged for each new one, at least: more than there are levels, so that no merge is left behind.
const MERGED_FOR_EACH: u64 = 4;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordRow {
    /// The first bytes of its hash.
    pub key: i64,
    /// The segment.
    pub segment: u64,
    /// The group.
    pub sequence: u64,
}

impl RecordRow {
    /// Of a record with this hash.
    pub fn new(blake3: &[u8; 32], segment: u64, sequence: u64) -> Self {
        Self { key: key_of(blake3), segment, sequence }
    }
}

/// Where one of a source's records stands already, in any run.
const FIND: &str = "SELECT 1 FROM run CROSS JOIN record r ON r.run = run.id
 WHERE r.hash_key = ?1 AND r.source = ?2 AND r.segment = ?3 AND r.sequence = ?4";

/// Inserts what a source has, ascending; returns how many are new. Where they are not `again` records that were read before, they
/// are not looked for.
pub(super) fn insert(sql: &Connection, source: i64, records: &[RecordRow], again: bool) -> Result<u64, StoreError> {
    let run = fresh(sql)?;
    let mut find = sql.prepare_cached(FIND)?;
    let mut insert = sql.prepare_cached("INSERT OR IGNORE INTO record VALUES (?, ?, ?, ?, ?)")?;
    let mut new = 0;
    for RecordRow { key, segment, sequence } in records {
        let (segment, sequence) = (int(*segment), int(*sequence));
        if !again || !find.exists(params![key, source, segment, sequence])? {
            new += insert.execute(params![run, key, source, segment, sequence])? as u64;
        }
    }
    sql.prepare_cached("UPDATE run SET records = records + ?2, is_whole = records + ?2 >= ?3 WHERE id = ?1")?
        .execute(params![run, int(new), int(FRESH)])?;
    Ok(new)
}

/// The run that new records come into.
fn fresh(sql: &Connection) -> Result<i64, StoreError> {
    let mut growing = sql.prepare_cached("SELECT id FROM run WHERE level = 0 AND NOT is_whole")?;
    match growing.query_row([], |row| row.get(0)).optional()? {
        Some(run) => Ok(run),
        None => add(sql, 0),
    }
}

/// A new run of a level, which begins empty.
fn add(sql: &Connection, level: i64) -> Result<i64, StoreError> {
    sql.prepare_cached("INSERT INTO run(level) VALUES (?)")?.execute([level])?;
    Ok(sql.last_insert_rowid())
}

/// Takes back all records of a source.
pub(super) fn remove(sql: &Connection, source: i64) -> Result<(), StoreError> {
    sql.execute("DELETE FROM record WHERE source = ?", [source])?;
    Ok(())
}

/// Goes on with merging, as far as so many new records ask for, a step at a time, between which others may write.
///
/// # Errors
///
/// SQLite refuses.
pub(super) fn merge(store: &Store, new: u64) -> Result<(), StoreError> {
    let mut left = new.saturating_mul(MERGED_FOR_EACH);
    while left > 0 {
        let mut sql = store.writer();
        let sql = sql.transaction()?;
        let merged = match merging(&sql)? {
            Some(merge) => merge.step(&sql)?,
            None => return Ok(()),
        };
        sql.commit()?;
        left = left.saturating_sub(merged.max(1));
    }
    Ok(())
}

/// A merge that is under way.
struct Merge {
    /// The run that is made.
    into: i64,
    /// The lowest key that is not merged yet.
    next_key: i64,
    /// The records of the runs that it is made of.
    records: u64,
}

/// The merge that is to go on: of the lowest level, as there are most of these. Begins one where a level has enough whole runs.
fn merging(sql: &Connection) -> Result<Option<Merge>, StoreError> {
    let mut begun = sql.prepare_cached(
        "SELECT t.id, t.next_key, (SELECT sum(records) FROM run WHERE merged_into = t.id) FROM run t
         WHERE t.level > 0 AND NOT t.is_whole ORDER BY t.level LIMIT 1",
    )?;
    let mut ready = sql.prepare_cached(
        "SELECT level FROM run WHERE is_whole AND merged_into IS NULL AND NOT EXISTS
           (SELECT 1 FROM run t WHERE t.level = run.level + 1 AND NOT t.is_whole)
         GROUP BY level HAVING count(*) >= ? ORDER BY level LIMIT 1",
    )?;
    if let Some(level) = ready.query_row([MERGED as i64], |row| row.get::<_, i64>(0)).optional()? {
        let into = add(sql, level + 1)?;
        sql.execute(
            "UPDATE run SET merged_into = ?1 WHERE id IN
               (SELECT id FROM run WHERE level = ?2 AND is_whole AND merged_into IS NULL ORDER BY id LIMIT ?3)",
            params![into, level, MERGED as i64],
        )?;
    }
    let merge = |row: &rusqlite::Row<'_>| {
        let records = row.get::<_, Option<i64>>(2)?.map_or(0, uint);
        Ok(Merge { into: row.get(0)?, next_key: row.get(1)?, records })
    };
    Ok(begun.query_row([], merge).optional()?)
}

impl Merge {
    /// Merges the next stretch of keys, which hashes fill evenly; returns how many records that was.
    fn step(&self, sql: &Connection) -> Result<u64, StoreError> {
        let steps = self.records.div_ceil(STEP).max(1);
        let width = i64::try_from(u64::MAX / steps).unwrap_or(i64::MAX);
        let last = self.next_key.checked_add(width).unwrap_or(i64::MAX);
        const STRETCH: &str =
            "run IN (SELECT id FROM run WHERE merged_into = ?1) AND hash_key >= ?2 AND hash_key <= ?3";
        let stretch = params![self.into, self.next_key, last];
        let moved = sql
            .prepare_cached(&format!(
                "INSERT OR IGNORE INTO record SELECT ?1, hash_key, source, segment, sequence FROM record WHERE {STRETCH}
                 ORDER BY hash_key, source, segment, sequence"
            ))?
            .execute(stretch)?;
        sql.prepare_cached(&format!("DELETE FROM record WHERE {STRETCH}"))?.execute(stretch)?;
        match last.checked_add(1) {
            Some(next) => {
                let query = "UPDATE run SET records = records + ?2, next_key = ?3 WHERE id = ?1";
                sql.prepare_cached(query)?.execute(params![self.into, moved as i64, next])?;
            }
            None => {
                let query = "UPDATE run SET records = records + ?2, is_whole = 1 WHERE id = ?1";
                sql.prepare_cached(query)?.execute(params![self.into, moved as i64])?;
                sql.prepare_cached("DELETE FROM run WHERE merged_into = ?")?.execute([self.into])?;
            }
        }
        Ok(moved as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn store(directory: &tempfile::TempDir) -> Arc<Store> {
        Store::open(&directory.path().join("explorer.sqlite"), "test", 1).unwrap()
    }

    fn hash(number: u64) -> [u8; 32] {
        *blake3::hash(&number.to_le_bytes()).as_bytes()
    }

    /// What a source has from here to there.
    fn rows(numbers: std::ops::Range<u64>) -> Vec<RecordRow> {
        let mut rows: Vec<_> = numbers.map(|number| RecordRow::new(&hash(number), 7, number)).collect();
        rows.sort_unstable();
        rows
    }

    fn write(store: &Store, source: i64, rows: &[RecordRow], again: bool) -> u64 {
        let new = {
            let mut sql = store.writer();
            let sql = sql.transaction().unwrap();
            let new = insert(&sql, source, rows, again).unwrap();
            sql.commit().unwrap();
            new
        };
        merge(store, new).unwrap();
        new
    }

    fn found(store: &Store, number: u64) -> Vec<(i64, u64, u64)> {
        let found = store.read_now(|reader| reader.records(&hash(number), 10)).unwrap();
        let mut found: Vec<_> = found.iter().map(|key| (key.source, key.segment, key.sequence)).collect();
        found.sort_unstable();
        found
    }

    /// Runs, and the highest level among them.
    fn runs(store: &Store) -> (u64, i64) {
        let query = "SELECT count(*), max(level) FROM run";
        store.writer().query_row(query, [], |row| Ok((uint(row.get(0)?), row.get(1)?))).unwrap()
    }

    #[test]
    fn every_record_is_found_while_runs_are_merged() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory);
        for begin in (0..6000).step_by(50) {
            assert_eq!(write(&store, 1, &rows(begin..begin + 50), false), 50);
            assert_eq!(write(&store, 2, &rows(begin..begin + 10), false), 10);
            for number in [0, begin / 2, begin, begin + 9] {
                let second = (number % 50 < 10).then_some((2, 7, number));
                let expected: Vec<_> = [(1, 7, number)].into_iter().chain(second).collect();
                assert_eq!(found(&store, number), expected, "{number} of {begin}");
            }
        }
        (0..6000).for_each(|number| assert_eq!(found(&store, number).len(), 1 + usize::from(number % 50 < 10)));
        let (runs, level) = runs(&store);
        assert!(runs <= 3 * 6 && level >= 3, "{runs} runs, level {level}");
        let counted: (i64, i64) = store
            .writer()
            .query_row(
                "SELECT (SELECT sum(records) FROM run WHERE merged_into IS NULL), (SELECT count(*) FROM record)",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        assert_eq!(counted.1, 7200);
        assert!(counted.0 <= 7200, "what is being merged is counted where it came from, too: {counted:?}");
    }

    #[test]
    fn what_is_read_again_is_not_new_in_whichever_run_it_stands() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory);
        (0..1000).step_by(50).for_each(|begin| assert_eq!(write(&store, 1, &rows(begin..begin + 50), false), 50));
        assert_eq!(write(&store, 1, &rows(0..1000), true), 0);
        assert_eq!(write(&store, 1, &rows(900..1100), true), 100);
        assert_eq!(write(&store, 2, &rows(0..10), true), 10, "another source's");
        assert_eq!(found(&store, 5), [(1, 7, 5), (2, 7, 5)]);
    }

    #[test]
    fn the_records_of_a_source_are_taken_back_from_all_runs() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(&directory);
        for begin in (0..1000).step_by(50) {
            [1, 2].into_iter().for_each(|source| _ = write(&store, source, &rows(begin..begin + 50), false));
        }
        remove(&store.writer(), 1).unwrap();
        (0..1000).for_each(|number| assert_eq!(found(&store, number), [(2, 7, number)]));
        // what was counted of the runs is too much now, and merging goes on all the same
        (1000..3000).step_by(50).for_each(|begin| assert_eq!(write(&store, 1, &rows(begin..begin + 50), false), 50));
        (0..3000).for_each(|number| assert_eq!(found(&store, number).len(), 1));
    }
}

//! That each row is found by each of its indexes: what `integrity_check` does, of a stretch of rows.
//!
//! What is not looked for, as no answer about votes rests on it: entries of an index that no row has, which SQLite itself
//! refuses when it follows one, and pages that are free.

use super::{Fault, Part, each};

/// An index by which rows are found.
struct Index {
    table: &'static str,
    name: &'static str,
    /// What it is sorted by; `{}` stands for the row.
    keys: &'static [&'static str],
    /// Which rows are in it.
    of: &'static str,
}

const ALL: &str = "true";
const NUMBERED: &str = "nonce IS NOT NULL";

const fn index(table: &'static str, name: &'static str, keys: &'static [&'static str], of: &'static str) -> Index {
    Index { table, name, keys, of }
}

const INDEXES: [Index; 18] = [
    index("votes", "sqlite_autoindex_votes_1", &["{}.slot"], ALL),
    index("headers", "sqlite_autoindex_headers_1", &["{}.observation"], ALL),
    index("headers", "headers_by_slot", &["{}.slot"], ALL),
    index("headers", "headers_not_carried", &["{}.id"], "carried = 0"),
    index("transactions", "sqlite_autoindex_transactions_1", &["{}.hash"], ALL),
    index("transactions", "transactions_by_nonce", &["{}.nonce"], ALL),
    index("transactions", "transactions_by_number", &["length({}.nonce)", "{}.nonce"], NUMBERED),
    index("transactions", "transactions_by_time", &["{}.signed_unix_ms"], NUMBERED),
    index("transactions", "transactions_not_final", &["{}.id"], "state IN ('signed', 'sent', 'executed', 'safe')"),
    index("transactions", "one_executes", &["{}.nonce"], "state IN ('executed', 'safe', 'finalized')"),
    index("ballots", "sqlite_autoindex_ballots_1", &["{}.transaction_id", "{}.observation"], ALL),
    index("ballots", "ballots_by_observation", &["{}.observation"], ALL),
    index("moves", "sqlite_autoindex_moves_1", &["{}.observation"], ALL),
    index("moves", "moves_by_origin", &["{}.moved_from"], ALL),
    index("forced", "forced_by_repeated", &["{}.repeats"], ALL),
    index("forced", "sqlite_autoindex_forced_1", &["{}.l1_hash"], ALL),
    index("forced", "sqlite_autoindex_forced_2", &["{}.l2_hash"], ALL),
    index("forced", "forced_kept", &["{}.id"], "state = 'kept'"),
];

/// Every table's rows in every of its indexes.
pub(super) fn parts<'a>() -> Vec<(Option<&'static str>, Part<'a>)> {
    let part = |index: &'static Index| {
        let query = index.query();
        Part::of(index.table, move |db, rows| {
            each(db, &query, [rows.after, rows.to], |row| {
                let row: i64 = row.get(0)?;
                Err(Fault::Wrong(format!("row {row} of {} is missing from index {}", index.table, index.name)))
            })
        })
    };
    INDEXES.iter().map(part).collect()
}

impl Index {
    /// The rows that should be in it and are not found by it.
    fn query(&self) -> String {
        let Self { table, name, keys, of } = self;
        let equal = |key: &&str| format!("{} IS {}", key.replace("{}", "i"), key.replace("{}", "t"));
        let keys = keys.iter().map(equal).collect::<Vec<_>>().join(" AND ");
        format!(
            "SELECT t.rowid FROM {table} t NOT INDEXED WHERE t.rowid > ?1 AND t.rowid <= ?2 AND {of} AND NOT EXISTS (
                 SELECT 1 FROM {table} i INDEXED BY {name} WHERE {of} AND {keys} AND i.rowid = t.rowid)"
        )
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::store::migrate::SCHEMA;

    #[test]
    fn every_index_of_a_growing_table_is_looked_at_by_itself() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(SCHEMA).unwrap();
        let query = "SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index'
                     AND tbl_name NOT IN ('streams', 'halts') ORDER BY 1, 2";
        let mut statement = db.prepare(query).unwrap();
        let there: Vec<(String, String)> =
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
        let mut looked: Vec<_> = INDEXES.iter().map(|index| (index.table.to_owned(), index.name.to_owned())).collect();
        looked.sort();
        assert_eq!(looked, there);
        for index in &INDEXES {
            let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {}", index.query())).unwrap();
            let steps: Vec<String> = plan.query_map([0, 1], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
            assert!(steps[0].starts_with("SEARCH t USING INTEGER PRIMARY KEY"), "{steps:?}");
            let looks_up = |step: &String| step.starts_with("SEARCH i USING") && step.contains(index.name);
            assert!(steps.iter().any(looks_up), "{}: {steps:?}", index.name);
        }
    }
}

//! That what is asked at each start and in turns costs as much whatever the store's history: by SQLite's own plans.

use super::*;
use crate::store::{check, closed, finalized, forced, halts, outbox, standing, votes};

/// What does not grow with votes: partial indexes of the few that are open, and tables of a row or of a row a stream.
const SMALL: [&str; 10] = [
    "INDEX transactions_not_final",
    "INDEX headers_not_carried",
    "INDEX forced_kept",
    "INDEX one_halt_stands",
    "SCAN CONSTANT ROW",
    "SCAN streams",
    "SCAN identity",
    "SCAN finalized_head",
    "SCAN compaction",
    "SCAN closed",
];

#[test]
fn what_is_asked_at_a_start_and_in_turns_reads_no_settled_rows() {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(migrate::SCHEMA).unwrap();
    let single = [
        FROM_SEQUENCE,
        FIXED_STREAMS,
        FIX_FROM_SEQUENCE,
        IDENTITY,
        halts::STANDS,
        finalized::NOTED,
        finalized::NOTE,
        closed::IS_CLOSED,
        closed::OPEN,
    ];
    let all = [&single, votes::ASKED, outbox::ASKED, forced::ASKED, standing::ASKED, check::ASKED].concat();
    assert!(all.len() > 35, "{}", all.len());
    for statement in all {
        assert_eq!(scans(&db, statement), [""; 0], "{statement}");
    }
    // as it was asked for once, and as the planner would rather do it
    let signed_since = "SELECT hash FROM transactions WHERE nonce IS NOT NULL AND signed_unix_ms >= ?1 ORDER BY id";
    assert_eq!(scans(&db, signed_since), ["SCAN transactions"]);
}

/// The steps of a statement's plan that read all rows of something that grows.
fn scans(db: &Connection, statement: &str) -> Vec<String> {
    let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
    let (mut scans, mut rows) = (Vec::<String>::new(), plan.raw_query());
    while let Some(row) = rows.next().unwrap() {
        scans.push(row.get(3).unwrap());
    }
    scans.retain(|step| step.starts_with("SCAN ") && !SMALL.iter().any(|small| step.contains(small)));
    scans
}

#[test]
fn a_start_and_a_look_find_the_same_as_before_the_indexes_were_there() {
    let (_dir, mut store) = created();
    // lengths of decimal texts: 9 is before 10
    for nonce in [5, 6, 7, 8, 9, 10, 11] {
        let state = if nonce < 10 { TxState::Finalized { block: nonce } } else { TxState::Sent };
        carry(&mut store, nonce, &[], state);
    }
    assert_eq!(store.next_nonce().unwrap(), 12);
    assert_eq!(store.last_final().unwrap().unwrap().nonce, 9);
    assert_eq!(store.outbox().unwrap().iter().map(|tx| tx.nonce).collect::<Vec<_>>(), [10, 11]);
    let signed: Vec<_> = store.signed_since(0).unwrap().into_iter().map(|(_, tx)| tx.nonce).collect();
    assert_eq!(signed, [5, 6, 7, 8, 9, 10, 11]);
    assert!(store.signed_since(clock::unix_ms() + 60_000).unwrap().is_empty());
}

//! `run` as a daemon: growth, signals, reorgs.

use std::time::Duration;

use alloy::{providers::ext::AnvilApi, rpc::types::anvil::ReorgOptions};

use super::*;
pub(crate) use crate::common::running::Running;
use crate::common::running::{await_or_report, await_that};

/// Waits until every closed epoch of the archive is final and equal, at the newest block: Anvil makes none by itself.
#[track_caller]
pub(super) fn await_final(rail: &Rail, archive: &TestArchive, slots: usize) {
    let verify = || run(&mut rail.command(1, archive, "verify --json --require-final --head latest"));
    let are_final = || {
        let verify = verify();
        verify.code == 0 && verify.lines().len() == slots
    };
    await_or_report(|| format!("{:?}", verify()), are_final);
}

#[test]
fn a_growing_archive_is_followed_until_sigterm() {
    let rail = Rail::start(2, 2);
    let archive = TestArchive::of_groups(3);
    let running: Vec<_> = (1..=2)
        .map(|w| {
            rail.init(w, &archive);
            rail.follow(w, &archive)
        })
        .collect();
    await_final(&rail, &archive, 1);
    // a torn line is no data until its end is written
    archive.append(3..5);
    archive.append_record("video0.m4s", 5, "a");
    archive.append_raw("audio0.m4s", "{\"group_sequence\":5,");
    std::thread::sleep(Duration::from_millis(500));
    let rest = format!("\"received_unix_ms\":1772824690000,\"size_bytes\":1,\"blake3\":\"{}\"}}\n", "cd".repeat(32));
    archive.append_raw("audio0.m4s", &rest);
    await_final(&rail, &archive, 2);
    for running in running {
        running.signal("-TERM");
        let (code, took) = running.end();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
    // the next start votes before it has checked all
    for w in 1..=2 {
        let database = rusqlite::Connection::open(rail.store(w).join("votes.sqlite")).unwrap();
        let closed: i64 = database.query_row("SELECT count(*) FROM closed", [], |row| row.get(0)).unwrap();
        assert_eq!(closed, 1);
    }
}

#[test]
fn a_second_process_on_one_store_is_refused() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let _running = rail.follow(1, &archive);
    await_final(&rail, &archive, 1);
    rail.once(1, &archive).assert_error(&["another process uses this vote store"]);
    let status = run(&mut rail.command(1, &archive, "status --json --head latest"));
    assert_eq!(states(&status), ["finalized"], "a reader is allowed beside it");
}

#[test]
fn killed_at_any_moment_it_goes_on_with_the_same_votes() {
    let rail = Rail::start(2, 2);
    let archive = TestArchive::of_groups(0);
    for w in 1..=2 {
        rail.init(w, &archive);
    }
    for round in 0..8u64 {
        archive.append(round * 3..round * 3 + 3);
        let running: Vec<_> = (1..=2).map(|w| rail.follow(w, &archive)).collect();
        std::thread::sleep(Duration::from_millis(150 * (round + 1)));
        for running in running {
            running.signal("-KILL");
            assert_eq!(running.end().0, None);
        }
    }
    let outcomes = rail.all_once(&[(1, &archive), (2, &archive)]);
    for outcome in outcomes {
        assert_eq!((outcome.code, states(&outcome)), (0, vec!["finalized".to_owned(); 8]), "{outcome:?}");
    }
}

#[test]
fn votes_that_a_reorg_drops_are_sent_again() {
    let rail = Rail::start(2, 2);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let _one = rail.follow(1, &archive);
    let is_voted_for = || {
        let status = run(&mut rail.command(1, &archive, "status --json --head latest"));
        status.lines()[0]["votes"] == 1
    };
    await_that("the first vote is cast", is_voted_for);
    let sent = rail.nonce(1);
    let exported = run(&mut rail.command(1, &archive, "history export")).stdout;
    common::block_on(async {
        let options = ReorgOptions { depth: 1, tx_block_pairs: Vec::new() };
        rail.net.provider().anvil_reorg(options).await.unwrap();
    });
    await_that("the vote is sent again after the reorg", is_voted_for);
    assert_eq!(rail.nonce(1), sent, "the same transaction");
    assert_eq!(run(&mut rail.command(1, &archive, "history export")).stdout, exported);
    rail.init(2, &archive);
    assert_eq!(rail.once(2, &archive).code, 0);
}

#[test]
fn a_candidate_that_a_smaller_quorum_makes_ripe_is_finalized() {
    let rail = Rail::start(3, 3);
    let archive = TestArchive::of_groups(3);
    let _running: Vec<_> = (1..=2)
        .map(|w| {
            rail.init(w, &archive);
            rail.follow(w, &archive)
        })
        .collect();
    await_that("both vote", || rail.nonce(1) + rail.nonce(2) >= 2);
    let mut command = rail.net.as_account(0, "registry set-quorum 2");
    assert_eq!(run(command.env("EC_WITNESS_LEDGER", rail.deployed.ledger.to_string())).code, 0);
    await_final(&rail, &archive, 1);
}

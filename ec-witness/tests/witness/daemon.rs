//! `run` as a daemon: growth, signals, reorgs.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use alloy::{providers::ext::AnvilApi, rpc::types::anvil::ReorgOptions};

use super::*;

/// A running witness; killed when it is dropped.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(rail: &Rail, w: usize, archive: &TestArchive) -> Self {
        Self::spawn(&rail.command(w, archive, &format!("run {DELAYS}")))
    }

    pub(crate) fn spawn(command: &Command) -> Self {
        Self::of(command, Stdio::null())
    }

    /// Starts a command; its log goes to `log`.
    pub(crate) fn of(command: &Command, log: impl Into<Stdio>) -> Self {
        let mut spawned = std::process::Command::new(command.get_program());
        spawned.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => spawned.env(name, value),
                None => spawned.env_remove(name),
            };
        }
        Self(spawned.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        common::send_signal(self.0.id(), signal);
    }

    /// Waits until it says this on stderr, where that is a pipe.
    pub(crate) fn await_words(&mut self, words: &str) {
        let said = self.0.stderr.as_mut().unwrap();
        let heard = BufReader::new(said).lines().map_while(Result::ok).any(|line| line.contains(words));
        assert!(heard, "it ended without {words:?}");
    }

    /// The exit code, once it has one.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.0.try_wait().unwrap().map(|status| status.code().unwrap())
    }

    /// Waits for the end; the exit code, or `None` after a signal.
    pub(crate) fn end(mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let status = self.0.wait().unwrap();
        (status.code(), begun.elapsed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until every closed epoch of the archive is final and equal.
#[track_caller]
pub(super) fn await_final(rail: &Rail, archive: &TestArchive, slots: usize) {
    let begun = Instant::now();
    loop {
        let verify = run(&mut rail.command(1, archive, "verify --json --require-final"));
        if verify.code == 0 && verify.lines().len() == slots {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{verify:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_growing_archive_is_followed_until_sigterm() {
    let rail = Rail::start(2, 2);
    let archive = TestArchive::of_groups(3);
    let running: Vec<_> = (1..=2)
        .map(|w| {
            rail.init(w, &archive);
            Running::start(&rail, w, &archive)
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
}

#[test]
fn a_second_process_on_one_store_is_refused() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let _running = Running::start(&rail, 1, &archive);
    await_final(&rail, &archive, 1);
    rail.once(1, &archive).assert_error(&["another process uses this vote store"]);
    let status = run(&mut rail.command(1, &archive, "status --json"));
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
        let running: Vec<_> = (1..=2).map(|w| Running::start(&rail, w, &archive)).collect();
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
    let _one = Running::start(&rail, 1, &archive);
    let slot_votes = || {
        let status = run(&mut rail.command(1, &archive, "status --json"));
        status.lines()[0]["votes"].as_u64().unwrap()
    };
    let await_vote = |what: &str| {
        let begun = Instant::now();
        while slot_votes() != 1 {
            assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    await_vote("the first vote is cast");
    let sent = rail.nonce(1);
    let exported = run(&mut rail.command(1, &archive, "history export")).stdout;
    common::block_on(async {
        let options = ReorgOptions { depth: 1, tx_block_pairs: Vec::new() };
        rail.net.provider().anvil_reorg(options).await.unwrap();
    });
    await_vote("the vote is sent again after the reorg");
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
            Running::start(&rail, w, &archive)
        })
        .collect();
    let begun = Instant::now();
    while rail.nonce(1) + rail.nonce(2) < 2 {
        assert!(begun.elapsed() < Duration::from_secs(30), "both vote");
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut command = rail.net.as_account(0, "registry set-quorum 2");
    assert_eq!(run(command.env("EC_WITNESS_LEDGER", rail.deployed.ledger.to_string())).code, 0);
    await_final(&rail, &archive, 1);
}

//! Witnesses with the real binary on a real chain: settling, refusing, surviving.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

#[path = "../common/mod.rs"]
mod common;

mod audit;
mod clock;
mod contradictions;
mod daemon;
mod disk;
mod endpoints;
mod faults;
mod files;
mod in_hand;
mod kills;
mod lanes;
mod live_cost;
mod mistakes;
mod monitor;
mod once;
mod pace;
mod proofs;
mod refusals;
mod rotation;
mod sending;
mod setup;
mod signer;
mod storm;
mod strays;
mod transit;
mod two_places;

use std::path::PathBuf;

use assert_cmd::Command;
use common::{Deployment, Devnet, Outcome, run, running::Running};
use ec_testing::archive::made::{self as archive, TestArchive};
use serde_json::Value;

/// Short delays, so that a test takes seconds; equal at all witnesses.
const DELAYS: &str = "--poll-ms 100 --propose-stagger-ms 1500 --late-ms 1000 --incomplete-delay-ms 600000";

/// A chain with a ledger and its witnesses: accounts 1, 2, ….
struct Rail {
    net: Devnet,
    deployed: Deployment,
}

impl Rail {
    fn start(witnesses: usize, quorum: u8) -> Self {
        Self::on(Devnet::start(), witnesses, quorum)
    }

    fn on(net: Devnet, witnesses: usize, quorum: u8) -> Self {
        let deployed = net.deploy(witnesses, quorum);
        Self { net, deployed }
    }

    /// A command of witness `w` on an archive, with its own store.
    fn command(&self, w: usize, archive: &TestArchive, arguments: &str) -> Command {
        let mut command = self.net.as_account(w, arguments);
        command.env("EC_WITNESS_LEDGER", self.deployed.ledger.to_string());
        command.env("EC_WITNESS_STORE", self.store(w)).env("EC_WITNESS_ARCHIVE", archive.path());
        command.env("EC_WITNESS_GROUPS_PER_EPOCH", archive::GROUPS_PER_EPOCH.to_string());
        command
    }

    fn store(&self, w: usize) -> PathBuf {
        self.path(&format!("store-{w}"))
    }

    /// A path of this test's own.
    fn path(&self, name: &str) -> PathBuf {
        self.net.dir.path().join(name)
    }

    fn init(&self, w: usize, archive: &TestArchive) -> Value {
        let outcome = run(&mut self.command(w, archive, "init --from-sequence first --json"));
        assert_eq!(outcome.code, 0, "{outcome:?}");
        outcome.json()
    }

    /// A witness that goes on until it is stopped.
    fn follow(&self, w: usize, archive: &TestArchive) -> Running {
        Running::spawn(&self.command(w, archive, &format!("run {DELAYS}")))
    }

    fn once(&self, w: usize, archive: &TestArchive) -> Outcome {
        run(&mut self.command(w, archive, &format!("run --once --json {DELAYS}")))
    }

    /// Lets witnesses run once on their archives at the same time.
    fn all_once(&self, archives: &[(usize, &TestArchive)]) -> Vec<Outcome> {
        std::thread::scope(|scope| {
            let running: Vec<_> = archives.iter().map(|(w, archive)| scope.spawn(|| self.once(*w, archive))).collect();
            running.into_iter().map(|running| running.join().unwrap()).collect()
        })
    }

    /// Transactions that an account has sent.
    fn nonce(&self, w: usize) -> u64 {
        use alloy::providers::Provider;
        common::block_on(async { self.net.provider().get_transaction_count(self.net.account(w)).await.unwrap() })
    }
}

fn states(outcome: &Outcome) -> Vec<String> {
    outcome.lines().iter().map(|line| line["state"].as_str().unwrap().to_owned()).collect()
}

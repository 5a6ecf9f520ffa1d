//! The real binary is killed before and after each durable step, and goes on as if nothing had happened.
//!
//! Needs the feature `failpoints`. `EC_KILL_ROUNDS` is how often each point is reached before the kill, from 0 up to it
//! less one (default 2).

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

#[allow(dead_code)] // Shared test code: not every test uses all.
#[path = "witness/archive.rs"]
mod archive;
mod common;

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use alloy::providers::{Provider, ext::AnvilApi};
use archive::TestArchive;
use assert_cmd::Command;
use common::{Deployment, Devnet, run};
use ec_witness::{
    failpoint::{self, Step},
    store::VoteStore,
};

const DELAYS: &str = "--poll-ms 50 --propose-stagger-ms 500 --late-ms 1000 --incomplete-delay-ms 600000";

struct Witness {
    net: Devnet,
    deployed: Deployment,
    archive: TestArchive,
    store: PathBuf,
}

impl Witness {
    fn new() -> Self {
        let net = Devnet::with_finality_after(2);
        let deployed = net.deploy(1, 1);
        let store = net.dir.path().join("store");
        Self { net, deployed, archive: TestArchive::of_groups(0), store }
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = self.net.as_account(1, arguments);
        command.env("EC_WITNESS_LEDGER", self.deployed.ledger.to_string());
        command.env("EC_WITNESS_STORE", &self.store).env("EC_WITNESS_ARCHIVE", self.archive.path());
        command.env("EC_WITNESS_GROUPS_PER_EPOCH", archive::GROUPS_PER_EPOCH.to_string());
        command
    }

    /// A block, so that the finalized head advances.
    fn mine(&self) {
        common::block_on(async { self.net.provider().anvil_mine(Some(1), None).await.unwrap() });
    }

    fn nonce(&self) -> u64 {
        common::block_on(async { self.net.provider().get_transaction_count(self.net.account(1)).await.unwrap() })
    }
}

fn points(steps: &[Step]) -> impl Iterator<Item = &'static str> {
    steps.iter().flat_map(|step| [step.before, step.after])
}

fn rounds() -> usize {
    env::var("EC_KILL_ROUNDS").map_or(2, |rounds| rounds.parse().unwrap())
}

/// Whether the command was killed when it reached the point for the time after `passed`.
#[track_caller]
fn is_killed(mut command: Command, point: &str, passed: usize) -> bool {
    let action = if passed == 0 { "return".to_owned() } else { format!("{passed}*off->return") };
    let output = command.env("FAILPOINTS", format!("{point}={action}")).output().unwrap();
    match output.status.code() {
        None => true,
        Some(0) => false,
        Some(code) => panic!("{point}: exit code {code}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn killed_at_every_step_of_a_vote_it_votes_once() {
    let witness = Witness::new();
    assert_eq!(run(&mut witness.command("init --from-sequence first")).code, 0);
    let steps = [
        failpoint::RECORD,
        failpoint::SIGN,
        failpoint::KEEP,
        failpoint::SEND,
        failpoint::SET_STATES,
        failpoint::NOTE_FINALIZED_HEAD,
    ];
    let once = || witness.command(&format!("run --once --json {DELAYS}"));
    let mut kills: BTreeMap<&str, usize> = BTreeMap::new();
    let mut epochs = 0;
    for passed in 0..rounds() {
        for point in points(&steps) {
            witness.archive.append(epochs * 3..epochs * 3 + 3);
            epochs += 1;
            witness.mine();
            *kills.entry(point).or_default() += usize::from(is_killed(once(), point, passed));
            let again = run(&mut once());
            assert_eq!((again.code, again.lines().len() as u64), (0, epochs), "{point} after {passed}: {again:?}");
        }
    }
    println!("killed: {kills:?}");
    assert!(kills.values().all(|&kills| kills > 0), "{kills:?}");
    assert_eq!(witness.nonce(), epochs, "one transaction a slot");
}

#[test]
fn killed_at_every_step_of_init_it_is_there_or_not() {
    let steps = [failpoint::BEGIN, failpoint::ADOPT, failpoint::FIX_FROM_SEQUENCE, failpoint::CREATE];
    let mut witness = Witness::new();
    witness.archive.append(0..3);
    let first = witness.store.clone();
    assert_eq!(run(&mut witness.command("init --from-sequence first")).code, 0);
    assert_eq!(run(&mut witness.command(&format!("run --once {DELAYS}"))).code, 0);
    let voted = VoteStore::read(&first).unwrap().export().unwrap();
    for (i, point) in points(&steps).enumerate() {
        witness.store = witness.net.dir.path().join(format!("store-{i}"));
        assert!(is_killed(witness.command("init"), point, 0), "{point}");
        match VoteStore::read(&witness.store) {
            Ok(_) => assert_eq!(point, failpoint::CREATE.after, "only then there is one"),
            Err(_) => assert_eq!(run(&mut witness.command("init")).code, 0, "{point}"),
        }
        let store = VoteStore::open_halted(&witness.store).unwrap();
        assert_eq!(store.export().unwrap(), voted, "{point}");
        assert!(store.from_sequence("tv").unwrap().is_some(), "{point}");
    }
}

#[test]
fn killed_at_every_step_of_a_migration_it_is_the_old_store_or_the_new_one() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/v1/votes.sqlite");
    for point in points(&[failpoint::BACK_UP, failpoint::MIGRATE]) {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let file = dir.path().join("votes.sqlite");
        fs::copy(&fixture, &file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let mut resume = common::ec_witness("resume --acknowledge 1");
        resume.env("EC_WITNESS_STORE", dir.path());
        assert!(is_killed(resume, point, 0), "{point}");
        let store = VoteStore::open_halted(dir.path()).unwrap();
        assert_eq!((store.ballots().unwrap().len(), store.outbox().unwrap().len()), (20, 4), "{point}");
    }
}

#[test]
fn killed_at_every_step_of_a_halt_it_halts_or_has_halted() {
    let witness = Witness::new();
    witness.archive.append(0..3);
    assert_eq!(run(&mut witness.command("init --from-sequence first")).code, 0);
    let file = witness.store.join("votes.sqlite");
    let earlier = fs::read(&file).unwrap();
    assert_eq!(run(&mut witness.command(&format!("run --once {DELAYS}"))).code, 0);
    let once = || witness.command(&format!("run --once {DELAYS}"));
    for point in points(&[failpoint::HALT]) {
        fs::write(&file, &earlier).unwrap();
        assert!(is_killed(once(), point, 0), "{point}");
        run(&mut once()).assert_error(&["another instance uses the key"]);
        run(&mut once()).assert_error(&["this witness halted"]);
    }
    let standing = || VoteStore::read(&witness.store).unwrap().standing_halt().unwrap().is_some();
    for (point, stands) in [(failpoint::RESUME.before, true), (failpoint::RESUME.after, false)] {
        assert!(is_killed(witness.command("resume --acknowledge 1"), point, 0), "{point}");
        assert_eq!(standing(), stands, "{point}");
    }
    assert_eq!(witness.nonce(), 1);
}

#[test]
fn every_step_is_killed_by_one_of_these_tests() {
    let here = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/failpoints.rs")).unwrap();
    // a replacement takes a market whose fees rise under a vote that is stuck
    let elsewhere = failpoint::KEEP_REPLACEMENT.before;
    for step in failpoint::ALL.iter().filter(|step| step.before != elsewhere) {
        let name = step.before.split("::").nth(1).unwrap().to_uppercase();
        assert!(here.contains(&format!("failpoint::{name}")), "{name}");
    }
}

//! The real binary is killed before and after each durable step, and goes on as if nothing had happened.
//!
//! Needs the feature `failpoints`. `EC_KILL_ROUNDS` is how often it is killed at each point (default 2), with one, two or
//! three slots to vote on.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod common;
#[path = "store/older.rs"]
mod older;

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use alloy::{
    primitives::U256,
    providers::{Provider, ext::AnvilApi},
};
use assert_cmd::Command;
use common::{Deployment, Devnet, run};
use ec_ledger::contracts::EveryChannelObservationLedger as Ledger;
use ec_observation::{ObservationHash, ObservationHeader};
use ec_testing::archive::made::{self as archive, TestArchive};
use ec_witness::{
    failpoint::{self, Step},
    store::VoteStore,
    witness::decision::Agreement,
};

const DELAYS: &str = "--poll-ms 50 --propose-stagger-ms 500 --late-ms 1000 --incomplete-delay-ms 600000";

/// A base fee that no first offer pays, below the cap.
const DEAR_WEI: u128 = 20_000_000_000;
/// A base fee that every offer pays.
const CHEAP_WEI: u128 = 1_000_000_000;

struct Witness {
    net: Devnet,
    deployed: Deployment,
    archive: TestArchive,
    store: PathBuf,
}

impl Witness {
    fn new() -> Self {
        Self::among(1, 1)
    }

    fn among(witnesses: usize, quorum: u8) -> Self {
        let net = Devnet::with_finality_after(2);
        let deployed = net.deploy(witnesses, quorum);
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

    /// Votes that the ledger has of it, each in another slot by the contract's rule.
    fn votes(&self) -> u64 {
        self.net.votes(self.deployed.ledger).len() as u64
    }

    /// The second of three witnesses proposes another header of the content that the first one has proposed last, and time
    /// passes until the round comes that it leads; its header.
    fn rival(&self) -> ObservationHeader {
        let (node, second) = (self.net.provider(), self.net.account(2));
        common::block_on(async {
            let ledger = Ledger::new(self.deployed.ledger, &node);
            let proposed = ledger.ObservationProposed_filter().from_block(0).query().await.unwrap();
            let (first, log) = proposed.last().unwrap();
            let first_header = ObservationHeader::from(first.header.clone());
            let header = ObservationHeader { observed_unix_ms: first_header.observed_unix_ms + 1, ..first_header };
            let propose = ledger.propose(header.into(), U256::ONE).from(second);
            assert!(propose.send().await.unwrap().get_receipt().await.unwrap().status());
            // its position is 1, and its rank so many rounds after the first one's begin
            let rank = (1 + 3 - header.sequence % 3) % 3;
            let begun = node.get_block(log.block_number.unwrap().into()).await.unwrap().unwrap().header.timestamp;
            let agreement = Agreement::default();
            let after_ms = agreement.round_grace_ms + rank * agreement.round_ms;
            node.anvil_set_next_block_timestamp(begun + after_ms / 1000 + 1).await.unwrap();
            node.anvil_mine(Some(1), None).await.unwrap();
            header
        })
    }

    /// Whether a transaction of it waits for execution.
    fn is_waiting(&self) -> bool {
        let pending = common::block_on(async {
            self.net.provider().get_transaction_count(self.net.account(1)).pending().await.unwrap()
        });
        pending > self.nonce()
    }

    /// Does this while blocks come that are too dear for what waits; afterwards they are cheap.
    fn in_dear_blocks<T>(&self, work: impl FnOnce() -> T) -> T {
        let node = self.net.provider();
        common::block_on(node.anvil_set_auto_mine(false)).unwrap();
        let is_done = AtomicBool::new(false);
        let done = thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    if self.is_waiting() {
                        common::block_on(async {
                            node.anvil_set_next_block_base_fee_per_gas(DEAR_WEI).await.unwrap();
                            node.anvil_mine(Some(1), None).await.unwrap();
                        });
                    }
                    thread::sleep(Duration::from_millis(100));
                }
            });
            let done = work();
            is_done.store(true, Ordering::Relaxed);
            done
        });
        common::block_on(async {
            node.anvil_set_next_block_base_fee_per_gas(CHEAP_WEI).await.unwrap();
            node.anvil_mine(Some(1), None).await.unwrap();
            node.anvil_set_auto_mine(true).await.unwrap();
        });
        done
    }
}

fn points(steps: &[Step]) -> impl Iterator<Item = &'static str> {
    steps.iter().flat_map(|step| [step.before, step.after])
}

fn rounds() -> usize {
    env::var("EC_KILL_ROUNDS").map_or(2, |rounds| rounds.parse().unwrap())
}

/// Every point of these steps, once a round.
fn each_round(steps: &[Step]) -> impl Iterator<Item = &'static str> {
    (0..rounds()).flat_map(|_| points(steps))
}

/// Whether the command was killed when it reached the point.
#[track_caller]
fn is_killed(mut command: Command, point: &str) -> bool {
    let output = command.env("FAILPOINTS", format!("{point}=return")).output().unwrap();
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
    let (mut kills, mut epochs) = (0, 0);
    for round in 0..rounds() {
        for point in points(&steps) {
            let more = 1 + round as u64 % 3;
            witness.archive.append(epochs * 3..(epochs + more) * 3);
            epochs += more;
            witness.mine();
            assert!(is_killed(once(), point), "{point} was not reached");
            kills += 1;
            let again = run(&mut once());
            assert_eq!((again.code, again.lines().len() as u64), (0, epochs), "{point}: {again:?}");
        }
    }
    println!("{kills} kills at {} points: {epochs} slots, {} transactions", points(&steps).count(), witness.nonce());
    assert_eq!(witness.votes(), epochs, "one vote a slot");
}

#[test]
fn killed_at_every_step_of_a_move_the_vote_moves_once() {
    let witness = Witness::among(3, 2);
    assert_eq!(run(&mut witness.command("init --from-sequence first")).code, 0);
    let once = |more: &str| witness.command(&format!("run --once --json {DELAYS} {more}"));
    let mut moved = Vec::new();
    for point in each_round(&[failpoint::RECORD, failpoint::SIGN, failpoint::KEEP, failpoint::SEND]) {
        let epoch = moved.len() as u64;
        witness.archive.append(epoch * 3..epoch * 3 + 3);
        assert_eq!(run(&mut once("--disputed-after-ms 3000")).code, 1, "{point}: its vote is cast and alone");
        let to = witness.rival();
        assert!(is_killed(once(""), point), "{point} was not reached");
        let kept = VoteStore::read(&witness.store).unwrap().headers(to.slot()).unwrap();
        assert_eq!(kept.contains(&to), point != failpoint::RECORD.before, "{point}");
        let again = run(&mut once(""));
        assert_eq!((again.code, again.lines().len() as u64), (0, epoch + 1), "{point}: {again:?}");
        moved.push(to.hash());
        let ballots = VoteStore::read(&witness.store).unwrap().ballots().unwrap();
        assert!(ballots.iter().any(|ballot| ballot.header == to && ballot.moved_from().is_some()), "{point}");
    }
    let events = common::block_on(async {
        let ledger = Ledger::new(witness.deployed.ledger, witness.net.provider());
        ledger.VoteMoved_filter().from_block(0).query().await.unwrap()
    });
    println!("{} kills: {} slots, {} transactions", moved.len(), moved.len(), witness.nonce());
    assert_eq!(events.iter().map(|(event, _)| ObservationHash(event.to)).collect::<Vec<_>>(), moved);
    assert_eq!(witness.nonce(), 2 * moved.len() as u64, "a proposal and a move for each slot");
}

#[test]
fn killed_while_it_replaces_a_transaction_one_of_them_is_executed() {
    let witness = Witness::new();
    assert_eq!(run(&mut witness.command("init --from-sequence first")).code, 0);
    let once = || {
        let mut once = witness.command(&format!("run --once --json {DELAYS}"));
        once.env("EC_WITNESS_BUMP_AFTER_MS", "200");
        once
    };
    let mut epochs = 0;
    for _ in 0..rounds() {
        for point in points(&[failpoint::KEEP_REPLACEMENT]) {
            witness.archive.append(epochs * 3..epochs * 3 + 3);
            epochs += 1;
            assert!(witness.in_dear_blocks(|| is_killed(once(), point)), "{point} was not reached");
            let again = run(&mut once());
            assert_eq!((again.code, again.lines().len() as u64), (0, epochs), "{point}: {again:?}");
        }
    }
    println!("{epochs} kills at 2 points: {epochs} slots, {} transactions", witness.nonce());
    assert_eq!((witness.nonce(), witness.votes()), (epochs, epochs));
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
    for (i, point) in each_round(&steps).enumerate() {
        witness.store = witness.net.dir.path().join(format!("store-{i}"));
        assert!(is_killed(witness.command("init"), point), "{point}");
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
    let versions = [1, 2, 4]
        .into_iter()
        .flat_map(|version| each_round(&[failpoint::BACK_UP, failpoint::MIGRATE]).map(move |point| (version, point)));
    for (version, point) in versions {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let file = dir.path().join("votes.sqlite");
        fs::copy(&fixture, &file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        older::bring_to_version(&file, version);
        let mut resume = common::ec_witness("resume --acknowledge 1");
        resume.env("EC_WITNESS_STORE", dir.path());
        assert!(is_killed(resume, point), "{point}");
        let store = VoteStore::open_halted(dir.path()).unwrap();
        assert_eq!((store.ballots().unwrap().len(), store.outbox().unwrap().len()), (20, 4), "{version}, {point}");
    }
}

#[test]
fn killed_while_it_opens_or_closes_the_store_no_more_is_taken_for_checked_than_was_closed() {
    let witness = Witness::new();
    assert_eq!(run(&mut witness.command("init --from-sequence first")).code, 0);
    let once = || witness.command(&format!("run --once {DELAYS}"));
    let file = witness.store.join("votes.sqlite");
    let is_closed = || {
        let database = rusqlite::Connection::open(&file).unwrap();
        database.query_row("SELECT EXISTS (SELECT 1 FROM closed)", [], |row| row.get::<_, bool>(0)).unwrap()
    };
    witness.archive.append(0..3);
    assert!(!is_closed(), "all of a new store is checked once");
    assert_eq!(run(&mut once()).code, 0);
    let cases = [
        (failpoint::OPEN.before, true),
        (failpoint::OPEN.after, false),
        (failpoint::CLOSE.before, false),
        (failpoint::CLOSE.after, true),
    ];
    for (round, (point, closed)) in (0..rounds()).flat_map(|_| cases).enumerate() {
        assert!(is_closed(), "{point}");
        let epoch = 1 + round as u64;
        witness.archive.append(epoch * 3..epoch * 3 + 3);
        assert!(is_killed(once(), point), "{point} was not reached");
        assert_eq!(is_closed(), closed, "{point}");
        // killed where it writes, it leaves no such note either
        let again = if epoch.is_multiple_of(2) { is_killed(once(), failpoint::SET_STATES.before) } else { false };
        assert!(!again || !is_closed(), "{point}");
        assert_eq!(run(&mut once()).code, 0, "{point}");
    }
    assert_eq!(witness.votes(), 1 + 4 * rounds() as u64, "one vote a slot");
}

#[test]
fn killed_at_every_step_of_compacting_it_is_the_old_store_or_the_compacted_one() {
    let witness = Witness::new();
    assert_eq!(run(&mut witness.command("init --from-sequence first")).code, 0);
    let once = || witness.command(&format!("run --once --until finalized {DELAYS}"));
    let file = witness.store.join("votes.sqlite");
    let count = |query: &str| {
        let database = rusqlite::Connection::open(&file).unwrap();
        database.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let compacted = || count("SELECT count(*) FROM votes WHERE compacted = 1");
    let mut epochs = 0;
    for point in each_round(&[failpoint::COMPACT_WRITE, failpoint::COMPACT]) {
        // two slots, the second of which is the last final one
        for _ in 0..2 {
            witness.archive.append(epochs * 3..epochs * 3 + 3);
            epochs += 1;
            (0..4).for_each(|_| witness.mine());
            let mut cast = witness.command(&format!("run --once {DELAYS}"));
            assert_eq!(run(&mut cast).code, 0, "{point}");
            (0..4).for_each(|_| witness.mine());
            assert_eq!(run(&mut once()).code, 0, "{point}");
        }
        let before = compacted();
        let nonce = VoteStore::read(&witness.store).unwrap().next_nonce().unwrap();
        let compact = || witness.command("store compact --older-than 0s");
        assert!(is_killed(compact(), point), "{point} was not reached");
        assert_eq!(compacted() > before, point == failpoint::COMPACT.after, "{point}");
        assert_eq!(count("SELECT count(*) FROM votes"), epochs as i64, "{point}");
        assert_eq!(run(&mut compact()).code, 0, "{point}");
        assert_eq!(run(&mut witness.command("store check")).code, 0, "{point}");
        assert!(compacted() > before, "{point}");
        assert!(!witness.store.join("votes.sqlite.compact.part").exists(), "{point}");
        assert_eq!(VoteStore::read(&witness.store).unwrap().next_nonce().unwrap(), nonce, "{point}");
        // it goes on, and votes for nothing again
        assert_eq!(run(&mut once()).code, 0, "{point}");
        assert_eq!((witness.votes(), witness.nonce()), (epochs, nonce), "{point}");
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
    let stands = || VoteStore::read(&witness.store).unwrap().kept_halt().unwrap().is_some();
    for point in each_round(&[failpoint::HALT]) {
        fs::write(&file, &earlier).unwrap();
        assert!(is_killed(once(), point), "{point}");
        run(&mut once()).assert_error(&["another instance uses the key"]);
        run(&mut once()).assert_error(&["this witness halted"]);
        for (point, still) in [(failpoint::RESUME.before, true), (failpoint::RESUME.after, false)] {
            assert!(is_killed(witness.command("resume --acknowledge 1"), point), "{point}");
            assert_eq!(stands(), still, "{point}");
        }
    }
    assert_eq!(witness.nonce(), 1);
}

/// So many times a store can be handed on: a key has a seat once, and Anvil has ten.
const MOST_HANDED_ON: usize = 8;

#[test]
fn killed_while_the_store_is_handed_on_it_is_of_one_key_or_the_other() {
    Vec::from_iter(each_round(&[failpoint::HAND_ON])).chunks(MOST_HANDED_ON).for_each(hand_on);
}

/// Hands a store on, killed at each of these points in turn.
fn hand_on(points: &[&'static str]) {
    use ec_ledger::contracts::EveryChannelWitnessRegistry as Registry;
    let witness = Witness::new();
    witness.archive.append(0..3);
    assert_eq!(run(&mut witness.command("init --from-sequence first")).code, 0);
    assert_eq!(run(&mut witness.command(&format!("run --once {DELAYS}"))).code, 0);
    let voted = VoteStore::read(&witness.store).unwrap().export().unwrap().votes;
    for (from, &point) in (1..).zip(points) {
        let (old, new) = (witness.net.account(from), witness.net.account(from + 1));
        common::block_on(async {
            let registry = Registry::new(witness.deployed.registry, witness.net.provider());
            registry.rotate(new).from(old).send().await.unwrap().get_receipt().await.unwrap();
            let accept = registry.acceptRotation(alloy::primitives::U256::ZERO).from(new);
            accept.send().await.unwrap().get_receipt().await.unwrap();
        });
        (0..3).for_each(|_| witness.mine());
        let finish = || {
            let mut finish = witness.command("rotate finish");
            finish.env("EC_WITNESS_KEY_FILE", witness.net.key_file(from + 1));
            finish
        };
        assert!(is_killed(finish(), point), "{point}");
        let whose = VoteStore::read(&witness.store).unwrap().identity().witness;
        assert_eq!(whose, if point == failpoint::HAND_ON.after { new } else { old }, "{point}");
        assert_eq!(run(&mut finish()).code, 0, "{point}");
        let store = VoteStore::open_halted(&witness.store).unwrap();
        assert_eq!((store.identity().witness, store.export().unwrap().votes), (new, voted.clone()), "{point}");
    }
}

#[test]
fn every_step_is_killed_by_one_of_these_tests() {
    let here = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/failpoints.rs")).unwrap();
    for step in failpoint::ALL {
        let name = step.before.split("::").nth(1).unwrap().to_uppercase();
        assert!(here.contains(&format!("failpoint::{name}")), "{name}");
    }
}

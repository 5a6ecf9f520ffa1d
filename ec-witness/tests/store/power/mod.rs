//! Power cuts: a real workload's system calls, replayed on a disk that loses, tears and reorders what was not synced.
//!
//! `EC_POWER_SEEDS` is the number of cuts (default 500), `EC_POWER_SEED` replays one.

mod disk;
mod trace;
pub(super) mod workload;

use std::{collections::BTreeMap, env, fs, path::Path, process::Command};

use disk::{Disk, Honesty};
use ec_witness::store::{Identity, STORE_FILE, StoreError, VoteStore};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tempfile::TempDir;
use trace::Event;

use super::{
    create_private,
    migration::{self, fixture},
    write_private,
};

/// A recorded workload.
struct Recording {
    identity: Identity,
    disk: Disk,
    events: Vec<Event>,
}

/// What was acknowledged before a cut.
#[derive(Default)]
struct Acknowledged {
    created: bool,
    halt: Halt,
    votes: Vec<String>,
    transactions: BTreeMap<String, usize>,
}

/// How far the workload's halt is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Halt {
    /// No halt stands.
    #[default]
    None,
    /// It was asked for, or its end was: it may stand.
    Perhaps,
    /// It stands.
    Stands,
}

/// What a cut did to a store.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Everything acknowledged is there.
    Kept,
    /// No store was acknowledged and there is none.
    Nothing,
    /// It refuses to open.
    Refused(String),
    /// It opens without something that was acknowledged.
    Lost(String),
}

impl Recording {
    /// Runs a workload under strace, in a store that is new or was written by version 1.
    fn of(workload: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let store = root.join("store");
        let mut identity = workload::identity();
        if workload == "migrated" {
            identity = migration::identity();
            create_private(&store);
            write_private(&store.join(STORE_FILE), &fs::read(fixture()).unwrap());
        }
        let disk = Disk::of(&root);
        let log = root.join("trace");
        let status = Command::new("strace")
            .args(["-f", "-y", "-xx", "-s", "10000000", "-e"])
            .arg(format!("trace={}", trace::CALLS))
            .arg("-o")
            .arg(&log)
            .arg(env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "--test-threads=1", workload::NAME])
            .env(workload::DIRECTORY, &store)
            .status()
            .expect("strace is needed: scripts/install-tools");
        assert!(status.success(), "the workload failed");
        Self { identity, disk, events: trace::events(&fs::read_to_string(log).unwrap(), &root) }
    }

    /// Cuts the power at a moment that the seed picks, and opens what is left.
    fn cut(&self, seed: u64, honesty: Honesty, decay: bool) -> Outcome {
        let mut rng = StdRng::seed_from_u64(seed);
        let at = rng.random_range(0..=self.events.len());
        let mut disk = self.disk.clone();
        let mut acknowledged = Acknowledged::default();
        for event in &self.events[..at] {
            acknowledged.hear(event);
            disk.apply(event, honesty);
        }
        let left = TempDir::new().unwrap();
        disk.cut(&mut rng);
        if decay {
            disk.decay(&mut rng);
        }
        disk.write_to(left.path());
        self.judge(&left.path().join("store"), &acknowledged)
    }

    fn judge(&self, store: &Path, acknowledged: &Acknowledged) -> Outcome {
        let opened = match VoteStore::open(store, self.identity) {
            Ok(_) if acknowledged.halt == Halt::Stands => return Outcome::Lost("the halt".to_owned()),
            Ok(opened) => opened,
            Err(StoreError::Halted(_)) if acknowledged.halt != Halt::None => VoteStore::open_halted(store).unwrap(),
            Err(StoreError::Missing { .. }) if !acknowledged.created => return Outcome::Nothing,
            Err(error) => return Outcome::Refused(error.to_string()),
        };
        acknowledged.lost_from(&opened, &store.join(STORE_FILE)).map_or(Outcome::Kept, Outcome::Lost)
    }
}

impl Acknowledged {
    fn hear(&mut self, event: &Event) {
        let Event::Said(line) = event else { return };
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            ["ACK", "created"] => self.created = true,
            ["DOES", "halt" | "resume"] => self.halt = Halt::Perhaps,
            ["ACK", "halt"] => self.halt = Halt::Stands,
            ["ACK", "resume"] => self.halt = Halt::None,
            ["ACK", "vote", observation] => self.votes.push((*observation).to_owned()),
            ["ACK", "tx", hash, state] => {
                self.transactions.insert((*hash).to_owned(), rank(state));
            }
            _ => {}
        }
    }

    /// The first acknowledged thing that the store lacks.
    fn lost_from(&self, store: &VoteStore, file: &Path) -> Option<String> {
        let unknown = self.votes.iter().find(|vote| !store.knows(observation(vote)).unwrap());
        if let Some(vote) = unknown {
            return Some(format!("vote {vote}"));
        }
        let database = rusqlite::Connection::open(file).unwrap();
        self.transactions.iter().find_map(|(hash, acknowledged)| {
            let query = "SELECT state FROM transactions WHERE hash = ?1";
            match database.query_row(query, [hash], |row| row.get::<_, String>(0)) {
                Ok(state) if rank(&state) >= *acknowledged => None,
                found => Some(format!("transaction {hash}: {found:?}")),
            }
        })
    }
}

fn observation(text: &str) -> ec_observation::ObservationHash {
    ec_observation::ObservationHash(text.parse().unwrap())
}

fn rank(state: &str) -> usize {
    ["signed", "sent", "executed", "safe", "finalized"].iter().position(|name| *name == state).unwrap()
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match number("EC_POWER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("EC_POWER_SEEDS").unwrap_or(500),
    }
}

#[test]
fn nothing_acknowledged_is_lost_in_a_power_cut() {
    let recordings = ["new", "migrated"].map(Recording::of);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for seed in seeds() {
        let recording = &recordings[(seed % 2) as usize];
        let outcome = recording.cut(seed, Honesty::Honest, false);
        assert!(matches!(outcome, Outcome::Kept | Outcome::Nothing), "EC_POWER_SEED={seed}: {outcome:?}");
        *counts.entry(format!("{outcome:?}")).or_default() += 1;
    }
    let calls: Vec<_> = recordings.iter().map(|recording| recording.events.len()).collect();
    println!("power cuts in workloads of {calls:?} calls: {counts:?}");

    // what remains of a store after a cut, and decays then, journal included
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in seeds() {
        let name = match recordings[(seed % 2) as usize].cut(seed, Honesty::Honest, true) {
            Outcome::Kept => "kept",
            Outcome::Nothing => "nothing",
            Outcome::Refused(_) => "refused",
            lost @ Outcome::Lost(_) => panic!("EC_POWER_SEED={seed}, decayed: {lost:?}"),
        };
        *counts.entry(name).or_default() += 1;
    }
    println!("the same with one byte changed: {counts:?}");

    // the harness would notice: a disk that only says it has synced loses votes
    let lies = |seed: &u64| recordings[(seed % 2) as usize].cut(*seed, Honesty::Lying, false);
    let lost = (0..100).filter(|seed| matches!(lies(seed), Outcome::Lost(_))).count();
    let refused = (0..100).filter(|seed| matches!(lies(seed), Outcome::Refused(_))).count();
    println!("a lying disk: of 100 cuts {lost} lost votes, {refused} are refused");
    assert!(lost > 0, "the harness finds nothing on a disk that does not sync");
}

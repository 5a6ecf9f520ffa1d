//! What following a ledger costs as its history grows.
//!
//! What is asked of the chain is compared here; times and memory are printed by the long form, which `scripts/scale` runs, before a
//! chain that a process of its own serves.

#![allow(clippy::unwrap_used)]

mod served;

use std::{
    io::{self, BufRead, BufReader, Read},
    num::NonZeroU64,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use ec_ledger::{Follower, LedgerSettings};
use ec_observation::{EpochName, StreamRule};
use ec_rpc::{Endpoint, Endpoints};
use ec_testing::processes::{most_memory, most_own_memory};
use served::{CHAIN_ID, LEDGER, REGISTRY, Served, header, rules};

const STREAMS: usize = 50;
/// Blocks that come while the witness is down.
const NEW: u64 = 500;

fn follower(rpc: &str, rules: &[StreamRule], file: &Path, log_page_blocks: u64) -> Follower {
    let endpoint = Endpoint { rpc: rpc.parse().unwrap(), timeout: Duration::from_secs(60) };
    let endpoints = Endpoints::new(&[endpoint], CHAIN_ID, 1).unwrap();
    let settings = LedgerSettings {
        chain_id: CHAIN_ID,
        ledger: LEDGER,
        registry: REGISTRY,
        deploy_block: 1,
        log_page_blocks: NonZeroU64::new(log_page_blocks).unwrap(),
        head_stale: Duration::from_secs(30),
        block_time: None,
        finality_stale: Duration::from_secs(1800),
    };
    let streams = rules.iter().map(|rule| (rule.stream_hash(), rule.epochs)).collect();
    let mut follower = Follower::new(endpoints, settings, None, Some(streams));
    follower.keep_in(file).unwrap();
    follower
}

/// Begins, reads to the head, and passes by all that is final of each stream, as a witness does before it judges.
async fn start(rpc: &str, rules: &[StreamRule], file: &Path) -> Follower {
    let mut follower = follower(rpc, rules, file, 10_000);
    follower.poll(0, true).await.unwrap();
    let (ledger, finalized) = (follower.ledger(), follower.heads().finalized);
    for rule in rules {
        let stream = rule.stream_hash();
        let all = 0..=u64::MAX;
        let marks = match ledger.lane(stream) {
            Some(lane) => lane.sessions().map(|session| session.mark).collect(),
            None => vec![0],
        };
        for mark in marks {
            let slot_of = |index| rule.slot(EpochName { mark, index });
            // the chain has no block 0; all that is looked for stands at the end
            let gap = ledger.next_gap(stream, (mark, 1..=1 << 40), finalized, &all, slot_of);
            assert_eq!(gap.map(|gap| *gap.end()), Some(1 << 40));
        }
    }
    follower.require_sound().unwrap();
    follower
}

/// The first start at a ledger; how long it took.
async fn first(rpc: &str, file: &Path) -> Duration {
    let begun = Instant::now();
    let mut follower = start(rpc, &rules(STREAMS), file).await;
    let took = begun.elapsed();
    follower.keep(true).unwrap();
    took
}

/// A later one, when [`NEW`] slots more are final than there were at the first one, which had so many.
async fn later(rpc: &str, slots: u64, file: &Path) -> Duration {
    let (rules, begun) = (rules(STREAMS), Instant::now());
    let follower = start(rpc, &rules, file).await;
    let took = begun.elapsed();
    // what was settled at first, what came since, and what there is not
    for block in [1, slots / 2, slots + NEW / 2] {
        let header = header(&rules, block);
        let found = follower.ledger().final_of(header.stream_hash, header.sequence, header.slot());
        assert_eq!(found.unwrap().hash, header.hash(), "block {block}");
    }
    let unknown = header(&rules, slots + NEW + 1);
    assert_eq!(follower.ledger().final_of(unknown.stream_hash, unknown.sequence, unknown.slot()), None);
    took
}

#[tokio::test]
async fn a_start_asks_for_what_is_new_alone() {
    for slots in [2_000, 20_000] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ledger.sqlite");
        let served = Served::start(rules(STREAMS), slots).await;
        first(&served.rpc, &file).await;
        assert!(served.logs_asked() >= slots);
        // from the block that was final: as many as came since, and those that were not
        let served = Served::start(rules(STREAMS), slots + NEW).await;
        later(&served.rpc, slots, &file).await;
        let asked = served.logs_asked();
        assert!((NEW..NEW + 200).contains(&asked), "{slots}: {asked}");
    }
}

#[tokio::test]
async fn a_checkpoint_of_many_open_slots_is_never_in_memory() {
    const SLOTS: u64 = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let (rules, file) = (rules(STREAMS), dir.path().join("ledger.sqlite"));
    let served = Served::start_open(rules.clone(), SLOTS).await;
    // small pages, lest what they took is there for the checkpoint
    let mut follower = follower(&served.rpc, &rules, &file, 100);
    follower.poll(0, true).await.unwrap();
    let memory = || most_own_memory(std::process::id()).unwrap();
    let before = memory();
    follower.keep(true).unwrap();
    let (more, text) = (memory() - before, std::fs::metadata(file.with_extension("sqlite-wal")).unwrap().len());
    println!("{more} bytes of memory for a checkpoint of {text}");
    assert!(text > 10_000_000 && more < text / 3, "{more} bytes of memory for a checkpoint of {text}");
    drop(follower);
    let mut again = self::follower(&served.rpc, &rules, &file, 10_000);
    again.poll(0, true).await.unwrap();
    let slot = header(&rules, 1).slot();
    assert_eq!(again.ledger().slot(slot).unwrap().candidates.len(), 1);
    again.require_sound().unwrap();
}

/// A chain in a process of its own, so that its memory is not the follower's. Ends with this.
struct Apart {
    process: Child,
    /// It goes on printing.
    _stdout: BufReader<ChildStdout>,
    rpc: String,
}

/// What the chain's process prints before its URL.
const SERVING: &str = "serving ";

impl Apart {
    /// One of so many blocks.
    fn start(blocks: u64) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "--nocapture", "a_chain_apart"]).env("SCALE_BLOCKS", blocks.to_string());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut lines = stdout.by_ref().lines().map(Result::unwrap);
        let rpc = lines.find_map(|line| Some(line.strip_prefix(SERVING)?.to_owned())).expect("the chain is served");
        Self { process, _stdout: stdout, rpc }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // it ends with its input
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }
}

fn set(name: &str) -> String {
    std::env::var(name).unwrap()
}

/// Serves a chain of as many blocks as the environment says, until its input ends.
#[tokio::test]
#[ignore = "the chain of `of_one_size`"]
async fn a_chain_apart() {
    let served = Served::start(rules(STREAMS), set("SCALE_BLOCKS").parse().unwrap()).await;
    println!("\n{SERVING}{}", served.rpc);
    tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
}

/// For `scripts/scale`: prints a line of the start, the size and the checkpoint's file that the environment names.
#[tokio::test]
#[ignore = "a start at a time, by scripts/scale"]
async fn of_one_size() {
    let (slots, file) = (set("SCALE_SLOTS").parse().unwrap(), set("SCALE_FILE"));
    let took = match set("SCALE_START").as_str() {
        "first" => first(&Apart::start(slots).rpc, Path::new(&file)).await,
        _ => later(&Apart::start(slots + NEW).rpc, slots, Path::new(&file)).await,
    };
    let memory_kb = most_memory(std::process::id()).unwrap() / 1024;
    println!("measured ms={} memory_kb={memory_kb}", took.as_millis());
}

//! What following a ledger costs as its history grows.
//!
//! What is asked of the chain is compared here; times and memory are printed by the long form, which `scripts/scale` runs.

#![allow(clippy::unwrap_used)]

mod served;

use std::{
    num::NonZeroU64,
    path::Path,
    time::{Duration, Instant},
};

use ec_ledger::{Follower, LedgerSettings};
use ec_observation::{EpochName, StreamRule};
use ec_rpc::{Endpoint, Endpoints};
use ec_testing::processes::most_memory;
use served::{CHAIN_ID, LEDGER, REGISTRY, Served, header, rules};

const STREAMS: usize = 50;
/// Blocks that come while the witness is down.
const NEW: u64 = 500;

fn follower(served: &Served, rules: &[StreamRule], file: &Path) -> Follower {
    let endpoint = Endpoint { rpc: served.rpc.parse().unwrap(), timeout: Duration::from_secs(60) };
    let endpoints = Endpoints::new(&[endpoint], CHAIN_ID, 1).unwrap();
    let settings = LedgerSettings {
        chain_id: CHAIN_ID,
        ledger: LEDGER,
        registry: REGISTRY,
        deploy_block: 1,
        log_page_blocks: NonZeroU64::new(10_000).unwrap(),
        head_stale: Duration::from_secs(30),
        block_time: None,
        finality_stale: Duration::from_secs(1800),
    };
    let streams = rules.iter().map(|rule| (rule.stream_hash(), rule.epochs)).collect();
    let mut follower = Follower::new(endpoints, settings, None, Some(streams));
    follower.keep_in(file).unwrap();
    follower
}

/// What a start cost.
struct Start {
    took: Duration,
    logs_asked: u64,
}

/// Begins, reads to the head, and passes by all that is final of each stream, as a witness does before it judges.
async fn start(served: &Served, rules: &[StreamRule], file: &Path) -> (Follower, Start) {
    let begun = Instant::now();
    let mut follower = follower(served, rules, file);
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
    (follower, Start { took: begun.elapsed(), logs_asked: served.logs_asked() })
}

/// The first start at a ledger of so many slots.
async fn first(slots: u64, file: &Path) -> Start {
    let rules = rules(STREAMS);
    let served = Served::start(rules.clone(), slots).await;
    let (mut follower, first) = start(&served, &rules, file).await;
    follower.keep(true).unwrap();
    first
}

/// A later one, when some slots more are final.
async fn second(slots: u64, file: &Path) -> Start {
    let rules = rules(STREAMS);
    let served = Served::start(rules.clone(), slots + NEW).await;
    let (follower, second) = start(&served, &rules, file).await;
    // what was settled at first, what came since, and what there is not
    for block in [1, slots / 2, slots + NEW / 2] {
        let header = header(&rules, block);
        let found = follower.ledger().final_of(header.stream_hash, header.sequence, header.slot());
        assert_eq!(found.unwrap().hash, header.hash(), "block {block}");
    }
    let later = header(&rules, slots + NEW + 1);
    assert_eq!(follower.ledger().final_of(later.stream_hash, later.sequence, later.slot()), None);
    second
}

#[tokio::test]
async fn a_start_asks_for_what_is_new_alone() {
    for slots in [2_000, 20_000] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ledger.sqlite");
        assert!(first(slots, &file).await.logs_asked >= slots);
        // from the block that was final: as many as came since, and those that were not
        let asked = second(slots, &file).await.logs_asked;
        assert!((NEW..NEW + 200).contains(&asked), "{slots}: {asked}");
    }
}

/// For `scripts/scale`: prints a line of the start, the size and the checkpoint's file that the environment names.
#[tokio::test]
#[ignore = "a start at a time, by scripts/scale"]
async fn of_one_size() {
    let set = |name: &str| std::env::var(name).unwrap();
    let (slots, file) = (set("SCALE_SLOTS").parse().unwrap(), set("SCALE_FILE"));
    let Start { took, logs_asked } = match set("SCALE_START").as_str() {
        "first" => first(slots, Path::new(&file)).await,
        _ => second(slots, Path::new(&file)).await,
    };
    // of this process, in which the chain is served as well
    let memory_kb = most_memory(std::process::id()).unwrap() / 1024;
    println!("measured ms={} logs={logs_asked} memory_kb={memory_kb}", took.as_millis());
}

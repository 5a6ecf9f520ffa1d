//! What one witness costs that follows fifty growing streams, and how soon it votes.
//!
//! `cargo test --release -p ec-witness --test witness live_cost -- --ignored --nocapture`

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    time::{Duration, Instant},
};

use alloy::{primitives::B256, providers::Provider};
use ec_ledger::contracts::EveryChannelObservationLedger;
use ec_observation::StreamRule;

use super::{daemon::Running, *};

const STREAMS: u64 = 50;
const GROUPS_PER_EPOCH: u64 = 30;
/// Groups that each stream has at the start: about ten hours.
const BEFORE: u64 = 18_000;
const GROUP: Duration = Duration::from_secs(2);
/// Shares of a core, bytes, and milliseconds beyond the chosen delays, of which there are none for a single witness.
const MAX_SHARE: f64 = 0.02;
const MAX_MEMORY: u64 = 100 << 20;
const MAX_MEDIAN_MS: u128 = 200;

/// The files of a growing stream.
struct Stream {
    name: String,
    hash: B256,
    files: [File; 2],
    groups: u64,
}

impl Stream {
    fn create(archive: &TestArchive, number: u64) -> Self {
        let name = format!("tv-{number:02}");
        let directory = archive.path().join("manifests").join(&name);
        fs::create_dir_all(&directory).unwrap();
        let files = archive::TRACKS.map(|track| File::create(directory.join(format!("{track}.jsonl"))).unwrap());
        let mut stream = Self { hash: StreamRule::new(&name).stream_hash().0, name, files, groups: 0 };
        // streams close their epochs one after the other
        let before = BEFORE + number * GROUPS_PER_EPOCH / STREAMS;
        let lines = |stream: &Self, track| (0..before).map(|group| stream.line(track, group)).collect::<String>();
        for track in 0..2 {
            let text = lines(&stream, track);
            stream.files[track].write_all(text.as_bytes()).unwrap();
        }
        stream.groups = before;
        stream
    }

    fn line(&self, track: usize, group: u64) -> String {
        let track = archive::TRACKS[track];
        let blake3 = blake3::hash(format!("{} {track} {group}", self.name).as_bytes()).to_hex();
        let received = 1_772_824_680_000 + group * 2000;
        format!(
            "{{\"broadcast\":\"{}\",\"track\":\"{track}\",\"group_sequence\":{group},\"received_unix_ms\":{received},\
             \"size_bytes\":480000,\"blake3\":\"{blake3}\",\"cas_path\":\"objects/blake3/{}/{blake3}.bin\"}}\n",
            self.name,
            &blake3[..2]
        )
    }

    /// Writes the next group; the epoch that it completes, if any.
    fn grow(&mut self) -> Option<u64> {
        for track in 0..2 {
            let line = self.line(track, self.groups);
            self.files[track].write_all(line.as_bytes()).unwrap();
        }
        self.groups += 1;
        self.groups.is_multiple_of(GROUPS_PER_EPOCH).then(|| self.groups / GROUPS_PER_EPOCH - 1)
    }
}

/// Seconds of processor time that a process has had, all its threads.
fn processor_seconds(process: u32) -> f64 {
    let nanoseconds = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default()
    };
    let tasks = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    tasks.map(|task| nanoseconds(task.unwrap())).sum::<u64>() as f64 / 1e9
}

/// The most memory that a process had resident, bytes.
fn peak(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let kib = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
    kib.parse::<u64>().unwrap() * 1024
}

/// The streams grow, one group each two seconds; returns when each epoch was complete.
fn grow(streams: &mut [Stream], time: Duration) -> BTreeMap<(B256, u64), Instant> {
    let begun = Instant::now();
    let mut closed = BTreeMap::new();
    for round in 0.. {
        for (number, stream) in (0..).zip(streams.iter_mut()) {
            let at = GROUP * round + GROUP * number / STREAMS as u32;
            if at > time {
                return closed;
            }
            std::thread::sleep((begun + at).saturating_duration_since(Instant::now()));
            if let Some(epoch) = stream.grow() {
                closed.insert((stream.hash, epoch), Instant::now());
            }
        }
    }
    closed
}

/// Watches the chain, until `ended`, and notes when each vote's block was first seen.
async fn votes(rail: &Rail, ended: &std::sync::atomic::AtomicBool) -> BTreeMap<(B256, u64), Instant> {
    let provider = rail.net.provider();
    let ledger = EveryChannelObservationLedger::new(rail.deployed.ledger, &provider);
    let mut next = provider.get_block_number().await.unwrap() + 1;
    let mut seen = BTreeMap::new();
    while !ended.load(std::sync::atomic::Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let head = provider.get_block_number().await.unwrap();
        if head >= next {
            let now = Instant::now();
            let found = ledger.ObservationProposed_filter().from_block(next).to_block(head).query().await.unwrap();
            seen.extend(found.into_iter().map(|(event, _)| ((event.streamHash, event.header.sequence), now)));
            next = head + 1;
        }
    }
    seen
}

#[test]
#[ignore = "takes minutes, and says something in a release build on a machine at rest only; EC_LIVE_SECONDS is how long it measures (default 120)"]
fn fifty_growing_streams_cost_little_and_are_voted_on_at_once() {
    let seconds = std::env::var("EC_LIVE_SECONDS").map_or(120, |text| text.parse().unwrap());
    let rail = Rail::start(1, 1);
    let archive = TestArchive::nowhere();
    let mut streams: Vec<_> = (0..STREAMS).map(|number| Stream::create(&archive, number)).collect();
    let command = |arguments: &str| {
        let mut command = rail.command(1, &archive, arguments);
        command.env("EC_WITNESS_GROUPS_PER_EPOCH", GROUPS_PER_EPOCH.to_string());
        command
    };
    let init = run(&mut command("init --json"));
    assert_eq!(init.code, 0, "{init:?}");
    let running = Running::spawn(&command("run"));
    // the epochs that were closed before are voted on first
    grow(&mut streams, Duration::from_secs(20));
    let ended = std::sync::atomic::AtomicBool::new(false);
    let (closed, votes, share) = std::thread::scope(|scope| {
        let votes = scope.spawn(|| common::block_on(votes(&rail, &ended)));
        let (worked, begun) = (processor_seconds(running.id()), Instant::now());
        let closed = grow(&mut streams, Duration::from_secs(seconds));
        let share = (processor_seconds(running.id()) - worked) / begun.elapsed().as_secs_f64();
        std::thread::sleep(Duration::from_secs(3));
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        (closed, votes.join().unwrap(), share)
    });
    let took = closed
        .iter()
        .map(|(key, at)| votes.get(key).unwrap_or_else(|| panic!("no vote on {key:?}")).duration_since(*at));
    let mut took: Vec<_> = took.map(|took| took.as_millis()).collect();
    took.sort_unstable();
    let (memory, median, most) = (peak(running.id()), took[took.len() / 2], took[took.len() - 1]);
    println!(
        "{STREAMS} streams, {seconds} s: {:.2} % of a core, {} MB at peak; {} epochs, vote seen after {median} ms \
         (median), {} ms (9 of 10), {most} ms (most)",
        share * 100.0,
        memory / 1_000_000,
        took.len(),
        took[took.len() * 9 / 10],
    );
    assert!(share < MAX_SHARE, "{:.2} % of a core", share * 100.0);
    assert!(memory < MAX_MEMORY, "{memory} bytes");
    assert!(median < MAX_MEDIAN_MS, "{median} ms");
}

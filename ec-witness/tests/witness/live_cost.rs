//! What one witness costs that follows growing streams: processor, memory, how soon it votes, what it asks of its endpoint.
//!
//! `cargo test --release -p ec-witness --test witness live_cost -- --ignored --nocapture --test-threads 1`

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    fs::{self, File},
    io::Write,
    num::NonZeroU64,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use alloy::{
    eips::BlockNumberOrTag,
    primitives::{B256, Bytes, TxHash, keccak256},
    providers::Provider,
    rpc::types::Log,
};
use ec_ledger::contracts::EveryChannelObservationLedger;
use ec_observation::StreamRule;
use ec_testing::processes::most_memory;

use super::{
    common::{
        proxy::{Fault, Proxy},
        served::Served,
    },
    daemon::Running,
    *,
};

/// An epoch lasts a minute.
const EPOCH: Duration = Duration::from_secs(60);
/// Groups of two seconds.
const GROUP_MS: f64 = 2000.0;
/// Audio groups of one fragment each, 46.9 a second: 1024 samples of 48 000 in a second.
const FRAGMENT_MS: f64 = 1024.0 / 48.0;
/// How long the streams have grown at the start.
const BEFORE: Duration = Duration::from_secs(10 * 3600);
/// The same of tracks of fragments.
const BEFORE_OF_FRAGMENTS: Duration = Duration::from_secs(600);
/// How long it may take to stop.
const MAX_STOP: Duration = Duration::from_secs(5);

/// How broadcasts are numbered, and what they are held to.
#[derive(Clone, Copy)]
struct Shape {
    numbering: &'static str,
    /// Broadcasts of two tracks each.
    broadcasts: u64,
    tracks: [&'static str; 2],
    /// The length of a group, milliseconds.
    group_ms: f64,
    /// Broadcasts whose first track is one of fragments.
    of_fragments: u64,
    /// Epochs of each that stay open, as another witness does not vote on them; 0 where there is no other witness, and
    /// [`BEFORE`] has passed.
    open_epochs: u64,
    /// Share of a core that following them may cost.
    max_share: f64,
    /// Bytes.
    max_memory: u64,
    /// Milliseconds beyond the chosen delays, of which there are none.
    max_median_ms: u128,
}

const TIMELINE: Shape = Shape {
    numbering: "timeline",
    broadcasts: 50,
    tracks: archive::TRACKS,
    group_ms: GROUP_MS,
    of_fragments: 0,
    open_epochs: 0,
    max_share: 0.02,
    max_memory: 100 << 20,
    max_median_ms: 200,
};

/// As relays hand groups on: lanes, of which ten have 47 groups a second.
const LANES: Shape = Shape {
    numbering: "session",
    broadcasts: 50,
    tracks: ["audio0.m4s", "video0.m4s"],
    of_fragments: 10,
    max_share: 0.05,
    ..TIMELINE
};

/// A country's streams, with windows that are nearly full.
const COUNTRY: Shape = Shape { broadcasts: 1000, open_epochs: 60, max_share: 0.1, max_memory: 150 << 20, ..TIMELINE };

/// A continent's.
const CONTINENT: Shape =
    Shape { broadcasts: 5000, open_epochs: 20, max_share: 1.5, max_memory: 1 << 30, max_median_ms: 1000, ..TIMELINE };

/// Groups of this length in an epoch.
fn groups_per_epoch(group_ms: f64) -> u64 {
    (EPOCH.as_millis() as f64 / group_ms).ceil() as u64
}

/// A growing file.
struct Track {
    file: File,
    broadcast: String,
    name: &'static str,
    /// The stream that an epoch of it is one of.
    stream: B256,
    group_ms: f64,
    groups: u64,
    groups_per_epoch: u64,
}

impl Track {
    fn create(archive: &TestArchive, shape: Shape, number: u64, place: usize) -> Self {
        let (broadcast, name) = (format!("tv-{number:02}"), shape.tracks[place]);
        let directory = archive.path().join("manifests").join(&broadcast);
        fs::create_dir_all(&directory).unwrap();
        let file = File::create(directory.join(format!("{name}.jsonl"))).unwrap();
        let is_of_fragments = place == 0 && number < shape.of_fragments;
        let group_ms = if is_of_fragments { FRAGMENT_MS } else { shape.group_ms };
        let groups_per_epoch = groups_per_epoch(group_ms);
        let stream_id = match shape.numbering {
            "session" => StreamRule::lane(&broadcast, &broadcast, name, NonZeroU64::MIN).unwrap().stream_id,
            _ => broadcast.clone(),
        };
        let stream = StreamRule::new(&stream_id).stream_hash().0;
        let mut track = Self { file, broadcast, name, stream, group_ms, groups: 0, groups_per_epoch };
        let before = match shape.open_epochs {
            0 if is_of_fragments => BEFORE_OF_FRAGMENTS,
            0 => BEFORE,
            // some more close until all are voted on
            open_epochs => EPOCH * open_epochs.saturating_sub(4) as u32,
        };
        // streams close their epochs one after the other
        let groups = (before.as_millis() as f64 / group_ms) as u64 + number * groups_per_epoch / shape.broadcasts;
        let lines: String = (0..groups).map(|group| track.line(group)).collect();
        track.file.write_all(lines.as_bytes()).unwrap();
        track.groups = groups;
        track
    }

    fn line(&self, group: u64) -> String {
        let Self { broadcast, name, .. } = self;
        let blake3 = blake3::hash(format!("{broadcast} {name} {group}").as_bytes()).to_hex();
        let received = 1_772_824_680_000 + (group as f64 * self.group_ms) as u64;
        format!(
            "{{\"broadcast\":\"{broadcast}\",\"track\":\"{name}\",\"group_sequence\":{group},\"received_unix_ms\":{received},\
             \"size_bytes\":480000,\"blake3\":\"{blake3}\",\"cas_path\":\"objects/blake3/{}/{blake3}.bin\"}}\n",
            &blake3[..2]
        )
    }

    /// Writes the next group; the epoch that it completes, if any.
    fn grow(&mut self) -> Option<u64> {
        let line = self.line(self.groups);
        self.file.write_all(line.as_bytes()).unwrap();
        self.groups += 1;
        self.groups.is_multiple_of(self.groups_per_epoch).then(|| self.groups / self.groups_per_epoch - 1)
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

/// The files grow, each by a group whenever one is due; returns when each epoch was complete.
fn grow(tracks: &mut [Track], time: Duration) -> BTreeMap<(B256, u64), Instant> {
    let begun = Instant::now();
    let mut closed = BTreeMap::new();
    let broadcasts = tracks.len() / 2;
    // by when the next group is due: of those of one rate, one broadcast after the other
    let due = |(at, track): (usize, &Track)| {
        let first = Duration::from_secs_f64(track.group_ms / 1000.0 * (at / 2) as f64 / broadcasts as f64);
        Reverse((first, at))
    };
    let mut due: BinaryHeap<_> = tracks.iter().enumerate().map(due).collect();
    while let Some(Reverse((at, place))) = due.pop()
        && at <= time
    {
        std::thread::sleep((begun + at).saturating_duration_since(Instant::now()));
        let track = &mut tracks[place];
        if let Some(epoch) = track.grow() {
            // on the timeline, of both tracks
            closed.insert((track.stream, epoch), Instant::now());
        }
        due.push(Reverse((at + Duration::from_secs_f64(track.group_ms / 1000.0), place)));
    }
    closed
}

/// A proposal in a block.
struct Proposal {
    stream: B256,
    sequence: u64,
    observed_ms: u64,
    transaction: TxHash,
}

/// The proposals in some blocks.
async fn proposals(rail: &Rail, from: u64, to: u64) -> Vec<Proposal> {
    let provider = rail.net.provider();
    let ledger = EveryChannelObservationLedger::new(rail.deployed.ledger, &provider);
    let found = ledger.ObservationProposed_filter().from_block(from).to_block(to).query().await.unwrap();
    let proposal = |(event, log): (EveryChannelObservationLedger::ObservationProposed, Log)| Proposal {
        stream: event.streamHash,
        sequence: event.header.sequence,
        observed_ms: event.header.observedUnixMs,
        transaction: log.transaction_hash.unwrap(),
    };
    found.into_iter().map(proposal).collect()
}

/// A vote on the chain: when its block was first seen, and what carried it.
struct Vote {
    seen: Instant,
    transaction: TxHash,
}

/// Watches the chain, until `ended`, and notes the votes.
async fn votes(rail: &Rail, shape: Shape, ended: &AtomicBool) -> BTreeMap<(B256, u64), Vote> {
    let provider = rail.net.provider();
    let begin = provider.get_block_number().await.unwrap();
    let mut next = begin + 1;
    // the first header of a lane opens its session, by its time
    let mut marks = BTreeMap::new();
    if shape.numbering == "session" {
        let before = proposals(rail, 0, begin).await;
        for Proposal { stream, observed_ms, .. } in before {
            marks.entry(stream).or_insert(observed_ms);
        }
    }
    let mut seen = BTreeMap::new();
    while !ended.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let head = provider.get_block_number().await.unwrap();
        if head >= next {
            let now = Instant::now();
            for Proposal { stream, sequence, transaction, .. } in proposals(rail, next, head).await {
                let mark = marks.get(&stream).copied().unwrap_or_default();
                seen.insert((stream, sequence - mark), Vote { seen: now, transaction });
            }
            next = head + 1;
        }
    }
    seen
}

/// The configuration: of the lanes whose groups are fragments, and of a witness that has no other to wait for.
fn configuration(shape: Shape, tracks: &[Track]) -> String {
    if shape.open_epochs > 0 {
        return "[agreement]\npropose_stagger_ms = 0\n\n[run]\nmax_gas_per_hour = 1000000000000\ncatch_up_percent = 0\n".into();
    }
    let of_fragments = tracks.iter().filter(|track| track.group_ms == FRAGMENT_MS);
    let stream = |track: &Track| {
        let Track { broadcast, name, groups_per_epoch, .. } = track;
        format!(
            "[[stream]]\nbroadcast = \"{broadcast}\"\ntrack_groups_per_epoch = {{ \"{name}\" = {groups_per_epoch} }}\n"
        )
    };
    of_fragments.map(stream).collect()
}

/// How many epochs of the timeline are complete.
fn closed(tracks: &[Track]) -> u64 {
    tracks.chunks(2).map(|pair| pair.iter().map(|track| track.groups / track.groups_per_epoch).min().unwrap_or(0)).sum()
}

/// The files of an archive of this shape.
fn tracks(archive: &TestArchive, shape: Shape) -> Vec<Track> {
    let places = (0..shape.broadcasts).flat_map(|number| [(number, 0), (number, 1)]);
    places.map(|(number, place)| Track::create(archive, shape, number, place)).collect()
}

/// A witness that follows an archive of this shape; returns it and the tracks to grow, when what was closed before is voted on.
fn start(rail: &Rail, shape: Shape, archive: &TestArchive, arguments: &str) -> (Running, Vec<Track>) {
    let mut tracks = tracks(archive, shape);
    let config = rail.path("streams.toml");
    fs::write(&config, configuration(shape, &tracks)).unwrap();
    let running = spawn(rail, shape, archive, &config, arguments);
    grow(&mut tracks, Duration::from_secs(20));
    let (mut voted, mut next) = (0, 0);
    // what closes while it catches up waits behind what is older
    let mut due = closed(&tracks);
    while shape.open_epochs > 0 && voted < due {
        due = closed(&tracks);
        grow(&mut tracks, Duration::from_secs(5));
        let head = common::block_on(async { rail.net.provider().get_block_number().await.unwrap() });
        if head >= next {
            voted += common::block_on(proposals(rail, next, head)).len() as u64;
            next = head + 1;
        }
    }
    (running, tracks)
}

/// A witness of this configuration, with a new store.
fn spawn(rail: &Rail, shape: Shape, archive: &TestArchive, config: &Path, arguments: &str) -> Running {
    let command = |arguments: &str| {
        let mut command = rail.command(1, archive, arguments);
        command.env("EC_WITNESS_GROUPS_PER_EPOCH", groups_per_epoch(shape.group_ms).to_string());
        command.env("EC_WITNESS_NUMBERING", shape.numbering).env("EC_WITNESS_CONFIG", config);
        command
    };
    let from = if shape.open_epochs > 0 { "first" } else { "newest" };
    let init = run(&mut command(&format!("init --json --from-sequence {from}")));
    assert_eq!(init.code, 0, "{init:?}");
    Running::spawn(&command(&format!("run {arguments}")))
}

/// How long is measured, seconds.
fn seconds() -> u64 {
    std::env::var("EC_LIVE_SECONDS").map_or(120, |text| text.parse().unwrap())
}

/// The same of as many streams as are asked for, if any number is.
fn of_asked(shape: Shape) -> Shape {
    let broadcasts = std::env::var("EC_LIVE_STREAMS").map_or(shape.broadcasts, |text| text.parse().unwrap());
    Shape { broadcasts, ..shape }
}

/// When the node was asked to take each transaction.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<BTreeMap<TxHash, Instant>>>);

impl Sent {
    /// Notes what comes by.
    fn note_all(&self, proxy: &Proxy) {
        let sent = self.clone();
        proxy.strike_if("eth_sendRawTransaction", Fault::DropRequest, move |params| {
            let raw: Bytes = serde_json::from_value(params[0].clone()).unwrap();
            sent.0.lock().unwrap().entry(keccak256(&raw)).or_insert_with(Instant::now);
            false
        });
    }

    fn of(&self, transaction: TxHash) -> Instant {
        self.0.lock().unwrap()[&transaction]
    }
}

/// Durations in milliseconds: the median, nine of ten, and the longest.
fn spread(durations: impl Iterator<Item = Duration>) -> [u128; 3] {
    let mut sorted: Vec<_> = durations.map(|duration| duration.as_millis()).collect();
    sorted.sort_unstable();
    [sorted[sorted.len() / 2], sorted[sorted.len() * 9 / 10], sorted[sorted.len() - 1]]
}

fn follow(shape: Shape) {
    let (seconds, broadcasts) = (seconds(), shape.broadcasts);
    // with many open slots, Anvil takes longer to mine a block than the witness to vote, since it hashes the ledger's whole storage
    // for each: so it mines once a second, as chains do, and what is measured is when it is asked to take a vote
    let is_large = shape.open_epochs > 0;
    let rail = if is_large { Rail::on(Devnet::with_block_time(1), 2, 2) } else { Rail::start(1, 1) };
    let (proxy, sent) = (Proxy::start(&rail.net.rpc()), Sent::default());
    sent.note_all(&proxy);
    let archive = TestArchive::nowhere();
    let (running, mut tracks) = start(&rail, shape, &archive, &format!("--rpc {}", proxy.rpc()));
    let ended = AtomicBool::new(false);
    let (closed, votes, share) = std::thread::scope(|scope| {
        let votes = scope.spawn(|| common::block_on(votes(&rail, shape, &ended)));
        let (worked, begun) = (processor_seconds(running.id()), Instant::now());
        let closed = grow(&mut tracks, Duration::from_secs(seconds));
        let share = (processor_seconds(running.id()) - worked) / begun.elapsed().as_secs_f64();
        std::thread::sleep(Duration::from_secs(3).max(Duration::from_millis(20 * shape.max_median_ms as u64)));
        ended.store(true, Ordering::Relaxed);
        (closed, votes.join().unwrap(), share)
    });
    let of = |key| votes.get(key).unwrap_or_else(|| panic!("no vote on {key:?}"));
    let sent = spread(closed.iter().map(|(key, at)| sent.of(of(key).transaction).duration_since(*at)));
    let seen = spread(closed.iter().map(|(key, at)| of(key).seen.duration_since(*at)));
    running.signal("-TERM");
    // to the end: what stopping keeps of the ledger is kept every ten minutes, too
    let (code, stop, memory) = running.end_with_memory();
    println!(
        "{broadcasts} broadcasts, numbering {}, {} with fragments, {} open epochs each, {seconds} s: {:.2} % of a core, {} MB \
         at peak; {} epochs, vote sent after {sent:?} ms, seen after {seen:?} ms (median, 9 of 10, most); stopped after {} ms, \
         exit {code:?}",
        shape.numbering,
        shape.of_fragments,
        shape.open_epochs,
        share * 100.0,
        memory / 1_000_000,
        closed.len(),
        stop.as_millis(),
    );
    println!(
        "measured millicores={:.0} memory_mb={} sent_ms={} sent_nine_of_ten_ms={} seen_ms={} stop_ms={}",
        share * 1000.0,
        memory / 1_000_000,
        sent[0],
        sent[1],
        seen[0],
        stop.as_millis()
    );
    let [median, ..] = if is_large { sent } else { seen };
    assert!(share < shape.max_share, "{:.2} % of a core", share * 100.0);
    assert!(memory < shape.max_memory, "{memory} bytes");
    assert!(median < shape.max_median_ms, "{median} ms");
    assert_eq!(code, Some(0));
    assert!(stop < MAX_STOP, "{stop:?}");
}

#[test]
#[ignore = "takes minutes, and says something in a release build on a machine at rest only; EC_LIVE_SECONDS is how long it measures (default 120)"]
fn fifty_growing_streams_cost_little_and_are_voted_on_at_once() {
    follow(TIMELINE);
}

#[test]
#[ignore = "takes minutes, and says something in a release build on a machine at rest only; EC_LIVE_SECONDS is how long it measures (default 120)"]
fn lanes_of_fifty_broadcasts_cost_little_and_are_voted_on_at_once() {
    follow(LANES);
}

#[test]
#[ignore = "takes ten minutes, and says something in a release build on a machine at rest only; EC_LIVE_SECONDS is how long it measures (default 120), EC_LIVE_STREAMS how many streams"]
fn a_thousand_streams_with_sixty_open_slots_each_are_followed() {
    follow(of_asked(COUNTRY));
}

#[test]
#[ignore = "takes ten minutes, and says something in a release build on a machine at rest only; EC_LIVE_SECONDS is how long it measures (default 120), EC_LIVE_STREAMS how many streams"]
fn five_thousand_streams_with_twenty_open_slots_each_are_kept_up_with() {
    follow(of_asked(CONTINENT));
}

/// As it is configured where nothing is, but for the gas of an hour, which days need more of.
const WITH_GAS: &str = "[run]\nmax_gas_per_hour = 1000000000000\n";

#[test]
#[ignore = "takes a quarter of an hour a day; EC_CATCH_UP_DAYS is how many days of fifty streams are caught up with (default 1)"]
fn days_of_fifty_streams_are_caught_up_with_and_the_chain_stays_cheap() {
    let days: u64 = std::env::var("EC_CATCH_UP_DAYS").map_or(1, |days| days.parse().unwrap());
    // of groups so long that the index of a month is three gigabytes
    let shape = Shape { group_ms: 30_000.0, open_epochs: days * 1440 + 4, ..TIMELINE };
    let rail = Rail::on(Devnet::with_block_time(1), 1, 1);
    let (archive, config, served) = (TestArchive::nowhere(), rail.path("streams.toml"), Served::anywhere());
    let due = closed(&tracks(&archive, shape));
    fs::write(&config, WITH_GAS).unwrap();
    let node = rail.net.provider();
    let newest = || common::block_on(async { node.get_block(BlockNumberOrTag::Latest.into()).await.unwrap().unwrap() });
    let first = newest().header;
    let (mut next, mut voted, mut dearest, mut fullest) = (first.number, 0, first.base_fee_per_gas.unwrap(), 0.0_f64);
    let begun = Instant::now();
    let running = spawn(&rail, shape, &archive, &config, &format!("--metrics-listen {}", served.0));
    let mut told = Instant::now();
    while voted < due {
        std::thread::sleep(Duration::from_millis(500));
        let head = newest().header;
        dearest = dearest.max(head.base_fee_per_gas.unwrap());
        fullest = fullest.max(head.gas_used as f64 / head.gas_limit as f64);
        if head.number >= next {
            voted += common::block_on(proposals(&rail, next, head.number)).len() as u64;
            next = head.number + 1;
        }
        if told.elapsed() > Duration::from_secs(30) {
            told = Instant::now();
            let samples = served.scrape();
            let of = |name: &str| samples.get(name).copied().unwrap_or(f64::NAN);
            println!(
                "{voted} of {due} votes after {:.0} s; by the witness {} epochs are left, {:.0} a second, for {:.0} s; {:.0} gas a vote",
                begun.elapsed().as_secs_f64(),
                of("ec_witness_catch_up_left_epochs"),
                of("ec_witness_catch_up_epochs_per_second"),
                of("ec_witness_catch_up_left_seconds"),
                of(r#"ec_witness_vote_gas{vote="propose"}"#),
            );
        }
    }
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{days} days of {} streams: {due} votes in {took:.0} s, {:.0} a second; the base fee was {} wei at first and {dearest} at most, \
         the fullest block {:.0} % full; {} MB at peak",
        shape.broadcasts,
        due as f64 / took,
        first.base_fee_per_gas.unwrap(),
        fullest * 100.0,
        most_memory(running.id()).unwrap() / 1_000_000
    );
    assert!(dearest <= first.base_fee_per_gas.unwrap(), "{dearest} wei");
    assert!(fullest < 0.5, "{fullest} of a block");
}

/// What a witness asks of an endpoint.
const METHODS: [&str; 10] = [
    "eth_getBlockByNumber",
    "eth_getBlockByHash",
    "eth_getLogs",
    "eth_call",
    "eth_getBalance",
    "eth_feeHistory",
    "eth_maxPriorityFeePerGas",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
    "eth_sendRawTransaction",
];

/// On a chain with a block every two seconds, whether anything is in it or not.
#[test]
#[ignore = "takes minutes; EC_LIVE_SECONDS is how long it measures (default 120)"]
fn requests_an_hour_by_the_number_of_streams() {
    for broadcasts in [1, 10, 50] {
        let rail = Rail::on(Devnet::with_block_time(2), 1, 1);
        let archive = TestArchive::nowhere();
        let (proxy, served) = (Proxy::start(&rail.net.rpc()), Served::anywhere());
        let arguments = format!("--metrics-listen {} --rpc {}", served.0, proxy.rpc());
        let (_running, mut tracks) = start(&rail, Shape { broadcasts, ..TIMELINE }, &archive, &arguments);
        let asked = || {
            let samples = served.scrape();
            let of = |name: &str| samples.iter().filter(|(key, _)| key.starts_with(name)).map(|(_, n)| n).sum::<f64>();
            let by_method = METHODS.map(|method| proxy.requests(method));
            (of("ec_witness_rpc_duration_seconds_count"), of("ec_witness_votes_total"), by_method)
        };
        let (before, begun) = (asked(), Instant::now());
        grow(&mut tracks, Duration::from_secs(seconds()));
        let (after, hours) = (asked(), begun.elapsed().as_secs_f64() / 3600.0);
        println!(
            "{broadcasts} streams: {:.0} requests an hour, for {:.0} votes",
            (after.0 - before.0) / hours,
            (after.1 - before.1) / hours
        );
        for (method, (after, before)) in METHODS.iter().zip(after.2.iter().zip(before.2)) {
            println!("  {method:<28} {:>6.0}", (after - before) as f64 / hours);
        }
        assert!(after.1 > before.1, "no votes");
    }
}

//! All weather at once: SIGKILL at random instants, reorgs, and a registered rogue whose times split the honest
//! witnesses and whose vote moves about. Afterwards every slot is final.

mod rogue;
mod watch;

use std::{
    fs::OpenOptions,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use alloy::{providers::ext::AnvilApi, rpc::types::anvil::ReorgOptions};
use ec_witness::store::VoteStore;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

use self::{rogue::Rogue, watch::Watch};
use super::{
    audit::{Audit, assert_no_nonce_gap},
    common::{block_on, running::Running},
    kills::{figure, seed},
    *,
};

/// Witnesses that mean well; the one after them is the rogue.
const HONEST: usize = 4;
const ROGUE: usize = HONEST + 1;
const QUORUM: u8 = 3;

/// Weather in the ordinary run; `EC_STORM_SECONDS` asks for more.
const SECONDS: u64 = 20;
/// A track's group comes so often; an epoch has three.
const GROUP: Duration = Duration::from_millis(1000);
/// Blocks come every second, and the finalized head is so many behind.
const FINALITY: u64 = 16;
/// The blocks that a reorg takes back at most.
const DEEPEST: u64 = 8;

/// Everything that takes minutes in earnest takes seconds here: a round is ten blocks, in earnest thirty.
const AGREEMENT: &str = "--poll-ms 200 --precision-ms 200 --message-delay-ms 800 --time-wait-ms 4000 --late-ms 1000 \
                         --propose-stagger-ms 1000 --incomplete-delay-ms 600000 --round-grace-ms 8000 --round-ms 10000";
/// `precision_ms + message_delay_ms`.
const TOLERANCE_MS: u64 = 1000;
/// From a slot's first proposal to the end of its last round, in which each witness has led twice.
const ROUNDS: Duration = Duration::from_secs(8 + 2 * ROGUE as u64 * 10);

/// What goes on meanwhile.
#[derive(Default)]
struct Weather {
    over: AtomicBool,
    /// Epochs that the rogue has whole, and that the honest have.
    ahead: AtomicUsize,
    epochs: AtomicUsize,
    kills: AtomicUsize,
    reorgs: AtomicUsize,
    taken_back: AtomicUsize,
}

impl Weather {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Waits, but not longer than the weather lasts.
    fn sleep(&self, time: Duration) {
        let begun = Instant::now();
        while !self.is_over() && begun.elapsed() < time {
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn epochs(&self) -> u64 {
        self.epochs.load(Ordering::Relaxed) as u64
    }

    fn ahead(&self) -> u64 {
        self.ahead.load(Ordering::Relaxed) as u64
    }
}

#[test]
fn through_kills_reorgs_and_a_rogue_every_slot_becomes_final() {
    let seconds = figure("EC_STORM_SECONDS", SECONDS);
    let seed = seed("EC_STORM_SEED");
    let rail = Rail::on(Devnet::with_finality_after(FINALITY), ROGUE, QUORUM);
    block_on(async {
        // no reorg takes the contracts back
        rail.net.provider().anvil_mine(Some(2 * FINALITY), None).await.unwrap();
        rail.net.provider().anvil_set_interval_mining(1).await.unwrap();
    });
    let archives: Vec<_> = (1..=ROGUE).map(|_| TestArchive::of_groups(0)).collect();
    (1..=HONEST).for_each(|w| drop(rail.init(w, &archives[w - 1])));
    let weather = Weather::default();
    let (mut watch, mut rogue) = (Watch::of(&rail), Rogue::new(&rail, seed));
    thread::scope(|scope| {
        let (rail, archives, weather) = (&rail, &archives, &weather);
        scope.spawn(move || grow(archives, seed, weather));
        scope.spawn(move || reorganise(rail, seed, weather));
        let lives: Vec<_> =
            (1..=HONEST).map(|w| scope.spawn(move || live(rail, w, &archives[w - 1], seed, weather))).collect();
        let begun = Instant::now();
        watch.look_on(&mut rogue, &archives[ROGUE - 1], weather, |_| begun.elapsed() < Duration::from_secs(seconds));
        weather.over.store(true, Ordering::Relaxed);
        lives.into_iter().for_each(|life| life.join().unwrap());
    });
    let calm = Instant::now();
    let running: Vec<_> = (1..=HONEST).map(|w| follow(&rail, w, &archives[w - 1])).collect();
    let unsettled = |watch: &Watch| watch.undecided(weather.epochs()) > 0 && calm.elapsed() < ROUNDS + ROUNDS / 4;
    watch.look_on(&mut rogue, &archives[ROGUE - 1], &weather, unsettled);
    println!("settled after {} s of calm", calm.elapsed().as_secs());
    assert_eq!(watch.undecided(weather.epochs()), 0, "{}", watch.report(&rail, weather.epochs()));
    for (w, running) in (1..).zip(running) {
        running.signal("-TERM");
        assert_eq!(running.end().0, Some(0), "witness {w} ended by itself: {}", watch::log(&rail, w, ""));
    }
    judge(&rail, &archives, &rogue);
    println!(
        "{seconds} s: {} kills, {} reorgs of {} blocks; {}",
        weather.kills.into_inner(),
        weather.reorgs.into_inner(),
        weather.taken_back.into_inner(),
        watch.figures(&rail)
    );
}

/// What must hold of every witness's store, archive and transactions.
fn judge(rail: &Rail, archives: &[TestArchive], rogue: &Rogue) {
    // all of it below the finalized head
    block_on(async { rail.net.provider().anvil_mine(Some(2 * FINALITY), None).await.unwrap() });
    for w in 1..=HONEST {
        let store = VoteStore::open_halted(&rail.store(w)).unwrap();
        assert!(store.kept_halt().unwrap().is_none(), "witness {w} halted");
        drop(store);
        let verified = run(&mut rail.command(w, &archives[w - 1], "verify --json --require-final"));
        assert_eq!(verified.code, 0, "witness {w}: {verified:?}");
    }
    let audit = Audit::knowing(rail, rogue.asked());
    audit.assert_no_equivocation();
    rogue.forget_unsent();
    assert_no_nonce_gap(rail, HONEST);
}

fn follow(rail: &Rail, w: usize, archive: &TestArchive) -> Running {
    let log = OpenOptions::new().create(true).append(true).open(rail.path(&format!("log-{w}"))).unwrap();
    Running::of(&rail.command(w, archive, &format!("run {AGREEMENT}")), log)
}

/// One witness that is killed again and again, and now and then stays away for a while.
fn live(rail: &Rail, w: usize, archive: &TestArchive, seed: u64, weather: &Weather) {
    let mut random = StdRng::seed_from_u64(seed.wrapping_add(w as u64));
    while !weather.is_over() {
        let running = follow(rail, w, archive);
        // half of the lives end while the witness catches up or casts its first votes
        let most_ms = if random.random_bool(0.5) { 3_000 } else { 20_000 };
        weather.sleep(Duration::from_millis(random.random_range(0..most_ms)));
        running.signal("-KILL");
        assert_eq!(running.end().0, None, "witness {w} ended by itself: {}", watch::log(rail, w, ""));
        weather.kills.fetch_add(1, Ordering::Relaxed);
        if random.random_bool(0.2) {
            weather.sleep(Duration::from_millis(random.random_range(0..10_000)));
        }
    }
}

/// Takes blocks back, and with them all that they held.
fn reorganise(rail: &Rail, seed: u64, weather: &Weather) {
    let mut random = StdRng::seed_from_u64(seed.wrapping_sub(1));
    while !weather.is_over() {
        weather.sleep(Duration::from_millis(random.random_range(2_000..16_000)));
        let depth = random.random_range(1..=DEEPEST);
        let options = ReorgOptions { depth, tx_block_pairs: Vec::new() };
        block_on(async { rail.net.provider().anvil_reorg(options).await }).unwrap();
        weather.reorgs.fetch_add(1, Ordering::Relaxed);
        weather.taken_back.fetch_add(depth as usize, Ordering::Relaxed);
    }
}

/// Appends groups to all archives, which have them at times of their own, until it is over and the epoch is whole. The
/// rogue has an epoch as the others begin to, so that it is always sooner than all of them.
fn grow(archives: &[TestArchive], seed: u64, weather: &Weather) {
    for epoch in 0.. {
        let late_ms = lateness(seed, epoch);
        let groups = epoch * archive::GROUPS_PER_EPOCH..(epoch + 1) * archive::GROUPS_PER_EPOCH;
        archives[ROGUE - 1].append(groups.clone());
        weather.ahead.fetch_add(1, Ordering::Relaxed);
        for group in groups {
            for (archive, late_ms) in archives.iter().zip(late_ms) {
                archive.append_late(group..group + 1, late_ms);
            }
            thread::sleep(GROUP);
        }
        weather.epochs.fetch_add(1, Ordering::Relaxed);
        if weather.is_over() {
            return;
        }
    }
}

/// How much later than the rogue each honest witness receives an epoch: all of them near one another, no two at once.
fn lateness(seed: u64, epoch: u64) -> [u64; HONEST] {
    let mut random = StdRng::seed_from_u64(seed ^ (epoch << 32));
    let mut late_ms = [0, 200, 400, 600].map(|ms| ms + random.random_range(0..150));
    late_ms.shuffle(&mut random);
    late_ms
}

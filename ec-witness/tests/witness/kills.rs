//! SIGKILL at random instants, while the archive grows and blocks come at their own pace.

use std::{
    env,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use alloy::providers::ext::AnvilApi;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    audit::{Audit, assert_no_nonce_gap},
    *,
};

/// Kills in the ordinary run, over all witnesses; `EC_KILLS` asks for more.
const KILLS: usize = 60;

/// A number from the environment.
pub(crate) fn figure(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// A seed that can be asked for again.
pub(crate) fn seed(name: &str) -> u64 {
    let seed = figure(name, rand::random());
    println!("{name}={seed}");
    seed
}

#[test]
fn killed_at_random_instants_three_witnesses_lose_no_slot() {
    let wanted = figure("EC_KILLS", KILLS as u64) as usize;
    let seed = seed("EC_KILLS_SEED");
    let rail = Rail::start(3, 2);
    common::block_on(async { rail.net.provider().anvil_set_interval_mining(1).await.unwrap() });
    let archive = TestArchive::of_groups(0);
    (1..=3).for_each(|w| drop(rail.init(w, &archive)));
    let begun = Instant::now();
    let kills = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    let epochs = thread::scope(|scope| {
        let (rail, archive, kills, over) = (&rail, &archive, &kills, &over);
        let writer = scope.spawn(move || grow(archive, over));
        let killers: Vec<_> = (1..=3)
            .map(|w| {
                let mut random = StdRng::seed_from_u64(seed.wrapping_add(w as u64));
                scope.spawn(move || {
                    while kills.fetch_add(1, Ordering::Relaxed) < wanted {
                        let running = rail.follow(w, archive);
                        // most votes are signed and sent in the first second of a life, some only later
                        let most = if random.random_bool(0.2) { 4000 } else { 700 };
                        thread::sleep(Duration::from_millis(random.random_range(0..most)));
                        running.signal("-KILL");
                        assert_eq!(running.end().0, None, "witness {w} ended by itself");
                    }
                })
            })
            .collect();
        killers.into_iter().for_each(|killer| killer.join().unwrap());
        over.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    let outcomes = rail.all_once(&[(1, &archive), (2, &archive), (3, &archive)]);
    for outcome in outcomes {
        let lost = outcome.lines().into_iter().filter(|line| line["state"] != "finalized").collect::<Vec<_>>();
        assert_eq!((outcome.code, lost), (0, Vec::new()), "{}", outcome.stderr);
        assert_eq!(outcome.lines().len() as u64, epochs);
    }
    let audit = Audit::of(&rail);
    let votes = audit.assert_no_equivocation();
    assert_no_nonce_gap(&rail, 3);
    println!(
        "{wanted} kills in {} s: {epochs} slots, all final; {votes} votes in {} transactions, 0 equivocations",
        begun.elapsed().as_secs(),
        audit.transactions
    );
}

/// Appends groups, now and then in two writes, until it is over; returns the number of whole epochs.
fn grow(archive: &TestArchive, over: &AtomicBool) -> u64 {
    let mut group = 0;
    while !over.load(Ordering::Relaxed) || group % archive::GROUPS_PER_EPOCH != 0 {
        archive.append(group..group + 1);
        group += 1;
        thread::sleep(Duration::from_millis(120));
    }
    group / archive::GROUPS_PER_EPOCH
}

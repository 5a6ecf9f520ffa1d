//! One key in two places: whoever sees a vote or nonce that its store does not know stops before its next vote.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use alloy::providers::ext::AnvilApi as _;

use super::{audit::Audit, daemon::Running, kills::figure, *};

/// Pairs of stores that share a key; each is one chance to vote twice.
const PAIRS: u64 = 100;
/// Rails at work at once.
const WORKERS: u64 = 2;

#[test]
fn one_key_in_two_places_stops_before_its_next_vote_every_time() {
    let pairs = figure("EC_TWO_PLACES", PAIRS);
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            scope.spawn(move || (worker..pairs).step_by(WORKERS as usize).for_each(one_pair));
        }
    });
    println!("one key in two places: {pairs} of {pairs} stopped before the next vote");
}

/// Two stores of one key, made while it had not voted yet.
fn one_pair(pair: u64) {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    let places = ["here", "elsewhere"].map(|name| Place { rail: &rail, archive: &archive, store: rail.path(name) });
    for place in &places {
        assert_eq!(place.run("init --from-sequence first").code, 0);
    }
    match (pair % 3, &places) {
        (0, [first, second]) | (1, [second, first]) => one_after_the_other(first, second),
        (_, places) => at_once(places),
    }
    Audit::of(&rail).assert_no_equivocation();
}

#[test]
fn a_vote_against_the_recorded_one_halts_with_both_as_evidence() {
    let rail = Rail::start(1, 1);
    let archives = [TestArchive::of_groups(3), TestArchive::of_groups(0)];
    for track in archive::TRACKS {
        (0..3).for_each(|group| archives[1].append_record(track, group, "b"));
    }
    let [here, elsewhere] = ["here", "elsewhere"].map(|name| rail.path(name));
    let here = Place { rail: &rail, archive: &archives[0], store: here };
    let elsewhere = Place { rail: &rail, archive: &archives[1], store: elsewhere };
    let provider = rail.net.provider();
    for place in [&here, &elsewhere] {
        assert_eq!(place.run("init --from-sequence first").code, 0);
    }
    // the chain forgets the vote of one, and takes the other's
    let before = common::block_on(provider.anvil_snapshot()).unwrap();
    assert_eq!(here.run(&format!("run --once {DELAYS}")).code, 0);
    assert!(common::block_on(provider.anvil_revert(before)).unwrap());
    assert_eq!(elsewhere.run(&format!("run --once {DELAYS}")).code, 0);
    let sent = rail.nonce(1);

    let said = here.run(&format!("run --once {DELAYS}"));
    said.assert_error(&["the vote store stands for other content"]);
    let halt = here.run("resume --json").json()["halt"].take();
    assert_eq!(halt["evidence"]["kind"], "guard_contradiction", "{halt}");
    assert_eq!(halt["evidence"]["recorded"].as_array().unwrap().len(), 1, "{halt}");
    here.run(&format!("run --once {DELAYS}")).assert_error(&["this witness halted"]);
    assert_eq!(rail.nonce(1), sent, "nothing was sent");
}

/// A store of the witness.
struct Place<'a> {
    rail: &'a Rail,
    archive: &'a TestArchive,
    store: PathBuf,
}

impl Place<'_> {
    fn command(&self, arguments: &str) -> Command {
        let mut command = self.rail.command(1, self.archive, arguments);
        command.env("EC_WITNESS_STORE", &self.store);
        command
    }

    fn run(&self, arguments: &str) -> Outcome {
        run(&mut self.command(arguments))
    }
}

/// The first votes; the second has something to vote on, and must not.
fn one_after_the_other(first: &Place<'_>, second: &Place<'_>) {
    assert_eq!(first.run(&format!("run --once {DELAYS}")).code, 0);
    first.archive.append(3..6);
    let sent = first.rail.nonce(1);
    second.run(&format!("run --once {DELAYS}")).assert_error(&["another instance uses the key"]);
    assert_eq!(first.rail.nonce(1), sent);
}

/// Both work on the same epochs at the same time. One at least comes too late, sees it, and ends.
fn at_once(places: &[Place<'_>; 2]) {
    let mut running =
        places.each_ref().map(|place| Running::of(&place.command(&format!("run {DELAYS}")), Stdio::null()));
    let begun = Instant::now();
    for group in 3.. {
        if let Some(code) = running.iter_mut().find_map(Running::ended) {
            assert_eq!(code, 2);
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "both go on");
        places[0].archive.append(group..group + 1);
        thread::sleep(Duration::from_millis(100));
    }
}

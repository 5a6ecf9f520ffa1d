//! Two witnesses, each on the archive of one recorder.

use std::path::Path;

use assert_cmd::Command;
use ec_testing::running::{Running, await_or_report};

use crate::{
    AUDIO, BROADCAST, VIDEO,
    common::{Deployment, Devnet, run},
    lines::sessions,
    recorder::Recorder,
};

/// Few enough that each session has some whole epochs.
const GROUPS_PER_EPOCH: u64 = 3;

/// Nothing is waited for in vain; what is incomplete is not of interest here.
const DELAYS: &str = "--poll-ms 100 --propose-stagger-ms 1500 --late-ms 1000 --incomplete-delay-ms 600000";

/// Two of two witnesses make final every epoch that both recorders received whole, and no other.
pub(crate) fn finalize_what_both_received(first: &Recorder, second: &Recorder) {
    let net = Devnet::start();
    let deployed = net.deploy(2, 2);
    let archives = [(1, first.dir()), (2, second.dir())];
    for (witness, archive) in archives {
        let outcome = run(&mut command(&net, deployed, witness, archive, "init --from-sequence first --json"));
        assert_eq!(outcome.code, 0, "{outcome:?}");
    }
    let _running = archives
        .map(|(witness, archive)| Running::spawn(&command(&net, deployed, witness, archive, &format!("run {DELAYS}"))));
    for track in [VIDEO, AUDIO] {
        let expected = whole_in_both(first, second, track);
        assert!(expected >= 5, "{track}: {expected} epochs are of little interest");
        for (witness, archive) in archives {
            let verify = || run(&mut command(&net, deployed, witness, archive, "verify --json --head latest"));
            await_or_report(
                || format!("{track}: {expected} epochs are whole in both, {:?}", verify()),
                || final_and_equal(&verify().lines(), track) == expected,
            );
        }
    }
}

/// How many windows of a track both have whole and alike, counted on the lines alone.
fn whole_in_both(first: &Recorder, second: &Recorder, track: &str) -> usize {
    let (first, second) = (sessions(&first.lines(track)), sessions(&second.lines(track)));
    let of_session = |(a, b): (&crate::lines::Session, &crate::lines::Session)| {
        let windows = (0..).map(|index| index * GROUPS_PER_EPOCH..(index + 1) * GROUPS_PER_EPOCH);
        let last = a.groups.keys().next_back().copied().unwrap_or(0);
        let is_whole = |mut window: std::ops::Range<u64>| {
            window.all(|number| a.groups.get(&number).is_some_and(|hash| b.groups.get(&number) == Some(hash)))
        };
        windows.take_while(|window| window.end <= last + 1).filter(|window| is_whole(window.clone())).count()
    };
    first.iter().zip(&second).map(of_session).sum()
}

fn final_and_equal(lines: &[serde_json::Value], track: &str) -> usize {
    let stream = format!("{BROADCAST}/track/{track}");
    let equal = lines.iter().filter(|line| line["stream_id"] == stream && line["verdict"] == "equal");
    equal.inspect(|line| assert_eq!(line["leaf_count"], GROUPS_PER_EPOCH, "{line}")).count()
}

/// A command of a witness on an archive as a relay hands it on.
fn command(net: &Devnet, deployed: Deployment, witness: usize, archive: &Path, arguments: &str) -> Command {
    let mut command = net.as_account(witness, arguments);
    command
        .env("EC_WITNESS_NUMBERING", "session")
        .env("EC_WITNESS_GROUPS_PER_EPOCH", GROUPS_PER_EPOCH.to_string())
        .env("EC_WITNESS_LEDGER", deployed.ledger.to_string())
        .env("EC_WITNESS_ARCHIVE", archive)
        .env("EC_WITNESS_STORE", net.dir.path().join(format!("store-{witness}")));
    command
}

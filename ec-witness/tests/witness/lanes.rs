//! Archives as relays write them: two witnesses that open one session, and numbers of the kind that is not configured.

use std::process::Stdio;

use alloy::providers::Provider;

use super::*;
use crate::common::running::await_that;

/// When the first group is received.
const BEGIN_MS: u64 = 1_772_824_680_000;

/// Lines of a track with groups of two seconds, numbered from `first` on and received `late_ms` late. The bytes are told
/// apart by `life`.
fn groups(first: u64, count: u64, late_ms: u64, life: u8) -> String {
    let line = |n| {
        let (sequence, received) = (first + n, BEGIN_MS + late_ms + 2000 * n);
        let blake3 = format!("{life:02x}{sequence:062x}");
        format!(
            "{{\"group_sequence\":{sequence},\"received_unix_ms\":{received},\"size_bytes\":1,\"blake3\":\"{blake3}\"}}\n"
        )
    };
    (0..count).map(line).collect()
}

/// Switches mining on or off; what is pending is mined first.
fn mine(rail: &Rail, at_once: bool) {
    common::block_on(async {
        let node = rail.net.provider();
        let _: Value = node.raw_request("evm_mine".into(), ()).await.unwrap();
        let _: Value = node.raw_request("evm_setAutomine".into(), [at_once]).await.unwrap();
    });
}

/// Transactions that wait for a block.
fn pending(rail: &Rail) -> Value {
    common::block_on(async {
        let status: Value = rail.net.provider().raw_request("txpool_status".into(), ()).await.unwrap();
        status["pending"].clone()
    })
}

#[test]
fn two_open_one_session_at_once_and_the_vote_that_is_superseded_alarms_nobody() {
    let rail = Rail::start(2, 2);
    // the same bytes, received at times that differ a little, so that the marks do
    let archives = [0, 15].map(|late_ms| TestArchive::new([("tv/0.m4s.jsonl", groups(0, 7, late_ms, 1))]));
    let command = |w: usize, arguments: &str| {
        let mut command = rail.command(w, &archives[w - 1], arguments);
        command.env("EC_WITNESS_NUMBERING", "session");
        command
    };
    for w in [1, 2] {
        let created = run(&mut command(w, "init --from-sequence first --json"));
        assert_eq!(created.code, 0, "{created:?}");
    }
    mine(&rail, false);
    let delays = DELAYS.replace("--propose-stagger-ms 1500", "--propose-stagger-ms 0");
    let once = |w| run(&mut command(w, &format!("run --once --json {delays}")));
    let outcomes = std::thread::scope(|scope| {
        let running = [1, 2].map(|w| scope.spawn(move || once(w)));
        await_that("both have opened a session", || pending(&rail) == "0x2");
        mine(&rail, true);
        running.map(|running| running.join().unwrap())
    });
    let mut superseded = 0;
    for outcome in &outcomes {
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let states = states(outcome);
        superseded += states.iter().filter(|state| *state == "superseded").count();
        assert_eq!(states.iter().filter(|state| *state == "finalized").count(), 2, "{outcome:?}");
    }
    assert_eq!(superseded, 1, "of the two openers the first in the log counts: {outcomes:?}");
    let [first, second] = outcomes.map(|outcome| outcome.lines());
    let is_final = |line: &&Value| line["state"] == "finalized";
    let slots = |lines: &[Value]| lines.iter().filter(is_final).map(|line| line["slot"].clone()).collect::<Vec<_>>();
    assert_eq!(slots(&first), slots(&second), "both name the epochs alike");
    rail.net.pass_finality();
    let line = first.iter().find(is_final).unwrap();
    let name = format!("{}/{}", line["session"]["mark"], line["session"]["index"]);
    for asked in [line["sequence"].to_string(), name] {
        let verify = run(command(1, "verify --json --epoch").arg(&asked));
        assert_eq!((verify.code, verify.lines().len()), (0, 1), "{asked}: {verify:?}");
        assert_eq!((&verify.lines()[0]["slot"], &verify.lines()[0]["verdict"]), (&line["slot"], &"equal".into()));
    }
}

/// What `run` says of an archive of these tracks' files under a numbering; it must say these words.
fn assert_warns(numbering: &str, tracks: [String; 2], words: &str) {
    let rail = Rail::start(1, 1);
    let [first, second] = tracks;
    let archive = TestArchive::new([("tv/0.m4s.jsonl", first), ("tv/1.m4s.jsonl", second)]);
    let config = archive.config(&format!("[archive]\nnumbering = \"{numbering}\"\ntracks = [\"0.m4s\", \"1.m4s\"]\n"));
    let command = |arguments: &str| {
        let mut command = rail.command(1, &archive, arguments);
        command.env_remove("EC_WITNESS_NUMBERING").env("EC_WITNESS_CONFIG", &config);
        command
    };
    let created = run(&mut command("init --from-sequence first"));
    assert_eq!(created.code, 0, "{created:?}");
    let mut running = Running::of(&command(&format!("run {DELAYS}")), Stdio::piped());
    running.await_words(words);
}

#[test]
fn a_daemon_on_restarts_under_timeline_names_the_line_to_write() {
    let restarted = || groups(0, 9, 0, 1) + &groups(0, 9, 60_000, 2);
    assert_warns("timeline", [restarted(), restarted()], "write numbering = \"session\" in [archive]");
}

#[test]
fn a_daemon_on_high_numbers_under_session_names_the_line_to_write() {
    let high = || groups(886_412_346, 9, 0, 1);
    assert_warns("session", [high(), high()], "write numbering = \"timeline\" in [archive]");
}

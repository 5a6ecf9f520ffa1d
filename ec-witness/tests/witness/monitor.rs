//! What an operator sees: metrics, health, systemd, `status`.

use std::{
    cell::RefCell,
    collections::HashMap,
    net::TcpListener,
    ops::Deref,
    os::unix::net::UnixDatagram,
    time::{Duration, Instant},
};

use alloy::{
    primitives::U256,
    providers::{Provider, ext::AnvilApi},
    rpc::types::TransactionRequest,
};

use super::*;
use crate::common::{
    running::{Running, await_or_report, await_some, await_that},
    served::{Served, failed},
};

/// A running witness whose metrics are served.
struct Watched {
    running: Running,
    served: Served,
}

impl Deref for Watched {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.served
    }
}

impl Watched {
    fn start(rail: &Rail, archive: &TestArchive, more: &str, set: &[(&str, &str)]) -> Self {
        let served = Served::anywhere();
        let listen = served.0;
        let mut command =
            rail.command(1, archive, &format!("run {DELAYS} --metrics-listen {listen} --rpc-timeout-ms 1000 {more}"));
        command.envs(set.iter().copied());
        Self { running: Running::spawn(&command), served }
    }
}

#[test]
fn metrics_follow_a_vote() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(2);
    rail.init(1, &archive);
    let watched = Watched::start(&rail, &archive, "", &[]);
    watched.await_status("/readyz", 200);

    let before = watched.await_sample("ec_witness_member", 1.0);
    let sample = |samples: &HashMap<String, f64>, name: &str| samples.get(name).copied();
    assert_eq!(sample(&before, r#"ec_witness_votes_total{vote="propose"}"#), Some(0.0));
    assert_eq!(sample(&before, "ec_witness_votes_refused_total"), Some(0.0));
    assert_eq!(sample(&before, r#"ec_witness_epochs_closed_total{stream="tv",kind="complete"}"#), Some(0.0));
    assert_eq!(sample(&before, r#"ec_witness_newest_final_epoch{stream="tv",head="latest"}"#), None);
    let errors =
        format!(r#"ec_witness_rpc_errors_total{{endpoint="{}",kind="timeout"}}"#, rail.net.rpc().trim_end_matches('/'));
    assert_eq!(sample(&before, &errors), Some(0.0), "{before:#?}");
    let of_endpoint = |name: &str| format!(r#"{name}{{endpoint="{}"}}"#, rail.net.rpc().trim_end_matches('/'));
    assert_eq!(sample(&before, &of_endpoint("ec_witness_rpc_up")), Some(1.0), "{before:#?}");
    assert!(before[&of_endpoint("ec_witness_rpc_answers_total")] > 0.0);
    for (name, label) in [
        ("ec_witness_poll_errors_total", r#"kind="resting""#),
        ("ec_witness_transactions_reverted_total", r#"reason="equivocation""#),
        ("ec_witness_sending_held", r#"reason="funds""#),
        ("ec_witness_streams", r#"state="waiting""#),
        ("ec_witness_files_lost_total", r#"stream="tv""#),
        ("ec_witness_backlog_left_epochs", r#"stream="tv""#),
    ] {
        assert_eq!(sample(&before, &format!("{name}{{{label}}}")), Some(0.0), "{name}");
    }

    archive.append(2..6);
    let after = watched.await_sample(r#"ec_witness_newest_final_epoch{stream="tv",head="latest"}"#, 1.0);
    let after_vote = watched.await_sample("ec_witness_store_votes", 2.0);
    assert_eq!(sample(&after_vote, r#"ec_witness_votes_total{vote="propose"}"#), Some(2.0));
    let delayed = watched.await_sample("ec_witness_vote_delay_seconds_count", 2.0);
    assert!((0.0..120.0).contains(&delayed["ec_witness_vote_delay_seconds_sum"]), "two votes, each within a minute");
    assert_eq!(sample(&after, r#"ec_witness_newest_closed_epoch{stream="tv"}"#), Some(1.0));
    assert_eq!(sample(&after, r#"ec_witness_newest_voted_epoch{stream="tv"}"#), Some(1.0));
    assert_eq!(sample(&after, "ec_witness_quorum"), Some(1.0));
    assert_eq!(sample(&after, "ec_witness_ledger_live"), Some(1.0));
    assert!(after[r#"ec_witness_head_block{head="latest"}"#] >= 3.0);
    common::block_on(rail.net.provider().anvil_mine(Some(70), None)).unwrap();
    watched.await_sample(r#"ec_witness_newest_final_epoch{stream="tv",head="finalized"}"#, 1.0);
    assert!(after[r#"ec_witness_head_timestamp_seconds{head="latest"}"#] > 1e9);
    let votes_paid_for = after["ec_witness_balance_wei"] / after["ec_witness_vote_cost_wei"];
    assert!(votes_paid_for > 1000.0, "{votes_paid_for}");
    assert!(after["ec_witness_turn_duration_seconds_count"] >= 1.0 && after["process_resident_memory_bytes"] > 0.0);
    assert!(after["ec_witness_memory_limit_bytes"] > after["process_resident_memory_bytes"]);
    assert_eq!(after["ec_witness_log_pages_halved_total"], 0.0);
    assert!(after["process_max_fds"] > 0.0 && after["ec_witness_poll_interval_seconds"] > 0.0);

    let cost = watched.await_sample("ec_witness_catch_up_left_epochs", 0.0);
    assert!((20_000.0..200_000.0).contains(&cost[r#"ec_witness_vote_gas{vote="propose"}"#]), "{cost:#?}");
    assert!(cost[r#"ec_witness_vote_fee_wei{vote="propose"}"#] > 0.0);
    assert!((0.0001..0.1).contains(&cost["ec_witness_block_share_ratio"]) && cost["ec_witness_paced_gas"] > 1e6);
    let (base, cap) =
        (cost[r#"ec_witness_fee_per_gas_wei{kind="base"}"#], cost[r#"ec_witness_fee_per_gas_wei{kind="cap"}"#]);
    assert!(0.0 < base && base < cap, "{base} {cap}");
    let status =
        run(&mut rail.command(1, &archive, &format!("status --summary --metrics-listen {}", watched.served.0)));
    assert!(status.stdout.contains("no old epoch is left") && status.stdout.contains("propose: "), "{status:?}");

    archive.append_raw("video0.m4s", "no record\n");
    watched.await_sample(r#"ec_witness_quarantined_lines_total{stream="tv"}"#, 1.0);
}

#[test]
fn what_befalls_files_and_endpoints_is_shown() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    rail.init(1, &archive);
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rpc = format!("--rpc {},http://{dead} --rpc-agree 1", rail.net.rpc());
    let watched = Watched::start(&rail, &archive, &rpc, &[]);
    let ready = watched.await_status("/readyz", 200);
    watched.await_sample(&format!(r#"ec_witness_rpc_up{{endpoint="http://{dead}"}}"#), 0.0);
    let level = |found: &Value, name: &str| {
        let mut checks = found["checks"].as_array().unwrap().iter();
        checks.find(|check| check["name"] == name).unwrap()["level"].as_str().unwrap().to_owned()
    };
    assert_eq!(level(&ready, "endpoints"), "warn", "{ready:#}");

    let track = archive.path().join("manifests/tv/video0.m4s.jsonl");
    let away = archive.path().join("away");
    std::fs::rename(&track, &away).unwrap();
    watched.await_sample(r#"ec_witness_streams{state="waiting"}"#, 1.0);
    assert_eq!(failed(&watched.await_status("/readyz", 503)), ["streams"]);
    std::fs::rename(&away, &track).unwrap();
    watched.await_status("/readyz", 200);

    std::fs::OpenOptions::new().write(true).open(&track).unwrap().set_len(10).unwrap();
    let lost = watched.await_sample(r#"ec_witness_files_lost_total{stream="tv"}"#, 1.0);
    assert_eq!(lost.get(r#"ec_witness_streams{state="waiting"}"#), Some(&1.0));
    std::fs::rename(archive.path().join("manifests"), archive.path().join("elsewhere")).unwrap();
    watched.await_sample("ec_witness_archive_readable", 0.0);
}

#[test]
fn readiness_follows_the_rpc_and_health_does_not() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let watched = Watched::start(&rail, &archive, "", &[]);
    watched.await_status("/readyz", 200);
    rail.net.signal("-STOP");
    let unready = watched.await_status("/readyz", 503);
    assert_eq!(failed(&unready), ["rpc"], "{unready:#}");
    watched.await_status("/healthz", 200);
    rail.net.signal("-CONT");
    watched.await_status("/readyz", 200);
    watched.running.signal("-TERM");
    assert_eq!(watched.running.end().0, Some(0));
}

/// Datagrams of sd_notify(3).
struct Notified(UnixDatagram);

impl Notified {
    fn bind(rail: &Rail) -> (Self, String) {
        let path = rail.net.dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        (Self(socket), path.to_str().unwrap().to_owned())
    }

    /// Waits at most as long as `patience` for a line that begins like this.
    fn hear(&self, wanted: &str, patience: Duration) -> Option<String> {
        let until = Instant::now() + patience;
        let mut bytes = [0; 4096];
        loop {
            let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            self.0.set_read_timeout(Some(left)).unwrap();
            let read = self.0.recv(&mut bytes).ok()?;
            let told = String::from_utf8_lossy(&bytes[..read]);
            if let Some(line) = told.lines().find(|line| line.starts_with(wanted)) {
                return Some(line.to_owned());
            }
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn systemd_hears_how_it_stands() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let (notified, socket) = Notified::bind(&rail);
    let watched = Watched::start(&rail, &archive, "", &[("NOTIFY_SOCKET", &socket), ("WATCHDOG_USEC", "1000000")]);
    assert!(notified.hear("READY=1", PATIENCE).is_some());
    assert!(notified.hear("WATCHDOG=1", PATIENCE).is_some());
    let status = notified.hear("STATUS=1 streams, 0 slots open, voted 1, head ", PATIENCE);
    assert!(status.is_some());
    watched.running.signal("-TERM");
    assert!(notified.hear("STOPPING=1", PATIENCE).is_some());
    assert_eq!(watched.running.end().0, Some(0));
}

#[test]
fn a_turn_that_hangs_is_no_life() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let (notified, socket) = Notified::bind(&rail);
    let set = [("NOTIFY_SOCKET", socket.as_str()), ("WATCHDOG_USEC", "1000000")];
    let watched = Watched::start(&rail, &archive, "--stuck-after-ms 4000", &set);
    watched.await_status("/healthz", 200);
    assert!(notified.hear("READY=1", PATIENCE).is_some());
    // whoever opens a pipe that nobody writes to waits for ever, as on a dead network share
    let track = archive.path().join("manifests/tv/video0.m4s.jsonl");
    let pipe = archive.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::fs::rename(&pipe, &track).unwrap();
    let unhealthy = watched.await_status("/healthz", 503);
    assert_eq!(failed(&unhealthy), ["turns"], "{unhealthy:#}");
    assert_eq!(watched.get("/metrics").unwrap().0, 200, "it still answers");
    while notified.hear("WATCHDOG=1", Duration::from_millis(50)).is_some() {}
    assert_eq!(notified.hear("WATCHDOG=1", Duration::from_secs(4)), None);
    assert!(notified.hear("STATUS=stuck: nothing went on for ", PATIENCE).is_some());
    watched.running.signal("-TERM");
    let (code, took) = watched.running.end();
    assert_eq!(code, Some(2), "it could not drain");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn terminated_while_it_sends_it_drains() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(0);
    rail.init(1, &archive);
    for round in 0..6u64 {
        archive.append(round * 3..round * 3 + 3);
        let watched = Watched::start(&rail, &archive, "", &[]);
        await_some("it works", || watched.get("/healthz"));
        std::thread::sleep(Duration::from_millis(60 * round));
        watched.running.signal("-TERM");
        let (code, took) = watched.running.end();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    let outcome = rail.once(1, &archive);
    assert_eq!((outcome.code, states(&outcome)), (0, vec!["finalized".to_owned(); 6]), "{outcome:?}");
}

/// The verdict of `status`, and the checks that are not well.
fn verdict(rail: &Rail, archive: &TestArchive) -> (String, Vec<String>, i32) {
    let outcome = run(&mut rail.command(1, archive, "status --summary --json --check --rpc-timeout-ms 1000"));
    let summary = outcome.json();
    let checks = summary["checks"].as_array().unwrap().iter().filter(|check| check["level"] != "ok");
    let names = checks.map(|check| check["name"].as_str().unwrap().to_owned()).collect();
    (summary["verdict"].as_str().unwrap().to_owned(), names, outcome.code)
}

#[test]
fn status_says_whether_it_is_fine_and_if_not_why() {
    let rail = Rail::start(2, 2);
    let archive = TestArchive::of_groups(3);
    // beside other work one answer may come too late, which a check says as well
    let becomes = |word: &str, checks: &[&str]| {
        let seen = RefCell::new(None);
        let is_so = || {
            let verdict = verdict(&rail, &archive);
            let is_so = verdict.0 == word && verdict.1 == checks && verdict.2 == i32::from(word != "fine");
            seen.replace(Some(verdict));
            is_so
        };
        await_or_report(|| format!("{word} {checks:?}: {:?}", seen.borrow()), is_so);
    };
    std::fs::create_dir(rail.store(1)).unwrap();
    becomes("not_running", &["store", "process"]);
    run(&mut rail.command(1, &archive, "status")).assert_error(&["no vote store"]);
    std::fs::remove_dir(rail.store(1)).unwrap();
    rail.init(1, &archive);
    becomes("not_running", &["process"]);

    let running = rail.follow(1, &archive);
    becomes("fine", &[]);
    let text = run(&mut rail.command(1, &archive, "status"));
    assert!(text.code == 0 && text.stdout.starts_with("fine: witness 0x"), "{text:?}");
    assert!(text.stdout.contains(&format!("process {}", running.id())), "{text:?}");

    let me = rail.net.account(1);
    let balance = |wei| common::block_on(rail.net.provider().anvil_set_balance(me, wei)).unwrap();
    balance(U256::ZERO);
    becomes("degraded", &["funds"]);
    balance(U256::from(u128::MAX));

    let registry = |change: &str| {
        let mut command = rail.net.as_account(0, &format!("registry {change}"));
        let outcome = run(command.env("EC_WITNESS_LEDGER", rail.deployed.ledger.to_string()));
        assert_eq!(outcome.code, 0, "{outcome:?}");
    };
    registry(&format!("update --remove {me} --quorum 1"));
    becomes("degraded", &["member"]);
    registry(&format!("update --add {me} --quorum 2"));
    becomes("fine", &[]);

    rail.net.signal("-STOP");
    let (word, checks, code) = verdict(&rail, &archive);
    let text = run(&mut rail.command(1, &archive, "status --rpc-timeout-ms 1000"));
    rail.net.signal("-CONT");
    assert_eq!((word.as_str(), code), ("degraded", 1));
    assert!(checks.contains(&"rpc".to_owned()), "{checks:?}");
    text.assert_error(&["does not answer"]);
    assert!(text.stdout.starts_with("degraded: ") && text.stdout.contains("rpc"), "{text:?}");

    let transfer = TransactionRequest::default().from(me).to(me);
    common::block_on(async { rail.net.provider().send_transaction(transfer).await.map(|_| ()) }).unwrap();
    assert_eq!(running.end().0, Some(2), "something else used the account");
    becomes("halted", &["halt", "process"]);
}

#[test]
fn a_health_check_asks_the_daemon_and_reads_neither_archive_nor_ledger() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let watched = Watched::start(&rail, &archive, "", &[]);
    let nowhere = TestArchive::nowhere();
    let check = |more: &str| {
        let listen = watched.served.0;
        let arguments = format!("status --check --metrics-listen {listen} --rpc http://127.0.0.1:1 {more}");
        run(&mut rail.command(1, &nowhere, &arguments))
    };
    await_that("it is fine", || check("").code == 0);
    let text = check("");
    assert!(text.stdout.starts_with("fine: witness 0x") && text.stdout.contains(", process "), "{text:?}");
    let summary = check("--summary --json").json();
    let names = summary["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap());
    let names: Vec<_> = names.collect();
    assert!(
        ["turns", "rpc", "member", "streams", "halt", "process"].iter().all(|name| names.contains(name)),
        "{names:?}"
    );
    assert_eq!((&summary["verdict"], &summary["head"]), (&Value::from("fine"), &Value::Null));

    std::fs::remove_file(archive.path().join("manifests/tv/video0.m4s.jsonl")).unwrap();
    await_that("the daemon says what is wrong", || check("").code == 1);
    let text = check("");
    assert!(text.stdout.starts_with("degraded: ") && text.stdout.contains("the file is gone"), "{text:?}");
    watched.running.signal("-TERM");
    await_that("nobody answers, so all is looked at", || check("").code == 2);
}

#[test]
fn a_file_cannot_show_metrics_to_a_network() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    let config = rail.net.secret("config.toml", "[monitor]\nmetrics_listen = \"0.0.0.0:9465\"\n", 0o600);
    let outcome = run(rail.command(1, &archive, "run").env("EC_WITNESS_CONFIG", config));
    outcome.assert_error(&["metrics_listen = \"0.0.0.0:9465\"", "not a loopback address", "--metrics-listen"]);
}

//! One endpoint that fails, in every way that endpoints do: nothing is lost, and nothing is voted twice.

use std::{
    fs::{self, File},
    path::PathBuf,
    time::{Duration, Instant},
};

use alloy::{primitives::Bytes, providers::ext::AnvilApi};

use super::{
    common::{
        block_on,
        proxy::{ANY, Fault, Proxy},
        running::await_or_report,
    },
    daemon::{Running, await_final},
    *,
};

/// How long the silent endpoint is silent; the long form of the test sets 600.
const SILENCE_S: &str = "EC_SILENCE_S";

/// A daemon of witness 1 with this RPC setting and more, and the file with its log.
pub(super) fn start(rail: &Rail, archive: &TestArchive, rpc: &str, more: &str) -> (Running, PathBuf) {
    let mut command = rail.command(1, archive, &format!("run {DELAYS} --rpc-timeout-ms 1000 --log info {more}"));
    command.env("EC_WITNESS_RPC", rpc);
    let log = rail.net.dir.path().join("log");
    (Running::of(&command, File::create(&log).unwrap()), log)
}

/// Waits until a file has these words.
#[track_caller]
pub(super) fn await_words(log: &PathBuf, words: &str) {
    let said = || fs::read_to_string(log).unwrap();
    await_or_report(|| format!("{words}: {}", said()), || said().contains(words));
}

/// Waits for the daemon's own end, with exit code 2 and these words.
#[track_caller]
pub(super) fn assert_halts(running: Running, log: &PathBuf, words: &[&str]) {
    words.iter().for_each(|words| await_words(log, words));
    assert_eq!(running.end().0, Some(2));
}

#[test]
fn every_fault_of_an_endpoint_passes() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let proxy = Proxy::start(&rail.net.rpc());
    let (_running, log) = start(&rail, &archive, &proxy.rpc(), "");
    await_final(&rail, &archive, 1);
    let faults = [
        (Fault::DropRequest, "connection closed"),
        (Fault::DropReply, "connection closed"),
        (Fault::Reset, "connection closed"),
        (Fault::Hang, "no answer in time"),
        (Fault::RateLimited(Some(1)), "rate limited"),
        (Fault::Status(500), "HTTP status 500"),
        (Fault::BadGateway, "HTTP status 502"),
        (Fault::Html, "not JSON-RPC"),
        (Fault::HalfJson, "cut short"),
        (Fault::CutBody, "cut short"),
        (Fault::Garbage, "not JSON-RPC"),
        (Fault::Refuse(-32603, "internal error"), "internal error"),
    ];
    for (round, (fault, said)) in faults.into_iter().enumerate() {
        fs::write(&log, "").unwrap();
        proxy.always(ANY, fault);
        let group = 3 * (round as u64 + 1);
        archive.append(group..group + 3);
        await_words(&log, said);
        proxy.heal();
        await_final(&rail, &archive, round + 2);
    }
    proxy.refuse(true);
    archive.append(39..42);
    await_words(&log, "connection refused");
    proxy.heal();
    await_final(&rail, &archive, 14);
    assert_eq!(rail.nonce(1), 14, "one transaction each");
}

#[test]
fn random_faults_lose_no_slot() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(0);
    rail.init(1, &archive);
    let proxy = Proxy::start(&rail.net.rpc());
    let (_running, _) = start(&rail, &archive, &proxy.rpc(), "");
    let faults = [Fault::DropRequest, Fault::DropReply, Fault::HalfJson, Fault::Status(500), Fault::Garbage];
    std::thread::sleep(Duration::from_secs(1));
    proxy.random(7, 0.1, ANY, &faults);
    for epoch in 0..10 {
        archive.append(epoch * 3..epoch * 3 + 3);
        std::thread::sleep(Duration::from_millis(300));
    }
    await_final(&rail, &archive, 10);
    assert!(proxy.struck() > 5, "{:?}", proxy.injected());
}

#[test]
fn a_silent_endpoint_is_caught_up_with_when_it_speaks() {
    let silence_s: u64 = std::env::var(SILENCE_S).map_or(30, |text| text.parse().unwrap());
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let rpc = rail.net.rpc();
    let (running, log) = start(&rail, &archive, &rpc, "");
    await_final(&rail, &archive, 1);
    rail.net.signal("-STOP");
    let begun = Instant::now();
    let mut epochs = 1;
    while begun.elapsed().as_secs() < silence_s {
        if epochs < 20 {
            archive.append(epochs * 3..epochs * 3 + 3);
            epochs += 1;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    await_words(&log, "no answer in time");
    let complaints = fs::read_to_string(&log).unwrap().matches("cannot be read").count() as u64;
    assert!(complaints <= 2 + silence_s / 60, "{complaints} complaints in {silence_s} s");
    rail.net.signal("-CONT");
    let returned = Instant::now();
    await_final(&rail, &archive, usize::try_from(epochs).unwrap());
    let took = returned.elapsed();
    println!("{silence_s} s of silence: {epochs} slots final {} ms after its end", took.as_millis());
    assert!(took < Duration::from_secs(60), "{took:?}");
    await_words(&log, "the ledger can be read again");

    // a stop is not held up by silence
    rail.net.signal("-STOP");
    std::thread::sleep(Duration::from_millis(1500));
    running.signal("-TERM");
    let (code, took) = running.end();
    rail.net.signal("-CONT");
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn a_chain_that_becomes_another_halts() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let (running, log) = start(&rail, &archive, &rail.net.rpc(), "");
    await_final(&rail, &archive, 1);
    block_on(rail.net.provider().anvil_set_chain_id(5)).unwrap();
    assert_halts(running, &log, &["chain id: 31337 is configured", "serves chain 5"]);
}

#[test]
fn a_ledger_that_vanishes_halts() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let (running, log) = start(&rail, &archive, &rail.net.rpc(), "");
    await_final(&rail, &archive, 1);
    block_on(async {
        rail.net.provider().anvil_set_code(rail.deployed.ledger, Bytes::new()).await.unwrap();
        rail.net.provider().anvil_mine(Some(1), None).await.unwrap();
    });
    assert_halts(running, &log, &["no contract at the ledger's address"]);
    rail.once(1, &archive).assert_error(&["there is no code on chain"]);
}

#[test]
fn a_log_that_is_too_long_for_one_answer_is_read_in_pages() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    assert_eq!(rail.once(1, &archive).code, 0);
    block_on(rail.net.provider().anvil_mine(Some(100), None)).unwrap();
    let proxy = Proxy::start(&rail.net.rpc());
    proxy.next(3, "eth_getLogs", Fault::Refuse(-32005, "query returned more than 10000 results"));
    let mut command = rail.command(1, &archive, "verify --json --require-final");
    let verify = run(command.env("EC_WITNESS_RPC", proxy.rpc()));
    assert_eq!(verify.code, 0, "{verify:?}");
    // a hundred blocks by pages of an eighth that grow
    let pages = proxy.requests("eth_getLogs") - 3;
    assert!((4..8).contains(&pages), "{pages}");
}

#[test]
fn finality_that_stalls_is_said_and_so_is_its_end() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let proxy = Proxy::start(&rail.net.rpc());
    let (_running, log) = start(&rail, &archive, &proxy.rpc(), "--finality-stale-ms 1000");
    // a young Anvil finalizes nothing
    await_words(&log, "finality stalls");
    await_final(&rail, &archive, 1);
    let before = proxy.requests(ANY);
    std::thread::sleep(Duration::from_secs(2));
    assert!(proxy.requests(ANY) - before < 200, "no spin");
    block_on(rail.net.provider().anvil_mine(Some(200), None)).unwrap();
    await_words(&log, "finality moves again");
}

//! A witness whose key is at a signer: a real clef, which approves, denies, changes, hangs and goes away.

use std::{
    collections::HashSet,
    fs::{self, File},
    net::SocketAddr,
    process::Stdio,
};

use alloy::primitives::{Address, B256, Bytes};
use ec_testing::{
    clef::{Clef, Decision},
    tls::{self, Identity},
};
use serde_json::json;

use super::{
    common::{
        running::Running,
        served::{Served, failed},
    },
    daemon::await_final,
    *,
};

/// The key of an account.
fn key(rail: &Rail, account: usize) -> B256 {
    rail.net.key(account).parse().unwrap()
}

/// A clef with the keys of these accounts.
fn clef(rail: &Rail, accounts: &[usize]) -> Clef {
    let keys: Vec<_> = accounts.iter().map(|account| key(rail, *account)).collect();
    Clef::start(rail.net.dir.path(), rail.net.chain_id(), &keys)
}

/// A command that has its key at this signer.
fn signed_at(mut command: Command, url: &str, account: Address) -> Command {
    command.env_remove("EC_WITNESS_KEY_FILE").env("EC_WITNESS_SIGNER", url);
    command.env("EC_WITNESS_SIGNER_ADDRESS", account.to_string());
    command.env("EC_WITNESS_SIGNER_METHOD", "account_signTransaction").env("EC_WITNESS_SIGNER_TIMEOUT_MS", "2000");
    command
}

/// A command of witness 1.
fn command(rail: &Rail, archive: &TestArchive, url: &str, arguments: &str) -> Command {
    signed_at(rail.command(1, archive, arguments), url, rail.net.account(1))
}

/// Asserts that witness 1 alone has voted, in so many slots, once in each.
#[track_caller]
fn assert_voted_once(rail: &Rail, slots: usize) {
    let votes = rail.net.votes(rail.deployed.ledger);
    let observations: HashSet<_> = votes.iter().map(|(_, observation)| *observation).collect();
    assert_eq!((votes.len(), observations.len()), (slots, slots), "{votes:?}");
    assert!(votes.iter().all(|(voter, _)| *voter == rail.net.account(1)));
}

#[test]
fn it_votes_until_all_is_final_and_goes_on_when_the_signer_is_back() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    let mut clef = clef(&rail, &[1]);
    // the signer is not asked for what needs no signature
    clef.kill();
    let init = run(&mut command(&rail, &archive, &clef.url(), "init --from-sequence first --json"));
    assert_eq!(
        (init.code, init.json()["witness"].as_str().map(str::to_owned)),
        (0, Some(format!("{:#x}", rail.net.account(1))))
    );
    clef.restart();

    let (served, log) = (Served::anywhere(), rail.path("run.log"));
    let witness = command(&rail, &archive, &clef.url(), &format!("run {DELAYS} --metrics-listen {}", served.0));
    let running = Running::of(&witness, File::create(&log).unwrap());
    await_final(&rail, &archive, 2);
    let sent = rail.nonce(1);

    clef.kill();
    archive.append(6..12);
    served.await_sample("ec_witness_sending_held{reason=\"signer\"}", 1.0);
    let readiness = served.await_status("/readyz", 503);
    let said = readiness["checks"].to_string();
    assert_eq!(failed(&readiness), ["sending"]);
    assert!(said.contains(&format!("held: the signer {} gives no answer", clef.url())), "{said}");
    assert!(said.contains("connection refused") && said.contains("a remote signer"), "{said}");
    assert_eq!(rail.nonce(1), sent, "it goes on, and sends nothing");

    clef.restart();
    await_final(&rail, &archive, 4);
    served.await_status("/readyz", 200);
    running.signal("-TERM");
    assert_eq!(running.end().0, Some(0));
    assert_voted_once(&rail, 4);
    let said = fs::read_to_string(log).unwrap();
    assert!(said.contains("sending is held; it goes on by itself") && said.contains("sending goes on"), "{said}");
}

#[test]
fn what_clef_denies_changes_or_leaves_is_held_and_voted_for_once_it_is_approved() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    let clef = clef(&rail, &[1, 2]);
    rail.init(1, &archive);
    let command = command(&rail, &archive, &clef.url(), &format!("run {DELAYS}"));
    for (decision, words) in [
        (Decision::Deny, "refuses account_signTransaction: request denied"),
        (Decision::Change(|tx| tx["nonce"] = json!("0x5")), "nonce is 5, asked for was 0"),
        (
            Decision::Change(|tx| tx["to"] = json!(Address::ZERO.to_checksum(None))),
            "to is 0x0000000000000000000000000000000000000000",
        ),
        (Decision::Change(|tx| tx["data"] = json!(Bytes::new())), "the call data is 0 bytes"),
        (
            Decision::Change(|tx| tx["from"] = json!(ACCOUNT_2)),
            "it signed as 0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        ),
        (Decision::Ignore, "no answer in time"),
    ] {
        clef.decide(decision);
        let mut running = Running::of(&command, Stdio::piped());
        running.await_words(words);
        assert_eq!(rail.nonce(1), 0, "{words}");
    }
    clef.decide(Decision::Approve);
    let _running = Running::of(&command, Stdio::null());
    await_final(&rail, &archive, 1);
    assert_voted_once(&rail, 1);
    assert_eq!(rail.nonce(1), 1);
}

/// Anvil's.
const ACCOUNT_2: &str = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";

#[test]
fn other_commands_sign_there_too() {
    let rail = Rail::start(2, 2);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let clef = clef(&rail, &[0, 1, 5]);
    let as_account = |account: usize, arguments: &str| {
        let command = rail.command(1, &archive, arguments);
        run(&mut signed_at(command, &clef.url(), rail.net.account(account)))
    };
    let added = as_account(0, &format!("registry add {}", rail.net.account(4)));
    assert_eq!(added.code, 0, "{added:?}");
    let offered = as_account(1, &format!("rotate start --to {}", rail.net.account(5)));
    assert_eq!(offered.code, 0, "{offered:?}");
    assert_eq!(as_account(5, "rotate accept").code, 0);
    clef.decide(Decision::Deny);
    as_account(0, &format!("registry remove {}", rail.net.account(2)))
        .assert_error(&["not signed, and nothing was sent", "request denied"]);
}

#[test]
fn a_signer_behind_tls_hears_only_who_presents_its_certificate_and_is_vouched_for() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let clef = clef(&rail, &[1]);
    let [server, client, other] = ["server", "client", "other"].map(|name| Identity::make(rail.net.dir.path(), name));
    let plain: SocketAddr = clef.url().trim_start_matches("http://").parse().unwrap();
    let url = format!("https://name:passphrase@localhost:{}", tls::before(plain, &server, &client).port());
    let by = |ca: &Identity, presented: Option<&Identity>| {
        let mut command = command(&rail, &archive, &url, &format!("run {DELAYS}"));
        command.env("EC_WITNESS_SIGNER_CA", &ca.certificate);
        if let Some(Identity { certificate, key }) = presented {
            command.env("EC_WITNESS_SIGNER_CERT", certificate).env("EC_WITNESS_SIGNER_KEY", key);
        }
        command
    };
    for (command, why) in [
        (by(&server, None), "nobody is presented"),
        (by(&server, Some(&other)), "somebody else is presented"),
        (by(&other, Some(&client)), "somebody else vouches for it"),
    ] {
        let mut running = Running::of(&command, Stdio::piped());
        running.await_words("gives no answer to account_signTransaction");
        assert_eq!((clef.asked(), rail.nonce(1)), (0, 0), "{why}");
    }
    let mixed = Identity { certificate: client.certificate.clone(), key: other.key };
    run(&mut by(&server, Some(&mixed))).assert_error(&["signer_cert", "signer_key", "not a certificate and its key"]);
    let exposed = Identity {
        key: rail.net.secret("open.key", &fs::read_to_string(&client.key).unwrap(), 0o644),
        ..client.clone()
    };
    run(&mut by(&server, Some(&exposed))).assert_error(&["signer_key", "chmod 600"]);

    let _running = Running::of(&by(&server, Some(&client)), Stdio::null());
    await_final(&rail, &archive, 1);
    assert_voted_once(&rail, 1);
}

//! What a witness refuses, each with one sentence and exit code 2.

use super::*;
use std::fs;

#[test]
fn run_without_a_store_says_how_to_create_one() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    rail.once(1, &archive).assert_error(&["no vote store", "ec-witness init"]);
    rail.init(1, &archive);
    run(&mut rail.command(1, &archive, "init")).assert_error(&["there is a vote store already"]);
}

#[test]
fn another_witness_ledger_or_chain_is_refused() {
    let rail = Rail::start(2, 2);
    let archive = TestArchive::of_groups(6);
    rail.init(1, &archive);
    let mut command = rail.command(2, &archive, "run --once");
    run(command.env("EC_WITNESS_STORE", rail.store(1))).assert_error(&["belongs to witness", "is configured"]);
    let other = rail.net.deploy(2, 2);
    let mut command = rail.command(1, &archive, "run --once");
    run(command.env("EC_WITNESS_LEDGER", other.ledger.to_string())).assert_error(&["belongs to ledger"]);
    let mut command = rail.command(1, &archive, "run --once");
    run(command.env("EC_WITNESS_CHAIN_ID", "5")).assert_error(&["chain_id is set to 5"]);
    let mut command = rail.command(1, &archive, "run --once");
    run(command.env("EC_WITNESS_LEDGER", rail.net.account(7).to_string())).assert_error(&["ledger", "no code"]);
}

#[test]
fn a_ledger_without_move_is_refused_by_who_votes() {
    use alloy::{
        primitives::{Address, Bytes},
        providers::{Provider, ext::AnvilApi},
        sol_types::SolCall,
    };
    use ec_ledger::contracts::EveryChannelObservationLedger::moveCall;
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    rail.init(1, &archive);
    // the same code, but that it does not dispatch by the selector any more
    common::block_on(async {
        let (node, ledger): (_, Address) = (rail.net.provider(), rail.deployed.ledger);
        let mut code = node.get_code_at(ledger).await.unwrap().to_vec();
        let at = code.windows(4).position(|window| window == moveCall::SELECTOR).unwrap();
        code[at..at + 4].fill(0xff);
        node.anvil_set_code(ledger, Bytes::from(code)).await.unwrap();
    });
    let parts = ["ledger is set to", "an older one without move", "ec-witness deploy"];
    rail.once(1, &archive).assert_error(&parts);
    let other = rail.path("other");
    run(rail.command(1, &archive, "init").env("EC_WITNESS_STORE", &other)).assert_error(&parts);
    assert!(!other.exists());
    let status = run(&mut rail.command(1, &archive, "status --json"));
    assert_eq!(status.code, 0, "whoever only reads still can: {status:?}");
}

#[test]
fn mistyped_settings_are_named() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    rail.init(1, &archive);
    let with_config = |text: &str| {
        let path = rail.net.dir.path().join("config.toml");
        fs::write(&path, text).unwrap();
        run(rail.command(1, &archive, "run --once").env("EC_WITNESS_CONFIG", path))
    };
    with_config("[chain]\nrcp = \"x\"\n").assert_error(&["config.toml", "rcp", "expected one of"]);
    with_config("[agreement]\nlate_ms = \"soon\"\n").assert_error(&["config.toml", "late_ms", "invalid type"]);
    with_config("[[stream]]\nbroadcast = \"tv\"\ntime = \"timeline\"\n").assert_error(&["chunk_duration_ms"]);
    let mut command = rail.command(1, &archive, "run --once");
    run(command.env("EC_WITNESS_ARCHIVE", "/nowhere")).assert_error(&["/nowhere/manifests", "no such directory"]);
    let mut command = rail.command(1, &archive, "run --once");
    let key = rail.net.secret("bad-key", "0x12", 0o600);
    run(command.env("EC_WITNESS_KEY_FILE", key)).assert_error(&["bad-key", "64 hex digits"]);
    let mut command = rail.command(1, &archive, "run --once");
    run(command.env("EC_WITNESS_RPC", "http://127.0.0.1:1")).assert_error(&["rpc http://127.0.0.1:1 does not answer"]);
}

#[test]
fn a_stream_without_receive_times_is_refused_by_name() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(0);
    for group in 0..3 {
        for track in ["video0.m4s", "audio0.m4s"] {
            let line = format!(r#"{{"group_sequence":{group},"size_bytes":1,"blake3":"{}"}}"#, "ab".repeat(32));
            archive.append_raw(track, &(line + "\n"));
        }
    }
    rail.init(1, &archive);
    rail.once(1, &archive).assert_error(&["\"tv\"", "time = \"timeline\""]);
}

#[test]
fn one_key_in_two_places_stops_before_its_next_vote() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    rail.init(1, &archive);
    // a second store of the same key, made while the key had not voted yet
    let elsewhere = rail.net.dir.path().join("elsewhere");
    assert_eq!(run(rail.command(1, &archive, "init").env("EC_WITNESS_STORE", &elsewhere)).code, 0);
    assert_eq!(rail.once(1, &archive).code, 0);
    archive.append(6..9);
    let sent = rail.nonce(1);
    let mut command = rail.command(1, &archive, &format!("run --once {DELAYS}"));
    run(command.env("EC_WITNESS_STORE", &elsewhere)).assert_error(&["another instance uses the key"]);
    assert_eq!(rail.nonce(1), sent);
}

#[test]
fn a_lost_store_is_made_again_from_the_chain() {
    let rail = Rail::start(2, 2);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let mut running = rail.command(1, &archive, &format!("run {DELAYS}"));
    let ended = running.timeout(std::time::Duration::from_secs(5)).output().unwrap();
    assert_eq!(ended.status.code(), None, "killed while it waits for the second witness");
    assert_eq!(rail.nonce(1), 1);

    fs::remove_dir_all(rail.store(1)).unwrap();
    let changed = TestArchive::of_groups(2);
    changed.append_record("video0.m4s", 2, "other");
    changed.append_record("audio0.m4s", 2, "a");
    assert_eq!(rail.init(1, &changed)["adopted_votes"], 1);
    let mut running = rail.command(1, &changed, &format!("run {DELAYS}"));
    running.timeout(std::time::Duration::from_secs(4)).output().unwrap();
    assert_eq!(rail.nonce(1), 1, "it stands by the vote it has cast");
}

#[test]
fn histories_are_carried_over_and_never_contradicted() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    rail.init(1, &archive);
    assert_eq!(rail.once(1, &archive).code, 0);
    let exported = run(&mut rail.command(1, &archive, "history export"));
    assert_eq!(exported.json()["votes"].as_array().unwrap().len(), 2, "{exported:?}");
    let import = |text: &str| run(rail.command(1, &archive, "history import - --json").write_stdin(text.to_owned()));
    assert_eq!(import(&exported.stdout).json()["adopted"], 0);
    let mut other = exported.json();
    other["votes"][0]["headers"][0]["dataRoot"] = format!("0x{}", "12".repeat(32)).into();
    import(&other.to_string()).assert_error(&["refused to vote"]);
    let mut foreign = exported.json();
    foreign["chain_id"] = 5.into();
    import(&foreign.to_string()).assert_error(&["chain_id is 5"]);
    import("{\"v\":1}").assert_error(&["not a vote history"]);
}

//! `deploy` and `registry` with the real binary on a real chain: what they do, and what they refuse.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

#[path = "../common/mod.rs"]
mod common;

mod timelock;

use std::{fs, time::Instant};

use alloy::{providers::Provider, signers::local::PrivateKeySigner};
use common::{Devnet, block_on, ec_witness, run};
use serde_json::json;

#[test]
fn deploy_puts_three_related_contracts_on_the_chain() {
    let net = Devnet::start();
    let witnesses = format!("{},{}", net.account(1), net.account(2));
    let deploy = format!("deploy --json --witness {witnesses} --witness {} --quorum 2", net.account(3));
    let line = run(&mut net.as_account(0, &deploy)).json();
    assert_eq!(line["deploy_block"], 1);
    assert_eq!(line["owner"], line["deployer"]);
    assert_eq!(line["transactions"].as_array().unwrap().len(), 3);
    let total: u64 = line["transactions"].as_array().unwrap().iter().map(|t| t["gas"].as_u64().unwrap()).sum();
    assert_eq!(line["gas"], total);

    let ledger = line["ledger"].as_str().unwrap();
    let shown = run(&mut net.ec_witness(&format!("registry show --json --ledger {ledger}"))).json();
    assert_eq!(shown["registry"], line["registry"]);
    assert_eq!(shown["quorum"], 2);
    let expected: Vec<_> = (0..3)
        .map(|i| json!({"index": i, "address": net.account(i + 1), "active": true, "offered_to": null}))
        .collect();
    assert_eq!(shown["witnesses"], json!(expected));
}

#[test]
fn deploy_writes_a_new_config_that_the_other_commands_read() {
    let net = Devnet::start();
    let config = net.dir.path().join("ec.toml");
    let deploy = format!("deploy --witness {} --quorum 1 --write-config {}", net.account(1), config.display());
    let first = run(&mut net.as_account(0, &deploy));
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.stdout.contains("deploy_block 1"), "{first:?}");

    let shown = run(&mut ec_witness(&format!("registry show --config {}", config.display())));
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.stdout.contains("quorum    1 of 1"), "{shown:?}");
    assert!(shown.stdout.contains(&format!(" 0      {}  yes", net.account(1))), "{shown:?}");

    let before = fs::read_to_string(&config).unwrap();
    run(&mut net.as_account(0, &deploy)).assert_error(&["ec.toml exists"]);
    assert_eq!(fs::read_to_string(&config).unwrap(), before);
    assert_eq!(block_on(net.provider().get_block_number()).unwrap(), 3, "nothing more was sent");
}

#[test]
fn deploy_goes_on_with_what_is_there() {
    let net = Devnet::start();
    let first = net.deploy(3, 2);
    let again = format!("deploy --json --registry {}", first.registry);
    let line = run(&mut net.as_account(0, &again)).json();
    assert_eq!(line["registry"], json!(first.registry));
    assert_eq!(line["transactions"].as_array().unwrap().len(), 2);
    assert_eq!(line["deploy_block"], 4);

    let twice = format!("deploy --registry {} --witness {} --quorum 1", first.registry, net.account(4));
    run(&mut net.as_account(0, &twice)).assert_error(&["registry update"]);
    let all = format!("deploy --rail {}", first.rail);
    run(&mut net.as_account(0, &all)).assert_error(&["nothing to deploy"]);
}

#[test]
fn deploy_refuses_a_quorum_that_is_no_majority_before_sending() {
    let net = Devnet::start();
    let three = format!("{},{},{}", net.account(1), net.account(2), net.account(3));
    for quorum in ["0", "1", "4"] {
        let deploy = format!("deploy --witness {three} --quorum {quorum}");
        run(&mut net.as_account(0, &deploy)).assert_error(&[&format!("a quorum of {quorum} does"), "so 2 to 3"]);
    }
    let twice = format!("deploy --witness {three},{} --quorum 3", net.account(1));
    run(&mut net.as_account(0, &twice)).assert_error(&["given twice"]);
    assert_eq!(block_on(net.provider().get_block_number()).unwrap(), 0);
}

#[test]
fn dry_runs_need_no_key_and_send_nothing() {
    let net = Devnet::start();
    let owner = net.account(0);
    let deploy = format!("deploy --dry-run --from {owner} --witness {} --quorum 1 --json", net.account(1));
    let simulated = run(&mut net.ec_witness(&deploy));
    assert_eq!(simulated.code, 0, "{simulated:?}");
    assert_eq!(simulated.json()["transactions"][2]["transaction_hash"], json!(null));
    assert_eq!(block_on(net.provider().get_block_number()).unwrap(), 0);

    let real = net.deploy(1, 1);
    assert_eq!(simulated.json()["rail"], json!(real.rail), "the simulation foretold the address");
    let update = format!("registry update --add {} --quorum 2 --registry {}", net.account(2), real.registry);
    let dry = run(&mut net.ec_witness(&format!("{update} --dry-run --from {owner}")));
    assert!(dry.code == 0 && dry.stdout.contains("nothing sent"), "{dry:?}");
    let refused = run(&mut net.ec_witness(&format!("{update} --dry-run --from {}", net.account(5))));
    refused.assert_error(&["OwnableUnauthorizedAccount", &net.account(5).to_string()]);
    run(&mut net.ec_witness(&format!("{update} --dry-run"))).assert_error(&["--from ADDRESS, or a key"]);
    run(&mut net.as_account(0, &format!("{update} --from {owner}"))).assert_error(&["--dry-run"]);
    assert_eq!(block_on(net.provider().get_block_number()).unwrap(), 3);
}

#[test]
fn registry_commands_change_the_set() {
    let net = Devnet::start();
    let on = format!("--registry {}", net.deploy(3, 3).registry);
    let act = |command: &str| run(&mut net.as_account(0, &format!("registry {command} {on} --json")));
    let show = || run(&mut net.ec_witness(&format!("registry show {on} --json"))).json();

    let added = act(&format!("add {}", net.account(4)));
    assert_eq!((added.code, &added.json()["block_number"]), (0, &json!(4)), "{added:?}");
    assert_eq!(act(&format!("remove {}", net.account(2))).code, 0);
    let shown = show();
    assert_eq!(shown["witness_count"], 3);
    assert_eq!(
        shown["witnesses"][1],
        json!({"index": 1, "address": net.account(2), "active": false, "offered_to": null})
    );

    assert_eq!(act("set-quorum 2").code, 0);
    let update = format!("update --add {},{} --remove {} --quorum 4", net.account(2), net.account(5), net.account(1));
    assert_eq!(act(&update).code, 0);
    let shown = show();
    assert_eq!((&shown["quorum"], &shown["witness_count"]), (&json!(4), &json!(4)));
    assert_eq!(shown["witnesses"][1]["active"], true, "it got its index back");
}

#[test]
fn registry_refusals_name_the_contracts_error_and_arguments() {
    let net = Devnet::start();
    let on = format!("--registry {}", net.deploy(3, 2).registry);
    let refusals = [
        (0, format!("add {}", net.account(1)), "AlreadyWitness"),
        (0, format!("remove {}", net.account(7)), "NotWitness"),
        (0, "add 0x0000000000000000000000000000000000000000".to_owned(), "InvalidWitness"),
        (0, "set-quorum 1".to_owned(), "a quorum of 1 does not fit 3 witnesses"),
        (0, format!("add {}", net.account(4)), "a quorum of 2 does not fit 4 witnesses"),
        (5, "set-quorum 3".to_owned(), "OwnableUnauthorizedAccount"),
        (5, "accept-ownership".to_owned(), "OwnableUnauthorizedAccount"),
    ];
    for (account, command, part) in refusals {
        run(&mut net.as_account(account, &format!("registry {command} {on}"))).assert_error(&["refused", part]);
    }
    assert_eq!(block_on(net.provider().get_block_number()).unwrap(), 3, "nothing was sent");
}

#[test]
fn ownership_moves_in_two_steps() {
    let net = Devnet::start();
    let on = format!("--registry {} --json", net.deploy(1, 1).registry);
    let show = || run(&mut net.ec_witness(&format!("registry show {on}"))).json();
    let offer = format!("registry transfer-ownership {} {on}", net.account(6));
    assert_eq!(run(&mut net.as_account(0, &offer)).code, 0);
    assert_eq!(
        (show()["owner"].clone(), show()["pending_owner"].clone()),
        (json!(net.account(0)), json!(net.account(6)))
    );
    assert_eq!(run(&mut net.as_account(6, &format!("registry accept-ownership {on}"))).code, 0);
    assert_eq!((show()["owner"].clone(), show()["pending_owner"].clone()), (json!(net.account(6)), json!(null)));
}

#[test]
fn a_wrong_chain_or_contract_is_refused_in_one_sentence() {
    let net = Devnet::start();
    let deployed = net.deploy(1, 1);
    let show = |arguments: String| run(&mut net.ec_witness(&format!("registry show {arguments}")));
    show(format!("--registry {} --chain-id 10", deployed.registry))
        .assert_error(&["chain_id is set to 10", "is of chain 31337"]);
    let nobody = net.account(9).to_string();
    for field in ["registry", "ledger", "rail"] {
        show(format!("--{field} {nobody}")).assert_error(&[&format!("{field} is set to {nobody}"), "no code"]);
    }
    show(format!("--ledger {}", deployed.registry)).assert_error(&["does not answer registry()"]);
    show(format!("--ledger {} --registry {}", deployed.ledger, deployed.rail))
        .assert_error(&["registry is set to", &format!("uses {}", deployed.registry)]);
    show(format!("--registry {}", deployed.rail)).assert_error(&["cannot be read"]);
    show(String::new()).assert_error(&["neither registry nor ledger is set"]);
    show("--rpc-timeout-ms 0".to_owned()).assert_error(&["rpc_timeout_ms is 0"]);
}

#[test]
fn a_missing_or_dead_rpc_is_named() {
    run(&mut ec_witness("registry show")).assert_error(&["rpc is not set", "--rpc"]);
    run(&mut ec_witness("registry show --rpc http://127.0.0.1:1")).assert_error(&["chain_id is not set"]);
    let dead = "registry show --chain-id 1 --rpc http://127.0.0.1:1/token";
    let outcome = run(&mut ec_witness(dead));
    outcome.assert_error(&["rpc http://127.0.0.1:1 does not answer"]);
    assert!(!outcome.stderr.contains("token"), "{outcome:?}");
    run(&mut ec_witness("registry show --chain-id 1 --rpc ws://127.0.0.1:1")).assert_error(&["http:// and https://"]);
}

#[test]
fn a_silent_rpc_is_given_up_after_the_timeout() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let start = Instant::now();
    let show = format!("registry show --chain-id 1 --rpc http://127.0.0.1:{port} --rpc-timeout-ms 300");
    run(&mut ec_witness(&show)).assert_error(&["does not answer eth_chainId"]);
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn mistyped_addresses_and_unknown_settings_are_refused() {
    let net = Devnet::start();
    let typo = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92267";
    run(&mut net.ec_witness(&format!("registry show --registry {typo}"))).assert_error(&["EIP-55"]);
    run(&mut net.ec_witness("registry show --registry 0x12")).assert_error(&["40 hex digits"]);
    for (text, part) in [
        (format!("[chain]\nledger = \"{typo}\"\n"), "EIP-55"),
        ("[chain]\nledgre = \"0x\"\n".to_owned(), "ledgre"),
        ("[key]\nkey = \"0x\"\n".to_owned(), "unknown field"),
    ] {
        let config = net.secret("bad.toml", &text, 0o600);
        run(&mut net.ec_witness(&format!("registry show --config {}", config.display())))
            .assert_error(&[part, "bad.toml"]);
    }
}

#[test]
fn keys_come_from_exactly_one_private_place() {
    let net = Devnet::start();
    let command = format!("registry accept-ownership --registry {}", net.deploy(1, 1).registry);
    let plain = || net.ec_witness(&command);
    run(&mut plain()).assert_error(&["no key is set"]);
    let open = net.secret("open", &net.key(0), 0o644);
    run(plain().env("EC_WITNESS_KEY_FILE", &open)).assert_error(&["mode 0644", "chmod 600"]);
    run(plain().args(["--key-file", "/nonexistent/key"])).assert_error(&["key_file", "/nonexistent/key"]);
    let both = run(plain().env("EC_WITNESS_KEY", net.key(0)).env("EC_WITNESS_KEY_FILE", net.key_file(0)));
    both.assert_error(&["more than one key", "leave exactly one"]);
    let broken = run(plain().env("EC_WITNESS_KEY", format!("{}zz", net.key(0))));
    broken.assert_error(&["EC_WITNESS_KEY does not hold a private key"]);
    for outcome in [both, broken] {
        assert!(!format!("{outcome:?}").contains(&net.key(0)[..16]), "{outcome:?}");
    }
    // A credential that systemd made shows as group-readable.
    let credential = net.secret("credential", &net.key(0), 0o440);
    run(plain().arg("--key-file").arg(&credential)).assert_error(&["mode 0440"]);
    run(plain().arg("--key-file").arg(&credential).env("CREDENTIALS_DIRECTORY", net.dir.path()))
        .assert_error(&["OwnableUnauthorizedAccount"]);
}

#[test]
fn the_key_is_in_no_log() {
    let net = Devnet::start();
    let traced = run(net.ec_witness("deploy --log trace").env("EC_WITNESS_KEY", format!("0x{}", net.key(0))));
    assert_eq!(traced.code, 0, "{traced:?}");
    assert!(traced.stderr.len() > 1000, "it logs");
    assert!(!format!("{traced:?}").to_lowercase().contains(&net.key(0)));
}

#[test]
fn a_keystore_with_its_password_signs() {
    let net = Devnet::start();
    let signer: PrivateKeySigner = net.key(0).parse().unwrap();
    let mut rng = alloy::signers::k256::elliptic_curve::rand_core::OsRng;
    PrivateKeySigner::encrypt_keystore(net.dir.path(), &mut rng, signer.to_bytes(), "secret", Some("store")).unwrap();
    let text = fs::read_to_string(net.dir.path().join("store")).unwrap();
    let store = net.secret("store", &text, 0o600);
    let with = |password: &str, mode| {
        let password = net.secret("password", password, mode);
        let mut command = net.ec_witness("deploy");
        command.arg("--keystore").arg(&store).arg("--password-file").arg(password);
        run(&mut command)
    };
    assert_eq!(with("secret\n", 0o600).code, 0);
    let wrong = with("secrets", 0o600);
    wrong.assert_error(&["does not open with the password"]);
    assert!(!wrong.stderr.contains("secrets"));
    with("secret", 0o660).assert_error(&["password_file", "chmod 600"]);
}

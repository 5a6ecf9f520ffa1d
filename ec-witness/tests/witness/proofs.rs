//! `prove` and `check-proof` against a ledger.

use alloy::providers::Provider;

use super::{daemon::await_final, *};
use crate::common::{
    block_on,
    proxy::{Fault, Proxy},
};

#[test]
fn a_record_is_proven_against_the_final_observation() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(7);
    rail.init(1, &archive);
    let prove =
        |group: u64| run(&mut rail.command(1, &archive, &format!("prove --track audio0.m4s --group-sequence {group}")));
    prove(4).assert_error(&["epoch 1 is not final"]);
    assert_eq!(rail.once(1, &archive).code, 0);
    let proof = prove(4);
    assert_eq!(proof.code, 0, "{proof:?}");
    let check = |text: &str, more: &str| {
        run(rail.command(1, &archive, &format!("check-proof - --json {more}")).write_stdin(text.to_owned()))
    };
    rail.net.pass_finality();
    assert_eq!(check(&proof.stdout, "").json()["checked_finality"], true);
    assert_eq!(check(&proof.stdout, "").code, 0);

    for (field, value) in [("group_sequence", 5), ("size_bytes", 7), ("index", 0), ("leaf_count", 5)] {
        let mut changed = proof.json();
        changed[field] = value.into();
        let outcome = check(&changed.to_string(), "");
        assert_eq!((outcome.code, &outcome.json()["ok"]), (1, &Value::Bool(false)), "{field}: {outcome:?}");
    }
    // a sound proof under a header that is not final
    let mut other = proof.json();
    other["header"]["observedUnixMs"] = 1.into();
    assert_eq!(check(&other.to_string(), "--offline").code, 0);
    let refused = check(&other.to_string(), "");
    assert_eq!((refused.code, &refused.json()["finality"]), (5, &Value::from("same_content_final")), "{refused:?}");
    check("{}", "").assert_error(&["not a proof", "missing field"]);
    prove(6).assert_error(&["epoch 2 is not closed"]);
}

#[test]
fn what_the_daemon_has_read_is_not_read_again_for_a_proof() {
    let rail = Rail::start(1, 1);
    // more than one stretch of the index
    let archive = TestArchive::of_groups(690);
    rail.init(1, &archive);
    let running = rail.follow(1, &archive);
    await_final(&rail, &archive, 230);
    running.signal("-TERM");
    assert_eq!(running.end().0, Some(0));
    // a line that nobody needs is no record any more
    let track = archive.path().join("manifests/tv/video0.m4s.jsonl");
    let mut text = std::fs::read(&track).unwrap();
    assert!(text.len() > 80 << 10, "{}", text.len());
    text[1000] = 0;
    std::fs::write(&track, text).unwrap();
    let prove = || rail.command(1, &archive, "prove --track video0.m4s --group-sequence 688");
    let anew = run(prove().env_remove("EC_WITNESS_STORE"));
    assert!(anew.code == 0 && anew.stderr.contains("bad line"), "{anew:?}");
    let outcome = run(&mut prove());
    assert!(outcome.code == 0 && !outcome.stderr.contains("bad line"), "{outcome:?}");
    assert_eq!(outcome.stdout, anew.stdout);
}

#[test]
fn final_means_final_at_the_head_that_is_asked() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(7);
    rail.init(1, &archive);
    assert_eq!(rail.once(1, &archive).code, 0);
    let proof = run(&mut rail.command(1, &archive, "prove --track audio0.m4s --group-sequence 4")).stdout;
    let check = |more: &str| {
        let mut command = rail.command(1, &archive, &format!("check-proof - --json {more}"));
        run(command.write_stdin(proof.clone()))
    };
    let status = |more: &str| run(&mut rail.command(1, &archive, &format!("status --json {more}")));
    let verify = |more: &str| run(&mut rail.command(1, &archive, &format!("verify --json {more}")));
    let newest = block_on(async { rail.net.provider().get_block_number().await.unwrap() });
    for head in ["", "--head finalized", "--head safe"] {
        let checked = check(head);
        assert_eq!((checked.code, &checked.json()["finality"]), (3, &Value::from("not_final_yet")), "{checked:?}");
        let reason = checked.json()["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains("not final yet at the ") && reason.contains("head, block 0 0x"), "{reason}");
        assert_eq!(states(&status(head)), ["not_final_yet", "not_final_yet", "open"]);
        assert_eq!(status(head).lines()[0]["finalized_hash"], Value::Null);
        let verified = verify(head);
        assert_eq!(verified.code, 0, "{verified:?}");
        assert!(verified.lines().iter().all(|line| line["verdict"] == "not_final_yet"), "{verified:?}");
        assert_eq!(verify(&format!("--require-final {head}")).code, 1);
    }
    let latest = check("--head latest");
    assert_eq!((latest.code, &latest.json()["finality"]), (0, &Value::from("final")), "{latest:?}");
    let head = &latest.json()["head"];
    assert_eq!((&head["kind"], &head["number"]), (&Value::from("latest"), &Value::from(newest)), "{head}");
    assert_eq!(states(&status("--head latest")), ["finalized", "finalized", "open"]);
    assert_eq!(verify("--require-final --head latest").code, 0);

    rail.net.pass_finality();
    let checked = check("").json();
    assert_eq!((&checked["ok"], &checked["head"]["kind"]), (&Value::Bool(true), &Value::from("finalized")));
    assert!(checked["head"]["number"].as_u64() >= Some(newest), "{checked}");
    assert_eq!(states(&status("")), ["finalized", "finalized", "open"]);
    assert_eq!(verify("--require-final").code, 0);
    let text = run(&mut rail.command(1, &archive, "verify")).stdout;
    assert!(text.contains("2 equal; at the finalized head, block "), "{text}");
}

#[test]
fn a_chain_without_a_finalized_head_has_nothing_final_there() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    assert_eq!(rail.once(1, &archive).code, 0);
    let proof = run(&mut rail.command(1, &archive, "prove --track audio0.m4s --group-sequence 1")).stdout;
    let proxy = Proxy::start(&rail.net.rpc());
    proxy.lie("eth_getBlockByNumber", |params, block| {
        if params[0] == "finalized" {
            *block = Value::Null;
        }
    });
    let check = |more: &str| {
        let mut command = rail.command(1, &archive, &format!("check-proof - {more}"));
        run(command.env("EC_WITNESS_RPC", proxy.rpc()).write_stdin(proof.clone()))
    };
    let text = check("");
    assert!(text.code == 3 && text.stdout.contains("finalized head, which the chain does not have yet"), "{text:?}");
    let json = check("--json").json();
    assert_eq!(json["head"], serde_json::json!({"kind": "finalized", "number": null, "hash": null}), "{json}");
    assert_eq!(check("--head latest").code, 0);
}

#[test]
fn a_log_that_does_not_show_what_is_final_is_an_error() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    assert_eq!(rail.once(1, &archive).code, 0);
    let proof = run(&mut rail.command(1, &archive, "prove --track audio0.m4s --group-sequence 1")).stdout;
    rail.net.pass_finality();
    let check =
        |more: &str| run(rail.command(1, &archive, &format!("check-proof - {more}")).write_stdin(proof.clone()));
    let newest = block_on(async { rail.net.provider().get_block_number().await.unwrap() });
    check(&format!("--deploy-block {newest}")).assert_error(&["deploy_block is set to", "would not be seen"]);
    let proxy = Proxy::start(&rail.net.rpc());
    proxy.lie("eth_getLogs", |_, logs| *logs = serde_json::json!([]));
    check(&format!("--rpc {}", proxy.rpc())).assert_error(&["does not show it", "the endpoint lacks logs"]);
    proxy.heal();
    // an endpoint that limits pages is asked for smaller ones
    proxy.next(3, "eth_getLogs", Fault::Refuse(-32005, "query returned more than 10000 results"));
    let mut command = rail.command(1, &archive, "check-proof -");
    let paged = run(command.env("EC_WITNESS_RPC", proxy.rpc()).write_stdin(proof.clone()));
    assert!(paged.code == 0 && proxy.requests("eth_getLogs") > 3, "{paged:?}");
}

//! `rail` with the real binary on a real chain: pointers, publishers, settling.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod common;

use alloy::primitives::B256;
use common::{Deployment, Devnet, Outcome, example_lines, header_of, run};
use ec_observation::ObservationHeader;
use serde_json::{Value, json};

/// A chain with a rail, three witnesses and account 4 as a publisher.
struct Rail {
    net: Devnet,
    deployed: Deployment,
}

impl Rail {
    fn start() -> Self {
        let net = Devnet::start();
        let deployed = net.deploy(3, 2);
        let rail = Self { net, deployed };
        assert_eq!(rail.act(0, &format!("add-publisher {}", rail.net.account(4))).code, 0);
        rail
    }

    /// A `rail` command as an account.
    fn act(&self, account: usize, command: &str) -> Outcome {
        run(&mut self.net.as_account(account, &format!("rail {command} --rail {}", self.deployed.rail)))
    }

    fn show(&self, slot: &Value) -> Outcome {
        let slot = slot.as_str().unwrap();
        run(&mut self.net.ec_witness(&format!("rail show --json --slot {slot} --rail {}", self.deployed.rail)))
    }

    /// `settle` of what is piped into it, as an account without any right.
    fn settle(&self, input: &str, more: &str) -> Outcome {
        let command = format!("rail settle --json --header - --rail {} {more}", self.deployed.rail);
        run(self.net.as_account(8, &command).write_stdin(input))
    }

    fn publish(&self, account: usize, line: &Value) -> Outcome {
        let hash = B256::repeat_byte(9);
        let (stream, epoch) = (line["stream_id"].as_str().unwrap(), line["epoch_id"].as_str().unwrap());
        let hashes = format!("--manifest-hash {hash} --data-root {hash} --locator-hash {hash}");
        self.act(account, &format!("publish --stream-id {stream} --epoch-id {epoch} {hashes}"))
    }

    /// Final at the finalized head, too.
    fn finalize(&self, header: ObservationHeader) {
        self.net.finalize(self.deployed.ledger, header, 2);
        self.net.pass_finality();
    }
}

#[test]
fn a_pointer_is_published_shown_and_settled_over() {
    let rail = Rail::start();
    let line = &example_lines()[0];
    let none = rail.show(&line["slot"]);
    assert_eq!((none.code, &none.json()["manifest_hash"]), (1, &json!(null)));

    assert_eq!(rail.publish(4, line).code, 0);
    let published = rail.show(&line["slot"]);
    assert_eq!(published.code, 0);
    assert_eq!(published.json()["manifest_hash"], json!(B256::repeat_byte(9)));
    assert_eq!(published.json()["settled"], false);

    rail.finalize(header_of(line));
    let settled = rail.settle(&line.to_string(), "");
    assert_eq!((settled.code, &settled.json()["state"]), (0, &json!("settled")), "{settled:?}");
    let pointer = rail.show(&line["slot"]).json();
    assert_eq!(pointer["manifest_hash"], line["observation_hash"]);
    assert_eq!(pointer["data_root"], line["header"]["dataRoot"]);
    assert_eq!(pointer["settled"], true);

    rail.publish(4, line).assert_error(&["SlotSettled", line["observation_hash"].as_str().unwrap()]);
    let again = rail.settle(&line.to_string(), "").json();
    assert_eq!((&again["state"], &again["transaction_hash"]), (&json!("already_settled"), &json!(null)));
}

#[test]
fn ids_name_the_same_slot_as_its_hash() {
    let rail = Rail::start();
    let line = &example_lines()[1];
    assert_eq!(rail.publish(4, line).code, 0);
    let (stream, epoch) = (line["stream_id"].as_str().unwrap(), line["epoch_id"].as_str().unwrap());
    let show = format!("rail show --rail {} --stream-id {stream} --epoch-id {epoch}", rail.deployed.rail);
    let shown = run(&mut rail.net.ec_witness(&show));
    assert!(shown.code == 0 && shown.stdout.contains(line["slot"].as_str().unwrap()), "{shown:?}");
    assert!(shown.stdout.contains("a publisher's word"), "{shown:?}");
}

#[test]
fn settle_goes_through_all_headers_and_says_no_if_one_is_not_final() {
    let rail = Rail::start();
    let lines = example_lines();
    rail.finalize(header_of(&lines[1]));
    let conflicting = json!({"slot": B256::repeat_byte(1), "header": null, "observation_hash": null});
    let input = format!("{}\n{conflicting}\n{}\n", lines[0], lines[1]["header"]);
    let outcome = rail.settle(&input, "");
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let states: Vec<_> = outcome.lines().iter().map(|line| line["state"].clone()).collect();
    assert_eq!(states, [json!("not_final"), json!("conflicting"), json!("settled")]);
    assert_eq!(outcome.lines()[0]["slot"], lines[0]["slot"]);
    assert_eq!(rail.show(&lines[0]["slot"]).code, 1);
}

#[test]
fn settle_takes_what_is_final_at_the_head_that_is_asked() {
    let rail = Rail::start();
    let line = &example_lines()[0];
    rail.net.finalize(rail.deployed.ledger, header_of(line), 2);
    for head in ["", "--head safe", "--head finalized"] {
        let outcome = rail.settle(&line.to_string(), head);
        assert_eq!((outcome.code, &outcome.json()["state"]), (1, &json!("not_final_yet")), "{head}: {outcome:?}");
        assert_eq!(outcome.json()["head"]["number"], 0, "{outcome:?}");
    }
    // all that is final there is nothing
    let all = |more: &str| rail.act(8, &format!("settle --json {more}"));
    let outcome = all("");
    assert_eq!((outcome.code, outcome.lines().len()), (0, 0), "{outcome:?}");
    assert!(outcome.stderr.contains("1 more are not final yet at the finalized head"), "{outcome:?}");
    let outcome = all("--head latest");
    assert_eq!((outcome.code, &outcome.json()["state"]), (0, &json!("settled")), "{outcome:?}");
    assert_eq!(outcome.json()["head"]["kind"], "latest");
    rail.net.pass_finality();
    let outcome = all("");
    assert_eq!((outcome.code, &outcome.json()["state"]), (0, &json!("already_settled")), "{outcome:?}");
}

#[test]
fn settle_names_what_the_ledger_finalized_instead() {
    let rail = Rail::start();
    let line = &example_lines()[0];
    let other = ObservationHeader { observed_unix_ms: 1, ..header_of(line) };
    rail.finalize(other);
    let outcome = rail.settle(&line.to_string(), "");
    assert_eq!((outcome.code, &outcome.json()["finalized_hash"]), (1, &json!(other.hash())));
}

#[test]
fn settle_simulates_without_sending() {
    let rail = Rail::start();
    let line = &example_lines()[0];
    rail.finalize(header_of(line));
    let header = rail.net.secret("header.json", &line["header"].to_string(), 0o644);
    let from = rail.net.account(8);
    let on = format!("--rail {} --dry-run --from {from} --header {}", rail.deployed.rail, header.display());
    let outcome = run(&mut rail.net.ec_witness(&format!("rail settle {on}")));
    assert!(outcome.code == 0 && outcome.stdout.contains("nothing sent"), "{outcome:?}");
    assert_eq!(rail.show(&line["slot"]).code, 1);
}

#[test]
fn settle_refuses_input_that_is_no_header() {
    let rail = Rail::start();
    let mut wrong = example_lines()[0].clone();
    wrong["header"]["sequence"] = json!(1);
    for (input, part) in [
        (String::new(), "no header in it"),
        ("{\"slot\": 1}".to_owned(), "object 1"),
        (wrong.to_string(), "hashes to"),
        ("nonsense".to_owned(), "--header -"),
    ] {
        rail.settle(&input, "").assert_error(&[part]);
    }
    rail.act(0, "settle --header /nonexistent").assert_error(&["--header /nonexistent"]);
}

#[test]
fn publishers_are_the_owners_choice() {
    let rail = Rail::start();
    let line = &example_lines()[0];
    rail.publish(5, line).assert_error(&["NotPublisher", &rail.net.account(5).to_string()]);
    let announcement = format!("announce --stream-id la-nbc --announcement-hash {}", B256::repeat_byte(7));
    assert_eq!(rail.act(4, &announcement).code, 0);
    rail.act(5, &announcement).assert_error(&["NotPublisher"]);
    rail.act(5, &format!("add-publisher {}", rail.net.account(5))).assert_error(&["OwnableUnauthorizedAccount"]);
    rail.act(0, &format!("add-publisher {}", rail.net.account(4))).assert_error(&["AlreadyPublisher"]);
    assert_eq!(rail.act(0, &format!("remove-publisher {}", rail.net.account(4))).code, 0);
    rail.act(4, &announcement).assert_error(&["NotPublisher"]);
    assert_eq!(rail.act(0, &format!("transfer-ownership {}", rail.net.account(5))).code, 0);
    assert_eq!(rail.act(5, "accept-ownership").code, 0);
    assert_eq!(rail.act(5, &format!("add-publisher {}", rail.net.account(4))).code, 0);
}

#[test]
fn a_rail_must_be_one_and_belong_to_the_ledger() {
    let rail = Rail::start();
    let Deployment { registry, ledger, .. } = rail.deployed;
    let slot = B256::ZERO;
    let show = |on: String| run(&mut rail.net.ec_witness(&format!("rail show --slot {slot} {on}")));
    show(String::new()).assert_error(&["rail is not set"]);
    show(format!("--rail {registry}")).assert_error(&["does not answer ledger()"]);
    show(format!("--rail {} --ledger {registry}", rail.deployed.rail))
        .assert_error(&["ledger is set to", &format!("uses {ledger}")]);
    let none = format!("rail show --rail {}", rail.deployed.rail);
    run(&mut rail.net.ec_witness(&none)).assert_error(&["--slot HASH, or --stream-id"]);
}

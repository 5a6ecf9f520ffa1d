//! `rail` with the real binary on a real chain: pointers, publishers, settling.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod common;

use std::{collections::HashSet, env, time::Instant};

use alloy::{
    primitives::{B256, Bytes, U256},
    providers::{Provider, ext::AnvilApi},
    sol_types::SolCall,
};
use common::{
    Deployment, Devnet, Outcome, block_on, example_lines, header_of, run,
    running::{Running, await_that},
};
use ec_ledger::contracts::{EveryChannelObservationLedger, EveryChannelRail};
use ec_observation::{EpochHash, ObservationHeader};
use serde_json::{Value, json};

/// A chain with a rail, three witnesses and account 4 as a publisher.
struct Rail {
    net: Devnet,
    deployed: Deployment,
}

impl Rail {
    fn start() -> Self {
        let rail = Self::on(Devnet::start());
        assert_eq!(rail.act(0, &format!("add-publisher {}", rail.net.account(4))).code, 0);
        rail
    }

    fn on(net: Devnet) -> Self {
        let deployed = net.deploy(3, 2);
        Self { net, deployed }
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

    /// Makes slots final, each of an epoch of its own, numbered from `first` on.
    fn finalize_many(&self, first: u64, count: u64) {
        let line = header_of(&example_lines()[0]);
        let header = |i: u64| ObservationHeader {
            epoch_hash: EpochHash::of(&format!("ec/epoch/v1/g30/{i}")),
            sequence: i,
            ..line
        };
        let headers: Vec<_> = (first..first + count).map(|i| header(i).into()).collect();
        block_on(async {
            let ledger = EveryChannelObservationLedger::new(self.deployed.ledger, self.net.provider());
            for batch in headers.chunks(100) {
                let mut sent = Vec::new();
                for witness in 1..=2 {
                    let call = ledger.proposeBatch(batch.to_vec(), vec![U256::ZERO; batch.len()]);
                    sent.push(call.from(self.net.account(witness)).send().await.unwrap());
                }
                for sent in sent {
                    assert!(sent.get_receipt().await.unwrap().status());
                }
            }
            for header in headers {
                let slot = ObservationHeader::from(header).slot();
                assert!(!ledger.finalizedObservation(slot.0).call().await.unwrap().is_zero());
            }
        });
    }

    /// The slots that the rail's log shows as settled.
    fn settled(&self) -> Vec<B256> {
        block_on(async {
            let rail = EveryChannelRail::new(self.deployed.rail, self.net.provider());
            let settled = rail.PointerSettled_filter().from_block(0).query().await.unwrap();
            settled.into_iter().map(|(event, _)| event.slot).collect()
        })
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
    assert_eq!((outcome.code, outcome.lines().len()), (0, 0), "{outcome:?}");
    assert!(outcome.stderr.contains("1 were settled before"), "{outcome:?}");
}

#[test]
fn settle_takes_hundreds_at_once_and_then_what_is_new() {
    let rail = Rail::start();
    rail.finalize_many(0, 520);
    rail.net.pass_finality();
    let all = || rail.act(8, "settle --json");
    // some were settled one by one before, as by somebody who was interrupted
    let one = header_of(&example_lines()[0]);
    let named = [3, 300].map(|i| ObservationHeader {
        epoch_hash: EpochHash::of(&format!("ec/epoch/v1/g30/{i}")),
        sequence: i,
        ..one
    });
    let named = named.map(|header| serde_json::to_string(&header).unwrap()).join("\n");
    assert_eq!(rail.settle(&named, "").lines().len(), 2);

    let outcome = all();
    let lines = outcome.lines();
    assert_eq!((outcome.code, lines.len()), (0, 518), "{}", outcome.stderr);
    assert!(lines.iter().all(|line| line["state"] == "settled"), "{}", outcome.stdout);
    let transactions: HashSet<_> = lines.iter().map(|line| line["transaction_hash"].as_str().unwrap()).collect();
    assert!(transactions.len() <= 7, "{} transactions", transactions.len());
    let settled = rail.settled();
    assert_eq!((settled.len(), HashSet::<B256>::from_iter(settled).len()), (520, 520), "each once");

    rail.finalize_many(520, 3);
    rail.net.pass_finality();
    let outcome = all();
    assert_eq!((outcome.code, outcome.lines().len()), (0, 3), "{outcome:?}");
    assert!(outcome.stderr.contains("520 were settled before"), "{outcome:?}");
}

#[test]
fn an_older_rail_is_settled_on_one_by_one() {
    let rail = Rail::start();
    rail.finalize_many(0, 12);
    // the same code, but that it does not dispatch by the selector any more
    block_on(async {
        let (node, at) = (rail.net.provider(), rail.deployed.rail);
        let mut code = node.get_code_at(at).await.unwrap().to_vec();
        let selector = EveryChannelRail::settleBatchCall::SELECTOR;
        let place = code.windows(4).position(|window| window == selector).unwrap();
        code[place..place + 4].fill(0xff);
        node.anvil_set_code(at, Bytes::from(code)).await.unwrap();
    });
    let outcome = rail.act(8, "settle --json --head latest");
    assert!(outcome.stderr.contains("without settleBatch"), "{outcome:?}");
    let lines = outcome.lines();
    assert!(outcome.code == 0 && lines.iter().all(|line| line["state"] == "settled"), "{outcome:?}");
    let transactions: HashSet<_> = lines.iter().map(|line| line["transaction_hash"].as_str().unwrap()).collect();
    assert_eq!((transactions.len(), rail.settled().len()), (12, 12));
}

#[test]
fn settle_goes_on_until_it_is_stopped() {
    let rail = Rail::start();
    rail.finalize_many(0, 3);
    let command = format!("rail settle --every-ms 100 --head latest --rail {}", rail.deployed.rail);
    let _running = Running::spawn(&rail.net.as_account(8, &command));
    await_that("the first ones are settled", || rail.settled().len() == 3);
    rail.finalize_many(3, 120);
    rail.net.pass_finality();
    await_that("those after them are settled", || rail.settled().len() >= 123);
    let settled = rail.settled();
    assert_eq!((settled.len(), HashSet::<B256>::from_iter(settled).len()), (123, 123), "each once");
}

/// How fast it is where a block comes every second.
#[test]
#[ignore = "a benchmark; EC_SETTLE_SLOTS is the number of slots (default 2000)"]
fn settling_speed() {
    let slots = env::var("EC_SETTLE_SLOTS").map_or(2000, |slots| slots.parse().unwrap());
    let rail = Rail::on(Devnet::with_block_time(1));
    rail.finalize_many(0, slots);
    let begun = Instant::now();
    let outcome = rail.act(8, "settle --json --head latest");
    let took = begun.elapsed();
    let lines = outcome.lines();
    assert_eq!((outcome.code, lines.len() as u64), (0, slots), "{}", outcome.stderr);
    let transactions: HashSet<_> = lines.iter().map(|line| line["transaction_hash"].as_str().unwrap()).collect();
    let a_minute = slots as f64 * 60.0 / took.as_secs_f64();
    println!("{slots} slots in {} transactions and {took:.1?}: {a_minute:.0} slots a minute", transactions.len());
    let begun = Instant::now();
    let outcome = rail.act(8, "settle --json --head latest");
    assert_eq!((outcome.code, outcome.lines().len()), (0, 0));
    println!("again, with nothing new, in {:.1?}", begun.elapsed());
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

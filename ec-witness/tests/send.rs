//! What can go wrong between a transaction and its receipt.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod common;

use std::{thread, time::Duration};

use alloy::{
    primitives::U256,
    providers::{Provider, ext::AnvilApi},
};
use common::{
    Devnet, block_on,
    proxy::{Fault, Proxy},
    run,
};
use ec_ledger::contracts::EveryChannelRail;
use serde_json::json;

/// A price that goes first in any block.
const DEAR: u128 = 1_000_000_000_000;

#[test]
fn a_revert_on_chain_is_told_with_its_reason() {
    let net = Devnet::start();
    let deployed = net.deploy(1, 1);
    let publisher = net.account(4);
    let add = format!("rail add-publisher {publisher} --rail {}", deployed.rail);
    assert_eq!(run(&mut net.as_account(0, &add)).code, 0);
    block_on(net.provider().anvil_set_auto_mine(false)).unwrap();

    let hash = "0x0101010101010101010101010101010101010101010101010101010101010101";
    let announce = format!("rail announce --stream-id s --announcement-hash {hash} --rail {}", deployed.rail);
    let mut command = net.as_account(4, &announce);
    let announcing = thread::spawn(move || run(&mut command));
    block_on(async {
        let provider = net.provider();
        while provider.get_transaction_count(publisher).pending().await.unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let rail = EveryChannelRail::new(deployed.rail, &provider);
        let remove = rail.removePublisher(publisher).from(net.account(0)).max_fee_per_gas(DEAR);
        let _ = remove.max_priority_fee_per_gas(DEAR).send().await.unwrap();
        provider.anvil_mine(Some(1), None).await.unwrap();
    });
    announcing.join().unwrap().assert_error(&["reverted in block 5", "NotPublisher", &publisher.to_string()]);
}

#[test]
fn a_lost_reply_does_not_lose_the_transaction() {
    let net = Devnet::start();
    let lossy = Proxy::start(&net.rpc());
    lossy.always("eth_sendRawTransaction", Fault::DropReply);
    let mut command = net.as_account(0, "deploy --json");
    let outcome = run(command.env("EC_WITNESS_RPC", lossy.rpc()));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.json()["transactions"].as_array().unwrap().len(), 3);
    assert_eq!(block_on(net.provider().get_transaction_count(net.account(0)).into_future()).unwrap(), 3);
}

#[test]
fn a_deployment_that_breaks_off_says_how_to_go_on() {
    let net = Devnet::start();
    let provider = net.provider();
    let price = block_on(provider.estimate_eip1559_fees()).unwrap().max_fee_per_gas;
    // Enough for the registry's gas limit, and not for what the ledger takes after it.
    block_on(provider.anvil_set_balance(net.account(0), U256::from(2_100_000 * price))).unwrap();
    let broken = run(&mut net.as_account(0, "deploy"));
    broken.assert_error(&["the deployment broke off; go on with --registry 0x", "nsufficient funds"]);

    block_on(provider.anvil_set_balance(net.account(0), U256::from(u128::MAX))).unwrap();
    let flags = broken.stderr.split("go on with ").nth(1).unwrap().split(',').next().unwrap();
    let resumed = run(&mut net.as_account(0, &format!("deploy --json {flags}")));
    assert_eq!(resumed.json()["transactions"][0]["contract"], json!("ledger"), "{resumed:?}");
}

#[test]
fn an_account_without_funds_is_told_so() {
    let net = Devnet::start();
    block_on(net.provider().anvil_set_balance(net.account(0), U256::ZERO)).unwrap();
    run(&mut net.as_account(0, "deploy")).assert_error(&["nsufficient funds"]);
}

#[test]
fn no_receipt_in_time_is_said_with_the_transaction() {
    let net = Devnet::start();
    block_on(net.provider().anvil_set_auto_mine(false)).unwrap();
    run(&mut net.as_account(0, "deploy --receipt-timeout-ms 600"))
        .assert_error(&["transaction 0x", "no receipt after 600 ms"]);
}

//! The fault-injecting proxy itself: what other tests rest on.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

#[path = "../common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use alloy::transports::http::reqwest::{Client, Response, StatusCode};
use common::{
    Devnet, block_on,
    proxy::{ANY, Fault, Proxy},
};
use serde_json::{Value, json};

async fn post(proxy: &Proxy, body: &Value) -> Result<Response, alloy::transports::http::reqwest::Error> {
    let client = Client::builder().timeout(Duration::from_secs(2)).build().unwrap();
    client.post(proxy.rpc()).json(body).send().await
}

fn call(method: &str, parameters: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": parameters })
}

async fn ask(proxy: &Proxy, method: &str, parameters: Value) -> Value {
    post(proxy, &call(method, &parameters)).await.unwrap().json().await.unwrap()
}

#[test]
fn without_a_script_it_passes_everything_on_and_counts_it() {
    let net = Devnet::start();
    let proxy = Proxy::start(&net.rpc());
    block_on(async {
        assert_eq!(ask(&proxy, "eth_chainId", json!([])).await["result"], format!("{:#x}", net.chain_id()));
        let batch = json!([call("eth_chainId", &json!([])), call("eth_blockNumber", &json!([]))]);
        let replies: Value = post(&proxy, &batch).await.unwrap().json().await.unwrap();
        assert_eq!((&replies[1]["result"], &replies[1]["id"]), (&json!("0x0"), &json!(7)));
        assert!(ask(&proxy, "no_such_method", json!([])).await["error"]["code"].is_i64());
    });
    assert_eq!((proxy.requests("eth_chainId"), proxy.requests(ANY), proxy.struck()), (2, 4, 0));
}

#[test]
fn every_fault_is_what_it_says() {
    let net = Devnet::start();
    let proxy = Proxy::start(&net.rpc());
    let mine = call("evm_mine", &json!([]));
    let strike = |fault| {
        proxy.next(1, "evm_mine", fault);
        block_on(post(&proxy, &mine))
    };
    let text = |fault| block_on(async { strike_text(&proxy, &mine, fault).await });
    for fault in [Fault::DropRequest, Fault::DropReply, Fault::Reset] {
        let error = strike(fault).unwrap_err();
        assert!(!error.is_timeout() && !error.is_connect(), "{fault:?}: {error:?}");
    }
    assert!(format!("{:?}", strike(Fault::Reset).unwrap_err()).contains("reset"));
    for fault in [Fault::Hang, Fault::HangReply] {
        assert!(strike(fault).unwrap_err().is_timeout(), "{fault:?}");
    }
    let limited = strike(Fault::RateLimited(Some(3))).unwrap();
    assert_eq!(
        (limited.status(), &limited.headers()["retry-after"]),
        (StatusCode::TOO_MANY_REQUESTS, &"3".parse().unwrap())
    );
    assert!(strike(Fault::RateLimited(None)).unwrap().headers().get("retry-after").is_none());
    assert_eq!(strike(Fault::Status(500)).unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(strike(Fault::BadGateway).unwrap().status(), StatusCode::BAD_GATEWAY);
    assert!(text(Fault::Html).unwrap().contains("<html>"));
    let half = text(Fault::HalfJson).unwrap();
    assert!(half.starts_with('{') && serde_json::from_str::<Value>(&half).is_err(), "{half}");
    assert!(text(Fault::CutBody).is_err());
    assert!(!text(Fault::Garbage).unwrap().starts_with('{'));
    let begun = Instant::now();
    assert!(text(Fault::Slow(Duration::from_millis(600))).unwrap().contains("result"));
    assert!(begun.elapsed() >= Duration::from_millis(600));
    for fault in [Fault::UNDERPRICED, Fault::ALREADY_KNOWN] {
        assert!(text(fault).unwrap().contains("\"code\":-32000"), "{fault:?}");
    }
    assert_eq!(proxy.injected()["drop_reply"], 1);
    // those that reach the node: dropped and hanging replies, half and cut bodies, the slow one, "already known"
    assert_eq!(block_on(ask(&proxy, "eth_blockNumber", json!([])))["result"], "0x6");
}

async fn strike_text(
    proxy: &Proxy,
    mine: &Value,
    fault: Fault,
) -> Result<String, alloy::transports::http::reqwest::Error> {
    proxy.next(1, "evm_mine", fault);
    post(proxy, mine).await?.text().await
}

#[test]
fn random_faults_repeat_with_their_seed() {
    let net = Devnet::start();
    let struck = |seed| {
        let proxy = Proxy::start(&net.rpc());
        proxy.random(seed, 0.5, ANY, &[Fault::Refuse(-1, "a"), Fault::Refuse(-2, "b")]);
        let codes: Vec<_> = block_on(async {
            let mut codes = Vec::new();
            for _ in 0..40 {
                codes.push(ask(&proxy, "eth_chainId", json!([])).await["error"]["code"].as_i64());
            }
            codes
        });
        proxy.heal();
        assert!(block_on(ask(&proxy, "eth_chainId", json!([])))["result"].is_string());
        codes
    };
    let first = struck(1);
    assert_eq!(first, struck(1));
    assert_ne!(first, struck(2));
    assert!([None, Some(-1), Some(-2)].iter().all(|code| first.contains(code)), "{first:?}");
}

#[test]
fn refusing_and_taking_connections_again_keeps_the_port() {
    let net = Devnet::start();
    let proxy = Proxy::start(&net.rpc());
    let blocks = || block_on(post(&proxy, &call("eth_blockNumber", &json!([]))));
    assert!(blocks().is_ok());
    proxy.refuse(true);
    let begun = Instant::now();
    while !blocks().is_err_and(|error| error.is_connect()) {
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
    proxy.heal();
    while blocks().is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}

#[test]
fn a_lagging_node_stands_still_and_a_lying_one_lies() {
    let net = Devnet::start();
    let deployed = net.deploy(1, 1);
    let proxy = Proxy::start(&net.rpc());
    proxy.lag_at(1);
    block_on(async {
        let get = |method: &'static str, parameters| ask(&proxy, method, parameters);
        assert_eq!(get("eth_blockNumber", json!([])).await["result"], "0x1");
        for tag in ["latest", "0x1"] {
            assert_eq!(get("eth_getBlockByNumber", json!([tag, false])).await["result"]["number"], "0x1");
        }
        assert_eq!(get("eth_getBlockByNumber", json!(["finalized", false])).await["result"]["number"], "0x0");
        assert_eq!(get("eth_getBlockByNumber", json!(["0x2", false])).await["result"], Value::Null);
        assert_eq!(get("eth_getTransactionCount", json!([net.account(0), "latest"])).await["result"], "0x1");
        assert_eq!(get("eth_getCode", json!([deployed.rail, "latest"])).await["result"], "0x");
        let logs = json!([{ "fromBlock": "0x1", "toBlock": "latest" }]);
        let lagging = get("eth_getLogs", logs.clone()).await["result"].as_array().unwrap().len();
        let head = ask(&Proxy::start(&net.rpc()), "eth_getBlockByNumber", json!(["latest", false])).await;
        let by_hash = json!([deployed.ledger, { "blockHash": head["result"]["hash"] }]);
        assert_eq!(get("eth_getCode", by_hash).await["error"]["message"], "header not found");
        proxy.heal();
        assert!(get("eth_getLogs", logs.clone()).await["result"].as_array().unwrap().len() > lagging);
        proxy.lie("eth_getLogs", |_, logs| *logs = json!([]));
        proxy.chain_id(5);
        assert_eq!(get("eth_getLogs", logs).await["result"], json!([]));
        assert_eq!(get("eth_chainId", json!([])).await["result"], "0x5");
    });
    assert_eq!(proxy.injected()["lie"], 2);
}

mod pool;

//! What an operator reads of an endpoint that gives no answer.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod common;

use common::{endpoint, keyed};
use ec_op_stack::rpc::{CallError, Endpoint};
use ec_testing::proxy::Fault;
use serde_json::Value;

/// A call that fails.
async fn ask(rpc: &str) -> (Endpoint, CallError) {
    let endpoint = Endpoint::new(&rpc.parse().unwrap());
    let error = endpoint.call::<Value>("optimism_syncStatus", ()).await.unwrap_err();
    (endpoint, error)
}

/// A call that meets this fault.
async fn meet(fault: Fault) -> (Endpoint, CallError) {
    ask(&keyed(&endpoint(fault))).await
}

#[tokio::test]
async fn each_fault_is_told_in_its_words_with_host_and_port_alone() {
    for (fault, words) in [
        (Fault::RateLimited(None), "rate limited"),
        (Fault::RateLimited(Some(1)), "rate limited"),
        (Fault::Status(500), "HTTP 500"),
        (Fault::BadGateway, "HTTP 502"),
        (Fault::Html, "not a JSON-RPC answer"),
        (Fault::Reset, "connection closed before the answer"),
        (Fault::Refuse(-32601, "the method does not exist"), "the method does not exist (code -32601)"),
    ] {
        let (endpoint, error) = meet(fault).await;
        assert!(endpoint.host.starts_with("127.0.0.1:"), "{}", endpoint.host);
        assert_eq!(error.to_string(), format!("{}: optimism_syncStatus: {words}", endpoint.host));
        assert!(!format!("{error:?}").contains("sEcReT"), "{error:?}");
    }
    for (rpc, words) in [
        ("http://127.0.0.1:1/sEcReT", "127.0.0.1:1: optimism_syncStatus: unreachable"),
        ("ws://node.example/sEcReT", "node.example: optimism_syncStatus: only http:// and https:// can be asked"),
        ("localhost:8545", "?: optimism_syncStatus: only http:// and https:// can be asked"),
    ] {
        assert_eq!(ask(rpc).await.1.to_string(), words);
    }
}

#[tokio::test]
async fn too_large_a_result_is_no_rate_limit_though_the_code_be_the_same() {
    let (_, error) = meet(Fault::Refuse(-32005, "project ID request rate exceeded")).await;
    assert!(error.is_rate_limit(), "{error}");
    let (_, error) = meet(Fault::Refuse(-32005, "query returned more than 10000 results")).await;
    assert!(!error.is_rate_limit(), "{error}");
    assert!(error.to_string().ends_with("query returned more than 10000 results (code -32005)"), "{error}");
}

#[tokio::test]
async fn a_silent_endpoint_is_given_up_after_the_deadline() {
    let (endpoint, error) = meet(Fault::Hang).await;
    assert_eq!(error.to_string(), format!("{}: optimism_syncStatus: no answer in 10 s", endpoint.host));
}

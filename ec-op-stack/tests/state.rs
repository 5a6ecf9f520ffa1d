//! `state` over every known key style, and over what looks deployed and is not.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod common;

use std::fs;

use common::{copies, expect_json};
use serde_json::{Value, json};

const ID: &str = "0x0000000000000000000000000000000000000000000000000000000000000385";
const SYSTEM_CONFIG: &str = "0x3feb7f8765b9341b054eb4671cc47d3e33d1606d";
const FACTORY: &str = "0x51095eac6e2b6da9811c6febbdd67add79135ce0";

/// A complete state whose contract keys are named by `key`.
fn state(key: impl Fn(&str) -> String) -> Value {
    let mut chain = json!({"id": ID, "allocs": "H4sI", "startBlock": {"number": "0x1"}});
    for (name, address) in [
        ("SystemConfigProxy", SYSTEM_CONFIG),
        ("OptimismPortalProxy", "0x75ceb25776d0402972b736f6e13fd0616be98f22"),
        ("DisputeGameFactoryProxy", FACTORY),
        ("L1StandardBridgeProxy", "0x52af4dff31d13449b70993e21eb599c615a66541"),
    ] {
        chain[key(name)] = json!(address);
    }
    json!({"version": 1, "appliedIntent": {}, "opChainDeployments": [chain]})
}

fn judge(code: i32, state: &Value) -> Value {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("state.json"), state.to_string()).unwrap();
    expect_json(dir.path(), code, &["state", "--state", "state.json", "--l2-chain-id", "901"])
}

fn camel(name: &str) -> String {
    format!("{}{}Address", name[..1].to_lowercase(), &name[1..])
}

#[test]
fn pascal_case_and_the_style_before_are_read_alike() {
    for style in [str::to_owned as fn(&str) -> String, camel] {
        let line = judge(0, &state(style));
        let contracts = &line["contracts"];
        assert_eq!(
            (line["applied"].clone(), contracts["systemConfigProxy"].clone()),
            (json!(true), json!(SYSTEM_CONFIG))
        );
        assert_eq!(contracts["disputeGameFactoryProxy"], FACTORY);
    }
}

#[test]
fn the_placeholder_of_init_is_not_applied() {
    let dir = copies(&["state-init.json"]);
    let line = expect_json(dir.path(), 1, &["state", "--state", "state-init.json", "--l2-chain-id", "901"]);
    assert_eq!(line["missing"], json!(["chain 901"]));
    expect_json(dir.path(), 1, &["state", "--state", "absent.json", "--l2-chain-id", "901"]);
}

#[test]
fn a_placeholder_with_nulls_or_zeros_is_not_applied() {
    for nothing in [Value::Null, json!("0x0000000000000000000000000000000000000000")] {
        let mut state = state(str::to_owned);
        state["opChainDeployments"][0]["SystemConfigProxy"] = nothing;
        assert_eq!(judge(1, &state)["missing"], json!(["systemConfigProxy"]));
    }
}

#[test]
fn a_deployment_that_stopped_half_way_is_not_applied() {
    for missing in ["allocs", "startBlock"] {
        let mut state = state(str::to_owned);
        state["opChainDeployments"][0][missing] = Value::Null;
        assert_eq!(judge(1, &state)["missing"], json!([missing]));
    }
    let mut unfinished = state(str::to_owned);
    unfinished["appliedIntent"] = Value::Null;
    assert_eq!(judge(1, &unfinished)["missing"], json!(["appliedIntent"]));
    let mut prepared = state(str::to_owned);
    prepared["opChainDeployments"][0]["deployed"] = json!(false);
    assert_eq!(judge(1, &prepared)["missing"], json!(["deployed"]));
}

#[test]
fn another_chain_does_not_count() {
    let mut other = state(str::to_owned);
    other["opChainDeployments"][0]["id"] = json!("0x386");
    assert_eq!(judge(1, &other)["missing"], json!(["chain 901"]));
}

#[test]
fn a_state_of_calls_that_nobody_sent_is_not_applied() {
    let mut state = state(str::to_owned);
    assert_eq!(judge(0, &state)["applied"], true);
    state["DeploymentCalldata"] = json!([{"to": FACTORY, "data": "0x"}]);
    let line = judge(1, &state);
    assert!(line["missing"].to_string().contains("calldata"), "{line}");
}

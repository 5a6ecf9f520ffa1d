//! `normalise`: each incompatibility that was met, narrowly mended.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod common;

use std::path::Path;

use common::{copies, edit, expect, expect_json, read};
use serde_json::{Value, json};

const FILES: [&str; 2] = ["rollup.json", "genesis.json"];

fn args(op_node: &str) -> Vec<&str> {
    vec!["normalise", "--rollup", "rollup.json", "--genesis", "genesis.json", "--op-node", op_node]
}

fn fields(line: &Value) -> Vec<&str> {
    line["changes"].as_array().unwrap().iter().map(|change| change["field"].as_str().unwrap()).collect()
}

fn rollup(dir: &Path) -> Value {
    serde_json::from_str(&read(dir, "rollup.json")).unwrap()
}

const PARAMS: &str = "genesis.system_config.eip1559Params";
const MIN_BASE_FEE: &str = "genesis.system_config.minBaseFee";
const DA_FOOTPRINT: &str = "genesis.system_config.daFootprintGasScalar";

#[test]
fn zero_eip1559_params_are_derived_from_the_chains_own() {
    let dir = copies(&FILES);
    let genesis = read(dir.path(), "genesis.json");
    let line = expect_json(dir.path(), 0, &args("v1.16.7"));
    assert_eq!(fields(&line), [PARAMS]);
    assert_eq!(rollup(dir.path())["genesis"]["system_config"]["eip1559Params"], "0x000000fa00000006");
    assert_eq!(read(dir.path(), "genesis.json"), genesis, "a file without changes is not written");
}

#[test]
fn a_field_goes_only_for_versions_that_do_not_know_it() {
    for (version, gone) in [
        ("v1.13.5", vec![MIN_BASE_FEE, DA_FOOTPRINT, PARAMS]),
        ("op-node/v1.14.0", vec![DA_FOOTPRINT, PARAMS]),
        ("v1.16.6", vec![PARAMS]),
        ("v1.19.5", vec!["protocol_versions_address", PARAMS]),
    ] {
        let dir = copies(&FILES);
        assert_eq!(fields(&expect_json(dir.path(), 0, &args(version))), gone, "{version}");
    }
}

#[test]
fn all_else_stays_as_it_was() {
    let dir = copies(&FILES);
    let mut before = rollup(dir.path());
    expect(dir.path(), 0, &args("v1.13.5"));
    let config = before["genesis"]["system_config"].as_object_mut().unwrap();
    config.remove("minBaseFee");
    config.remove("daFootprintGasScalar");
    config["eip1559Params"] = json!("0x000000fa00000006");
    assert_eq!(rollup(dir.path()), before);
}

#[test]
fn twice_is_once_and_a_dry_run_writes_nothing() {
    let dir = copies(&FILES);
    let before = read(dir.path(), "rollup.json");
    expect(dir.path(), 0, &[&args("v1.13.5")[..], &["--dry-run"]].concat());
    assert_eq!(read(dir.path(), "rollup.json"), before);
    expect(dir.path(), 0, &args("v1.13.5"));
    let once = read(dir.path(), "rollup.json");
    assert_eq!(expect_json(dir.path(), 0, &args("v1.13.5"))["changes"], json!([]));
    assert_eq!(read(dir.path(), "rollup.json"), once);
}

#[test]
fn a_field_that_means_something_is_refused_not_removed() {
    let dir = copies(&FILES);
    edit(dir.path(), "rollup.json", "\"minBaseFee\": 0", "\"minBaseFee\": 1000");
    edit(dir.path(), "rollup.json", "\"isthmus_time\": 0,", "\"isthmus_time\": 0, \"jovian_time\": 0,");
    edit(dir.path(), "genesis.json", "\"isthmusTime\": 0,", "\"isthmusTime\": 0, \"jovianTime\": 0,");
    let before = read(dir.path(), "rollup.json");
    let line = expect_json(dir.path(), 1, &args("v1.13.5"));
    assert!(line["refusals"][0].as_str().unwrap().contains(MIN_BASE_FEE), "{line}");
    assert_eq!(read(dir.path(), "rollup.json"), before, "nothing is written");
    expect(dir.path(), 0, &args("v1.16.7"));
}

#[test]
fn karst_is_refused_where_op_node_does_not_know_it() {
    let dir = copies(&FILES);
    edit(dir.path(), "rollup.json", "\"isthmus_time\": 0,", "\"isthmus_time\": 0, \"karst_time\": 1800000000,");
    edit(dir.path(), "genesis.json", "\"isthmusTime\": 0,", "\"isthmusTime\": 0, \"karstTime\": 1800000000,");
    let line = expect_json(dir.path(), 1, &args("v1.16.7"));
    assert!(line["refusals"][0].as_str().unwrap().contains("karst_time"), "{line}");
    expect(dir.path(), 0, &args("v1.19.5"));
}

#[test]
fn before_holocene_zeros_are_right() {
    let dir = copies(&FILES);
    edit(dir.path(), "rollup.json", "\"holocene_time\": 0", "\"holocene_time\": 1800000000");
    edit(dir.path(), "genesis.json", "\"holoceneTime\": 0", "\"holoceneTime\": 1800000000");
    assert_eq!(fields(&expect_json(dir.path(), 0, &args("v1.16.7"))), Vec::<&str>::new());
}

#[test]
fn fee_parameters_are_filled_from_the_other_file() {
    let dir = copies(&FILES);
    edit(dir.path(), "rollup.json", "\"eip1559Elasticity\": 6", "\"eip1559Elasticity\": 0");
    let line = expect_json(dir.path(), 0, &args("v1.16.7"));
    assert_eq!(fields(&line), ["chain_op_config", PARAMS]);
    edit(dir.path(), "genesis.json", "\"optimism\"", "\"optimismus\"");
    assert_eq!(fields(&expect_json(dir.path(), 0, &args("v1.16.7"))), ["config.optimism"]);
    edit(dir.path(), "genesis.json", "\"optimism\"", "\"optimist\"");
    edit(dir.path(), "rollup.json", "\"chain_op_config\"", "\"chain_config\"");
    let (_, err) = expect(dir.path(), 1, &args("v1.16.7"));
    assert!(err.contains("EIP-1559"), "{err}");
}

#[test]
fn files_of_two_deployments_are_refused() {
    for (file, from, to) in [
        ("genesis.json", "\"chainId\": 901", "\"chainId\": 902"),
        ("genesis.json", "\"timestamp\": \"0x687004c0\"", "\"timestamp\": \"0x687004c2\""),
        ("genesis.json", "\"isthmusTime\": 0", "\"isthmusTime\": 5"),
        ("genesis.json", "0x00000000fa00000006", "0x000000003200000006"),
        ("rollup.json", "\"l2_chain_id\": 901", "\"l2_chain_id\": 900"),
    ] {
        let dir = copies(&FILES);
        edit(dir.path(), file, from, to);
        let (_, err) = expect(dir.path(), 1, &args("v1.16.7"));
        assert!(err.contains("not of one deployment"), "{err}");
    }
}

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

/// Writes the hash of the block that genesis.json makes into rollup.json.
fn fit_hash(dir: &Path) {
    let line = expect_json(dir, 1, &args("v1.16.7"));
    let refusal = line["refusals"].as_array().unwrap().iter().find_map(|refusal| {
        let (_, hash) = refusal.as_str().unwrap().split_once("makes the block ")?;
        Some(hash[..66].to_owned())
    });
    let old = rollup(dir)["genesis"]["l2"]["hash"].as_str().unwrap().to_owned();
    edit(dir, "rollup.json", &old, &refusal.unwrap());
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

/// What op-deployer v1.16.7 makes: Jovian from the first block on.
const JOVIAN: [&str; 2] = ["rollup-jovian.json", "genesis-jovian.json"];

fn jovian(op_node: &str) -> Vec<&str> {
    vec!["normalise", "--rollup", JOVIAN[0], "--genesis", JOVIAN[1], "--op-node", op_node]
}

#[test]
fn what_op_deployer_makes_today_fits_the_op_node_of_its_release() {
    let dir = copies(&JOVIAN);
    assert_eq!(fields(&expect_json(dir.path(), 0, &jovian("v1.16.7"))), [PARAMS]);
    // the minimal base fee is in the first block too
    edit(dir.path(), JOVIAN[0], "\"minBaseFee\": 0", "\"minBaseFee\": 1000");
    let (_, err) = expect(dir.path(), 1, &jovian("v1.16.7"));
    assert!(err.contains("0x01000000fa0000000600000000000003e8"), "{err}");
}

#[test]
fn a_field_of_a_fork_that_is_on_is_refused_not_removed_be_it_zero() {
    let dir = copies(&JOVIAN);
    let before = read(dir.path(), JOVIAN[0]);
    let line = expect_json(dir.path(), 1, &jovian("v1.13.2"));
    let refusals = line["refusals"].to_string();
    for field in [MIN_BASE_FEE, DA_FOOTPRINT] {
        assert!(refusals.contains(field), "{field}: {line}");
    }
    assert!(!fields(&line).contains(&MIN_BASE_FEE), "{line}");
    assert_eq!(read(dir.path(), JOVIAN[0]), before, "nothing is written");
}

#[test]
fn a_field_that_no_op_node_knows_is_refused_by_its_name() {
    for (field, told) in [
        (
            "\"da_challenge_contract_address\": \"0x0000000000000000000000000000000000000000\",",
            "da_challenge_contract_address",
        ),
        ("\"granit_time\": 0,", "granit_time"),
    ] {
        let dir = copies(&FILES);
        edit(dir.path(), "rollup.json", "\"block_time\": 2,", &format!("{field} \"block_time\": 2,"));
        let (_, err) = expect(dir.path(), 1, &args("v1.16.7"));
        assert!(err.contains(told) && err.contains("no such field"), "{err}");
    }
}

#[test]
fn releases_whose_rules_are_not_known_are_told_so() {
    for (version, part) in [("v1.12.0", "older than every release"), ("v1.30.0", "newer than every release")] {
        let dir = copies(&FILES);
        let (_, err) = expect(dir.path(), 1, &args(version));
        assert!(err.contains(part), "{err}");
    }
}

#[test]
fn a_genesis_that_makes_another_block_is_refused() {
    for (from, to) in [
        ("\"balance\": \"0x1\"", "\"balance\": \"0x2\""),
        ("\"code\": \"0x60806040\"", "\"code\": \"0x60806041\""),
        ("\"gasUsed\": \"0x0\"", "\"gasUsed\": \"0x1\""),
    ] {
        let dir = copies(&FILES);
        edit(dir.path(), "genesis.json", from, to);
        let (_, err) = expect(dir.path(), 1, &args("v1.16.7"));
        assert!(err.contains("makes the block"), "{err}");
    }
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
    for (file, forks) in
        [("rollup.json", ["holocene_time", "isthmus_time"]), ("genesis.json", ["holoceneTime", "isthmusTime"])]
    {
        for fork in forks {
            edit(dir.path(), file, &format!("\"{fork}\": 0"), &format!("\"{fork}\": 1800000000"));
        }
    }
    edit(dir.path(), "genesis.json", "\"pragueTime\": 0", "\"pragueTime\": 1800000000");
    fit_hash(dir.path());
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

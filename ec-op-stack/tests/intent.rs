//! `intent` over every known layout.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod common;

use std::{fs, os::unix::fs::PermissionsExt};

use common::{copies, edit, expect, expect_json, read};
use toml_edit::DocumentMut;

const ZERO: &str = "0x0000000000000000000000000000000000000000";

fn args(intent: &str) -> Vec<&str> {
    vec!["intent", "--intent", intent, "--roles", "roles.json", "--l1-chain-id", "11155111", "--l2-chain-id", "901"]
}

/// What must hold of any repaired intent, whatever its layout.
fn assert_complete(text: &str) {
    let document = text.parse::<DocumentMut>().unwrap();
    let chain = &document["chains"][0];
    for vault in
        ["baseFeeVaultRecipient", "l1FeeVaultRecipient", "sequencerFeeVaultRecipient", "operatorFeeVaultRecipient"]
    {
        assert_eq!(chain[vault].as_str(), Some("0x1111111111111111111111111111111111111111"), "{vault}");
    }
    for (key, number) in [("eip1559DenominatorCanyon", 250), ("eip1559Denominator", 50), ("eip1559Elasticity", 6)] {
        assert_eq!(chain[key].as_integer(), Some(number), "{key}");
    }
    assert_eq!(chain["roles"]["batcher"].as_str(), Some("0x3333333333333333333333333333333333333333"));
    assert_eq!(chain["roles"]["unsafeBlockSigner"].as_str(), Some("0x2222222222222222222222222222222222222222"));
    for roles in [document["superchainRoles"].as_table_like(), chain["roles"].as_table_like()] {
        assert!(
            roles.unwrap().iter().all(|(_, role)| role.as_str().is_some_and(|role| role != ZERO && !role.is_empty()))
        );
    }
}

#[test]
fn what_op_deployer_init_writes_is_filled() {
    let dir = copies(&["intent-init-custom.toml", "roles.json"]);
    expect(dir.path(), 0, &args("intent-init-custom.toml"));
    let text = read(dir.path(), "intent-init-custom.toml");
    assert_complete(&text);
    assert!(text.contains("    batcher = "), "the indentation of nested tables is kept:\n{text}");
    let roles = &text.parse::<DocumentMut>().unwrap()["superchainRoles"];
    assert_eq!(roles["SuperchainGuardian"].as_str(), Some("0x9999999999999999999999999999999999999999"));
    assert_eq!(roles["Challenger"].as_str(), Some("0x5555555555555555555555555555555555555555"));
}

#[test]
fn a_new_intent_is_private_and_an_old_one_keeps_its_permissions() {
    let dir = copies(&["roles.json"]);
    let path = dir.path().join("intent.toml");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    expect(dir.path(), 0, &args("intent.toml"));
    assert_eq!(mode(), 0o600);
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    expect(dir.path(), 0, &args("intent.toml"));
    assert_eq!(mode(), 0o644);
    let (_, err) = expect(dir.path(), 2, &args("absent/intent.toml"));
    assert!(err.starts_with("error: absent/intent.toml: cannot be written: No such file"), "{err}");
}

#[test]
fn the_layout_of_old_keeps_its_names_comments_and_tags() {
    let dir = copies(&["intent-camel.toml", "roles.json"]);
    let line = expect_json(dir.path(), 0, &args("intent-camel.toml"));
    assert_eq!(line["layout"], "camel");
    let text = read(dir.path(), "intent-camel.toml");
    assert_complete(&text);
    for kept in
        ["# our chain", "# the multisig", "6 # zeros make", "tag://op-contracts/v2.0.0", "proxyAdminOwner = \"0x1111"]
    {
        assert!(text.contains(kept), "{kept}:\n{text}");
    }
    assert!(!text.contains("Superchain"), "{text}");
}

#[test]
fn inline_tables_stay_inline_and_a_refused_tag_goes() {
    let dir = copies(&["intent-inline.toml", "roles.json"]);
    expect(dir.path(), 0, &args("intent-inline.toml"));
    let text = read(dir.path(), "intent-inline.toml");
    assert_complete(&text);
    assert!(text.contains("l1ContractsLocator = \"embedded\"") && !text.contains("tag://"), "{text}");
    assert!(text.contains("chains = [") && !text.contains("[[chains]]"), "{text}");
}

#[test]
fn an_intent_that_is_missing_is_created() {
    let dir = copies(&["roles.json"]);
    expect(dir.path(), 0, &args("intent.toml"));
    let text = read(dir.path(), "intent.toml");
    assert_complete(&text);
    assert!(text.contains("id = \"0x0000000000000000000000000000000000000000000000000000000000000385\""), "{text}");
}

#[test]
fn twice_is_once_and_a_dry_run_writes_nothing() {
    for name in ["intent-init-custom.toml", "intent-camel.toml", "intent-inline.toml"] {
        let dir = copies(&[name, "roles.json"]);
        let before = read(dir.path(), name);
        let dry = expect_json(dir.path(), 0, &[&args(name)[..], &["--dry-run"]].concat());
        assert_eq!((read(dir.path(), name), &dry["written"]), (before, &false.into()));
        expect(dir.path(), 0, &args(name));
        let once = read(dir.path(), name);
        assert_eq!(expect_json(dir.path(), 0, &args(name))["changes"], serde_json::json!([]));
        assert_eq!(read(dir.path(), name), once);
    }
}

#[test]
fn a_second_chain_is_added_and_the_first_left_alone() {
    let dir = copies(&["intent-camel.toml", "roles.json"]);
    edit(dir.path(), "intent-camel.toml", "0385", "0386");
    let before = read(dir.path(), "intent-camel.toml");
    expect(dir.path(), 0, &args("intent-camel.toml"));
    let text = read(dir.path(), "intent-camel.toml");
    let document = text.parse::<DocumentMut>().unwrap();
    assert_eq!(document["chains"][0]["roles"]["batcher"].as_str(), Some(ZERO));
    assert_eq!(document["chains"][1]["roles"]["batcher"].as_str(), Some("0x3333333333333333333333333333333333333333"));
    assert!(text.contains(before.split("[[chains]]").nth(1).unwrap()), "{text}");
}

#[test]
fn a_value_of_the_operator_is_never_overwritten() {
    let dir = copies(&["intent-init-custom.toml", "roles.json"]);
    let foreign = "0x7777777777777777777777777777777777777777";
    edit(
        dir.path(),
        "intent-init-custom.toml",
        &format!("    batcher = \"{ZERO}\""),
        &format!("    batcher = \"{foreign}\""),
    );
    let line = expect_json(dir.path(), 1, &args("intent-init-custom.toml"));
    let problem = line["problems"][0].as_str().unwrap();
    assert!(problem.contains("chains[0].roles.batcher") && problem.contains(foreign), "{problem}");
    assert!(read(dir.path(), "intent-init-custom.toml").contains(foreign));
}

#[test]
fn a_zero_role_and_an_unknown_role_are_errors() {
    let dir = copies(&["roles.json"]);
    edit(dir.path(), "roles.json", "0x3333333333333333333333333333333333333333", ZERO);
    let (_, err) = expect(dir.path(), 2, &args("intent.toml"));
    assert!(err.contains("roles.json") && err.contains("batcher"), "{err}");
    edit(dir.path(), "roles.json", "\"guardian\"", "\"gaurdian\"");
    let (_, err) = expect(dir.path(), 2, &args("intent.toml"));
    assert!(err.contains("gaurdian"), "{err}");
    assert!(!dir.path().join("intent.toml").exists());
}

#[test]
fn keys_have_no_case_as_op_deployer_reads_them() {
    let dir = copies(&["intent-init-custom.toml", "roles.json"]);
    for (from, to) in [
        ("SuperchainProxyAdminOwner", "superchainProxyAdminOwner"),
        ("gasLimit", "GasLimit"),
        ("    batcher", "    Batcher"),
    ] {
        edit(dir.path(), "intent-init-custom.toml", from, to);
    }
    expect(dir.path(), 0, &args("intent-init-custom.toml"));
    let text = read(dir.path(), "intent-init-custom.toml");
    assert!(text.contains("superchainProxyAdminOwner = \"0x1111") && text.contains("Batcher = \"0x3333"), "{text}");
    for twice in ["SuperchainProxyAdminOwner", "gasLimit", "    batcher"] {
        assert!(!text.contains(twice), "{twice} is there twice:\n{text}");
    }
}

#[test]
fn two_keys_that_are_one_are_a_contradiction() {
    let dir = copies(&["intent-complete.toml", "roles.json"]);
    let line = "  SuperchainGuardian = \"0x75ceb25776d0402972b736f6e13fd0616be98f22\"";
    edit(dir.path(), "intent-complete.toml", line, &format!("{line}\n  superchainGuardian = \"{ZERO}\""));
    let line = expect_json(dir.path(), 1, &args("intent-complete.toml"));
    assert!(line["problems"].to_string().contains("are one key for op-deployer"), "{line}");
}

/// What op-deployer's own check refuses, each a line in place of another, and what is said of it.
const REFUSED: [(&str, &str, &str); 8] = [
    ("l1ContractsLocator = \"embedded\"", "l1ContractsLocator = \"artifacts\"", "l1ContractsLocator"),
    ("  gasLimit = 60000000", "  gasLimit = \"60000000\"", "gasLimit"),
    ("operatorFeeScalar = 0", "operatorFeeScalar = 4294967296", "operatorFeeScalar"),
    ("operatorFeeConstant = 0", "useRevenueShare = true", "chainFeesRecipient"),
    ("  [chains.customGasToken]", "  [chains.customGasToken]\n    name = \"Token\"", "customGasToken"),
    ("minBaseFee = 0", "dangerousAltDAConfig = { useAltDA = true }", "daCommitmentType"),
    (
        "configType = \"custom\"",
        "configType = \"custom\"\nopcmAddress = \"0x75ceb25776d0402972b736f6e13fd0616be98f22\"",
        "opcmAddress",
    ),
    (
        "batcher = \"0x3333333333333333333333333333333333333333\"",
        "batcher = \"3333333333333333333333333333333333333333\"",
        "roles.batcher",
    ),
];

#[test]
fn what_op_deployer_refuses_is_told_before() {
    for (from, to, told) in REFUSED {
        let dir = copies(&["intent-init-custom.toml", "roles.json"]);
        expect(dir.path(), 0, &args("intent-init-custom.toml"));
        edit(dir.path(), "intent-init-custom.toml", from, to);
        let line = expect_json(dir.path(), 1, &args("intent-init-custom.toml"));
        assert!(line["problems"].to_string().contains(told), "{told}: {line}");
    }
}

#[test]
fn an_id_in_another_form_becomes_a_hash_and_the_layout_of_old_gets_nothing_embedded() {
    let dir = copies(&["intent-init-custom.toml", "intent-camel.toml", "roles.json"]);
    let hash = "\"0x0000000000000000000000000000000000000000000000000000000000000385\"";
    for form in ["901", "\"901\"", "\"0x385\""] {
        edit(dir.path(), "intent-init-custom.toml", hash, form);
        expect(dir.path(), 0, &args("intent-init-custom.toml"));
        assert!(read(dir.path(), "intent-init-custom.toml").contains(hash), "{form}");
    }
    edit(dir.path(), "intent-camel.toml", "\"tag://op-contracts/v2.0.0\"", "\"\"");
    let line = expect_json(dir.path(), 1, &args("intent-camel.toml"));
    assert!(line["problems"].to_string().contains("op-deployer up to v0.3"), "{line}");
    assert!(!read(dir.path(), "intent-camel.toml").contains("embedded"));
}

#[test]
fn what_apply_fixes_is_noted_before() {
    let dir = copies(&["intent-init-custom.toml", "roles.json"]);
    let line = expect_json(dir.path(), 0, &args("intent-init-custom.toml"));
    assert!(line["notes"].to_string().contains("faultGameAbsolutePrestate"), "{line}");
    let text = read(dir.path(), "intent-init-custom.toml");
    edit(
        dir.path(),
        "intent-init-custom.toml",
        "[superchainRoles]",
        "[globalDeployOverrides]\n  faultGameAbsolutePrestate = \"0x03\"\n\n[superchainRoles]",
    );
    assert_eq!(expect_json(dir.path(), 0, &args("intent-init-custom.toml"))["notes"], serde_json::json!([]), "{text}");
}

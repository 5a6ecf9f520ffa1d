//! The table of rules.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ChainFiles, Change, File, Outcome};
use crate::{
    object::Object,
    programs::{Refusal, rollup},
    version::Version,
};

/// A field of `rollup.json` that not every op-node knows, and when it can go without altering the chain. Which op-node knows it
/// stands in [`rollup`].
struct Field {
    path: &'static [&'static str],
    /// Whether the chain is the same without it.
    is_inert: fn(&Value, &Object) -> bool,
}

const FIELDS: [Field; 7] = [
    Field { path: &["genesis", "system_config", "minBaseFee"], is_inert: before_jovian },
    Field { path: &["genesis", "system_config", "daFootprintGasScalar"], is_inert: before_jovian },
    Field { path: &["protocol_versions_address"], is_inert: always },
    Field { path: &["interop_time"], is_inert: when_null },
    Field { path: &["karst_time"], is_inert: when_null },
    Field { path: &["keep_karst_upgrade_gas"], is_inert: when_null_or_false },
    Field { path: &["lagoon_time"], is_inert: when_null },
];

fn always(_: &Value, _: &Object) -> bool {
    true
}

fn when_null(value: &Value, _: &Object) -> bool {
    value.is_null()
}

fn when_null_or_false(value: &Value, _: &Object) -> bool {
    value.is_null() || *value == json!(false)
}

/// The two fee fields mean nothing without the Jovian fork. With it an op-node that does not know them cannot follow the chain,
/// whatever they are.
fn before_jovian(value: &Value, rollup: &Object) -> bool {
    value.is_null() || rollup.get::<u64>(&["jovian_time"]).is_none()
}

/// Removes what this op-node does not know.
pub(super) fn remove_unknown(files: &mut ChainFiles, op_node: &Version, outcome: &mut Outcome) {
    let unknown = rollup::unknown(&files.rollup, op_node);
    for field in &FIELDS {
        let name = field.path.join(".");
        let Some(text) = files.rollup.text(field.path).filter(|_| unknown.contains(&name)) else { continue };
        let value = serde_json::from_str::<Value>(&text).unwrap_or_default();
        if (field.is_inert)(&value, &files.rollup) {
            files.rollup.remove(field.path);
            outcome.changes.push(Change {
                file: File::Rollup,
                field: name,
                from: Some(text),
                to: None,
                reason: format!("op-node {op_node} does not know it"),
            });
        } else {
            outcome.refusals.push(Refusal::new(
                format!("rollup.json: {name}: it is {text}, which op-node {op_node} does not know and the chain needs"),
                "pin a version of op-node that knows it",
            ));
        }
    }
}

/// EIP-1559 parameters of a chain, in whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FeeParameters {
    pub(super) elasticity: u32,
    pub(super) denominator: u32,
    /// Since Canyon; the one that counts from Holocene on.
    pub(super) denominator_canyon: Option<u32>,
}

/// `chain_op_config` of the rollup file and `config.optimism` of the genesis are the same struct of op-geth.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OptimismConfig {
    eip1559_elasticity: u32,
    eip1559_denominator: u32,
    eip1559_denominator_canyon: Option<u32>,
}

impl FeeParameters {
    pub(super) fn at(object: &Object, path: &[&str]) -> Option<Self> {
        let config = object.get::<OptimismConfig>(path)?;
        (config.eip1559_elasticity != 0 && config.eip1559_denominator != 0).then_some(Self {
            elasticity: config.eip1559_elasticity,
            denominator: config.eip1559_denominator,
            denominator_canyon: config.eip1559_denominator_canyon.filter(|denominator| *denominator != 0),
        })
    }

    /// Denominator and elasticity as Holocene encodes them, 4 bytes each, big-endian.
    pub(super) fn holocene(self) -> Option<String> {
        Some(format!("0x{:08x}{:08x}", self.denominator_canyon?, self.elasticity))
    }

    fn json(self) -> Value {
        json!({
            "eip1559Elasticity": self.elasticity,
            "eip1559Denominator": self.denominator,
            "eip1559DenominatorCanyon": self.denominator_canyon,
        })
    }
}

const CHAIN_OP_CONFIG: &[&str] = &["chain_op_config"];
const OPTIMISM: &[&str] = &["config", "optimism"];
const EIP1559_PARAMS: &[&str] = &["genesis", "system_config", "eip1559Params"];

/// Fills the EIP-1559 parameters where one file has them and the other does not, and where zeros stand for them.
pub(super) fn fill_fee_parameters(files: &mut ChainFiles, outcome: &mut Outcome) {
    let (rollup, genesis) =
        (FeeParameters::at(&files.rollup, CHAIN_OP_CONFIG), FeeParameters::at(&files.genesis, OPTIMISM));
    let Some(parameters) = rollup.or(genesis) else {
        outcome.refusals.push(Refusal::new(
            "neither rollup.json's chain_op_config nor genesis.json's config.optimism has EIP-1559 parameters that are not zero",
            "set eip1559Denominator, eip1559DenominatorCanyon, eip1559Elasticity in the intent, and deploy again",
        ));
        return;
    };
    if rollup.is_none() {
        let reason = "op-node translates EIP-1559 parameters by it; taken from genesis.json's config.optimism";
        outcome.changes.push(set(&mut files.rollup, File::Rollup, CHAIN_OP_CONFIG, &parameters.json(), reason));
    }
    if genesis.is_none() && files.genesis.contains(&["config"]) {
        let reason = "the execution client needs it; taken from rollup.json's chain_op_config";
        outcome.changes.push(set(&mut files.genesis, File::Genesis, OPTIMISM, &parameters.json(), reason));
    }
    let zeros = files.rollup.get::<String>(EIP1559_PARAMS).is_some_and(|text| is_zero(&text));
    if let (true, true, Some(holocene)) = (zeros, holocene_at_genesis(&files.rollup), parameters.holocene()) {
        let reason = "zeros make releases of op-geth panic at the first payload; derived from chain_op_config";
        outcome.changes.push(set(&mut files.rollup, File::Rollup, EIP1559_PARAMS, &json!(holocene), reason));
    }
}

fn is_zero(hex: &str) -> bool {
    hex.strip_prefix("0x").is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|digit| digit == b'0'))
}

/// Whether the Holocene fork is active in the genesis block: before it the parameters must be zero.
pub(super) fn holocene_at_genesis(rollup: &Object) -> bool {
    active_at_genesis(rollup, "holocene_time")
}

/// Whether a fork is active in the genesis block.
pub(super) fn active_at_genesis(rollup: &Object, fork: &str) -> bool {
    let fork = rollup.get::<u64>(&[fork]);
    let genesis = rollup.get::<u64>(&["genesis", "l2_time"]);
    fork.zip(genesis).is_some_and(|(fork, genesis)| fork <= genesis)
}

fn set(object: &mut Object, file: File, path: &[&str], value: &Value, reason: &str) -> Change {
    let from = object.text(path);
    object.set(path, value);
    Change { file, field: path.join("."), from, to: Some(value.to_string()), reason: reason.to_owned() }
}

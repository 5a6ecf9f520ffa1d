//! `rollup.json`, as op-node reads and checks it.
//!
//! `FIELDS` are the structs `rollup.Config` and `eth.SystemConfig` of the published modules v1.13.2, .5, .6, .7, v1.14.0,
//! .3, v1.16.0, .7, .13, v1.17.0, v1.18.1, v1.19.0, .5 and .6; `check` is `Config.Check`, which is the same in all of them
//! from v1.16.7 on. Of other releases nothing is known: see [`knowledge`].

use alloy::primitives::B256;

use super::Refusal;
use crate::{
    object::Object,
    reads::json::{Field, Kind, Misread, Reading, Release, Values},
    version::Version,
};

/// The oldest and the newest release whose fields are known.
const KNOWN: (Release, Release) = ((1, 13, 2), (1, 19, 6));

const TIME: Kind = Kind::Unsigned(u64::MAX);
const ADDRESS: Kind = Kind::Bytes { length: 20, or_null: false };
const HASH: Kind = Kind::Bytes { length: 32, or_null: false };

const BLOCK: &[Field] = &[Field::new("hash", HASH), Field::new("number", TIME)];

const SYSTEM_CONFIG: &[Field] = &[
    Field::new("batcherAddr", ADDRESS),
    Field::new("overhead", HASH),
    Field::new("scalar", HASH),
    Field::new("gasLimit", TIME),
    Field::new("eip1559Params", Kind::Bytes { length: 8, or_null: false }),
    Field::new("operatorFeeParams", HASH),
    Field::new("minBaseFee", TIME).since((1, 13, 7)),
    Field::new("daFootprintGasScalar", Kind::Unsigned(u16::MAX as u64)).since((1, 14, 3)),
];

const GENESIS: &[Field] = &[
    Field::new("l1", Kind::Table(BLOCK)),
    Field::new("l2", Kind::Table(BLOCK)),
    Field::new("l2_time", TIME),
    Field::new("system_config", Kind::Table(SYSTEM_CONFIG)),
];

const CHAIN_OP_CONFIG: &[Field] = &[
    Field::new("eip1559Elasticity", TIME),
    Field::new("eip1559Denominator", TIME),
    Field::new("eip1559DenominatorCanyon", TIME),
];

const ALT_DA: &[Field] = &[
    Field::new("da_challenge_contract_address", ADDRESS),
    Field::new("da_commitment_type", Kind::Text),
    Field::new("da_challenge_window", TIME),
    Field::new("da_resolve_window", TIME),
];

/// Every field that op-node knows, by its release. Between two releases that were looked at, the careful choice: a field
/// counts as known from the later one on, and until the earlier one.
const FIELDS: &[Field] = &[
    Field::new("genesis", Kind::Table(GENESIS)),
    Field::new("block_time", TIME),
    Field::new("max_sequencer_drift", TIME),
    Field::new("seq_window_size", TIME),
    Field::new("channel_timeout", TIME),
    Field::new("l1_chain_id", Kind::Whole),
    Field::new("l2_chain_id", Kind::Whole),
    Field::new("regolith_time", TIME),
    Field::new("canyon_time", TIME),
    Field::new("delta_time", TIME),
    Field::new("ecotone_time", TIME),
    Field::new("fjord_time", TIME),
    Field::new("granite_time", TIME),
    Field::new("holocene_time", TIME),
    Field::new("isthmus_time", TIME),
    Field::new("jovian_time", TIME),
    Field::new("karst_time", TIME).since((1, 16, 13)),
    Field::new("keep_karst_upgrade_gas", Kind::Bool).since((1, 19, 0)),
    Field::new("lagoon_time", TIME).since((1, 19, 0)),
    Field::new("interop_time", TIME).until((1, 19, 1)),
    Field::new("batch_inbox_address", ADDRESS),
    Field::new("deposit_contract_address", ADDRESS),
    Field::new("l1_system_config_address", ADDRESS),
    Field::new("protocol_versions_address", ADDRESS).until((1, 17, 0)),
    Field::new("chain_op_config", Kind::Table(CHAIN_OP_CONFIG)),
    Field::new("alt_da", Kind::Table(ALT_DA)),
    Field::new("pectra_blob_schedule_time", TIME),
];

/// Forks in their order: each needs the one before, up to Isthmus.
const FORKS: [&str; 8] = [
    "regolith_time",
    "canyon_time",
    "delta_time",
    "ecotone_time",
    "fjord_time",
    "granite_time",
    "holocene_time",
    "isthmus_time",
];

/// Where Prague came to an L1 whose chains may need `pectra_blob_schedule_time`: Holesky and Sepolia.
const PRAGUE: [(&str, u64); 2] = [("17000", 1_740_434_112), ("11155111", 1_741_159_776)];

/// What is known of a release's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// They were looked at, or lie between two that were.
    Known,
    /// It is older than all that were looked at.
    Older,
    /// It is newer.
    Newer,
}

/// What is known of the rules of this op-node.
pub fn knowledge(op_node: &Version) -> Knowledge {
    match op_node.release() {
        release if release < KNOWN.0 => Knowledge::Older,
        release if release > KNOWN.1 => Knowledge::Newer,
        _ => Knowledge::Known,
    }
}

/// The release whose rules are known and are nearest, in words.
pub fn nearest_known(knowledge: Knowledge) -> String {
    let (major, minor, patch) = if knowledge == Knowledge::Older { KNOWN.0 } else { KNOWN.1 };
    format!("v{major}.{minor}.{patch}")
}

/// What op-node refuses of the file; empty when it starts with it. A file that cannot be read is judged no further.
pub fn judge(rollup: &Object, op_node: &Version) -> Vec<Refusal> {
    match read(rollup, op_node) {
        Ok(values) => check(&values).into_iter().collect(),
        Err(misread) => misread.iter().map(|misread| refusal(misread, op_node)).collect(),
    }
}

/// The fields at the top or below that this op-node does not know.
pub(crate) fn unknown(rollup: &Object, op_node: &Version) -> Vec<String> {
    let misread = read(rollup, op_node).err().unwrap_or_default();
    misread.into_iter().filter(|misread| misread.is_unknown).map(|misread| misread.field).collect()
}

fn read(rollup: &Object, op_node: &Version) -> Result<Values, Vec<Misread>> {
    let text = serde_json::to_string(rollup).unwrap_or_default();
    Values::read(&text, FIELDS, Reading { release: op_node.release(), strict: true })
}

fn refusal(misread: &Misread, op_node: &Version) -> Refusal {
    let Misread { field, reason, is_unknown } = misread;
    if !is_unknown {
        return Refusal::new(
            format!("rollup.json: {field}: {reason}"),
            "take the file from `op-deployer inspect rollup`, or correct the field",
        );
    }
    Refusal::new(
        format!("rollup.json: {field}: op-node {op_node} has no such field and refuses the file"),
        "run a release of op-node that knows it; or, where it is misspelt or of another tool, remove it",
    )
}

/// `Config.Check` and the check for the Pectra blob schedule, whose first refusal is the program's.
fn check(values: &Values) -> Option<Refusal> {
    let number = |field: &str| values.number(field).unwrap_or(0);
    let redeploy = "take the file from `op-deployer inspect rollup`, which writes it otherwise";
    let refuse = |field: &str, why: &str| Some(Refusal::new(format!("rollup.json: {field} {why}"), redeploy));
    for (field, least) in
        [("block_time", 1), ("channel_timeout", 1), ("seq_window_size", 2), ("max_sequencer_drift", 1)]
    {
        if number(field) < least {
            return refuse(field, &format!("is {}: op-node wants at least {least}", number(field)));
        }
    }
    let (l1, l2) = (values.hash("genesis.l1.hash"), values.hash("genesis.l2.hash"));
    for (field, hash) in [("genesis.l1.hash", l1), ("genesis.l2.hash", l2)] {
        if hash == B256::ZERO {
            return refuse(field, "is missing or zero");
        }
    }
    if l1 == l2 {
        return refuse("genesis.l2.hash", "is genesis.l1.hash too: they are blocks of two chains");
    }
    if number("genesis.l2_time") == 0 {
        return refuse("genesis.l2_time", "is missing or zero");
    }
    for field in ["genesis.system_config.batcherAddr", "genesis.system_config.scalar"] {
        if values.is_zero(field) {
            return refuse(field, "is missing or zero");
        }
    }
    if number("genesis.system_config.gasLimit") == 0 {
        return refuse("genesis.system_config.gasLimit", "is missing or zero");
    }
    for field in ["batch_inbox_address", "deposit_contract_address"] {
        if values.is_zero(field) {
            return refuse(field, "is missing or zero");
        }
    }
    for field in ["l1_chain_id", "l2_chain_id"] {
        if values.whole(field).is_none() {
            return refuse(field, "is missing");
        }
    }
    if values.whole("l1_chain_id") == values.whole("l2_chain_id") {
        return refuse("l2_chain_id", "is l1_chain_id too");
    }
    for field in ["l1_chain_id", "l2_chain_id"] {
        if values.whole(field).is_some_and(|id| id == "0" || id.starts_with('-')) {
            return refuse(field, "is not above zero");
        }
    }
    alt_da(values).or_else(|| forks(values)).or_else(|| pectra(values))
}

fn alt_da(values: &Values) -> Option<Refusal> {
    if !values.has("alt_da") {
        return None;
    }
    let without = values.is_zero("alt_da.da_challenge_contract_address");
    let (found, fix) = match values.text("alt_da.da_commitment_type") {
        "KeccakCommitment" if without => (
            "rollup.json: alt_da.da_challenge_contract_address is missing, and commitments are KeccakCommitment",
            "name the contract",
        ),
        "GenericCommitment" if !without => (
            "rollup.json: alt_da.da_challenge_contract_address is set, and commitments are GenericCommitment",
            "remove the contract",
        ),
        "KeccakCommitment" | "GenericCommitment" => return None,
        _ => (
            "rollup.json: alt_da.da_commitment_type is neither KeccakCommitment nor GenericCommitment",
            "set it, or remove alt_da where the chain posts to L1",
        ),
    };
    Some(Refusal::new(found, fix))
}

fn forks(values: &Values) -> Option<Refusal> {
    let fix =
        "schedule the forks in their order; the times are the deployment's: deploy again where they cannot change";
    FORKS.windows(2).find_map(|pair| {
        let [before, after] = [pair[0], pair[1]];
        let found = match (values.number(before), values.number(after)) {
            (None, Some(time)) => format!("rollup.json: {after} is {time}, but {before}, the fork before, is missing"),
            (Some(first), Some(second)) if first > second => {
                format!("rollup.json: {after} is {second}, before {before}, which is {first}")
            }
            _ => return None,
        };
        Some(Refusal::new(found, fix))
    })
}

fn pectra(values: &Values) -> Option<Refusal> {
    let (_, prague) = PRAGUE.into_iter().find(|(id, _)| values.whole("l1_chain_id") == Some(*id))?;
    let missing =
        !values.has("pectra_blob_schedule_time") && prague >= values.number("genesis.l2_time").unwrap_or_default();
    missing.then(|| {
        Refusal::new(
            "rollup.json: pectra_blob_schedule_time is missing, and the chain is older than Prague on its L1",
            "set it to the time that the chain's operator announced, or start op-node with --ignore-missing-pectra-blob-schedule",
        )
    })
}

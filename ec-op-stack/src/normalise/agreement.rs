//! Where the two files contradict each other. Nothing here can be mended without altering the chain.

use super::{
    ChainFiles,
    rules::{FeeParameters, holocene_at_genesis},
};
use crate::object::Object;

/// Fork times: the key in `rollup.json`, and in the genesis' config.
const FORKS: [(&str, &str); 11] = [
    ("regolith_time", "regolithTime"),
    ("canyon_time", "canyonTime"),
    ("ecotone_time", "ecotoneTime"),
    ("fjord_time", "fjordTime"),
    ("granite_time", "graniteTime"),
    ("holocene_time", "holoceneTime"),
    ("isthmus_time", "isthmusTime"),
    ("jovian_time", "jovianTime"),
    ("karst_time", "karstTime"),
    ("lagoon_time", "lagoonTime"),
    ("interop_time", "interopTime"),
];

/// Each contradiction in a sentence, with the fix.
pub(super) fn contradictions(files: &ChainFiles) -> Vec<String> {
    let ChainFiles { rollup, genesis } = files;
    let numbers = [(
        "l2_chain_id",
        rollup.get::<u64>(&["l2_chain_id"]),
        "config.chainId",
        genesis.get::<u64>(&["config", "chainId"]),
    )];
    let time = [("genesis.l2_time", rollup.get::<u64>(&["genesis", "l2_time"]), "timestamp", timestamp(genesis))];
    let forks = FORKS
        .into_iter()
        .map(|(ours, theirs)| (ours, rollup.get::<u64>(&[ours]), theirs, genesis.get::<u64>(&["config", theirs])));
    let pairs = numbers.into_iter().chain(time).chain(forks);
    let differing = pairs.filter(|(_, a, _, b)| a != b);
    let mut found = differing.map(|(ours, a, theirs, b)| differ(ours, a, theirs, b)).collect::<Vec<_>>();
    found.extend(extra_data(rollup, genesis));
    found
}

fn differ(ours: &str, a: Option<u64>, theirs: &str, b: Option<u64>) -> String {
    let show = |number: Option<u64>| number.map_or_else(|| "absent".to_owned(), |number| number.to_string());
    format!(
        "rollup.json: {ours} is {}, but genesis.json: {theirs} is {}: the files are not of one deployment; take both from \
         `op-deployer inspect` of the same state",
        show(a),
        show(b)
    )
}

fn timestamp(genesis: &Object) -> Option<u64> {
    let text = genesis.get::<String>(&["timestamp"])?;
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// From Holocene on the genesis block's extra data holds the EIP-1559 parameters, behind a version byte.
fn extra_data(rollup: &Object, genesis: &Object) -> Option<String> {
    let wanted = FeeParameters::at(rollup, &["chain_op_config"])?.holocene()?;
    let extra = genesis.get::<String>(&["extraData"])?;
    let digits = extra.strip_prefix("0x")?;
    let encoded = digits.get(2..18).map(|parameters| format!("0x{parameters}"));
    let differs = holocene_at_genesis(rollup) && encoded.as_ref() != Some(&wanted);
    differs.then(|| {
        format!(
            "genesis.json: extraData {extra} encodes other EIP-1559 parameters than rollup.json's chain_op_config ({wanted}): \
             the files are not of one deployment"
        )
    })
}

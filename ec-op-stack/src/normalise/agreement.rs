//! Where the two files contradict each other. Nothing here can be mended without altering the chain.

use super::{
    ChainFiles,
    rules::{FeeParameters, active_at_genesis, holocene_at_genesis},
};
use crate::{object::Object, programs::Refusal};
use alloy::primitives::B256;

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

const TAKE_BOTH: &str = "take both from `op-deployer inspect` of the same state";

/// Each contradiction with the fix.
pub(super) fn contradictions(files: &ChainFiles) -> Vec<Refusal> {
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

fn differ(ours: &str, a: Option<u64>, theirs: &str, b: Option<u64>) -> Refusal {
    let show = |number: Option<u64>| number.map_or_else(|| "absent".to_owned(), |number| number.to_string());
    let found = format!(
        "rollup.json: {ours} is {}, but genesis.json: {theirs} is {}: the files are not of one deployment",
        show(a),
        show(b)
    );
    Refusal::new(found, TAKE_BOTH)
}

/// The block that `genesis.json` makes must be the one that `rollup.json` starts from.
pub(super) fn another_block(rollup: &Object, hash: B256) -> Option<Refusal> {
    let named = rollup.get::<B256>(&["genesis", "l2", "hash"])?;
    (named != hash).then(|| {
        Refusal::new(
            format!("rollup.json: genesis.l2.hash is {named}, but genesis.json makes the block {hash}: the files are not of one deployment"),
            TAKE_BOTH,
        )
    })
}

fn timestamp(genesis: &Object) -> Option<u64> {
    let text = genesis.get::<String>(&["timestamp"])?;
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// From Holocene on the genesis block's extra data holds the EIP-1559 parameters behind a version byte, and from Jovian on the
/// minimal base fee behind them.
fn extra_data(rollup: &Object, genesis: &Object) -> Option<Refusal> {
    let wanted = FeeParameters::at(rollup, &["chain_op_config"])?.holocene()?;
    let extra = genesis.get::<String>(&["extraData"])?;
    if !holocene_at_genesis(rollup) {
        return None;
    }
    let parameters = wanted.trim_start_matches("0x");
    let wanted = if active_at_genesis(rollup, "jovian_time") {
        let fee = rollup.get::<u64>(&["genesis", "system_config", "minBaseFee"]).unwrap_or(0);
        format!("0x01{parameters}{fee:016x}")
    } else {
        format!("0x00{parameters}")
    };
    (!extra.eq_ignore_ascii_case(&wanted)).then(|| {
        Refusal::new(
            format!(
                "genesis.json: extraData is {extra}, and rollup.json's chain_op_config and fees make it {wanted}: the files are \
                 not of one deployment"
            ),
            TAKE_BOTH,
        )
    })
}

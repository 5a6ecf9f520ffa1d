//! `rollup.json` and `genesis.json`: do they fit each other, op-node, and L1?

use alloy::primitives::B256;

use super::{Check, Facts, Finding};
use crate::{
    normalise::{ChainFiles, normalise},
    object::Object,
    programs::rollup::{self, Knowledge},
    stack::Stack,
};

/// The L1s whose chain config op-node has: mainnet, Holesky, Hoodi, Sepolia.
const BUILT_IN: [u64; 4] = [1, 17_000, 560_048, 11_155_111];

pub(super) fn files(stack: &Stack, facts: &Facts) -> Vec<Finding> {
    let (rollup, genesis) = match (&facts.chain.rollup, &facts.chain.genesis) {
        (Ok(rollup), Ok(genesis)) => (rollup.clone(), genesis.clone()),
        (Err(error), _) | (_, Err(error)) => {
            return vec![Check::Files.failure(error.clone(), "provide both files from `op-deployer inspect`")];
        }
    };
    let Some(version) = stack.get("op-node").and_then(|node| node.version().ok()) else {
        return vec![Check::Files.warning(
            "whether the files fit op-node is not judged: it has no version that can be read",
            "pin a release of op-node",
        )];
    };
    let mut findings = l1_config(stack, &rollup, facts);
    findings.extend(l1_block(&rollup, facts));
    let ignores_pectra = stack.get("op-node").is_some_and(|node| node.is_on("ignore-missing-pectra-blob-schedule"));
    let newer = rollup::knowledge(&version) == Knowledge::Newer;
    let outcome = normalise(&mut ChainFiles { rollup, genesis }, &version);
    let refusals =
        outcome.refusals.into_iter().filter(|refusal| !(ignores_pectra && refusal.found.contains("pectra_blob")));
    findings.extend(refusals.map(|refusal| {
        // a release that came after this program may well take the files
        if newer && refusal.found.contains("is newer than") {
            Check::Files.warning(refusal.found, refusal.fix)
        } else {
            Check::Files.failure(refusal.found, refusal.fix)
        }
    }));
    findings.extend(outcome.changes.into_iter().map(|change| {
        Check::Files
            .failure(format!("{}: {}", change.field, change.reason), "run `ec-op-stack normalise` over the files")
    }));
    if findings.is_empty() {
        vec![Check::Files.good(format!("rollup.json and genesis.json fit each other, L1 and op-node {version}"))]
    } else {
        findings
    }
}

/// The L1 block that the rollup starts after must be L1's.
fn l1_block(rollup: &Object, facts: &Facts) -> Option<Finding> {
    let named = rollup.get::<B256>(&["genesis", "l1", "hash"])?;
    let number = rollup.get::<u64>(&["genesis", "l1", "number"])?;
    match facts.l1_origin.as_ref()? {
        Ok(Some(hash)) if *hash == named => None,
        Ok(Some(hash)) => Some(Check::Files.failure(
            format!("rollup.json: genesis.l1.hash is {named}, but L1's block {number} is {hash}"),
            "use the L1 that the chain was deployed on; where L1 reorganised below the deployment, deploy again",
        )),
        Ok(None) => Some(Check::Files.warning(
            format!("rollup.json: genesis.l1: L1 does not have block {number}, so its hash is not compared"),
            "use an L1 endpoint that has all blocks from there on: the chain is derived from them",
        )),
        Err(reason) => Some(Check::Files.warning(
            format!("rollup.json: genesis.l1.hash is not compared with L1: {reason}"),
            "make the L1 endpoint work first",
        )),
    }
}

/// An L1 that op-node does not know needs its chain config.
fn l1_config(stack: &Stack, rollup: &Object, facts: &Facts) -> Vec<Finding> {
    let Some(id) = rollup.get::<u64>(&["l1_chain_id"]) else { return Vec::new() };
    let flag = "rollup.l1-chain-config";
    let path = stack.get("op-node").and_then(|node| node.value(flag)).filter(|path| !path.is_empty());
    if BUILT_IN.contains(&id) {
        return Vec::new();
    }
    let fix = format!("give op-node the L1's chain config or genesis: --{flag}=FILE");
    match (path, &facts.l1_config) {
        (None, _) => vec![
            Check::Files
                .failure(format!("op-node has no chain config of L1 {id} built in, and --{flag} names none"), fix),
        ],
        (Some(_), Some(Err(error))) => vec![Check::Files.failure(format!("--{flag}: {error}"), fix)],
        (Some(path), Some(Ok(config))) => {
            let prefix: &[&str] = if config.contains(&["config"]) { &["config"] } else { &[] };
            let chain = config.get::<u64>(&[prefix, &["chainId"]].concat());
            let has_schedule = config.contains(&[prefix, &["blobSchedule"]].concat());
            if chain != Some(id) {
                let shown = chain.map_or_else(|| "missing".to_owned(), |id| id.to_string());
                return vec![
                    Check::Files
                        .failure(format!("--{flag}={path}: chainId is {shown}, rollup.json's l1_chain_id {id}"), fix),
                ];
            }
            if !has_schedule {
                return vec![Check::Files.failure(
                    format!("--{flag}={path}: it has no blobSchedule, without which op-node refuses it"),
                    fix,
                )];
            }
            Vec::new()
        }
        (Some(_), None) => Vec::new(),
    }
}

//! `rollup.json` and `genesis.json`: do they fit each other, and op-node?

use super::{Check, Facts, Finding};
use crate::{
    normalise::{ChainFiles, normalise},
    stack::Stack,
};

pub(super) fn files(stack: &Stack, facts: &Facts) -> Vec<Finding> {
    let (rollup, genesis) = match (&facts.chain.rollup, &facts.chain.genesis) {
        (Ok(rollup), Ok(genesis)) => (rollup.clone(), genesis.clone()),
        (Err(error), _) | (_, Err(error)) => {
            return vec![Check::Files.failure(error.clone(), "provide both files from `op-deployer inspect`")];
        }
    };
    let Some(version) = stack.get("op-node").and_then(|node| node.version().ok()) else { return Vec::new() };
    let outcome = normalise(&mut ChainFiles { rollup, genesis }, &version);
    let refusals = outcome.refusals.into_iter().map(|refusal| match refusal.rsplit_once(": ") {
        Some((found, fix)) => Check::Files.failure(found, fix),
        None => Check::Files.failure(refusal, "deploy again"),
    });
    let changes = outcome.changes.into_iter().map(|change| {
        Check::Files
            .failure(format!("{}: {}", change.field, change.reason), "run `ec-op-stack normalise` over the files")
    });
    let findings = refusals.chain(changes).collect::<Vec<_>>();
    if findings.is_empty() {
        vec![Check::Files.good(format!("rollup.json and genesis.json fit each other and op-node {version}"))]
    } else {
        findings
    }
}

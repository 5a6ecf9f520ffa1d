//! op-deployer's `rollup.json` and `genesis.json`, made to fit the pinned runtime.
//!
//! op-node refuses a rollup file with a field that it does not know, and which fields op-deployer writes depends on
//! *its* version. [`normalise()`] changes what a table of rules names, only where the change cannot alter the chain, and
//! reports each change; it never touches what the genesis block's hash is made of. A field that is unknown to the runtime
//! but means something is refused: there the runtime is too old.

mod agreement;
mod rules;

use serde::Serialize;

use crate::{
    object::Object,
    programs::{
        Refusal, genesis,
        rollup::{self, Knowledge},
    },
    version::Version,
};

/// The two files.
#[derive(Clone, Debug)]
pub struct ChainFiles {
    /// `rollup.json`, read by op-node.
    pub rollup: Object,
    /// `genesis.json`, read by the execution client.
    pub genesis: Object,
}

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum File {
    /// `rollup.json`
    Rollup,
    /// `genesis.json`
    Genesis,
}

/// One field that was removed or set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The file.
    pub file: File,
    /// The field, with dots.
    pub field: String,
    /// What was there, as JSON text; null if nothing was.
    pub from: Option<String>,
    /// What is there now; null if it was removed.
    pub to: Option<String>,
    /// Why.
    pub reason: String,
}

/// What was changed, and what stands in the way of a start.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// In the order of the rules.
    pub changes: Vec<Change>,
    /// What cannot be made to fit without altering the chain, or not be judged, with the fix.
    pub refusals: Vec<Refusal>,
}

/// Applies every rule for this op-node. Doing it twice changes nothing more.
///
/// What is not refused is what op-node and op-geth start with, and the genesis block that the two files mean is one: its hash
/// is computed.
pub fn normalise(files: &mut ChainFiles, op_node: &Version) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.refusals.extend(unjudged(op_node));
    rules::remove_unknown(files, op_node, &mut outcome);
    rules::fill_fee_parameters(files, &mut outcome);
    let told = outcome.refusals.iter().map(|refusal| refusal.found.clone()).collect::<Vec<_>>();
    let names =
        |found: &str| found.split(": ").nth(1).is_some_and(|field| told.iter().any(|told| told.contains(field)));
    outcome.refusals.extend(rollup::judge(&files.rollup, op_node).into_iter().filter(|refusal| !names(&refusal.found)));
    outcome.refusals.extend(agreement::contradictions(files));
    outcome.refusals.extend(genesis::out_of_step(&files.genesis));
    match genesis::judge(&files.genesis) {
        Err(refusals) => outcome.refusals.extend(refusals),
        Ok(hash) => outcome.refusals.extend(agreement::another_block(&files.rollup, hash)),
    }
    outcome
}

/// A release whose rules are not known cannot be promised anything.
fn unjudged(op_node: &Version) -> Option<Refusal> {
    let knowledge = rollup::knowledge(op_node);
    let nearest = rollup::nearest_known(knowledge);
    match knowledge {
        Knowledge::Known => None,
        Knowledge::Older => Some(Refusal::new(
            format!("op-node {op_node} is older than every release whose rules are known"),
            format!("run op-node {nearest} or newer"),
        )),
        Knowledge::Newer => Some(Refusal::new(
            format!("op-node {op_node} is newer than every release whose rules are known"),
            format!("fit the files to {nearest}, the newest known, and read the release notes up to {op_node}"),
        )),
    }
}

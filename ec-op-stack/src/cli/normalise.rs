//! `normalise`: generated files that fit the runtime.

use std::path::{Path, PathBuf};

use clap::Args;
use ec_op_stack::{
    normalise::{ChainFiles, File, Outcome, normalise},
    object::Object,
    version::Version,
};
use serde_json::json;

use super::{Answer, JsonArg, files};

#[derive(Debug, Args)]
pub(super) struct NormaliseArgs {
    /// rollup.json, from `op-deployer inspect rollup`.
    #[arg(long, value_name = "FILE")]
    rollup: PathBuf,

    /// genesis.json, from `op-deployer inspect genesis`.
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,

    /// The version of op-node that will read it, such as v1.16.7.
    #[arg(long, value_name = "VERSION", env = "EC_OP_STACK_OP_NODE_VERSION")]
    op_node: Version,

    /// Show what would change and write nothing.
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    json: JsonArg,
}

impl NormaliseArgs {
    pub(super) fn run(self) -> eyre::Result<Answer> {
        let mut chain =
            ChainFiles { rollup: files::read_json(&self.rollup)?, genesis: files::read_json(&self.genesis)? };
        let outcome = normalise(&mut chain, &self.op_node);
        let write = !self.dry_run && outcome.refusals.is_empty();
        if write {
            self.write(File::Rollup, &self.rollup, &chain.rollup, &outcome)?;
            self.write(File::Genesis, &self.genesis, &chain.genesis, &outcome)?;
        }
        self.print(&outcome, write && !outcome.changes.is_empty());
        Ok(outcome.refusals.is_empty().into())
    }

    fn write(&self, file: File, path: &Path, object: &Object, outcome: &Outcome) -> eyre::Result<()> {
        if !outcome.changes.iter().any(|change| change.file == file) {
            return Ok(());
        }
        let mut text = serde_json::to_string_pretty(object)?;
        text.push('\n');
        files::replace(path, &text)
    }

    fn print(&self, outcome: &Outcome, written: bool) {
        if self.json.json {
            let refusals = outcome.refusals.iter().map(ToString::to_string).collect::<Vec<_>>();
            let line = json!({"changes": outcome.changes, "refusals": refusals, "written": written});
            println!("{line}");
            return;
        }
        for change in &outcome.changes {
            let path = if change.file == File::Rollup { &self.rollup } else { &self.genesis };
            let from = change.from.as_deref().unwrap_or("absent");
            let to = change.to.as_deref().unwrap_or("removed");
            println!("{}: {}: {from} -> {to} ({})", path.display(), change.field, change.reason);
        }
        for refusal in &outcome.refusals {
            eprintln!("problem: {refusal}");
        }
    }
}

//! `intent`: creating and repairing what op-deployer is asked for.

use std::path::PathBuf;

use clap::Args;
use ec_op_stack::intent::{Repair, Roles, Wanted, repair};
use eyre::{WrapErr, bail};
use serde_json::json;
use toml_edit::DocumentMut;

use super::{Answer, JsonArg, files};

#[derive(Debug, Args)]
pub(super) struct IntentArgs {
    /// The intent; created if it does not exist.
    #[arg(long, value_name = "FILE")]
    intent: PathBuf,

    /// JSON file with the addresses: owner, sequencer, batcher, proposer, challenger; optional guardian,
    /// protocolVersionsOwner, feeRecipient.
    #[arg(long, value_name = "FILE")]
    roles: PathBuf,

    /// Chain id of the L1.
    #[arg(long, value_name = "ID", env = "EC_OP_STACK_L1_CHAIN_ID")]
    l1_chain_id: u64,

    /// Chain id of the L2.
    #[arg(long, value_name = "ID", env = "EC_OP_STACK_L2_CHAIN_ID")]
    l2_chain_id: u64,

    /// Show what would change and write nothing.
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    json: JsonArg,
}

impl IntentArgs {
    pub(super) fn run(self) -> eyre::Result<Answer> {
        let roles = files::read_json::<Roles>(&self.roles)?;
        let zeros = roles.zeros();
        if !zeros.is_empty() {
            bail!("{}: the zero address stands for {}: name real accounts", self.roles.display(), zeros.join(", "));
        }
        let text = if self.intent.exists() { files::read(&self.intent)? } else { String::new() };
        let mut document = text.parse::<DocumentMut>().wrap_err_with(|| self.intent.display().to_string())?;
        let wanted = Wanted { l1_chain_id: self.l1_chain_id, l2_chain_id: self.l2_chain_id, roles };
        let repair = repair(&mut document, &wanted).wrap_err_with(|| self.intent.display().to_string())?;
        if !repair.changes.is_empty() && !self.dry_run {
            files::replace(&self.intent, &document.to_string())?;
        }
        self.print(&repair);
        Ok(repair.problems.is_empty().into())
    }

    fn print(&self, repair: &Repair) {
        if self.json.json {
            let written = !self.dry_run && !repair.changes.is_empty();
            let line = json!({"layout": repair.layout, "changes": repair.changes, "problems": repair.problems, "notes": repair.notes, "written": written});
            println!("{line}");
            return;
        }
        for change in &repair.changes {
            match &change.from {
                Some(from) => println!("{}: {from} -> {}", change.field, change.to),
                None => println!("{}: {}", change.field, change.to),
            }
        }
        for note in &repair.notes {
            eprintln!("note: {note}");
        }
        for problem in &repair.problems {
            eprintln!("problem: {problem}");
        }
    }
}

//! `doctor`: what would go wrong, before the start.

mod screen;

use std::path::PathBuf;

use clap::Args;
use ec_op_stack::doctor::{Facts, Finding, Severity, examine};
use ec_screen::Screen;

use super::{Answer, JsonArg, block_on, files};

/// What to look at.
///
/// Exit codes: 0 it can start, 1 there is a failure, with `--strict` a warning, 2 nothing could be looked at.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// What runs on this host: components with their arguments, files, accounts.
    #[arg(long, value_name = "FILE", env = "EC_OP_STACK_STACK", default_value = files::STACK)]
    stack: PathBuf,

    /// Count warnings as failures.
    #[arg(long)]
    strict: bool,

    /// Show what was found of what is good, too.
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    json: JsonArg,
}

impl DoctorArgs {
    pub(super) fn run(self) -> eyre::Result<Answer> {
        let stack = files::read_stack(&self.stack)?;
        let findings = block_on(async { examine(&stack, &Facts::gather(&stack).await) })?;
        let bad = |finding: &Finding| {
            finding.verdict == Severity::Failure || (self.strict && finding.verdict == Severity::Warning)
        };
        let is_well = !findings.iter().any(bad);
        if self.json.json {
            println!("{}", serde_json::json!({"ready": is_well, "findings": findings}));
        } else {
            println!("{}", screen::show(&stack, &findings, (is_well, self.all), &Screen::of_stdout()));
        }
        Ok(is_well.into())
    }
}

//! `doctor`: what would go wrong, before the start.

use std::path::PathBuf;

use clap::Args;
use ec_op_stack::doctor::{Facts, Finding, Severity, examine};

use super::{Answer, JsonArg, block_on, files};

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// What runs on this host: components with their arguments, files, accounts.
    #[arg(long, value_name = "FILE", env = "EC_OP_STACK_STACK", default_value = files::STACK)]
    stack: PathBuf,

    /// Count warnings as failures.
    #[arg(long)]
    strict: bool,

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
            findings.iter().for_each(print);
        }
        Ok(is_well.into())
    }
}

fn print(finding: &Finding) {
    let severity = match finding.verdict {
        Severity::Good => "good",
        Severity::Warning => "WARNING",
        Severity::Failure => "FAILURE",
    };
    let check =
        serde_json::to_value(finding.check).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
    println!("{severity:<8} {check:<10} {}", finding.found);
    if !finding.fix.is_empty() {
        println!("{:<19} fix: {}", "", finding.fix);
    }
}

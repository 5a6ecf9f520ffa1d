//! The command line: one file per command.
//!
//! Facts go to stdout, everything else to stderr. Exit codes: 0 yes, 1 the answer is no, 2 error.

mod files;
mod intent;
mod normalise;
mod state;

use std::process::ExitCode;

use clap::{Parser, Subcommand, error::ErrorKind};

/// What a command found out, as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Exit code 0.
    Yes,
    /// Exit code 1.
    No,
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// What the operator of an OP Stack chain needs around op-deployer and the runtime.
///
/// Exit codes: 0 yes, 1 the answer is no, 2 error.
#[derive(Debug, Parser)]
#[command(name = "ec-op-stack", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create or repair op-deployer's intent: fill what is missing or zero, keep comments and every other value.
    ///
    /// Exit code 1 when a value contradicts the roles; it is left as it is.
    Intent(intent::IntentArgs),

    /// Whether a chain is deployed, by op-deployer's state.json, and where its contracts are.
    ///
    /// A placeholder or a deployment that stopped half-way is not applied: exit code 1.
    State(state::StateArgs),

    /// Make rollup.json and genesis.json fit the pinned op-node.
    ///
    /// Changes only what a table of known incompatibilities names and what cannot alter the chain, and says what. Exit code
    /// 1 when something else stands in the way of a start; then nothing is written.
    Normalise(normalise::NormaliseArgs),
}

/// `--json`, for every command that prints facts.
#[derive(Clone, Copy, Debug, clap::Args)]
struct JsonArg {
    /// Print one JSON object instead of text.
    #[arg(long, env = "EC_OP_STACK_JSON")]
    json: bool,
}

/// Parses the command line, runs the command and maps its outcome to an exit code.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return ExitCode::from(if asked { 0 } else { 2 });
        }
    };
    let outcome = match cli.command {
        Command::Intent(args) => args.run(),
        Command::State(args) => args.run(),
        Command::Normalise(args) => args.run(),
    };
    match outcome {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(report) => {
            eprintln!("error: {report:#}");
            ExitCode::from(2)
        }
    }
}

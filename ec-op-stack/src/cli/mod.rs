//! The command line: one file per command.
//!
//! Facts go to stdout, everything else to stderr. Exit codes: 0 yes, 1 the answer is no, 2 error.

mod doctor;
mod files;
mod intent;
mod key;
mod normalise;
mod prestate;
mod progress;
mod restore;
mod snapshot;
mod state;
mod status;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};
use ec_terminal::{CompletionsArgs, ManArgs};

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
    /// Make keys for the roles, and tell their addresses.
    #[command(subcommand)]
    Key(key::KeyCommand),

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

    /// The hash of an absolute prestate, and whether it is the one that the chain demands.
    Prestate(prestate::PrestateArgs),

    /// Before a start: look for every failure that can be found beforehand, and say the fix. Exit code 1 if there is one.
    Doctor(doctor::DoctorArgs),

    /// Where the chain stands on this host, live: heads and their lag, accounts, games, peers. Exit code 1 if something is
    /// wrong, or not known.
    Status(status::StatusArgs),

    /// Copy the chain's data of this host, while nothing uses it, into a directory from which `restore` makes another host's.
    ///
    /// The execution client's datadir and op-node's record of safe heads, each file with its checksum. Stop the programs before:
    /// their locks are taken, so that they cannot start meanwhile. Run again after an interruption, it goes on where it was. Exit
    /// code 1 when a process has the data, or the target is taken.
    Snapshot(snapshot::SnapshotArgs),

    /// Put a snapshot in place: all of it, checked, or nothing.
    ///
    /// The places are those of the stack file, and must be empty or not be there. Run again after an interruption, it goes on
    /// where it was. Exit code 1 when a place is taken, or the snapshot is unfinished, damaged or of another chain.
    Restore(restore::RestoreArgs),

    /// Print a shell's completion script.
    Completions(CompletionsArgs),

    /// Write the manual's pages.
    Man(ManArgs),
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
        Command::Key(command) => command.run(),
        Command::Intent(args) => args.run(),
        Command::State(args) => args.run(),
        Command::Normalise(args) => args.run(),
        Command::Prestate(args) => args.run(),
        Command::Doctor(args) => args.run(),
        Command::Status(args) => args.run(),
        Command::Snapshot(args) => args.run(),
        Command::Restore(args) => args.run(),
        Command::Completions(args) => args.print(Cli::command()).map(|()| Answer::Yes).map_err(Into::into),
        Command::Man(args) => args.write(Cli::command()).map(|()| Answer::Yes).map_err(Into::into),
    };
    match outcome {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(report) => {
            eprintln!("error: {}", ec_rpc::in_one_line(report.as_ref()));
            ExitCode::from(2)
        }
    }
}

/// Runs the calls of a command.
fn block_on<T>(calls: impl Future<Output = T>) -> eyre::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(calls))
}

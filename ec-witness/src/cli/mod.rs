//! The command line: one file per command, one `Args` struct per concern.
//!
//! Facts go to stdout (a table or text on a terminal, one JSON object per line with `--json`), everything else to
//! stderr. Exit codes: 0 yes, 1 the answer is no, 2 error.

mod address;
mod archive;
mod chain;
mod deploy;
mod headers;
mod key;
mod output;
mod rail;
mod registry;
mod send;
mod settle;

use std::process::ExitCode;

use clap::{Parser, Subcommand, error::ErrorKind};

/// What a command found out, as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
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

/// Derives observations from every.channel archives and attests them to the observation ledger.
///
/// Exit codes: 0 yes, 1 the answer is no, 2 error.
#[derive(Debug, Parser)]
#[command(name = "ec-witness", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    log: output::LogArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write and check archives: media to a content-addressed store and its JSONL index.
    #[command(subcommand)]
    Archive(archive::ArchiveCommand),

    Deploy(deploy::DeployArgs),

    #[command(subcommand)]
    Registry(registry::RegistryCommand),

    #[command(subcommand)]
    Rail(rail::RailCommand),
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
    cli.log.start();
    let outcome = match cli.command {
        Command::Archive(command) => command.run(),
        Command::Deploy(args) => args.run(),
        Command::Registry(command) => command.run(),
        Command::Rail(command) => command.run(),
    };
    match outcome {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(report) if output::is_broken_pipe(&report) => ExitCode::SUCCESS,
        Err(report) => {
            eprintln!("error: {report:#}");
            ExitCode::from(2)
        }
    }
}

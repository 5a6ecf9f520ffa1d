//! The command line: one file per command, one `Args` struct per concern.
//!
//! Facts go to stdout (a table or text on a terminal, one JSON object per line with `--json`), everything else to
//! stderr. Exit codes: 0 yes, 1 the answer is no, 2 error.

mod address;
mod agreement;
mod archive;
mod chain;
mod completions;
mod config;
mod connection;
mod defaults;
mod deploy;
mod derive;
mod diff;
mod endpoint_url;
mod force;
mod force_settings;
mod head;
mod headers;
mod history;
mod init;
mod input;
mod key;
mod lanes;
mod ledger;
mod monitor;
mod numbering;
mod output;
mod owner;
mod proof;
mod rail;
mod registry;
mod resume;
mod roster;
mod rotate;
mod run;
mod run_settings;
mod send;
mod settle;
mod slots;
mod status;
mod store;
mod timelock;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand, error::ErrorKind};
use ec_observation::keccak::Level;

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

    /// How keccak256 is computed: avx512, avx2 or scalar [default: the fastest there is]. For measurements.
    #[arg(long, global = true, hide = true, env = "EC_WITNESS_KECCAK", value_name = "LEVEL")]
    keccak: Option<Level>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create the vote store of a witness, once, before its first `run`.
    Init(init::InitArgs),

    /// Witness: derive, judge, vote, follow; as a daemon or, with `--once`, until all is settled.
    Run(Box<run::RunArgs>),

    /// Derive the headers of an archive at rest. Needs no key, and a chain only where a ledger is configured.
    Derive(derive::DeriveArgs),

    /// Show the halt that keeps a witness from voting, and end it once its cause is gone.
    Resume(resume::ResumeArgs),

    Force(Box<force::ForceArgs>),

    /// Show where the newest slots stand.
    Status(Box<status::StatusArgs>),

    /// Compare an archive with what the ledger finalized.
    Verify(verify::VerifyArgs),

    /// Prove that a record is part of an observation.
    Prove(proof::ProveArgs),

    /// Check such a proof, and on the ledger that its observation is final.
    CheckProof(proof::CheckProofArgs),

    /// Find where two archives differ.
    Diff(diff::DiffArgs),

    /// Export and import the vote history.
    #[command(subcommand)]
    History(history::HistoryCommand),

    /// Write and check archives: media to a content-addressed store and its JSONL index.
    #[command(subcommand)]
    Archive(archive::ArchiveCommand),

    /// Print a shell's completion script.
    Completions(completions::CompletionsArgs),
    Deploy(deploy::DeployArgs),

    #[command(subcommand)]
    Registry(registry::RegistryCommand),

    #[command(subcommand)]
    Rotate(rotate::RotateCommand),

    #[command(subcommand)]
    Rail(rail::RailCommand),
}

impl Command {
    fn logger(&self) -> output::Logger {
        match self {
            Self::Run(run) if run.is_daemon() => output::Logger::Daemon,
            Self::Archive(archive::ArchiveCommand::Subscribe(_)) => output::Logger::Recorder,
            _ => output::Logger::Command,
        }
    }
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
    cli.log.start(cli.command.logger());
    if let Some(Err(error)) = cli.keccak.map(Level::choose) {
        eprintln!("error: --keccak: {error}");
        return ExitCode::from(2);
    }
    let outcome = match cli.command {
        Command::Init(args) => args.run(),
        Command::Run(args) => args.run(),
        Command::Derive(args) => args.run(),
        Command::Resume(args) => args.run(),
        Command::Force(args) => args.run(),
        Command::Status(args) => args.run(),
        Command::Verify(args) => args.run(),
        Command::Prove(args) => args.run(),
        Command::CheckProof(args) => args.run(),
        Command::Diff(args) => args.run(),
        Command::History(command) => command.run(),
        Command::Completions(args) => args.run(),
        Command::Archive(command) => command.run(),
        Command::Deploy(args) => args.run(),
        Command::Registry(command) => command.run(),
        Command::Rotate(command) => command.run(),
        Command::Rail(command) => command.run(),
    };
    match outcome {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(report) if output::is_broken_pipe(&report) => ExitCode::SUCCESS,
        Err(report) => {
            eprintln!("error: {}", output::in_one_line(&report));
            ExitCode::from(2)
        }
    }
}

//! The command line: one file per command, one `Args` struct per concern.
//!
//! Facts go to stdout (a table or text on a terminal, one JSON object per line with `--json`), everything else to
//! stderr. Exit codes are those of [`Answer`].

mod address;
mod agreement;
mod archive;
mod asked;
mod chain;
mod check;
mod config;
mod config_command;
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
mod inspection;
mod key;
mod key_command;
mod lanes;
mod ledger;
mod log;
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
mod setup;
mod slots;
mod status;
mod store;
mod store_command;
mod timelock;
mod unit;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};
use ec_observation::keccak::Level;
use ec_terminal::{CompletionsArgs, ManArgs};

/// What a command found out, as an exit code. 2 is that of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Exit code 0.
    Yes,
    /// Exit code 1.
    No,
    /// Exit code 3: what was asked for is not final yet.
    NotFinalYet,
    /// Exit code 4: it is of another chain, or of another ledger.
    OtherChain,
    /// Exit code 5: it was made without the ledger, which has the same content under another header.
    WithoutLedger,
}

impl Answer {
    fn code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::NotFinalYet => 3,
            Self::OtherChain => 4,
            Self::WithoutLedger => 5,
        }
    }
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// Derives observations from every.channel archives and attests them to the observation ledger.
///
/// Exit codes: 0 yes, 1 the answer is no, 2 error; of `check` and `check-proof` also 3 not final yet, 4 another chain, 5 made
/// without the ledger.
#[derive(Debug, Parser)]
#[command(name = "ec-witness", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    log: log::LogArgs,

    /// How keccak256 is computed: avx512, avx2 or scalar [default: the fastest there is]. For measurements.
    #[arg(long, global = true, hide = true, env = "EC_WITNESS_KECCAK", value_name = "LEVEL")]
    keccak: Option<Level>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a witness's configuration: ask for what is not given, check everything, find what can be found.
    Setup(Box<setup::SetupArgs>),

    #[command(subcommand)]
    Config(config_command::ConfigCommand),

    #[command(subcommand)]
    Key(key_command::KeyCommand),

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

    /// Say what a file is: which broadcast, when, and whether that is final.
    Check(Box<check::CheckArgs>),

    /// Prove that a record is part of an observation.
    Prove(proof::ProveArgs),

    /// Check such a proof, and on the ledger that its observation is final.
    CheckProof(proof::CheckProofArgs),

    /// Find where two archives differ.
    Diff(diff::DiffArgs),

    /// Export and import the vote history.
    #[command(subcommand)]
    History(history::HistoryCommand),

    /// Show what the vote store costs, check it, and compact it.
    #[command(subcommand)]
    Store(store_command::StoreCommand),

    /// Write and check archives: media to a content-addressed store and its JSONL index.
    #[command(subcommand)]
    Archive(archive::ArchiveCommand),

    /// Print a shell's completion script.
    Completions(CompletionsArgs),

    /// Write the manual's pages.
    Man(ManArgs),
    Deploy(deploy::DeployArgs),

    #[command(subcommand)]
    Registry(registry::RegistryCommand),

    #[command(subcommand)]
    Rotate(rotate::RotateCommand),

    #[command(subcommand)]
    Rail(rail::RailCommand),
}

impl Command {
    /// The unit whose witness is to be looked at.
    fn unit(&self) -> Option<&str> {
        match self {
            Self::Status(args) => args.unit.name(),
            Self::Verify(args) => args.unit.name(),
            Self::Prove(args) => args.unit.name(),
            Self::Check(args) => args.unit.name(),
            Self::Config(config_command::ConfigCommand::Check(args)) => args.unit.name(),
            _ => None,
        }
    }

    fn logger(&self) -> log::Logger {
        match self {
            Self::Run(run) if run.is_daemon() => log::Logger::Daemon,
            Self::Archive(archive::ArchiveCommand::Subscribe(_)) => log::Logger::Recorder,
            _ => log::Logger::Command,
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
    if let Some(unit) = cli.command.unit() {
        let error = match unit::of_unit(unit) {
            Ok(settings) => unit::start_again(&settings),
            Err(error) => error,
        };
        eprintln!("error: {}", ec_rpc::in_one_line(error.as_ref()));
        return ExitCode::from(2);
    }
    let outcome = match cli.command {
        Command::Setup(args) => args.run(),
        Command::Config(command) => command.run(),
        Command::Key(command) => command.run(),
        Command::Init(args) => args.run(),
        Command::Run(args) => args.run(),
        Command::Derive(args) => args.run(),
        Command::Resume(args) => args.run(),
        Command::Force(args) => args.run(),
        Command::Status(args) => args.run(),
        Command::Verify(args) => args.run(),
        Command::Check(args) => args.run(),
        Command::Prove(args) => args.run(),
        Command::CheckProof(args) => args.run(),
        Command::Diff(args) => args.run(),
        Command::History(command) => command.run(),
        Command::Store(command) => command.run(),
        Command::Completions(args) => args.print(Cli::command()).map(|()| Answer::Yes).map_err(Into::into),
        Command::Man(args) => args.write(Cli::command()).map(|()| Answer::Yes).map_err(Into::into),
        Command::Archive(command) => command.run(),
        Command::Deploy(args) => args.run(),
        Command::Registry(command) => command.run(),
        Command::Rotate(command) => command.run(),
        Command::Rail(command) => command.run(),
    };
    match outcome {
        Ok(answer) => ExitCode::from(answer.code()),
        Err(report) if output::is_broken_pipe(&report) => ExitCode::SUCCESS,
        Err(report) => {
            eprintln!("error: {}", ec_rpc::in_one_line(report.as_ref()));
            ExitCode::from(2)
        }
    }
}

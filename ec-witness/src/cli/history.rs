//! `history export|import`: the votes of a store as JSON.

use std::{io, path::PathBuf};

use clap::{Args, Subcommand};
use ec_witness::store::{VoteStore, history::ExportError};
use eyre::WrapErr;

use super::{
    Answer,
    config::ConfigArg,
    input,
    output::{JsonArg, json_line},
    store::StoreArgs,
};

/// Carries a key's votes from one store to another.
#[derive(Debug, Subcommand)]
pub(crate) enum HistoryCommand {
    /// Print everything this store has voted for, as JSON.
    Export(ExportArgs),
    /// Take over a history, all of it or nothing. Votes recorded here stay.
    Import(ImportArgs),
}

/// Which store to export.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    store: StoreArgs,
}

/// What to import, and into which store.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    store: StoreArgs,

    /// The history, as `export` prints it; `-` for standard input.
    #[arg(value_name = "FILE")]
    history: PathBuf,

    #[command(flatten)]
    json: JsonArg,
}

impl HistoryCommand {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        match self {
            Self::Export(args) => args.run(),
            Self::Import(args) => args.run(),
        }
    }
}

impl ExportArgs {
    fn run(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let store = VoteStore::read(self.store.directory(&file.store)?)?;
        // whoever reads only the beginning of it is no fault, and is told by the cause
        store.export_to(io::stdout().lock()).map_err(|error| match error {
            ExportError::Io(error) => eyre::Report::new(error),
            other => other.into(),
        })?;
        Ok(Answer::Yes)
    }
}

impl ImportArgs {
    fn run(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let shown = self.history.display();
        let history = input::open(&self.history).wrap_err_with(|| format!("history: cannot read {shown}"))?;
        let directory = self.store.directory(&file.store)?;
        let mut store = VoteStore::open_halted(directory)?;
        let imported = store.import(history).wrap_err_with(|| format!("history: {shown} is not taken over"))?;
        store.close()?;
        if self.json.json {
            json_line(&imported)?;
        } else {
            println!("{} slots read, {} votes taken over", imported.slots, imported.adopted);
        }
        Ok(Answer::Yes)
    }
}

//! The flags of `run`, and the settings made of them in one step.

use std::path::PathBuf;

use alloy::primitives::Address;
use clap::{Args, ValueEnum};
use ec_witness::{
    chain::sender::SendRule,
    daemon::{Turns, Until},
    key::KeySource,
    witness::decision::Agreement,
};

use crate::cli::{
    address,
    agreement::AgreementArgs,
    config::ConfigArg,
    connection::{ChainArgs, ChainSettings},
    key::KeyArgs,
    monitor::{MonitorArgs, MonitorSettings},
    output::JsonArg,
    roster::{ArchiveArgs, Roster},
    run_settings::RunSettingsArgs,
    store::StoreArgs,
};

/// What the witness works with.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    agreement: AgreementArgs,

    #[command(flatten)]
    monitor: MonitorArgs,

    /// Settle what the archive holds now and end: 0 all final and equal, 1 not, 2 error.
    #[arg(long, env = "EC_WITNESS_ONCE", help_heading = "Run")]
    once: bool,

    /// At which head `--once` is content.
    #[arg(long, env = "EC_WITNESS_UNTIL", value_enum, default_value_t = UntilArg::Latest, help_heading = "Run")]
    until: UntilArg,

    /// Do all but voting; needs neither key nor store.
    #[arg(long, env = "EC_WITNESS_DRY_RUN", help_heading = "Run")]
    dry_run: bool,

    /// The seat a dry run judges from [default: the first active witness].
    #[arg(long, env = "EC_WITNESS_WITNESS", value_name = "ADDRESS", value_parser = address::parse, help_heading = "Run", requires = "dry_run")]
    witness: Option<Address>,

    #[command(flatten)]
    run: RunSettingsArgs,

    #[command(flatten)]
    json: JsonArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UntilArg {
    /// The latest head: every slot has an outcome.
    Latest,
    /// The finalized head: the outcomes can no longer be taken back.
    Finalized,
}

/// All that a witness works with, checked as far as that can be done without the archive, the chain and the store.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) roster: Roster,
    pub(super) chain: ChainSettings,
    pub(super) voting: Voting,
    pub(super) agreement: Agreement,
    pub(super) turns: Turns,
    pub(super) sending: SendRule,
    pub(super) monitor: MonitorSettings,
    pub(super) json: bool,
}

/// Whether votes are cast.
#[derive(Debug)]
pub(super) enum Voting {
    /// With this key, and kept in this store.
    Cast {
        /// Where the key is.
        key: KeySource,
        /// The store's directory.
        store: PathBuf,
    },
    /// They are only shown.
    Dry {
        /// The seat to judge from; the first active witness where none is given.
        witness: Option<Address>,
    },
}

impl RunArgs {
    /// Whether it goes on until it is stopped.
    pub(crate) fn is_daemon(&self) -> bool {
        !self.once
    }

    /// The settings: flags over environment over the file over defaults.
    pub(super) fn settings(self) -> eyre::Result<Settings> {
        let file = self.config.read()?;
        let chain = self.chain.or(file.chain).settings()?;
        let run = self.run.or(file.run);
        let until = match self.until {
            UntilArg::Latest => Until::Latest,
            UntilArg::Finalized => Until::Finalized,
        };
        Ok(Settings {
            roster: self.archive.roster(file.archive, &file.stream)?,
            voting: match self.dry_run {
                true => Voting::Dry { witness: self.witness },
                false => Voting::Cast {
                    key: self.key.or(file.key).source()?,
                    store: self.store.directory(&file.store)?.to_owned(),
                },
            },
            agreement: self.agreement.or(file.agreement),
            turns: Turns { poll: run.poll(), once: self.once.then_some(until) },
            sending: run.sending(chain.block_time),
            monitor: self.monitor.or(file.monitor)?,
            json: self.json.json,
            chain,
        })
    }
}

//! The flags of `run`, and the settings made of them in one step.

use std::path::PathBuf;

use alloy::primitives::Address;
use clap::{Args, ValueEnum};
use ec_witness::{
    daemon::{Pace, Until},
    key::KeySource,
    sender::SendRule,
    witness::decision::Agreement,
};

use crate::cli::{
    address,
    agreement::AgreementArgs,
    chain::{ChainArgs, ChainSettings},
    config::{ConfigArg, only_in_the_file},
    force_settings::ForceAfterArg,
    key::KeyArgs,
    monitor::{MonitorArgs, MonitorSettings},
    output::JsonArg,
    roster::{ArchiveArgs, Roster},
    run_settings::RunSettingsArgs,
    store::StoreArgs,
};

/// What the witness works with.
#[derive(Debug, Args)]
#[command(after_long_help = only_in_the_file())]
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
    force_after: ForceAfterArg,

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
    pub(super) pace: Pace,
    pub(super) sending: SendRule,
    pub(super) force_after_ms: u64,
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
            pace: Pace { poll: run.poll(), once: self.once.then_some(until) },
            sending: run.sending(chain.block_time),
            force_after_ms: self.force_after.or(&file.force),
            monitor: self.monitor.or(file.monitor)?,
            json: self.json.json,
            chain,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use clap::Parser;

    use super::*;

    const CHAIN: &str = "--rpc http://localhost --chain-id 1 --archive archive";

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        run: RunArgs,
    }

    /// The settings of these flags over this file.
    fn settings(flags: &str, file: &str) -> eyre::Result<Settings> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, file).unwrap();
        let flags = format!("run --config {} {flags}", path.display());
        Command::parse_from(flags.split_whitespace()).run.settings()
    }

    #[test]
    fn flags_come_before_the_file_and_the_file_before_defaults() {
        let file = "[run]\npoll_ms = 7\nmax_batch = 8\n[agreement]\nlate_ms = 9\nprecision_ms = 10";
        let flags = format!("{CHAIN} --dry-run --poll-ms 1 --precision-ms 2");
        let Settings { pace, sending, agreement, .. } = settings(&flags, file).unwrap();
        assert_eq!(pace.poll, Duration::from_millis(1));
        assert_eq!((sending.max_batch, sending.max_in_flight), (8, 16));
        assert_eq!(agreement, Agreement { precision_ms: 2, late_ms: 9, ..Agreement::default() });
    }

    #[test]
    fn times_of_blocks_follow_the_block_time() {
        let flags = format!("{CHAIN} --dry-run --bump-after-ms 5 --block-time-ms 100");
        let sending = settings(&flags, "").unwrap().sending;
        assert_eq!((sending.bump_after_ms, sending.resend_after_ms), (5, 300));
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_before_anything_is_reached() {
        let refused = |flags: &str, file: &str| format!("{:#}", settings(flags, file).unwrap_err());
        let key = "--key-file key";
        assert!(refused("--archive archive --dry-run", "").contains("rpc is not set"));
        assert!(refused("--rpc http://localhost --chain-id 1 --dry-run", "").contains("no archive"));
        assert!(refused(&format!("{CHAIN} {key}"), "").contains("store is not set"));
        assert!(
            refused(&format!("{CHAIN} {key} --store s --keystore k --password-file p"), "")
                .contains("more than one key")
        );
        assert!(refused(&format!("{CHAIN} --dry-run --rpc-timeout-ms 0"), "").contains("rpc_timeout_ms is 0"));
        let shown_to_all = "[monitor]\nmetrics_listen = \"0.0.0.0:1\"";
        assert!(refused(&format!("{CHAIN} --dry-run"), shown_to_all).contains("not a loopback address"));
        assert!(refused(&format!("{CHAIN} --dry-run"), "[run]\npoll_s = 1").contains("poll_s"));
        let more_than_all = refused(&format!("{CHAIN} --dry-run"), "[run]\ncatch_up_percent = 101");
        assert!(
            more_than_all.contains("catch_up_percent") && more_than_all.contains("from 0 to 100"),
            "{more_than_all}"
        );
    }

    #[test]
    fn a_dry_run_needs_neither_key_nor_store() {
        assert!(matches!(settings(&format!("{CHAIN} --dry-run"), "").unwrap().voting, Voting::Dry { witness: None }));
        let settings = settings(&format!("{CHAIN} --store s --key-file key"), "").unwrap();
        assert!(matches!(settings.voting, Voting::Cast { store, .. } if store.as_os_str() == "s"));
    }
}

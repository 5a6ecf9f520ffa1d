//! `config check`: whether a configuration is right, before anything rests on it.

use clap::{Args, Subcommand};

use super::{
    Answer,
    chain::ChainArgs,
    config::ConfigArg,
    connection::block_on,
    init::ArchiveLaterArg,
    inspection::{Inspected, Origins, Purpose, Subject, Whose, inspect},
    key::KeyArgs,
    output::{JsonArg, json_line},
    roster::ArchiveArgs,
    store::StoreArgs,
    unit::UnitArg,
};

/// Check the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check a witness's settings against its key, its endpoints, the contracts, the archive, the clock and the vote store.
    ///
    /// Every setting is named that is wrong, with where it stands, its value and what helps. Looks only. Exit code 1 if a check
    /// failed; warnings are none.
    Check(CheckConfigArgs),
}

/// Which settings.
#[derive(Debug, Args)]
pub(crate) struct CheckConfigArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    pub(crate) unit: UnitArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    later: ArchiveLaterArg,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    json: JsonArg,
}

impl ConfigCommand {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        match self {
            Self::Check(args) => block_on(args.work()),
        }
    }
}

impl CheckConfigArgs {
    async fn work(self) -> eyre::Result<Answer> {
        let origins = Origins::here(&self.config)?;
        let file = self.config.read()?;
        let subject = Subject {
            purpose: Purpose::Check,
            whose: Whose::Key(Box::new(self.key.or(file.key))),
            chain: self.chain.or(file.chain),
            store: self.store.directory_if_set(&file.store).map(Into::into),
            archive_key: self.archive.place_key(&file.archive),
            roster: self.archive.roster(file.archive, &file.stream),
            archive_later: self.later.archive_later,
            json: self.json.json,
        };
        let inspected = inspect(&origins, subject).await;
        show(&inspected, self.json.json)?;
        Ok((inspected.failed().count() == 0).into())
    }
}

/// Shows every check: what failed first, then what is to be looked at.
pub(crate) fn show(inspected: &Inspected, json: bool) -> eyre::Result<()> {
    use std::io::Write;
    let mut findings: Vec<_> = inspected.findings.iter().collect();
    if json {
        return findings.into_iter().try_for_each(json_line);
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.check.level));
    let mut out = std::io::stdout().lock();
    findings.into_iter().try_for_each(|finding| writeln!(out, "{finding}"))?;
    Ok(())
}

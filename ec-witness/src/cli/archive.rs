//! `archive record` and `archive check`.

use clap::Subcommand;

use super::Answer;

/// The tools that write and check archives.
#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveCommand {}

impl ArchiveCommand {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        match self {}
    }
}

//! `archive record` and `archive check`.

mod check;
pub(crate) mod dirs;
mod numbering;
mod record;

use clap::Subcommand;

use super::Answer;

/// The tools that write and check archives.
#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveCommand {
    /// Record media: cut fragmented MP4 into groups, store them by hash and index them.
    ///
    /// Each recording is a new session, appended to the index. With `--numbering timeline`, recording the same input again
    /// changes nothing. An input that contradicts the index is refused before anything is written.
    Record(record::RecordArgs),
    /// Hash every object that the index names, and compare.
    ///
    /// Exit codes: 0 all is as the index says, 1 something is missing or differs, a line is bad, or, with `--numbering
    /// timeline`, records conflict; 2 error.
    /// Objects that no record names are listed as information.
    Check(check::CheckArgs),
}

impl ArchiveCommand {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        match self {
            Self::Record(args) => args.run(),
            Self::Check(args) => args.run(),
        }
    }
}

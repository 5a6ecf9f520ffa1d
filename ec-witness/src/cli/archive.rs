//! `archive record`, `archive subscribe` and `archive check`.

mod check;
pub(crate) mod dirs;
mod numbering;
mod record;
mod subscribe;

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
    /// Record a broadcast from a MoQ relay, group by group as they come, until told to stop.
    ///
    /// Groups are stored as received; their numbers are those of the publisher. A relay or a publisher that goes away is waited for,
    /// and what comes twice is recorded once.
    /// Exit codes: 0 stopped by SIGINT or SIGTERM, 2 error. It runs like `run`: logs at `info`, tells systemd.
    Subscribe(Box<subscribe::SubscribeArgs>),
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
            Self::Subscribe(args) => args.run(),
            Self::Check(args) => args.run(),
        }
    }
}

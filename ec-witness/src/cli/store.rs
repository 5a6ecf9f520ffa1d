//! The `[store]` settings, and what stands beside the votes.

use std::path::{Path, PathBuf};

use clap::Args;
use ec_archive::Checkpoints;
use eyre::OptionExt;
use serde::Deserialize;

/// Where votes are kept.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Vote store")]
pub(crate) struct StoreArgs {
    /// Directory of the vote store; `init` creates it.
    #[arg(long = "store", env = "EC_WITNESS_STORE", value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl StoreArgs {
    /// The directory: these settings, else the file's.
    pub(crate) fn directory<'a>(&'a self, file: &'a Self) -> eyre::Result<&'a Path> {
        let directory = self.dir.as_deref().or(file.dir.as_deref());
        directory.ok_or_eyre("store is not set: give --store DIR, EC_WITNESS_STORE, or dir in [store]")
    }

    /// The directory, if one is set.
    pub(crate) fn directory_if_set<'a>(&'a self, file: &'a Self) -> Option<&'a Path> {
        self.dir.as_deref().or(file.dir.as_deref())
    }
}

/// What the daemon has read of the archive's index, in the store's directory. A cache.
pub(crate) fn checkpoints(store: &Path) -> Checkpoints {
    Checkpoints::at(store.join("index"))
}

/// The file in the store's directory that has the daemon's checkpoint of the ledger's log. A cache.
pub(crate) fn ledger_checkpoint(store: &Path) -> PathBuf {
    store.join("ledger.sqlite")
}

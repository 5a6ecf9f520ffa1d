//! What keeps a snapshot from being taken or restored.

use std::{
    io,
    path::{Path, PathBuf},
};

use ec_files::FileError;

/// Why there is no snapshot, or none that was put in place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    System {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// Whatever runs says not where its data is.
    #[error("{component} has no --{flag} in the stack file, so where its data is cannot be told")]
    Unplaced {
        /// The program.
        component: String,
        /// The flag that it lacks.
        flag: &'static str,
    },
    /// There is no such data.
    #[error("{}: there is no such directory; {component}'s data should be there", path.display())]
    Missing {
        /// Whose it would be.
        component: String,
        /// Where.
        path: PathBuf,
    },
    /// A process uses the data.
    #[error("{}: a process holds this lock: stop what uses the data, then try again", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
    },
    /// Another run has the same target.
    #[error("{}: another run of this command is at work there", path.display())]
    Busy {
        /// The target.
        path: PathBuf,
    },
    /// Neither a file nor a directory, or a name that is no text.
    #[error("{}: neither a file nor a directory of a plain name; it is not known how to keep it", path.display())]
    Unknown {
        /// What it is about.
        path: PathBuf,
    },
    /// A snapshot within what it is of.
    #[error("{}: it lies in {}, of which it would be the snapshot: name another directory", path.display(), data.display())]
    Inside {
        /// The target.
        path: PathBuf,
        /// The data.
        data: PathBuf,
    },
    /// A snapshot is taken into a directory of its own.
    #[error("{}: a finished snapshot is there, and is left as it is: name another directory", path.display())]
    Finished {
        /// The directory.
        path: PathBuf,
    },
    /// What is there is not to be overwritten.
    #[error("{}: it is not empty, and nothing is ever overwritten: move it away, or name another place", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// A snapshot without its manifest.
    #[error("{}: there is no manifest.json, so this is no finished snapshot: run `ec-op-stack snapshot` again", path.display())]
    Unfinished {
        /// The directory.
        path: PathBuf,
    },
    /// A manifest that is not to be trusted.
    #[error("{}: {reason}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// `rollup.json` does not say which chain it is.
    #[error("{}: no l2_chain_id and genesis.l2.hash, which tell the chain", path.display())]
    NoChain {
        /// The file.
        path: PathBuf,
    },
    /// A snapshot of another chain.
    #[error("the snapshot is of {snapshot}, rollup.json is of {host}")]
    OtherChain {
        /// The snapshot's, as a person reads it.
        snapshot: String,
        /// The host's, likewise.
        host: String,
    },
    /// What is in the snapshot has no place on this host.
    #[error("the snapshot holds {part}, and the stack file has no place for it: it names {}", places.join(", "))]
    NoPlace {
        /// The data.
        part: String,
        /// Those that there are.
        places: Vec<String>,
    },
    /// A file is not as it was when the snapshot was taken.
    #[error("{}: {found} found, the manifest says {wanted}: the snapshot is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The manifest's.
        wanted: String,
        /// The file's.
        found: String,
    },
}

impl SnapshotError {
    /// What the system refuses, with the place.
    pub(super) fn system(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { action, path: path.to_owned(), source }
    }

    /// Whether it is an answer about data and places rather than a failure to look.
    pub const fn is_answer(&self) -> bool {
        !matches!(self, Self::System { .. } | Self::Unplaced { .. } | Self::NoChain { .. } | Self::Unknown { .. })
    }
}

impl From<FileError> for SnapshotError {
    fn from(FileError { action, path, source }: FileError) -> Self {
        Self::System { action, path, source }
    }
}

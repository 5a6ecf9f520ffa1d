//! Why an archive cannot be read.

use std::{io, path::PathBuf};

/// An archive that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory could not be walked, or a symbolic link leads back to where it stands.
    #[error("manifests: {0}")]
    Walk(#[from] walkdir::Error),
    /// A name is not UTF-8.
    #[error("{}: the name is not valid UTF-8; rename it", path.display())]
    NotUtf8 {
        /// The file or directory.
        path: PathBuf,
    },
    /// The directory that should hold the index is not there.
    #[error("{}: no such directory; an archive's index is in `manifests/` (see --archive, --manifests)", path.display())]
    NoManifests {
        /// The directory.
        path: PathBuf,
    },
    /// A file no longer holds what was read of it.
    #[error("{}: what was read from byte {start} on is no longer there: the file was truncated, rewritten or edited", path.display())]
    Changed {
        /// The track's path.
        path: PathBuf,
        /// Where the stretch begins that differs.
        start: u64,
        /// Which of the track's files it is.
        generation: u64,
    },
}

impl ArchiveError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Io { path: path.into(), source }
    }
}

//! Why files cannot be read in one pass.

use std::io;

use crate::ArchiveError;

/// Why one pass is not enough.
#[derive(Debug, thiserror::Error)]
pub(super) enum Disorder {
    /// A file cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The files are not in order, or hardly an index.
    #[error("not in order")]
    Order,
    /// There is no room for what was derived.
    #[error("temporary file: {0}")]
    Room(io::Error),
}

//! Reading an archive's index: JSONL → records → epochs (protocol §2).
//!
//! [`track_file`] reads a file and [`mod@line`] judges each of its lines, [`index`] remembers which parts of a track's
//! files can hold which epochs, and [`sweep`] reads those parts again to yield whole epochs in order. Records form a set
//! and may stand anywhere in a file, so one pass could not know when an epoch is whole; two passes with the small index
//! between them can, in memory that does not grow with the archive. [`checkpoint`] keeps that index across a restart.
//! Every part is known by a checksum, so a file that changed is noticed before anything is derived from it. Where the
//! files are in order, as archives are, and no records are asked for, [`one_pass`] derives the epochs of an archive at
//! rest while it reads.

pub mod at_rest;
pub mod checkpoint;
mod checksum;
mod closed;
pub mod epoch;
mod extent;
mod generation;
pub mod index;
pub mod late;
pub mod layout;
pub mod line;
mod line_index;
mod lines;
pub mod one_pass;
mod sources;
pub mod sweep;
pub mod track_file;
mod track_index;
mod withheld;

pub use at_rest::{AtRest, Observation, for_each_closed};
pub use checkpoint::Checkpoints;
pub use closed::{ClosedEpoch, DeriveError, is_closed};
pub use epoch::EpochRecords;
pub use index::StreamIndex;
pub use layout::{Archive, Broadcast};
pub use line::{BadLine, FieldNames, Record};
pub use one_pass::{Closed, Epochs};
pub use sources::{Mapping, Source};
pub use sweep::Sweep;
pub use track_file::{FileLine, TrackFile};
pub use track_index::TrackIndex;

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
    fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Io { path: path.into(), source }
    }
}

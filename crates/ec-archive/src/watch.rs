//! What is heard while an index is read: bad lines, and what befell a track's file.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use ec_observation::{EpochKey, Record};

use crate::line::Reason;

/// A complete line that is no record, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The file.
    pub file: PathBuf,
    /// Offset of the line's first byte.
    pub offset: u64,
    /// What is wrong.
    pub reason: Reason,
}

/// Why a file can no longer be read as it was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It is shorter than what was read of it.
    Truncated {
        /// Bytes that were read before.
        expected: u64,
        /// Its length now.
        found: u64,
    },
    /// It holds something else where it was read.
    Rewritten,
    /// It stands neither at the track's path nor beside it.
    NotFound,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { expected, found } => {
                write!(f, "it is {found} bytes, but {expected} bytes of it were already read: it was truncated")
            }
            Self::Rewritten => f.write_str("it no longer holds what was read of it: it was rewritten or edited"),
            Self::NotFound => f.write_str("it was read before, and is neither in its place nor beside it"),
        }
    }
}

/// What befell a track's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackEvent {
    /// Another file stands in its place. It was read to its end and stays readable.
    Rotated {
        /// The track's path.
        file: PathBuf,
        /// The end of its last complete line.
        offset: u64,
        /// Bytes of a torn line after that, which are no data.
        torn_bytes: u64,
    },
    /// It cannot be read again. The epochs that it touched are withheld.
    Lost {
        /// The track's path.
        file: PathBuf,
        /// Why.
        lost: Lost,
        /// The lowest and highest epoch that it touched.
        touched: Option<(EpochKey, EpochKey)>,
    },
}

/// Hears what is found while a file is read on.
pub trait Watch {
    /// `bytes` more of the index are read.
    fn read(&mut self, bytes: u64) {
        let _ = bytes;
    }

    /// A bad line was met.
    fn quarantined(&mut self, line: Quarantined) {
        let _ = line;
    }

    /// A good line of this epoch was met in the file at this path.
    fn record(&mut self, file: &Path, epoch: EpochKey, record: &Record) {
        let _ = (file, epoch, record);
    }

    /// A line touches this epoch of the stream.
    fn touched(&mut self, epoch: EpochKey) {
        let _ = epoch;
    }

    /// Something befell a track's file.
    fn event(&mut self, event: TrackEvent) {
        let _ = event;
    }
}

/// Hears nothing.
impl Watch for () {}

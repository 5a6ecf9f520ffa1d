//! Why a recording is not made.

use std::{fmt, path::PathBuf};

use ec_observation::Numbering;

use super::{
    groups::GroupError,
    index::{IndexError, StoredGroup},
    input::InputError,
    media::MediaError,
};
use crate::cas::CasError;

/// Why a recording was not made, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum RecorderError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error(transparent)]
    Group(#[from] GroupError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Cas(#[from] CasError),
    /// The input has an init segment but no group.
    #[error("{}: holds no fragment of a video or audio track", path.display())]
    NoGroups { path: PathBuf },
    /// The input has groups, but each may be a part of one.
    #[error("{}: has no whole group yet; record it again when it has grown", path.display())]
    NoWholeGroup { path: PathBuf },
    /// Media that begins later than now, from whatever its times count.
    #[error(
        "{}: media begins at {first_ms} ms of its own time, which is later than now if it counts from 1970; give \
         --start-unix-ms, the Unix time of its time 0",
        path.display()
    )]
    BeginsLate { path: PathBuf, first_ms: u64 },
    /// Media whose own times are Unix times, and a start beside them.
    #[error(
        "{}: media begins at {first_ms} ms of its own time, which counts from 1970, so that its time 0 is then; leave \
         --start-unix-ms out, or give 0",
        path.display()
    )]
    CountsTwice { path: PathBuf, first_ms: u64 },
    /// A list's dates by which a run begins in the middle of the one before.
    #[error(
        "{}: what comes after a discontinuity begins at {begin_unix_ms} Unix ms by its date, and what comes before it ends at \
         {end_unix_ms}; correct EXT-X-PROGRAM-DATE-TIME, or give --start-unix-ms, by which each begins where the one before \
         it ends",
        path.display()
    )]
    BeginsBefore { path: PathBuf, begin_unix_ms: u64, end_unix_ms: u64 },
    /// Inputs that look like one stream's successive recordings.
    #[error(
        "{} and {}: both have {what}, and tracks of one broadcast are of one time; recordings that follow each other are \
         recorded in runs of their own, each with its own --start-unix-ms, or as one list with #EXT-X-DISCONTINUITY between \
         them; if these are different tracks of the same time, give --parallel",
        first.display(), second.display()
    )]
    Alike { first: PathBuf, second: PathBuf, what: String },
    /// The index has other content for a group. Nothing was written.
    #[error(
        "{0}; nothing was written; if the input was recorded before it was whole, record it under another --broadcast, and files only \
         once nothing is written to them"
    )]
    Conflict(Box<OtherContent>),
    /// The index is numbered in the other way. Nothing was written.
    #[error("{0}; nothing was written")]
    OtherNumbering(Box<OtherNumbering>),
    /// The second reading of the input differs from the first.
    #[error("the input changed while it was read: track {track} group {group_sequence}; record it when it is complete")]
    InputChanged { track: String, group_sequence: u64 },
}

/// A group for which the index has other content than the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherContent {
    /// The index file.
    pub index: PathBuf,
    /// The track.
    pub track: String,
    /// What the index has.
    pub present: StoredGroup,
    /// What the input has.
    pub planned: StoredGroup,
}

impl fmt::Display for OtherContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, track, present, planned } = self;
        write!(f, "{}: group {} of track {track} is ", index.display(), present.group_sequence)?;
        write!(f, "{} ({} bytes), but in the input ", present.blake3, present.size_bytes)?;
        write!(f, "{} ({} bytes)", planned.blake3, planned.size_bytes)
    }
}

/// An index whose numbers are of the other kind than those of a recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}: its groups are numbered from {lowest} on, by {present}, and this recording would go on by {}; give --numbering \
     {present}, or another --broadcast for the new numbers",
    index.display(), wanted.name(), present = present.name()
)]
pub struct OtherNumbering {
    /// The index file.
    pub index: PathBuf,
    /// The lowest number that it has.
    pub lowest: u64,
    /// How it is numbered.
    pub present: Numbering,
    /// How the recording would number.
    pub wanted: Numbering,
}

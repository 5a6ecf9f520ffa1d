//! Fragmented MP4: top-level boxes, the init segment, and fragments of single tracks.

mod boxes;
mod fragment;
mod init;
mod moof;
mod split;

use std::{io, path::PathBuf, sync::Arc};

pub use self::{
    boxes::{BoxOffset, Piece},
    fragment::{Fragment, Media},
    init::{IgnoredTrack, Init, InitTrack, TrackKind},
};

/// Why media could not be read. Every message names the file, and where known the byte and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum MediaError {
    /// The operating system refused.
    #[error("cannot read {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The bytes are no MP4 at all.
    #[error("{at}: these bytes are no MP4 box{}", .looks_like.unwrap_or("; give fragmented MP4 (CMAF)"))]
    NotMp4 { at: BoxOffset, looks_like: Option<&'static str> },
    /// A list names a file that is not there.
    #[error(
        "{}: the list names this file, and it is not there; put it there, or #EXT-X-GAP before it in the list, if it never will be",
        path.display()
    )]
    Missing { path: PathBuf },
    /// The rest of the file is zero: it was given its size before it was written, and never cut.
    #[error(
        "{at}: the rest of the file are NUL bytes, as of one that is still written or was never finished; if no writer is \
         active, cut it with `truncate -s {}`",
        at.offset
    )]
    Padding { at: BoxOffset },
    /// A box is too long to be what it says.
    #[error(
        "{at}: box `{kind}` claims {size} bytes, the limit is {limit}; if the file is whole, it is not fragmented, and `-c \
         copy -movflags +cmaf+frag_keyframe` of ffmpeg remakes it"
    )]
    TooLarge { at: BoxOffset, kind: String, size: u64, limit: u64 },
    /// The file ends inside a box.
    #[error("{at}: box `{kind}` has {has} of its {size} bytes; the file is cut, remove its last fragment")]
    CutShort { at: BoxOffset, kind: String, has: u64, size: u64 },
    /// A box does not follow its syntax.
    #[error("{at}: box `{kind}` cannot be read")]
    Syntax { at: BoxOffset, kind: &'static str, source: mp4_atom::Error },
    /// A plain MP4 file, whose samples are not in fragments.
    #[error("{at}: not fragmented; remake it with `-c copy -movflags +cmaf+frag_keyframe` of ffmpeg")]
    NotFragmented { at: BoxOffset },
    /// A hybrid file: its first samples are not in a fragment, or all of them are found by its `moov` too.
    #[error(
        "{at}: these samples are listed in `moov` as those of a plain file, only later ones come in fragments; remake it with \
         `-c copy -movflags +cmaf+frag_keyframe` of ffmpeg"
    )]
    Hybrid { at: BoxOffset },
    /// Media without `moov`.
    #[error("{at}: `{kind}` comes before any `moov`; put the init segment first or give the playlist")]
    NoInit { at: BoxOffset, kind: String },
    /// Neither an init segment nor a fragment.
    #[error("{}: holds no `moov` and no fragments", path.display())]
    Empty { path: PathBuf },
    /// The init segment changes in the middle.
    #[error(
        "{at}: the init segment changes here; in a list, put a line #EXT-X-DISCONTINUITY before it, else record what comes \
         before and after in runs of their own, each with its own --start-unix-ms"
    )]
    InitChanges { at: BoxOffset },
    /// A track cannot be timed.
    #[error("{at}: track {track_id} has timescale 0")]
    NoTimescale { at: BoxOffset, track_id: u32 },
    /// A fragment of a track that the init segment does not declare.
    #[error("{at}: fragment of track {track_id}, which the init segment does not declare")]
    UnknownTrack { at: BoxOffset, track_id: u32 },
    /// A track's first fragment without `tfdt`, which CMAF requires.
    #[error(
        "{at}: fragment of track {track_id} has no `tfdt`, so its time is unknown; if it is a whole file, as of Smooth Streaming, \
         remake it with `-c copy -movflags +cmaf+frag_keyframe` of ffmpeg"
    )]
    NoDecodeTime { at: BoxOffset, track_id: u32 },
    /// An `mdat` that no `moof` announces, or a `moof` without `mdat`.
    #[error("{at}: `moof` and `mdat` do not come in pairs")]
    Unpaired { at: BoxOffset },
    /// A run of samples lies outside of the fragment's `mdat`.
    #[error("{at}: samples of track {track_id} lie outside of the fragment's `mdat`")]
    OutsideMdat { at: BoxOffset, track_id: u32 },
    /// A fragment of several tracks that cannot be cut apart.
    #[error(
        "{at}: the samples of track {track_id} have data, as those of encrypted ones, that are found by position (`saio`) \
         outside of its `traf`, so that a fragment of several tracks cannot be cut; have the packager write a file or \
         playlist for each track"
    )]
    Unsplittable { at: BoxOffset, track_id: u32 },
}

/// The file a box came from, shared by all its boxes.
type SharedPath = Arc<std::path::Path>;

#[cfg(test)]
mod tests;

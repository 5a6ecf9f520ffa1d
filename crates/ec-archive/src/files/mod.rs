//! The files of an archive's index: where they are, their lines, and what becomes of them while a witness runs
//! (protocol §2.1, §2.2, §2.8).

mod checkpoint;
mod checksum;
mod generation;
mod held;
mod layout;
mod lines;
mod stream_index;
mod track_file;
mod track_index;

pub use self::{
    checkpoint::{CheckpointError, Checkpoints},
    held::{IndexFiles, hold_at_most, index_files},
    layout::{Archive, Broadcast},
    stream_index::StreamIndex,
    track_file::TrackFile,
    track_index::TrackIndex,
};
pub(crate) use self::{
    held::FileId,
    layout::TRACK_FILE_ENDING,
    lines::{bare, is_blank},
    track_index::TrackPart,
};

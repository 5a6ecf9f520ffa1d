//! every.channel archives (protocol §2): the index that becomes epochs, the content-addressed store beside it, and the
//! recorder that writes both.
//!
//! Data flows one way. [`mod@line`] judges one line of the index. `index` remembers, pure over what lines say, which stretch
//! of a file touches which epochs. [`files`] reads files into such an index, live and through rotation and loss, and
//! keeps it across a restart. [`epochs`] yields whole epochs in order: by a sweep over an index, since records form a set
//! and may stand anywhere in a file, or in one pass, where the files are in order, as archives are. Memory does not grow
//! with the archive, and every stretch is known by a checksum, so a file that changed is noticed before anything is
//! derived from it.
//!
//! [`cas`] holds the objects that records name, [`recorder`] writes an archive from fragmented MP4, [`in_order`] shares
//! work among threads. [`watch`] is what a reader hears on the way.

pub mod cas;
pub mod epochs;
mod error;
pub mod files;
pub mod in_order;
mod index;
pub mod line;
pub mod recorder;
mod sources;
pub mod watch;

pub use epochs::{
    AtRest, Closed, DeriveError, Epochs, KnownMark, LinkedEpoch, Observation, Sweep, SweptEpoch, for_each_closed,
    is_closed, late_records,
};
pub use error::ArchiveError;
pub use files::{
    Archive, Broadcast, CheckpointError, Checkpoints, IndexFiles, StreamIndex, TrackFile, TrackIndex, hold_at_most,
    index_files,
};
pub use index::{FileLine, SegmentSpan};
pub use line::{BadLine, FieldNames};
pub use sources::{MEDIA_ENDING, Mapping, Source, SourceError, StreamDefaults, StreamTable, TimeSetting};
pub use watch::{Lost, Quarantined, TrackEvent, Watch};

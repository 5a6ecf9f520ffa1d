//! The index of a stream: those of its tracks, and what is heard while they are read.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::{
    Archive, ArchiveError, Broadcast, TrackIndex,
    extent::Mark,
    line::{FieldNames, Reason, Record},
};
use crate::stream::StreamRule;

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
        touched: Option<(u64, u64)>,
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

    /// A line touches this epoch of the stream.
    fn touched(&mut self, epoch: u64) {
        let _ = epoch;
    }

    /// Something befell a track's file.
    fn event(&mut self, event: TrackEvent) {
        let _ = event;
    }
}

/// Hears nothing.
impl Watch for () {}

/// The indexes of all tracks of one stream.
#[derive(Clone, Debug)]
pub struct StreamIndex {
    rule: StreamRule,
    tracks: Vec<TrackIndex>,
}

impl StreamIndex {
    /// An index of nothing yet.
    pub fn new(broadcast: &Broadcast, rule: StreamRule, names: &FieldNames) -> Self {
        let track = |name: &String| TrackIndex::new(broadcast, name, rule.epochs, names.clone());
        let tracks = rule.tracks.names().iter().map(track).collect();
        Self { rule, tracks }
    }

    /// The index of a broadcast as it stands.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn read(
        archive: &Archive,
        broadcast: &str,
        rule: StreamRule,
        names: &FieldNames,
        watch: &mut impl Watch,
    ) -> Result<Self, ArchiveError> {
        let mut index = Self::new(&archive.broadcast(broadcast), rule, names);
        index.read_on(watch)?;
        Ok(index)
    }

    /// Reads what was appended to the track files.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn read_on(&mut self, watch: &mut impl Watch) -> Result<(), ArchiveError> {
        self.tracks.iter_mut().try_for_each(|track| track.read_on(watch))
    }

    /// Reads about `budget` bytes of what was appended to each track file; true when nothing is left.
    ///
    /// # Errors
    ///
    /// A file cannot be read; the others are read all the same.
    pub fn read_some(&mut self, budget: u64, watch: &mut impl Watch) -> Result<bool, ArchiveError> {
        let read: Vec<_> = self.tracks.iter_mut().map(|track| track.read_some(budget, watch)).collect();
        read.into_iter().try_fold(true, |all, finished| Ok(finished? && all))
    }

    #[cfg(test)]
    pub(super) fn with_grain(mut self, grain: super::extent::Grain) -> Self {
        self.tracks.iter_mut().for_each(|track| track.set_grain(grain));
        self
    }

    /// The rule that the stream follows.
    pub fn rule(&self) -> &StreamRule {
        &self.rule
    }

    /// The tracks, in the order of their names.
    pub fn tracks(&self) -> &[TrackIndex] {
        &self.tracks
    }

    pub(super) fn tracks_mut(&mut self) -> &mut [TrackIndex] {
        &mut self.tracks
    }

    /// The highest epoch that has a record. Every lower one has a later record beside it.
    pub fn highest_epoch(&self) -> Option<u64> {
        self.tracks.iter().filter_map(TrackIndex::highest_epoch).max()
    }

    /// Whether part of what an epoch rested on cannot be read any more, so that nobody here may vote on it.
    pub fn withholds(&self, epoch: u64) -> bool {
        self.tracks.iter().any(|track| track.withholds(epoch))
    }

    /// What keeps epochs from being derived until a file comes or goes on.
    pub fn hindrance(&self) -> Option<String> {
        let absent = self.tracks.iter().find(|track| track.is_absent());
        let absent = absent.map(|track| format!("{}: the file is gone", track.path().display()));
        absent.or_else(|| {
            let broken = self.tracks.iter().find(|track| track.is_broken_off())?;
            Some(format!("{}: the file was lost, and no record has come since", broken.path().display()))
        })
    }

    /// Bytes read of all files that are kept.
    pub fn bytes_read(&self) -> u64 {
        self.tracks.iter().map(TrackIndex::bytes_read).sum()
    }

    /// Gives up the file that a reading found changed.
    pub fn lose(&mut self, path: &Path, generation: u64, watch: &mut impl Watch) {
        if let Some(track) = self.tracks.iter_mut().find(|track| track.path() == path) {
            track.lose(generation, Lost::Rewritten, watch);
        }
    }

    /// Reads the good lines of one epoch: each with its track's place among the tracks, repeated ones included.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or no longer holds what was read of it; what the `sink` has heard must not count then.
    pub fn for_each_record(&self, epoch: u64, mut sink: impl FnMut(usize, Record)) -> Result<(), ArchiveError> {
        for (place, track) in self.tracks.iter().enumerate() {
            for part in track.parts(epoch, epoch) {
                track.read_part(&part, |mark| match mark {
                    Mark::Record(found, record) if found == epoch => sink(place, record),
                    Mark::Record(..) | Mark::Bad(_) => {}
                })?;
            }
        }
        Ok(())
    }
}

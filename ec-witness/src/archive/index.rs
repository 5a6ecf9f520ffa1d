//! Which parts of a track's file can hold which epochs.
//!
//! A [`TrackIndex`] follows one append-only file. It keeps no records: only, for each stretch of the file (an
//! `Extent`), the lowest and highest epoch that the stretch touches, enough to find an epoch's lines again. When
//! there are too many extents, neighbours are joined, so the index has a fixed size whatever the file's.

use std::path::{Path, PathBuf};

use super::{
    Archive, ArchiveError, Broadcast,
    extent::{Extent, Grain, Mark, Neighbours, join_neighbours},
    line::{FieldNames, Reason, Record},
    track_file::{FileLine, Footprint, TrackFile},
};
use crate::stream::{EpochRule, StreamRule};

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
}

/// Hears nothing.
impl Watch for () {}

/// The index of one track's file.
#[derive(Clone, Debug)]
pub struct TrackIndex {
    file: TrackFile,
    footprint: Footprint,
    lines: LineIndex,
}

/// What is kept of the lines that were read.
#[derive(Clone, Debug)]
struct LineIndex {
    grain: Grain,
    extents: Vec<Extent>,
    /// The extent that is being read, and its neighbours' state at its end.
    open: Extent,
    neighbours: Neighbours,
    /// The highest epoch with a good line.
    highest: Option<u64>,
}

impl TrackIndex {
    /// An index of nothing yet.
    pub fn new(broadcast: &Broadcast, track: &str, epochs: EpochRule, names: FieldNames) -> Self {
        let lines = LineIndex {
            grain: Grain::default(),
            extents: Vec::new(),
            open: Extent::starting_at(0, None),
            neighbours: Neighbours { epochs, before: None, waiting: false },
            highest: None,
        };
        Self { file: TrackFile::new(broadcast, track, names), footprint: Footprint::default(), lines }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Bytes read so far: the offset after the last complete line.
    pub fn offset(&self) -> u64 {
        self.lines.open.end
    }

    /// The highest epoch with a good line.
    pub fn highest_epoch(&self) -> Option<u64> {
        self.lines.highest
    }

    /// Reads the complete lines that were appended. A missing file is an empty track.
    ///
    /// # Errors
    ///
    /// The file cannot be read, became shorter than what was read of it, or is another one.
    pub fn read_on(&mut self, watch: &mut impl Watch) -> Result<(), ArchiveError> {
        let Self { file, footprint, lines } = self;
        file.read_on(lines.open.end, footprint, |line| lines.take(file.path(), line, watch))
    }

    /// The extents that can hold something of the epochs from `low` to `high`.
    pub(super) fn extents(&self, low: u64, high: u64) -> impl Iterator<Item = Extent> + '_ {
        let all = self.lines.extents.iter().chain([&self.lines.open]).copied();
        all.filter(move |extent| extent.touched.is_some_and(|(lowest, highest)| lowest <= high && low <= highest))
    }

    /// Reads an extent again and tells what its lines mean.
    pub(super) fn read_extent(&self, extent: &Extent, mut sink: impl FnMut(Mark)) -> Result<(), ArchiveError> {
        let mut neighbours = Neighbours { before: extent.before, waiting: false, ..self.lines.neighbours };
        self.file.read_again(extent.start..extent.end, (self.offset(), &self.footprint), |line| {
            if let Some(judged) = line.judged {
                neighbours.mark(&judged, &mut sink);
            }
        })
    }
}

impl LineIndex {
    fn take(&mut self, file: &Path, line: FileLine, watch: &mut impl Watch) {
        let FileLine { offset, end, judged } = line;
        watch.read(end - offset);
        if let Some(judged) = judged {
            let Self { open, highest, .. } = self;
            self.neighbours.mark(&judged, |mark| {
                let (Mark::Record(epoch, _) | Mark::Bad(epoch)) = mark;
                if matches!(mark, Mark::Record(..)) {
                    *highest = (*highest).max(Some(epoch));
                }
                open.touch(epoch);
                watch.touched(epoch);
            });
            if let Err(bad) = judged {
                watch.quarantined(Quarantined { file: file.to_owned(), offset, reason: bad.reason });
            }
        }
        self.extend_to(end);
    }

    /// Ends the open extent if it is long enough, and no bad line at its end waits for the next good one.
    fn extend_to(&mut self, end: u64) {
        self.open.end = end;
        if !self.neighbours.waiting && self.open.end - self.open.start >= self.grain.extent_len {
            self.extents.push(self.open);
            self.open = Extent::starting_at(end, self.neighbours.before);
            join_neighbours(&mut self.extents, self.grain.max_extents);
        }
    }
}

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
    /// A file cannot be read, became shorter, or is another one.
    pub fn read_on(&mut self, watch: &mut impl Watch) -> Result<(), ArchiveError> {
        self.tracks.iter_mut().try_for_each(|track| track.read_on(watch))
    }

    #[cfg(test)]
    pub(super) fn with_grain(mut self, grain: Grain) -> Self {
        self.tracks.iter_mut().for_each(|track| track.lines.grain = grain);
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

    /// The highest epoch that has a record. Every lower one has a later record beside it.
    pub fn highest_epoch(&self) -> Option<u64> {
        self.tracks.iter().filter_map(TrackIndex::highest_epoch).max()
    }

    /// Reads the good lines of one epoch: each with its track's place among the tracks, repeated ones included.
    ///
    /// # Errors
    ///
    /// A file cannot be read, became shorter, or is another one.
    pub fn for_each_record(&self, epoch: u64, mut sink: impl FnMut(usize, Record)) -> Result<(), ArchiveError> {
        for (place, track) in self.tracks.iter().enumerate() {
            for extent in track.extents(epoch, epoch) {
                track.read_extent(&extent, |mark| match mark {
                    Mark::Record(found, record) if found == epoch => sink(place, record),
                    Mark::Record(..) | Mark::Bad(_) => {}
                })?;
            }
        }
        Ok(())
    }
}

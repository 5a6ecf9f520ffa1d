//! Which parts of a track's file can hold which epochs.
//!
//! A [`TrackIndex`] follows one append-only file. It keeps no records: only, for each stretch of the file (an
//! [`Extent`]), the lowest and highest epoch that the stretch touches, enough to find an epoch's lines again. When
//! there are too many extents, neighbours are joined, so the index has a fixed size whatever the file's.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    Archive, ArchiveError, Broadcast,
    line::{BadLine, FieldNames, LineRule, MAX_LINE_LEN, Reason, Record},
    lines::{Line, Lines},
};
use crate::stream::{EpochRule, StreamRule};

/// Bytes after which an extent ends at the next good line. Small, because following a growing archive re-reads the
/// last extent for each new record.
const EXTENT_LEN: u64 = 64 << 10;

/// Extents above which neighbours are joined: 8192 × 64 KiB index 512 MB of a file at full resolution.
const MAX_EXTENTS: usize = 8192;

/// A stretch of a file that starts at a line and ends after one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    start: u64,
    end: u64,
    /// The epoch of the last good line before `start`: a bad line at the start touches it.
    before: Option<u64>,
    /// Lowest and highest epoch touched; `None` when there is none.
    pub(super) touched: Option<(u64, u64)>,
}

impl Extent {
    fn starting_at(start: u64, before: Option<u64>) -> Self {
        Self { start, end: start, before, touched: None }
    }

    fn touch(&mut self, epoch: u64) {
        let (low, high) = self.touched.unwrap_or((epoch, epoch));
        self.touched = Some((low.min(epoch), high.max(epoch)));
    }

    fn join(self, next: Self) -> Self {
        let mut joined = Self { end: next.end, ..self };
        for epoch in next.touched.into_iter().flat_map(|(low, high)| [low, high]) {
            joined.touch(epoch);
        }
        joined
    }
}

/// What a line means for its epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A good line of this epoch.
    Record(u64, Record),
    /// A bad line makes this epoch incomplete.
    Bad(u64),
}

/// Carries what a bad line needs to know of its neighbours from line to line.
#[derive(Clone, Copy, Debug)]
struct Neighbours {
    epochs: EpochRule,
    /// The epoch of the last good line.
    before: Option<u64>,
    /// Whether bad lines of unknown epoch wait for the next good line.
    waiting: bool,
}

impl Neighbours {
    fn mark(&mut self, judged: &Result<Record, BadLine>, mut sink: impl FnMut(Mark)) {
        match judged {
            Ok(record) => {
                let epoch = self.epochs.index(record.group_sequence);
                if std::mem::take(&mut self.waiting) {
                    sink(Mark::Bad(epoch));
                }
                self.before = Some(epoch);
                sink(Mark::Record(epoch, *record));
            }
            Err(BadLine { group_sequence: Some(sequence), .. }) => sink(Mark::Bad(self.epochs.index(*sequence))),
            Err(_) => {
                self.before.into_iter().for_each(|epoch| sink(Mark::Bad(epoch)));
                self.waiting = true;
            }
        }
    }
}

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
    path: PathBuf,
    rule: LineRule,
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
        Self {
            path: broadcast.track_file(track),
            rule: LineRule { names, broadcast: broadcast.name.clone(), track: track.to_owned() },
            extents: Vec::new(),
            open: Extent::starting_at(0, None),
            neighbours: Neighbours { epochs, before: None, waiting: false },
            highest: None,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes read so far: the offset after the last complete line.
    pub fn offset(&self) -> u64 {
        self.open.end
    }

    /// The highest epoch with a good line.
    pub fn highest_epoch(&self) -> Option<u64> {
        self.highest
    }

    /// Reads the complete lines that were appended. A missing file is an empty track.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or became shorter than what was read of it.
    pub fn read_on(&mut self, watch: &mut impl Watch) -> Result<(), ArchiveError> {
        let Some(file) = self.open_at(self.offset())? else { return Ok(()) };
        let mut lines = Lines::new(BufReader::with_capacity(1 << 17, file), self.offset());
        while let Some(line) = lines.next().map_err(ArchiveError::io(&self.path))? {
            watch.read(line.end - line.offset);
            self.take(&line, watch);
        }
        Ok(())
    }

    fn open_at(&self, offset: u64) -> Result<Option<File>, ArchiveError> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && offset == 0 => return Ok(None),
            file => file.map_err(ArchiveError::io(&self.path))?,
        };
        let found = file.metadata().map_err(ArchiveError::io(&self.path))?.len();
        if found < offset {
            return Err(ArchiveError::Truncated { path: self.path.clone(), expected: offset, found });
        }
        file.seek(SeekFrom::Start(offset)).map_err(ArchiveError::io(&self.path))?;
        Ok(Some(file))
    }

    fn take(&mut self, line: &Line<'_>, watch: &mut impl Watch) {
        if let Some(judged) = judge(&self.rule, line) {
            let Self { open, highest, .. } = self;
            self.neighbours.mark(&judged, |mark| {
                let epoch = match mark {
                    Mark::Record(epoch, _) => {
                        *highest = Some(highest.map_or(epoch, |highest| highest.max(epoch)));
                        epoch
                    }
                    Mark::Bad(epoch) => epoch,
                };
                open.touch(epoch);
                watch.touched(epoch);
            });
            if let Err(bad) = judged {
                watch.quarantined(Quarantined { file: self.path.clone(), offset: line.offset, reason: bad.reason });
            }
        }
        self.open.end = line.end;
        if !self.neighbours.waiting && self.open.end - self.open.start >= EXTENT_LEN {
            self.extents.push(self.open);
            self.open = Extent::starting_at(line.end, self.neighbours.before);
            join_neighbours(&mut self.extents);
        }
    }

    /// The extents that can hold something of the epochs from `low` to `high`.
    pub(super) fn extents(&self, low: u64, high: u64) -> impl Iterator<Item = Extent> + '_ {
        let all = self.extents.iter().chain([&self.open]).copied();
        all.filter(move |extent| extent.touched.is_some_and(|(lowest, highest)| lowest <= high && low <= highest))
    }

    /// Reads an extent again and tells what its lines mean.
    pub(super) fn read_extent(&self, extent: &Extent, mut sink: impl FnMut(Mark)) -> Result<(), ArchiveError> {
        let truncated = |found| ArchiveError::Truncated { path: self.path.clone(), expected: extent.end, found };
        let file = self.open_at(extent.start)?.ok_or_else(|| truncated(0))?;
        let reader = BufReader::with_capacity(1 << 16, file.take(extent.end - extent.start));
        let mut lines = Lines::new(reader, extent.start);
        let mut neighbours = Neighbours { before: extent.before, waiting: false, ..self.neighbours };
        let mut end = extent.start;
        while let Some(line) = lines.next().map_err(ArchiveError::io(&self.path))? {
            end = line.end;
            if let Some(judged) = judge(&self.rule, &line) {
                neighbours.mark(&judged, &mut sink);
            }
        }
        if end == extent.end { Ok(()) } else { Err(truncated(end)) }
    }
}

/// Judges a line; `None` for a blank one.
fn judge(rule: &LineRule, line: &Line<'_>) -> Option<Result<Record, BadLine>> {
    (line.text.len() > MAX_LINE_LEN || !line.is_blank()).then(|| rule.record(line.text))
}

/// Halves the number of extents when there are too many.
fn join_neighbours(extents: &mut Vec<Extent>) {
    if extents.len() > MAX_EXTENTS {
        *extents = extents.chunks(2).filter_map(|pair| pair.iter().copied().reduce(Extent::join)).collect();
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
    /// A file cannot be read, or became shorter.
    pub fn read_on(&mut self, watch: &mut impl Watch) -> Result<(), ArchiveError> {
        self.tracks.iter_mut().try_for_each(|track| track.read_on(watch))
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
    /// A file cannot be read, or became shorter.
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

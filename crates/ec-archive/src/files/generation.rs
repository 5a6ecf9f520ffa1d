//! One file that stands, or stood, at a track's path, with what was read of it.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path, sync::Arc, time::SystemTime};

use ec_observation::EpochRule;
use serde::{Deserialize, Serialize};

use super::{
    held::{FileId, HeldFile, Stamp},
    track_file::{Stretch, TrackFile},
};
use crate::{
    ArchiveError,
    index::{Extent, Keys, LineIndex, Mark, Neighbours},
    watch::{Lost, Watch},
};

/// Bytes at the start of what was read, and before its end, by which a file is known again.
const KNOWN_LEN: u64 = 256;

/// The first and last bytes of what was read: by them a file is known to go on where it was left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Footprint {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Footprint {
    /// The footprint of a file of which `len` bytes were read.
    fn of(file: &File, len: u64) -> io::Result<Self> {
        let known = |start: u64| {
            let mut bytes = vec![0; KNOWN_LEN.min(len - start) as usize];
            file.read_exact_at(&mut bytes, start).map(|()| bytes)
        };
        Ok(Self { head: known(0)?, tail: known(len.saturating_sub(KNOWN_LEN))? })
    }
}

/// One file and what was read of it.
#[derive(Clone, Debug)]
pub(crate) struct Generation {
    /// Tells the generations of a track apart, for ever.
    pub(crate) serial: u64,
    pub(crate) lines: LineIndex,
    footprint: Footprint,
    file: HeldFile,
    /// The stamp under which it was read to its end.
    read_under: Option<Stamp>,
}

impl Generation {
    /// A file of which nothing was read yet.
    pub(crate) fn new(serial: u64, file: HeldFile, lines: LineIndex) -> Self {
        Self { serial, lines, footprint: Footprint::default(), file, read_under: None }
    }

    /// A file that was read before, if `file` still begins with what was read.
    pub(crate) fn resume(serial: u64, file: File, lines: LineIndex, footprint: Footprint) -> io::Result<Option<Self>> {
        let file = Arc::new(file);
        let held = HeldFile::new(Arc::clone(&file))?;
        let resumed = Self { serial, lines, footprint, file: held, read_under: None };
        Ok(resumed.contradiction(&file)?.is_none().then_some(resumed))
    }

    /// The file's first and last bytes that were read.
    pub(crate) fn footprint(&self) -> &Footprint {
        &self.footprint
    }

    /// Which file it is.
    pub(crate) fn id(&self) -> FileId {
        self.file.id()
    }

    /// Bytes after the last complete line; `path` is the track's, as everywhere here.
    pub(crate) fn torn_bytes(&self, path: &Path) -> io::Result<u64> {
        let len = match self.at_hand(path)? {
            Ok(file) => file.metadata()?.len(),
            Err(_) => 0,
        };
        Ok(len.saturating_sub(self.lines.offset()))
    }

    /// Whether nothing has come to it, and nothing of it changed, since it was read to its end.
    pub(crate) fn is_as_read(&self, path: &Path) -> bool {
        self.read_under.is_some_and(|under| self.file.stamp(path).is_ok_and(|stamp| stamp == under))
    }

    /// The open file, or why it is no longer the one that was read.
    ///
    /// # Errors
    ///
    /// It is not held open, and nothing stands at the path ([`io::ErrorKind::NotFound`]): the file system may be away.
    /// Or the system refuses to read.
    pub(crate) fn open(&self, path: &Path) -> io::Result<Result<Arc<File>, Lost>> {
        if let Some(held) = self.file.held() {
            return Ok(self.contradiction(held)?.map_or_else(|| Ok(Arc::clone(held)), Err));
        }
        let mut why = Lost::NotFound;
        for candidate in self.file.candidates(path)? {
            let candidate = candidate?;
            let same = FileId::from(&candidate.metadata()?) == self.id();
            match self.contradiction(&candidate)? {
                None if same || self.lines.offset() > 0 => return Ok(Ok(Arc::new(candidate))),
                Some(lost) if same => why = lost,
                _ => {}
            }
        }
        Ok(Err(why))
    }

    /// The open file: looked at only where it must be found first.
    fn at_hand(&self, path: &Path) -> io::Result<Result<Arc<File>, Lost>> {
        self.file.held().map_or_else(|| self.open(path), |held| Ok(Ok(Arc::clone(held))))
    }

    /// Goes on in another file if that begins with all that was read of this one, as a copy put in its place does.
    pub(crate) fn move_to(&mut self, file: &Arc<File>) -> io::Result<bool> {
        let goes_on = self.lines.offset() > 0 && self.contradiction(file)?.is_none();
        if goes_on {
            (self.file, self.read_under) = (HeldFile::new(Arc::clone(file))?, None);
        }
        Ok(goes_on)
    }

    fn contradiction(&self, file: &File) -> io::Result<Option<Lost>> {
        let (expected, found) = (self.lines.offset(), file.metadata()?.len());
        if found < expected {
            return Ok(Some(Lost::Truncated { expected, found }));
        }
        match Footprint::of(file, expected) {
            Ok(footprint) if footprint == self.footprint => Ok(None),
            Ok(_) => Ok(Some(Lost::Rewritten)),
            // it became shorter just now
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Ok(Some(Lost::Truncated { expected, found: file.metadata()?.len() }))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the complete lines that were appended to `file`, which is this one, about `budget` bytes of them at most; true
    /// when none is left.
    pub(crate) fn read_on(
        &mut self,
        file: &File,
        track: &TrackFile,
        keys: &mut Keys,
        budget: u64,
        watch: &mut impl Watch,
    ) -> Result<bool, ArchiveError> {
        let Self { serial, lines, footprint, read_under, .. } = self;
        *read_under = None;
        let under = Stamp::of(&file.metadata().map_err(ArchiveError::io(track.path()))?);
        let tells = under.tells(SystemTime::now());
        let start = lines.offset();
        let stretch = Stretch { file, start, end: u64::MAX };
        let end = track.read(stretch, budget, |line| {
            if keys.pass_to(*serial) {
                lines.stand_apart(keys);
            }
            lines.take(track.path(), line, keys, watch);
        })?;
        if end > start {
            match Footprint::of(file, end) {
                Ok(found) => *footprint = found,
                // it became shorter while it was read; the next look at it finds that
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                Err(error) => return Err(ArchiveError::io(track.path())(error)),
            }
        }
        let finished = end - start < budget;
        *read_under = (finished && tells).then_some(under);
        Ok(finished)
    }

    /// Reads an extent again and tells what its lines mean. On an error the `sink` has heard what must not count.
    pub(crate) fn read_extent(
        &self,
        track: &TrackFile,
        extent: &Extent,
        epochs: EpochRule,
        mut sink: impl FnMut(Mark),
    ) -> Result<(), ArchiveError> {
        let mut neighbours = Neighbours::after(extent.before, extent.waiting);
        let mut keys = Keys::again(epochs, extent.segment, extent.before_ms, extent.cut);
        let mut checksum = 0u128;
        let changed =
            || ArchiveError::Changed { path: track.path().to_owned(), start: extent.start, generation: self.serial };
        let file = self.at_hand(track.path()).map_err(ArchiveError::io(track.path()))?.map_err(|_| changed())?;
        let stretch = Stretch { file: &file, start: extent.start, end: extent.end };
        let end = track.read(stretch, u64::MAX, |line| {
            checksum = checksum.wrapping_add(line.checksum);
            if let Some(said) = line.said {
                neighbours.mark(line.offset, &said, &mut keys, &mut sink);
            }
        })?;
        if end == extent.end && checksum == extent.checksum { Ok(()) } else { Err(changed()) }
    }
}

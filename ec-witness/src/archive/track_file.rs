//! Reads one track's file: cuts it into lines and judges each. Every reader of an index goes through here.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    ops::Range,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

use super::{
    ArchiveError, Broadcast,
    line::{BadLine, FieldNames, LineRule, MAX_LINE_LEN, Record},
    lines::{Line, Lines},
};

/// Bytes at the start of what was read, and before its end, by which a file is known again.
const KNOWN_LEN: u64 = 256;

/// One track's file and the rule for its lines.
#[derive(Clone, Debug)]
pub struct TrackFile {
    path: PathBuf,
    rule: LineRule,
}

/// One complete line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLine {
    /// Offset of its first byte.
    pub offset: u64,
    /// Offset of the next line's first byte.
    pub end: u64,
    /// What it says; `None` when it is blank.
    pub judged: Option<Result<Record, BadLine>>,
}

/// What is remembered of a file between two readings, to notice that it is another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Footprint {
    device: u64,
    inode: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Footprint {
    /// The footprint of a file of which `len` bytes were read.
    fn of(file: &File, len: u64) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let known = |start: u64| {
            let mut bytes = vec![0; KNOWN_LEN.min(len - start) as usize];
            file.read_exact_at(&mut bytes, start).map(|()| bytes)
        };
        let (head, tail) = (known(0)?, known(len.saturating_sub(KNOWN_LEN))?);
        Ok(Self { device: metadata.dev(), inode: metadata.ino(), head, tail })
    }
}

impl TrackFile {
    /// The file of a broadcast's track, whether it exists or not.
    pub fn new(broadcast: &Broadcast, track: &str, names: FieldNames) -> Self {
        Self { path: broadcast.track_file(track), rule: LineRule::new(names, &broadcast.name, track) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Hands over every complete line. A missing file has none. Returns the bytes up to the end of the last complete
    /// line, and of the file.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn for_each_line(&self, visit: impl FnMut(FileLine)) -> Result<(u64, u64), ArchiveError> {
        let Some(file) = self.open()? else { return Ok((0, 0)) };
        let end = self.read(&file, 0, visit)?;
        Ok((end, file.metadata().map_err(ArchiveError::io(&self.path))?.len()))
    }

    /// Reads the complete lines after the first `start` bytes, which `known` describes and then what is read.
    pub(super) fn read_on(
        &self,
        start: u64,
        known: &mut Footprint,
        visit: impl FnMut(FileLine),
    ) -> Result<(), ArchiveError> {
        let Some(mut file) = self.open_again(start, known)? else { return Ok(()) };
        file.seek(SeekFrom::Start(start)).map_err(ArchiveError::io(&self.path))?;
        let end = self.read(&file, start, visit)?;
        *known = Footprint::of(&file, end).map_err(ArchiveError::io(&self.path))?;
        Ok(())
    }

    /// Reads the lines of a part of what was read before, which `known` describes up to `offset`.
    pub(super) fn read_again(
        &self,
        part: Range<u64>,
        (offset, known): (u64, &Footprint),
        visit: impl FnMut(FileLine),
    ) -> Result<(), ArchiveError> {
        let truncated = |found| ArchiveError::Truncated { path: self.path.clone(), expected: part.end, found };
        let mut file = self.open_again(offset, known)?.ok_or_else(|| truncated(0))?;
        file.seek(SeekFrom::Start(part.start)).map_err(ArchiveError::io(&self.path))?;
        let end = self.read(file.take(part.end - part.start), part.start, visit)?;
        if end == part.end { Ok(()) } else { Err(truncated(end)) }
    }

    fn open(&self) -> Result<Option<File>, ArchiveError> {
        match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => file.map(Some).map_err(ArchiveError::io(&self.path)),
        }
    }

    /// Opens the file of which `offset` bytes were read before, if it still is that file.
    fn open_again(&self, offset: u64, known: &Footprint) -> Result<Option<File>, ArchiveError> {
        let truncated = |found| ArchiveError::Truncated { path: self.path.clone(), expected: offset, found };
        let Some(file) = self.open()? else {
            return if offset == 0 { Ok(None) } else { Err(truncated(0)) };
        };
        let found = file.metadata().map_err(ArchiveError::io(&self.path))?.len();
        if found < offset {
            return Err(truncated(found));
        }
        if offset > 0 && Footprint::of(&file, offset).map_err(ArchiveError::io(&self.path))? != *known {
            return Err(ArchiveError::Replaced { path: self.path.clone() });
        }
        Ok(Some(file))
    }

    /// Reads lines from a reader at `start`; returns the end of the last complete line.
    fn read(&self, reader: impl Read, start: u64, mut visit: impl FnMut(FileLine)) -> Result<u64, ArchiveError> {
        let mut lines = Lines::new(BufReader::with_capacity(1 << 16, reader), start);
        let mut last = start;
        while let Some(line) = lines.next().map_err(ArchiveError::io(&self.path))? {
            last = line.end;
            visit(FileLine { offset: line.offset, end: line.end, judged: self.judge(&line) });
        }
        Ok(last)
    }

    fn judge(&self, line: &Line<'_>) -> Option<Result<Record, BadLine>> {
        // a line that was cut may only seem blank
        (line.text.len() > MAX_LINE_LEN || !line.is_blank()).then(|| self.rule.record(line.text))
    }
}

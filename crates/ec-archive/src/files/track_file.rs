//! Reads one track's file: cuts it into lines and judges each. Every reader of an index goes through here.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufReader, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    checksum::Summed,
    layout::Broadcast,
    lines::{Lines, is_blank},
};
use crate::{
    ArchiveError,
    index::FileLine,
    line::{FieldNames, LineRule},
};

/// The path of one track's file and the rule for its lines.
#[derive(Clone, Debug)]
pub struct TrackFile {
    path: PathBuf,
    rule: LineRule,
}

/// A stretch of an open file. Its place is its own: other readers of the descriptor do not move it.
#[derive(Debug)]
pub(crate) struct Stretch<'a> {
    pub(crate) file: &'a File,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Read for Stretch<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(usize::try_from(self.end - self.start).unwrap_or(usize::MAX));
        let len = self.file.read_at(&mut buffer[..room], self.start)?;
        self.start += len as u64;
        Ok(len)
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

    /// The rule for its lines.
    pub(crate) fn rule(&self) -> &LineRule {
        &self.rule
    }

    /// Hands over every complete line. A missing file has none. Returns the bytes up to the end of the last complete
    /// line, and of the file.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn for_each_line(&self, visit: impl FnMut(FileLine)) -> Result<(u64, u64), ArchiveError> {
        let Some(file) = self.open()? else { return Ok((0, 0)) };
        let end = self.read(Stretch { file: &file, start: 0, end: u64::MAX }, u64::MAX, visit)?;
        Ok((end, file.metadata().map_err(ArchiveError::io(&self.path))?.len()))
    }

    /// Opens it; `None` while there is none.
    pub(crate) fn open(&self) -> Result<Option<File>, ArchiveError> {
        match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => file.map(Some).map_err(ArchiveError::io(&self.path)),
        }
    }

    /// Hands over the complete lines of a stretch, which begins with a line, until one ends `budget` bytes or more
    /// after its start; returns the end of the last one.
    pub(crate) fn read(
        &self,
        stretch: Stretch<'_>,
        budget: u64,
        mut visit: impl FnMut(FileLine),
    ) -> Result<u64, ArchiveError> {
        let start = stretch.start;
        let checksum = Cell::new(0);
        let reader = Summed::new(BufReader::with_capacity(1 << 16, stretch), start, &checksum);
        let mut lines = Lines::new(reader, start);
        let mut last = start;
        while last - start < budget
            && let Some(line) = lines.next().map_err(ArchiveError::io(&self.path))?
        {
            last = line.end;
            let said = (!is_blank(line.text)).then(|| self.rule.record(line.text));
            visit(FileLine { offset: line.offset, end: line.end, said, checksum: checksum.get() });
        }
        Ok(last)
    }
}

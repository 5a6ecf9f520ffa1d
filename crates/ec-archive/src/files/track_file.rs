//! Reads one track's file: cuts it into lines and judges each. Every reader of an index goes through here.

use std::{
    cell::Cell,
    fs::File,
    io::{self, BufRead, BufReader, Read},
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

    /// Hands over the complete lines of about the last `bytes` bytes, like [`Self::for_each_line`].
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(crate) fn for_each_of_the_last_lines(
        &self,
        bytes: u64,
        visit: impl FnMut(FileLine),
    ) -> Result<(u64, u64), ArchiveError> {
        let Some(file) = self.open()? else { return Ok((0, 0)) };
        let failed = ArchiveError::io(&self.path);
        let within = file.metadata().map(|metadata| metadata.len().saturating_sub(bytes));
        let start = within.and_then(|within| next_line(&file, within)).map_err(failed)?;
        let end = self.read(Stretch { file: &file, start, end: u64::MAX }, u64::MAX, visit)?;
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

/// Where the first line begins after a place within one; the file's begin, if no line ends after that place.
fn next_line(file: &File, within: u64) -> io::Result<u64> {
    if within == 0 {
        return Ok(0);
    }
    let mut passed = Vec::new();
    let rest = Stretch { file, start: within, end: u64::MAX };
    let len = BufReader::new(rest).read_until(b'\n', &mut passed)? as u64;
    Ok(if passed.ends_with(b"\n") { within + len } else { 0 })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::Archive;

    #[test]
    fn the_last_lines_begin_with_a_whole_one() {
        let dir = tempfile::tempdir().unwrap();
        let broadcast = Archive::at(dir.path()).broadcast("b");
        let file = TrackFile::new(&broadcast, "t", FieldNames::default());
        assert_eq!(file.for_each_of_the_last_lines(10, |_| ()).unwrap(), (0, 0));
        fs::create_dir_all(&broadcast.directory).unwrap();
        fs::write(file.path(), "1\n22\n333\n44").unwrap();
        let all = || vec![0, 2, 5];
        for (bytes, expected) in
            [(1, all()), (3, vec![]), (6, vec![]), (7, vec![5]), (9, vec![5]), (10, vec![2, 5]), (99, all())]
        {
            let mut offsets = Vec::new();
            let ends = file.for_each_of_the_last_lines(bytes, |line| offsets.push(line.offset)).unwrap();
            assert_eq!((offsets, ends), (expected, (9, 11)), "{bytes}");
        }
    }
}

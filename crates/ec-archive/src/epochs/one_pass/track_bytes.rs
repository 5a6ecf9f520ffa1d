//! One track's file as it was when reading began; what is appended later is not read.

use std::{fs::File, io, os::unix::fs::FileExt, path::PathBuf};

use ec_observation::EpochRule;

use super::disorder::Disorder;
use crate::{ArchiveError, line::LineRule};

/// Lines before a cut among which one must be good.
const MAX_LINES_BACK: usize = 64;

/// What is read at once, bytes: it stays in the caches until it is judged.
const WINDOW: usize = 128 << 10;

/// The share of a block that is read where a cut is looked for.
const PROBE_SHARE: u64 = 64;

/// A file that is read from several places.
#[derive(Debug)]
pub(super) struct TrackBytes {
    path: PathBuf,
    rule: LineRule,
    file: Option<File>,
    len: u64,
}

/// A stretch of a file: whole lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) start: u64,
    pub(super) end: u64,
}

/// All whole lines of so many bytes.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) stretch: Stretch,
    /// The epoch of the last good line.
    pub(super) last_epoch: Option<u64>,
    /// Where the bytes end.
    end: u64,
}

impl Stretch {
    pub(super) fn len(self) -> u64 {
        self.end - self.start
    }
}

impl TrackBytes {
    pub(super) fn open(path: PathBuf, rule: LineRule) -> Result<Self, Disorder> {
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            file => Some(file.map_err(ArchiveError::io(&path))?),
        };
        let metadata = file.as_ref().map(File::metadata).transpose().map_err(ArchiveError::io(&path))?;
        if metadata.as_ref().is_some_and(|metadata| !metadata.is_file()) {
            // its length says nothing
            return Err(Disorder::Order);
        }
        Ok(Self { path, rule, file, len: metadata.map_or(0, |metadata| metadata.len()) })
    }

    pub(super) fn rule(&self) -> &LineRule {
        &self.rule
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing comes after a block.
    pub(super) fn ends_with(&self, block: &Block) -> bool {
        block.end == self.len
    }

    /// Reads what stands at `offset`.
    fn read(&self, bytes: &mut [u8], offset: u64) -> Result<(), ArchiveError> {
        let Some(file) = &self.file else { return Ok(()) };
        file.read_exact_at(bytes, offset).map_err(|error| {
            let shorter = || io::Error::new(error.kind(), "the file became shorter while it was read");
            let is_shorter = error.kind() == io::ErrorKind::UnexpectedEof;
            ArchiveError::io(&self.path)(if is_shorter { shorter() } else { error })
        })
    }

    fn bytes(&self, stretch: Stretch) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = vec![0; stretch.len() as usize];
        self.read(&mut bytes, stretch.start)?;
        Ok(bytes)
    }

    /// Hands over a stretch's lines, some at a time and where they stand. `buffer` is for reading into, again and again.
    pub(super) fn for_each_lines(
        &self,
        stretch: Stretch,
        buffer: &mut Vec<u8>,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), Disorder>,
    ) -> Result<(), Disorder> {
        // what is read and not handed over yet is the beginning of a line
        let (mut at, mut kept) = (stretch.start, 0);
        while at < stretch.end {
            let room = (stretch.end - at).min(WINDOW as u64) as usize;
            if buffer.len() < kept + room {
                buffer.resize(kept + room, 0);
            }
            let read = &mut buffer[..kept + room];
            self.read(&mut read[kept..], at)?;
            let whole = memchr::memrchr(b'\n', &read[kept..]).map_or(0, |last| kept + last + 1);
            visit(at - kept as u64, &read[..whole])?;
            read.copy_within(whole.., 0);
            (at, kept) = (at + room as u64, read.len() - whole);
        }
        Ok(())
    }

    /// The whole lines among `len` bytes from `start` on, or of the rest.
    pub(super) fn block(&self, start: u64, len: u64, epochs: EpochRule) -> Result<Block, ArchiveError> {
        let end = start.saturating_add(len).min(self.len);
        let near = self.last(Stretch { start: end.saturating_sub(len / PROBE_SHARE).max(start), end }, epochs)?;
        let found = if near.last_epoch.is_some() { near } else { self.last(Stretch { start, end }, epochs)? };
        Ok(Block { stretch: Stretch { start, ..found.stretch }, ..found })
    }

    /// Where the last whole line of a stretch ends, and the epoch of its last good one.
    fn last(&self, stretch: Stretch, epochs: EpochRule) -> Result<Block, ArchiveError> {
        let bytes = self.bytes(stretch)?;
        let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |last| last + 1);
        let mut lines = bytes[..whole].rsplit(|&byte| byte == b'\n').skip(1).take(MAX_LINES_BACK);
        let last_epoch = lines.find_map(|line| self.epoch(line, epochs));
        Ok(Block { stretch: Stretch { end: stretch.start + whole as u64, ..stretch }, last_epoch, end: stretch.end })
    }

    /// The lines of a stretch up to those of an epoch, taking the file to be in order.
    pub(super) fn up_to(&self, high: u64, stretch: Stretch, epochs: EpochRule) -> Result<Stretch, ArchiveError> {
        let probe = stretch.len() / PROBE_SHARE;
        let Stretch { start: mut low, end: mut above } = stretch;
        while above - low > 4 * probe {
            let middle = low + (above - low) / 2;
            let bytes = self.bytes(Stretch { start: middle, end: middle + probe })?;
            match self.first_good(&bytes, epochs) {
                Some((at, epoch)) if epoch > high => above = middle + at,
                Some((at, _)) => low = middle + at,
                None => break,
            }
        }
        let bytes = self.bytes(Stretch { start: low, end: above })?;
        Ok(Stretch { end: low + self.len_up_to(high, &bytes, epochs) as u64, ..stretch })
    }

    /// Where the first whole good line stands in bytes from anywhere, and its epoch.
    fn first_good(&self, bytes: &[u8], epochs: EpochRule) -> Option<(u64, u64)> {
        let mut start = memchr::memchr(b'\n', bytes)? + 1;
        loop {
            let len = memchr::memchr(b'\n', &bytes[start..])?;
            if let Some(epoch) = self.epoch(&bytes[start..start + len], epochs) {
                return Some((start as u64, epoch));
            }
            start += len + 1;
        }
    }

    fn len_up_to(&self, high: u64, lines: &[u8], epochs: EpochRule) -> usize {
        let (mut low, mut above) = (0, lines.len());
        while low < above {
            let middle = low + (above - low) / 2;
            let start = memchr::memrchr(b'\n', &lines[low..middle]).map_or(low, |before| low + before + 1);
            let Some(len) = memchr::memchr(b'\n', &lines[start..above]) else { break };
            match self.epoch(&lines[start..start + len], epochs) {
                Some(epoch) if epoch > high => above = start,
                _ => low = start + len + 1,
            }
        }
        low
    }

    fn epoch(&self, line: &[u8], epochs: EpochRule) -> Option<u64> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.rule.record(line).ok().map(|record| epochs.index(record.group_sequence))
    }
}

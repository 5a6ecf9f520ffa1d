//! Reads a stream's files from their beginnings, side by side, and cuts them into parts of about the same epochs.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use super::{super::line::LineRule, ArchiveError, Disorder, part::SLACK};
use crate::stream::EpochRule;

/// Lines before a cut among which one must be good.
const MAX_LINES_BACK: usize = 64;

/// One track's file as it was when reading began; what is appended later is not read.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    rule: LineRule,
    file: Option<File>,
    /// Bytes that are still to be read.
    unread: u64,
    /// What is read but not handed out, and where it stands.
    buffer: Vec<u8>,
    offset: u64,
}

/// A piece of one track's file: whole lines.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
}

/// A piece of each file.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) number: u64,
    pub(super) blocks: Vec<Block>,
    pub(super) bounds: Bounds,
}

/// The epochs of a part. Lines of epochs far outside mean that the files are not in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Where the part before was cut; `None` for the first part.
    pub(super) low: Option<u64>,
    /// Where this one is cut; `None` for the last part.
    pub(super) high: Option<u64>,
}

impl Bounds {
    /// Whether an epoch may have lines in another part.
    pub(super) fn is_edge(self, epoch: u64) -> bool {
        self.low.is_some_and(|low| epoch <= low.saturating_add(SLACK))
            || self.high.is_some_and(|high| epoch.saturating_add(SLACK) >= high)
    }

    /// Whether an epoch's lines may be in this part.
    pub(super) fn holds(self, epoch: u64) -> bool {
        self.low.is_none_or(|low| epoch.saturating_add(SLACK) >= low)
            && self.high.is_none_or(|high| epoch <= high.saturating_add(SLACK))
    }
}

/// Cuts parts off, one after the other.
#[derive(Debug)]
pub(super) struct Cutter {
    epochs: EpochRule,
    sources: Vec<Source>,
    /// Bytes of each file in one part.
    block_len: usize,
    next: u64,
    low: Option<u64>,
    finished: bool,
}

impl Source {
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
        let unread = metadata.map_or(0, |metadata| metadata.len());
        Ok(Self { path, rule, file, unread, buffer: Vec::new(), offset: 0 })
    }

    /// Reads on until the buffer holds a block, or all of the rest.
    fn fill(&mut self, block_len: usize) -> Result<(), ArchiveError> {
        let Some(file) = &self.file else { return Ok(()) };
        let room = (block_len.saturating_sub(self.buffer.len()) as u64).min(self.unread);
        let read = file.take(room).read_to_end(&mut self.buffer).map_err(ArchiveError::io(&self.path))? as u64;
        self.unread -= read;
        if read < room {
            let shorter = io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read");
            return Err(ArchiveError::io(&self.path)(shorter));
        }
        Ok(())
    }

    /// The length of the whole lines in the buffer.
    fn complete(&self) -> usize {
        memchr::memrchr(b'\n', &self.buffer).map_or(0, |last| last + 1)
    }

    /// The epoch of the last good line.
    fn last_epoch(&self, epochs: EpochRule) -> Option<u64> {
        let mut end = self.complete();
        for _ in 0..MAX_LINES_BACK {
            let text = &self.buffer[..end.checked_sub(1)?];
            let start = memchr::memrchr(b'\n', text).map_or(0, |before| before + 1);
            if let Ok(record) = self.rule.record(without_cr(&text[start..])) {
                return Some(epochs.index(record.group_sequence));
            }
            end = start;
        }
        None
    }

    /// The length of the lines of epochs up to `high`, taking the file to be in order.
    fn len_up_to(&self, high: u64, epochs: EpochRule) -> usize {
        let (mut low, mut above) = (0, self.complete());
        while low < above {
            let middle = low + (above - low) / 2;
            let start = memchr::memrchr(b'\n', &self.buffer[low..middle]).map_or(low, |before| low + before + 1);
            let Some(len) = memchr::memchr(b'\n', &self.buffer[start..above]) else { break };
            let record = self.rule.record(without_cr(&self.buffer[start..start + len]));
            match record {
                Ok(record) if epochs.index(record.group_sequence) > high => above = start,
                _ => low = start + len + 1,
            }
        }
        low
    }

    /// Hands out the first `len` bytes in `block`, whose own bytes' room is used again.
    fn cut(&mut self, len: usize, block: &mut Block) {
        block.offset = self.offset;
        block.bytes.clear();
        block.bytes.extend_from_slice(&self.buffer[len..]);
        std::mem::swap(&mut block.bytes, &mut self.buffer);
        block.bytes.truncate(len);
        self.offset += len as u64;
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

impl Cutter {
    pub(super) fn new(sources: Vec<Source>, epochs: EpochRule, block_len: usize) -> Self {
        Self { epochs, sources, block_len, next: 0, low: None, finished: false }
    }

    /// Ends the parts, because there is no use for more.
    pub(super) fn stop(&mut self) {
        self.finished = true;
    }

    /// The next part, in `blocks`; `None` after the last.
    pub(super) fn next(&mut self, mut blocks: Vec<Block>) -> Result<Option<Part>, Disorder> {
        if self.finished {
            return Ok(None);
        }
        let block_len = self.block_len;
        self.sources.iter_mut().try_for_each(|source| source.fill(block_len))?;
        let high = self.high()?;
        blocks.resize_with(self.sources.len(), Block::default);
        let epochs = self.epochs;
        for (source, block) in self.sources.iter_mut().zip(&mut blocks) {
            let len = match high {
                // one that ends here gives all it has, so that the next part is another
                Some(high) if source.unread == 0 || source.last_epoch(epochs) != Some(high) => {
                    source.len_up_to(high, epochs)
                }
                _ => source.complete(),
            };
            source.cut(len, block);
        }
        let part = Part { number: self.next, blocks, bounds: Bounds { low: self.low, high } };
        (self.next, self.low, self.finished) = (self.next + 1, high, high.is_none());
        Ok(Some(part))
    }

    /// The epoch that all files are read up to, at least; `None` when they are read to their ends.
    fn high(&self) -> Result<Option<u64>, Disorder> {
        let going_on = self.sources.iter().filter(|source| source.unread > 0);
        let last: Option<Vec<u64>> = going_on.map(|source| source.last_epoch(self.epochs)).collect();
        let high = last.ok_or(Disorder::Order)?.into_iter().min();
        // None is below every epoch, but stands for the end here
        if high.is_some() && high < self.low { Err(Disorder::Order) } else { Ok(high) }
    }
}

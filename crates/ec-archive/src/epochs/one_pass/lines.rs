//! Reads the lines of a stretch of a file.

use ec_observation::Record;

use super::{
    disorder::Disorder,
    track_bytes::{Stretch, TrackBytes},
};
use crate::{
    files::{bare, is_blank},
    line::{BadLine, LineRule, Shape},
};

/// Bad lines in one stretch; with more the files are not read in one pass.
pub(super) const MAX_BAD_LINES: usize = 1024;

/// Bytes of most lines, at least.
const LINE_LEN: u64 = 256;

/// Vectors of records that a thread keeps.
const MAX_KEPT: usize = 4;

/// What a thread reads into, again and again.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    window: Vec<u8>,
    records: Vec<Vec<Record>>,
}

impl Buffers {
    /// Keeps the room of records that are done with.
    pub(super) fn keep(&mut self, mut records: Vec<Record>) {
        if self.records.len() < MAX_KEPT && records.capacity() > 0 {
            records.clear();
            self.records.push(records);
        }
    }
}

/// What the lines of a stretch say.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// What the good ones say, in the file's order.
    pub(super) records: Vec<Record>,
    /// Whether a record's sequence is not above that of the one before.
    pub(super) disordered: bool,
    /// The bad ones, in the file's order.
    pub(super) bad: Vec<Bad>,
    /// Bytes of all.
    pub(super) len: u64,
}

/// A bad line.
#[derive(Debug)]
pub(super) struct Bad {
    /// How many good lines stand before it in the stretch.
    pub(super) at: usize,
    /// Where it begins in the file.
    pub(super) offset: u64,
    pub(super) line: BadLine,
}

impl Lines {
    pub(super) fn read(bytes: &TrackBytes, stretch: Stretch, buffers: &mut Buffers) -> Result<Self, Disorder> {
        let mut records = buffers.records.pop().unwrap_or_default();
        records.reserve((stretch.len() / LINE_LEN) as usize);
        let mut lines = Self { records, len: stretch.len(), ..Self::default() };
        let mut shape = Shape::default();
        bytes.for_each_lines(stretch, &mut buffers.window, |offset, text| {
            lines.read_some(offset, text, bytes.rule(), &mut shape)
        })?;
        Ok(lines)
    }

    /// Reads whole lines that stand at `offset`.
    fn read_some(&mut self, offset: u64, lines: &[u8], rule: &LineRule, shape: &mut Shape) -> Result<(), Disorder> {
        let mut rest = lines;
        while !rest.is_empty() {
            if let Some((record, len)) = rule.plain_record(rest, shape)
                && rest.get(len) == Some(&b'\n')
            {
                self.take(record);
                rest = &rest[len + 1..];
                continue;
            }
            let offset = offset + (lines.len() - rest.len()) as u64;
            let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            self.judge(offset, bare(&rest[..len], offset), rule)?;
            rest = rest.get(len + 1..).unwrap_or_default();
        }
        Ok(())
    }

    fn judge(&mut self, offset: u64, text: &[u8], rule: &LineRule) -> Result<(), Disorder> {
        if is_blank(text) {
            return Ok(());
        }
        match rule.record(text) {
            Ok(record) => self.take(record),
            Err(line) => {
                self.bad.push(Bad { at: self.records.len(), offset, line });
                if self.bad.len() > MAX_BAD_LINES {
                    return Err(Disorder::Order);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, record: Record) {
        self.disordered |= self.records.last().is_some_and(|before| before.group_sequence >= record.group_sequence);
        self.records.push(record);
    }
}

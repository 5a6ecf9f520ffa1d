//! Derived epochs in order, kept in a temporary file: their number grows with the archive, memory must not.
//!
//! Those of a lane stand by segments, each under its mark. That is known by its first complete epoch; what comes before it
//! in other parts is kept without a name, and gets one when it is given back.

use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use alloy_primitives::B256;
use ec_observation::{DerivedEpoch, EpochHash, EpochKey, NameHashes, NamedEpoch, ObservationHash, SlotId, StreamRule};
use tempfile::SpooledTempFile;

/// Bytes that stay in memory before a file is made.
const MAX_IN_MEMORY: usize = 1 << 20;

/// Bytes of one entry. That of an epoch has flags, three integers, four hashes and that of its header; that of a segment
/// has flags, its number and its mark.
const ENTRY_LEN: usize = 1 + 3 * 8 + 5 * 32;

/// What an entry's flags say.
const COMPLETE: u8 = 1;
const HAS_CONTENT: u8 = 2;
const HAS_TIME: u8 = 4;
const HAS_NAME: u8 = 8;
const SEGMENT: u8 = 16;
const HAS_MARK: u8 = 32;

/// Takes epochs in order.
#[derive(Debug)]
pub(super) struct RunWriter {
    file: BufWriter<SpooledTempFile>,
    count: u64,
    /// The place of the present segment's entry, as long as that has no mark.
    unmarked: Option<(u64, u64)>,
}

/// Gives them back.
#[derive(Debug)]
pub(super) struct Run {
    file: BufReader<SpooledTempFile>,
    count: u64,
    left: u64,
    /// The present segment and its mark; `None` where none of its epochs has a time.
    segment: (u64, Option<u64>),
}

/// An epoch that is given back.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) derived: DerivedEpoch,
    /// The mark that the archive gives its segment; 0 on the timeline.
    pub(super) own_mark: Option<u64>,
    /// What its name under that mark and its header were hashed to, the latter zero where it has none.
    pub(super) hashes: Option<(NameHashes, ObservationHash)>,
}

impl Default for RunWriter {
    fn default() -> Self {
        let file = BufWriter::with_capacity(1 << 16, SpooledTempFile::new(MAX_IN_MEMORY));
        Self { file, count: 0, unmarked: None }
    }
}

impl RunWriter {
    /// Begins a segment, under its mark if that is known already.
    pub(super) fn begin(&mut self, segment: u64, mark: Option<u64>) -> io::Result<()> {
        self.unmarked = mark.is_none().then_some((self.count, segment));
        self.put_segment(segment, mark)?;
        self.count += 1;
        Ok(())
    }

    /// Gives the present segment its mark, unless it has one.
    pub(super) fn mark(&mut self, mark: u64) -> io::Result<()> {
        let Some((at, segment)) = self.unmarked.take() else { return Ok(()) };
        self.file.seek(SeekFrom::Start(at * ENTRY_LEN as u64))?;
        self.put_segment(segment, Some(mark))?;
        self.file.seek(SeekFrom::End(0))?;
        Ok(())
    }

    fn put_segment(&mut self, segment: u64, mark: Option<u64>) -> io::Result<()> {
        let flags = SEGMENT | if mark.is_some() { HAS_MARK } else { 0 };
        self.put(flags, [segment, mark.unwrap_or_default(), 0], [B256::ZERO; 5])
    }

    /// Adds an epoch, and the hash of its header if it has one.
    pub(super) fn add(&mut self, epoch: &NamedEpoch, header: Option<ObservationHash>) -> io::Result<()> {
        let [epoch_hash, data_root, locator_hash] = epoch
            .content
            .map(|content| [content.epoch_hash.0, content.data_root, content.locator_hash])
            .unwrap_or_default();
        let hashes = [epoch.slot.0, epoch_hash, data_root, locator_hash, header.unwrap_or_default().0];
        self.add_derived(&epoch.derived, HAS_NAME, hashes)
    }

    /// Adds an epoch whose name is not known yet, or none.
    pub(super) fn add_unnamed(&mut self, epoch: &DerivedEpoch) -> io::Result<()> {
        let [slot, epoch_hash, locator_hash, header] = [B256::ZERO; 4];
        self.add_derived(epoch, 0, [slot, epoch_hash, epoch.data_root.unwrap_or_default(), locator_hash, header])
    }

    fn add_derived(&mut self, epoch: &DerivedEpoch, flags: u8, hashes: [B256; 5]) -> io::Result<()> {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let DerivedEpoch { key, leaf_count, complete, data_root, time } = epoch;
        let flags =
            flags | flag(*complete, COMPLETE) | flag(data_root.is_some(), HAS_CONTENT) | flag(time.is_ok(), HAS_TIME);
        self.put(flags, [key.index, *leaf_count, *time.as_ref().unwrap_or(&0)], hashes)?;
        self.count += 1;
        Ok(())
    }

    fn put(&mut self, flags: u8, integers: [u64; 3], hashes: [B256; 5]) -> io::Result<()> {
        let mut entry = [0; ENTRY_LEN];
        entry[0] = flags;
        let (numbers, rest) = entry[1..].split_at_mut(24);
        numbers.chunks_exact_mut(8).zip(integers).for_each(|(to, integer)| to.copy_from_slice(&integer.to_le_bytes()));
        rest.chunks_exact_mut(32).zip(hashes).for_each(|(to, hash)| to.copy_from_slice(hash.as_slice()));
        self.file.write_all(&entry)
    }

    pub(super) fn finish(self) -> io::Result<Run> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let file = BufReader::with_capacity(1 << 16, file);
        Ok(Run { file, count: self.count, left: 0, segment: (0, Some(0)) })
    }
}

impl Run {
    /// Goes to the first epoch.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        (self.left, self.segment) = (self.count, (0, Some(0)));
        self.file.rewind()
    }

    /// The next epoch, of a stream with this rule.
    pub(super) fn next(&mut self, rule: &StreamRule) -> io::Result<Option<Kept>> {
        loop {
            let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
            self.left = left;
            let mut entry = [0; ENTRY_LEN];
            self.file.read_exact(&mut entry)?;
            let integer = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| entry[1 + at * 8 + i]));
            let hash = |at: usize| B256::from_slice(&entry[25 + at * 32..][..32]);
            let has = |flag| entry[0] & flag != 0;
            if has(SEGMENT) {
                self.segment = (integer(0), has(HAS_MARK).then(|| integer(1)));
                continue;
            }
            let (segment, own_mark) = self.segment;
            let key = EpochKey { segment, index: integer(0) };
            let derived = DerivedEpoch {
                key,
                leaf_count: integer(1),
                complete: has(COMPLETE),
                data_root: has(HAS_CONTENT).then(|| hash(2)),
                // without a receive time only the error is left
                time: if has(HAS_TIME) { Ok(integer(2)) } else { rule.observed_time(key.index, None) },
            };
            let name = || NameHashes { slot: SlotId(hash(0)), epoch: EpochHash(hash(1)), locator: hash(3) };
            let hashes = has(HAS_NAME).then(|| (name(), ObservationHash(hash(4))));
            return Ok(Some(Kept { derived, own_mark, hashes }));
        }
    }
}

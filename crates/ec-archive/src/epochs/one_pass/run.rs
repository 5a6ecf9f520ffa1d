//! Derived epochs in order, kept in a temporary file: their number grows with the archive, memory must not.

use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use alloy_primitives::B256;
use ec_observation::{
    Content, DerivedEpoch, EpochHash, EpochKey, EpochName, NamedEpoch, ObservationHash, SlotId, StreamHash, StreamRule,
};
use tempfile::SpooledTempFile;

/// Bytes that stay in memory before a file is made.
const MAX_IN_MEMORY: usize = 1 << 20;

/// Bytes of one epoch: three integers, flags, four hashes and that of its header.
const EPOCH_LEN: usize = 3 * 8 + 1 + 5 * 32;

/// What an epoch's flags say.
const COMPLETE: u8 = 1;
const HAS_CONTENT: u8 = 2;
const HAS_TIME: u8 = 4;

/// Takes epochs in order.
#[derive(Debug)]
pub(super) struct RunWriter {
    file: BufWriter<SpooledTempFile>,
    count: u64,
}

/// Gives them back.
#[derive(Debug)]
pub(super) struct Run {
    file: BufReader<SpooledTempFile>,
    count: u64,
    left: u64,
    stream_hash: StreamHash,
}

impl RunWriter {
    pub(super) fn new() -> Self {
        Self { file: BufWriter::with_capacity(1 << 16, SpooledTempFile::new(MAX_IN_MEMORY)), count: 0 }
    }

    /// Adds an epoch, and the hash of its header if it has one.
    pub(super) fn add(&mut self, epoch: &NamedEpoch, header: Option<ObservationHash>) -> io::Result<()> {
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let derived = &epoch.derived;
        let flags = flag(derived.complete, COMPLETE)
            | flag(epoch.content.is_some(), HAS_CONTENT)
            | flag(derived.time.is_ok(), HAS_TIME);
        let [epoch_hash, data_root, locator_hash] = epoch
            .content
            .map(|content| [content.epoch_hash.0, content.data_root, content.locator_hash])
            .unwrap_or_default();
        for integer in [epoch.sequence, derived.leaf_count, *derived.time.as_ref().unwrap_or(&0)] {
            self.file.write_all(&integer.to_le_bytes())?;
        }
        self.file.write_all(&[flags])?;
        for hash in [epoch.slot.0, epoch_hash, data_root, locator_hash, header.unwrap_or_default().0] {
            self.file.write_all(hash.as_slice())?;
        }
        self.count += 1;
        Ok(())
    }

    pub(super) fn finish(self, rule: &StreamRule) -> io::Result<Run> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let file = BufReader::with_capacity(1 << 16, file);
        Ok(Run { file, count: self.count, left: 0, stream_hash: rule.stream_hash() })
    }
}

impl Run {
    /// Goes to the first epoch.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        self.left = self.count;
        self.file.rewind()
    }

    /// The next epoch, of a stream with this rule, and the hash of its header; zero where it has none.
    pub(super) fn next(&mut self, rule: &StreamRule) -> io::Result<Option<(NamedEpoch, ObservationHash)>> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let mut bytes = [0; EPOCH_LEN];
        self.file.read_exact(&mut bytes)?;
        let integer = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at * 8 + i]));
        let hash = |at: usize| B256::from_slice(&bytes[25 + at * 32..][..32]);
        let (sequence, has) = (integer(0), |flag| bytes[24] & flag != 0);
        let (content, name) = (has(HAS_CONTENT), EpochName::timeline(sequence));
        let derived = DerivedEpoch {
            key: EpochKey::timeline(sequence),
            leaf_count: integer(1),
            complete: has(COMPLETE),
            data_root: content.then(|| hash(2)),
            // without a receive time only the error is left
            time: if has(HAS_TIME) { Ok(integer(2)) } else { rule.observed_time(sequence, None) },
        };
        let epoch = NamedEpoch {
            derived,
            name,
            sequence,
            epoch_id: rule.epochs.id(name),
            slot: SlotId(hash(0)),
            content: content.then(|| Content {
                stream_hash: self.stream_hash,
                epoch_hash: EpochHash(hash(1)),
                data_root: hash(2),
                locator_hash: hash(3),
                sequence,
            }),
        };
        Ok(Some((epoch, ObservationHash(hash(4)))))
    }
}

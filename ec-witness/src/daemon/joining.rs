//! Reads a stream for the first time.

use ec_archive::{ArchiveError, StreamIndex, Sweep};
use ec_observation::{DerivedEpoch, EpochKey};

use super::{
    Halt,
    heard::Told,
    keep::{Keeper, Kept},
};

/// How often the progress of a long reading, or what hinders it, is told, milliseconds.
const TELL_EVERY_MS: u64 = 30_000;

/// A stream that is being read for the first time.
#[derive(Debug)]
pub(super) struct Joining {
    pub(super) index: StreamIndex,
    /// The first epoch that is judged, where that is configured.
    pub(super) from_sequence: Option<u64>,
    pub(super) kept: Kept,
    told_ms: u64,
}

impl Joining {
    pub(super) fn new(index: StreamIndex, from_sequence: Option<u64>, kept: Kept, now_ms: u64) -> Self {
        Self { index, from_sequence, kept, told_ms: now_ms }
    }

    /// Reads about `budget` bytes of each file; the stream's first epoch as it is now, once its files were read to their ends and
    /// hold a record. What cannot be read is an error only in an archive at rest.
    pub(super) fn read(
        &mut self,
        budget: u64,
        is_at_rest: bool,
        keeper: &Keeper,
        now_ms: u64,
    ) -> Result<Option<DerivedEpoch>, Halt> {
        let first = self.read_some(budget);
        keeper.keep(&self.index, &mut self.kept, now_ms);
        let tell = now_ms.saturating_sub(self.told_ms) >= TELL_EVERY_MS;
        if tell {
            self.told_ms = now_ms;
        }
        let stream = &self.index.rule().stream_id;
        match first {
            Ok(first) => {
                if tell && first.is_none() {
                    tracing::info!(stream, bytes = self.index.bytes_read(), "reading the index");
                }
                Ok(first)
            }
            Err(error) if is_at_rest => Err(error.into()),
            Err(ArchiveError::Changed { path, generation, .. }) => {
                self.index.lose(&path, generation, &mut Told::default());
                Ok(None)
            }
            Err(error) => {
                if tell {
                    tracing::warn!(stream, %error, "the index cannot be read; trying again");
                }
                Ok(None)
            }
        }
    }

    fn read_some(&mut self, budget: u64) -> Result<Option<DerivedEpoch>, ArchiveError> {
        let mut told = Told::default();
        let read = self.index.read_some(budget, &mut told);
        told.tell_rest(&self.index.rule().stream_id);
        let first = if read? { Sweep::all(&self.index).next().transpose()? } else { None };
        Ok(first.map(|swept| swept.derived))
    }
}

/// The number that says where judging begins (protocol §5), of a stream's epoch: its index on the timeline, its own time
/// in a lane.
pub(super) fn start_number(is_lane: bool, epoch: &DerivedEpoch) -> u64 {
    if is_lane { epoch.time.clone().unwrap_or_default() } else { epoch.key.index }
}

/// Where judging begins in an archive: the epoch of this index or, in a lane, the first one whose own time is not before
/// this. Epochs are looked at as in a search among sorted ones, since times ascend with them.
pub(super) fn start_key(index: &StreamIndex, number: u64) -> Result<EpochKey, ArchiveError> {
    if !index.rule().is_lane() {
        return Ok(EpochKey::timeline(number));
    }
    let is_before = |from: EpochKey, to: EpochKey| {
        let first = Sweep::new(index, from..=to).find_map(|swept| match swept {
            Ok(swept) => swept.derived.time.ok().map(Ok),
            Err(error) => Some(Err(error)),
        });
        first.transpose().map(|time| time.is_some_and(|time| time < number))
    };
    let mut segment = None;
    for span in index.segments() {
        let at = |index| EpochKey { segment: span.segment, index };
        if !is_before(at(span.lowest), at(span.highest))? {
            break;
        }
        segment = Some(span);
    }
    let Some(span) = segment else { return Ok(EpochKey::MIN) };
    let (mut low, mut high) = (span.lowest, span.highest);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let at = |index| EpochKey { segment: span.segment, index };
        if is_before(at(middle), at(span.highest))? { low = middle } else { high = middle - 1 }
    }
    // the last epoch that is before
    Ok(EpochKey { segment: span.segment, index: low }.next().unwrap_or(EpochKey::MAX))
}

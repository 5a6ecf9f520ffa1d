//! Reads a stream for the first time.

use ec_archive::{ArchiveError, StreamIndex, Sweep};

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

    /// Reads about `budget` bytes of each file; the stream's first epoch, once its files were read to their ends and
    /// hold a record. What cannot be read is an error only in an archive at rest.
    pub(super) fn read(
        &mut self,
        budget: u64,
        is_at_rest: bool,
        keeper: &Keeper,
        now_ms: u64,
    ) -> Result<Option<u64>, Halt> {
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

    fn read_some(&mut self, budget: u64) -> Result<Option<u64>, ArchiveError> {
        let mut told = Told::default();
        let read = self.index.read_some(budget, &mut told);
        told.tell_rest(&self.index.rule().stream_id);
        let first = if read? { Sweep::all(&self.index).next().transpose()? } else { None };
        Ok(first.map(|swept| swept.derived.sequence))
    }
}

//! Keeps what was read of the archive's indexes on the disk, so that the next start reads on from there.

use std::time::Duration;

use ec_archive::{Checkpoints, StreamIndex};

use super::heard::Told;

/// Bytes read of a stream after which its index is kept again.
const KEEP_BYTES: u64 = 64 << 20;

/// The time after which its index is kept again if anything was read.
const KEEP_EVERY_MS: u64 = Duration::from_secs(300).as_millis() as u64;

/// When a stream's index was kept last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    bytes: u64,
    at_ms: u64,
}

/// Keeps indexes, where there is a place for that. A disk that refuses costs the next start its time, no more.
#[derive(Debug)]
pub(super) struct Keeper(Option<Checkpoints>);

impl Keeper {
    pub(super) fn new(checkpoints: Option<Checkpoints>) -> Self {
        Self(checkpoints)
    }

    /// Takes up what was kept of a stream that nothing was read of yet.
    pub(super) fn restore(&self, index: &mut StreamIndex, now_ms: u64) -> Kept {
        if let Some(checkpoints) = &self.0 {
            for error in checkpoints.restore(index, &mut Told::default()) {
                tracing::warn!(%error, "the checkpoint is left aside; reading everything");
            }
        }
        Kept { bytes: index.bytes_read(), at_ms: now_ms }
    }

    /// Keeps a stream's index, when enough was read since the last time.
    pub(super) fn keep(&self, index: &StreamIndex, kept: &mut Kept, now_ms: u64) {
        let bytes = index.bytes_read();
        let is_due = bytes.abs_diff(kept.bytes) >= KEEP_BYTES
            || bytes != kept.bytes && now_ms.saturating_sub(kept.at_ms) >= KEEP_EVERY_MS;
        if is_due {
            self.keep_rest(index, kept, now_ms);
        }
    }

    /// Keeps a stream's index, when anything was read since the last time.
    pub(super) fn keep_rest(&self, index: &StreamIndex, kept: &mut Kept, now_ms: u64) {
        let bytes = index.bytes_read();
        if bytes == kept.bytes {
            return;
        }
        *kept = Kept { bytes, at_ms: now_ms };
        if let Some(checkpoints) = &self.0
            && let Err(error) = checkpoints.save(index)
        {
            tracing::warn!(%error, "the checkpoint cannot be written");
        }
    }
}

//! A sign that work goes on, for those who watch from another thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Beats while work goes on. Clones share one beat.
#[derive(Clone, Debug)]
pub struct Pulse {
    epoch: Instant,
    /// Milliseconds from `epoch` to the last beat.
    last_ms: Arc<AtomicU64>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { epoch: Instant::now(), last_ms: Arc::default() }
    }
}

impl Pulse {
    /// A step was made: a turn ended, a stretch of the archive or a page of the ledger's log was read.
    pub fn beat(&self) {
        let ms = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(ms, Ordering::Relaxed);
    }

    /// The time since the last beat, or since the start.
    pub fn age(&self) -> Duration {
        self.epoch.elapsed().saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Relaxed)))
    }
}

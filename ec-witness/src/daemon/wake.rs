//! What ends the sleep between two turns, and what ends the last turn.

use std::{fs, os::unix::fs::MetadataExt, path::Path, sync::Arc, time::Duration};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How long a turn may go on after the stop was asked for.
const DRAIN: Duration = Duration::from_secs(8);

/// Wakes `changed` when the index changes. Where it cannot, the archive is still read at every poll.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    pub(super) changed: Arc<Notify>,
    /// The directory that is watched, or was tried, by device and inode: another one may be mounted in its place.
    watched: Option<(u64, u64)>,
    watcher: Option<RecommendedWatcher>,
}

impl Alarm {
    /// Watches the directory that stands at this path now.
    pub(super) fn keep(&mut self, manifests: &Path) {
        let found = fs::metadata(manifests).ok().map(|found| (found.dev(), found.ino()));
        if found != self.watched {
            self.watched = found;
            self.watcher = found.and_then(|_| watch(manifests, &self.changed));
        }
    }
}

fn watch(manifests: &Path, changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let changed = Arc::clone(changed);
    let heard = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            changed.notify_one();
        }
    };
    let watcher = notify::recommended_watcher(heard).and_then(|mut watcher| {
        watcher.watch(manifests, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    watcher.inspect_err(|error| tracing::warn!(%error, "the archive cannot be watched; it is read at every poll")).ok()
}

/// Resolves when a cancelled turn has had its time to finish.
pub(super) async fn drained(cancelled: &CancellationToken) {
    cancelled.cancelled().await;
    tokio::time::sleep(DRAIN).await;
}

//! What ends the sleep between two turns, and what ends the last turn.

use std::{sync::Arc, time::Duration};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::archive::Archive;

/// How long a turn may go on after the stop was asked for.
const DRAIN: Duration = Duration::from_secs(8);

/// Wakes `changed` when the index changes. Without it the archive is still read at every poll.
pub(super) fn watch(archive: &Archive, changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let changed = Arc::clone(changed);
    let heard = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| !event.kind.is_access()) {
            changed.notify_one();
        }
    };
    let watcher = notify::recommended_watcher(heard).and_then(|mut watcher| {
        watcher.watch(&archive.manifests, RecursiveMode::Recursive)?;
        Ok(watcher)
    });
    watcher.inspect_err(|error| tracing::warn!(%error, "the archive cannot be watched; it is read at every poll")).ok()
}

/// Resolves when a cancelled turn has had its time to finish.
pub(super) async fn drained(cancelled: &CancellationToken) {
    cancelled.cancelled().await;
    tokio::time::sleep(DRAIN).await;
}

//! What ends the sleep between two turns, and what ends the last turn.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    ops::Bound,
    os::unix::fs::MetadataExt,
    path::{self, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How long a turn may go on after the stop was asked for. What it was about to do is done after the next start, as after a kill.
const DRAIN: Duration = Duration::from_secs(2);

/// Which files of the archive changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Changes {
    /// Those at these paths, and all below them.
    At(HashSet<PathBuf>),
    /// Any may have.
    Anywhere,
}

/// What changed since it was taken last, and wakes who waits for that.
#[derive(Debug, Default)]
pub(super) struct Changed {
    wake: Notify,
    changes: Mutex<Changes>,
}

/// Hears of changes of the index. Where it cannot, the archive is still read at every poll.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    pub(super) changed: Arc<Changed>,
    /// The directory that is watched, or was tried, by device and inode: another one may be mounted in its place.
    watched: Option<(u64, u64)>,
    watcher: Option<RecommendedWatcher>,
}

impl Default for Changes {
    fn default() -> Self {
        Self::At(HashSet::new())
    }
}

impl Changes {
    /// Whose of these files, each with those who read it, may have changed; `None`: anyone's.
    pub(super) fn touch<T: Copy + Ord>(&self, files: &BTreeMap<PathBuf, Vec<T>>) -> Option<BTreeSet<T>> {
        let Self::At(paths) = self else { return None };
        // what stands below a path follows it in the order of paths
        let mut touched = BTreeSet::new();
        for path in paths {
            let following = files.range::<Path, _>((Bound::Included(path.as_path()), Bound::Unbounded));
            let below = following.take_while(|(file, _)| file.starts_with(path));
            touched.extend(below.flat_map(|(_, readers)| readers));
        }
        Some(touched)
    }

    fn add(&mut self, paths: Vec<PathBuf>) {
        match self {
            // an event without a path may mean any: the system lost some
            Self::At(_) if paths.is_empty() => *self = Self::Anywhere,
            Self::At(known) => known.extend(paths),
            Self::Anywhere => {}
        }
    }
}

impl Changed {
    /// Resolves when something changed.
    pub(super) async fn notified(&self) {
        self.wake.notified().await;
    }

    /// What changed since the last time.
    pub(super) fn take(&self) -> Changes {
        std::mem::take(&mut self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hears what happened somewhere below `absolute`, which is `manifests`.
    fn hear(&self, event: notify::Result<notify::Event>, absolute: &Path, manifests: &Path) {
        let paths = match event {
            Ok(event) if event.kind.is_access() => return,
            Ok(event) if event.need_rescan() => Vec::new(),
            Ok(event) => event.paths,
            Err(error) => error.paths,
        };
        let below = paths.iter().map(|path| Some(manifests.join(path.strip_prefix(absolute).ok()?)));
        let below = below.collect::<Option<Vec<_>>>().unwrap_or_default();
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).add(below);
        self.wake.notify_one();
    }
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

fn watch(manifests: &Path, changed: &Arc<Changed>) -> Option<RecommendedWatcher> {
    let watch = || {
        let (absolute, manifests, changed) = (path::absolute(manifests)?, manifests.to_owned(), Arc::clone(changed));
        let watched = absolute.clone();
        let mut watcher = notify::recommended_watcher(move |event| changed.hear(event, &absolute, &manifests))?;
        watcher.watch(&watched, RecursiveMode::Recursive)?;
        Ok(watcher)
    };
    let unwatched =
        |error: &notify::Error| tracing::warn!(%error, "the archive cannot be watched; it is read at every poll");
    watch().inspect_err(unwatched).ok()
}

/// Resolves when a cancelled turn has had its time to finish.
pub(super) async fn drained(cancelled: &CancellationToken) {
    cancelled.cancelled().await;
    tokio::time::sleep(DRAIN).await;
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, io::Write};

    use super::*;

    /// Whether one file at this path may have changed.
    fn touches(changes: &Changes, path: &Path) -> bool {
        changes.touch(&BTreeMap::from([(path.to_owned(), vec![()])])).is_none_or(|touched| !touched.is_empty())
    }

    #[test]
    fn files_and_all_below_a_directory_are_touched() {
        let mut changes = Changes::default();
        assert!(!touches(&changes, Path::new("/m/tv/v.jsonl")));
        changes.add(vec!["/m/tv/v.jsonl".into(), "/m/radio".into()]);
        let files = [
            ("/m/radi/a.jsonl", 0),
            ("/m/radio/a.jsonl", 1),
            ("/m/radio/b/c.jsonl", 2),
            ("/m/radio-2/a.jsonl", 3),
            ("/m/radio2/a.jsonl", 4),
            ("/m/tv/a.jsonl", 5),
            ("/m/tv/v.jsonl", 6),
            ("/m/tv/v.jsonl.1", 7),
        ];
        let files = files.map(|(path, reader)| (path.into(), vec![reader, reader + 10])).into();
        assert_eq!(changes.touch(&files), Some(BTreeSet::from([1, 2, 6, 11, 12, 16])));
        changes.add(Vec::new());
        changes.add(vec!["/m/x".into()]);
        assert_eq!((&changes, changes.touch(&files)), (&Changes::Anywhere, None));
    }

    #[tokio::test]
    async fn what_grows_moves_or_appears_is_told_by_its_path() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().strip_prefix("/").unwrap();
        for manifests in [directory.path().to_owned(), Path::new("../../../../../../../../..").join(root)] {
            let (tv, radio) = (manifests.join("tv"), manifests.join("radio"));
            fs::create_dir(&tv).unwrap();
            fs::write(tv.join("a.jsonl"), "").unwrap();
            let mut alarm = Alarm::default();
            alarm.keep(&manifests);
            let mut file = OpenOptions::new().append(true).open(tv.join("a.jsonl")).unwrap();
            file.write_all(b"x").unwrap();
            told(&alarm, &tv.join("a.jsonl")).await;
            fs::rename(&tv, &radio).unwrap();
            told(&alarm, &radio.join("a.jsonl")).await;
            fs::remove_dir_all(&radio).unwrap();
            told(&alarm, &radio.join("a.jsonl")).await;
        }
    }

    /// Waits until it is told that this file may have changed, and no other broadcast's.
    async fn told(alarm: &Alarm, file: &Path) {
        let other = file.parent().unwrap().with_file_name("other").join("a.jsonl");
        let told = async {
            loop {
                alarm.changed.notified().await;
                let changes = alarm.changed.take();
                assert!(!touches(&changes, &other), "{changes:?}");
                if touches(&changes, file) {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), told).await.unwrap();
    }
}

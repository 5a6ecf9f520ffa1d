//! A file that stays the same one whatever it is called, with a descriptor of its own while there is room for one.
//!
//! A descriptor follows its file when that is renamed, and even reads it after it was removed. A process may only have so
//! many, and an archive may have more files than that: those without one are opened at each use and told by their inode.

use std::{
    fs::{self, File, Metadata},
    io, iter,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// Which file of the system it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The files in the directory of `path` that have this inode, whatever they are called.
    pub(crate) fn beside(self, path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
        let entries = path.parent().and_then(|directory| fs::read_dir(directory).ok()).into_iter().flatten();
        let same = move |entry: &fs::DirEntry| {
            entry.metadata().is_ok_and(|found| found.ino() == self.inode && found.is_file())
        };
        entries.filter_map(Result::ok).filter(same).map(|entry| entry.path())
    }
}

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// How long ago a file must have changed for its times to tell the next change, nanoseconds: the system's clock of files goes
/// on by a tick of up to 10 ms.
const TICK_NS: i128 = 20_000_000;

/// Which file it is, how long, and when it changed: what changes whenever a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    file: FileId,
    len: u64,
    modified_ns: i128,
    changed_ns: i128,
}

impl Stamp {
    /// The stamp of a file as the system describes it.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let nanoseconds = |seconds: i64, beyond: i64| i128::from(seconds) * 1_000_000_000 + i128::from(beyond);
        Self {
            file: FileId::from(metadata),
            len: metadata.len(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether whatever changes the file from now on changes its stamp too. Just after a change another one may bear the same
    /// time, and a file whose times are ahead of the clock proves nothing.
    pub(crate) fn tells(&self, now: SystemTime) -> bool {
        let now_ns = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128);
        self.modified_ns.max(self.changed_ns) + TICK_NS < now_ns
    }
}

/// Files that may be held open in this process: the system counts descriptors by process. Until [`hold_at_most`] is called
/// they fit several times into the usual limit of 1024.
static MOST: AtomicUsize = AtomicUsize::new(256);
static HELD: AtomicUsize = AtomicUsize::new(0);
static UNHELD: AtomicUsize = AtomicUsize::new(0);

/// Sets how many files of indexes this process holds open from now on.
pub fn hold_at_most(files: usize) {
    MOST.store(files, Relaxed);
}

/// The files of indexes that this process reads on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexFiles {
    /// Those that are held open.
    pub held: usize,
    /// Those that there is no descriptor for, so that they are opened at each use.
    pub unheld: usize,
}

/// Counts the files of indexes that this process reads on.
pub fn index_files() -> IndexFiles {
    IndexFiles { held: HELD.load(Relaxed), unheld: UNHELD.load(Relaxed) }
}

/// One more among those that are counted here, until it is dropped.
#[derive(Debug)]
struct Counted(&'static AtomicUsize);

impl Counted {
    /// One more to hold, while there is room.
    fn held() -> Option<Self> {
        let more = |held: usize| (held < MOST.load(Relaxed)).then_some(held + 1);
        HELD.fetch_update(Relaxed, Relaxed, more).ok().map(|_| Self(&HELD))
    }

    fn unheld() -> Self {
        UNHELD.fetch_add(1, Relaxed);
        Self(&UNHELD)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// One file of the system.
#[derive(Clone, Debug)]
pub(crate) struct HeldFile {
    id: FileId,
    open: Option<Arc<File>>,
    _counted: Arc<Counted>,
}

impl HeldFile {
    /// This file, held if there is room.
    pub(crate) fn new(file: Arc<File>) -> io::Result<Self> {
        let id = FileId::from(&file.metadata()?);
        let (open, counted) = match Counted::held() {
            Some(counted) => (Some(file), counted),
            None => (None, Counted::unheld()),
        };
        Ok(Self { id, open, _counted: Arc::new(counted) })
    }

    /// Which file it is.
    pub(crate) fn id(&self) -> FileId {
        self.id
    }

    /// The open file, if it is held.
    pub(crate) fn held(&self) -> Option<&Arc<File>> {
        self.open.as_ref()
    }

    /// What the system says of the file: of one that is not held, of what stands at `path`.
    pub(crate) fn stamp(&self, path: &Path) -> io::Result<Stamp> {
        let metadata = self.open.as_ref().map_or_else(|| fs::metadata(path), |held| held.metadata())?;
        Ok(Stamp::of(&metadata))
    }

    /// The files that stand at `path` and beside it and may be this one, opened: those of its inode, and the one at the
    /// path, which may be its copy. A file system that was away may come back as another device.
    ///
    /// # Errors
    ///
    /// Nothing stands at the path ([`io::ErrorKind::NotFound`]), or the system refuses to open.
    pub(crate) fn candidates(&self, path: &Path) -> io::Result<impl Iterator<Item = io::Result<File>>> {
        let here = File::open(path)?;
        let id = FileId::from(&here.metadata()?);
        // the one at the path is there already
        let beside = if id == self.id { None } else { Some(self.id.beside(path).map(File::open)) };
        Ok(iter::once(Ok(here)).chain(beside.into_iter().flatten()))
    }
}

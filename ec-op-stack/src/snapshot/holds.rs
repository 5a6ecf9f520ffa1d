//! Who uses data: the lock files that its programs keep in it.

use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
};

use rustix::fs::{FlockOperation, fcntl_lock, flock};

use super::error::SnapshotError;

/// Locks that are held as long as this is: nothing that asks for one of them can use the data.
#[derive(Debug)]
pub(super) struct Holds(#[expect(dead_code, reason = "a lock ends with its file")] Vec<File>);

impl Holds {
    /// Takes every lock of a directory, or says which one another process has. Programs lock in one of two ways that do not
    /// see each other, geth's instance by `flock`, pebble and MDBX by `fcntl`; both are taken.
    pub(super) fn take(dir: &Path, locks: &[String]) -> Result<Self, SnapshotError> {
        let held = locks.iter().map(|lock| {
            let path = dir.join(lock);
            let opened = OpenOptions::new().read(true).write(true).open(&path);
            let file = opened.map_err(SnapshotError::system("open", &path))?;
            lock_both(&file).map_err(|error| match error.kind() {
                // fcntl says EACCES or EAGAIN
                io::ErrorKind::WouldBlock | io::ErrorKind::PermissionDenied => {
                    SnapshotError::Held { path: path.clone() }
                }
                _ => SnapshotError::system("lock", &path)(error),
            })?;
            Ok(file)
        });
        held.collect::<Result<_, _>>().map(Self)
    }
}

fn lock_both(file: &File) -> io::Result<()> {
    flock(file, FlockOperation::NonBlockingLockExclusive)?;
    fcntl_lock(file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(())
}

/// Takes a file or directory for one run of this program, as long as what is returned is held.
pub(super) fn own(file: File, place: &Path) -> Result<File, SnapshotError> {
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(SnapshotError::Busy { path: place.to_owned() }),
        Err(error) => Err(SnapshotError::system("lock", place)(error.into())),
    }
}

//! Files and directories that are whole or absent, and outlive a power cut.
//!
//! A file is written beside its place, synced, renamed into it, and the directory is synced: after a crash there is the
//! old file or the new one, never half of either. Only a cache may do without the syncs ([`replace_cached`]).

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// What the system refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub struct FileError {
    /// What was tried, as a verb.
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// The refusal.
    pub source: io::Error,
}

impl FileError {
    fn of(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { action, path: path.to_owned(), source }
    }
}

/// Puts a file with these bytes in the place of what is at `path`, in one step and durably. One that was there leaves
/// its permissions; a new one has `mode`, less the umask.
///
/// # Errors
///
/// The system refuses; what was there stays.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let sync = |file: &File| file.sync_all();
    write_beside(path, bytes, mode, sync).map_err(FileError::of("write", path))?;
    sync_dir(parent(path))
}

/// The same without waiting for the disk, for a cache: a reader at any time finds the old file or the new one, but after a
/// power cut either, or part of one. Whoever reads it must be able to tell, and to do without.
///
/// # Errors
///
/// The system refuses; what was there stays.
pub fn replace_cached(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    write_beside(path, bytes, mode, |_| Ok(())).map_err(FileError::of("write", path))
}

fn write_beside(path: &Path, bytes: &[u8], mode: u32, sync: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    // a name that begins with a dot, which readers of directories pass over
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(".").suffix(".tmp").permissions(Permissions::from_mode(mode));
    let mut file = builder.tempfile_in(parent(path))?;
    file.write_all(bytes)?;
    if let Ok(old) = fs::metadata(path) {
        file.as_file().set_permissions(old.permissions())?;
    }
    sync(file.as_file())?;
    file.persist(path)?;
    Ok(())
}

/// Creates `dir` and those above it that are missing, each synced into its parent.
///
/// # Errors
///
/// The system refuses, or something else has the name.
pub fn create_dir(dir: &Path) -> Result<(), FileError> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    create_dir(parent(dir))?;
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(FileError::of("create directory", dir)(error))
        }
        _ => sync_dir(parent(dir)),
    }
}

/// Makes the names in `dir` durable.
///
/// # Errors
///
/// The system refuses.
pub fn sync_dir(dir: &Path) -> Result<(), FileError> {
    // the parent of a bare name is the empty path
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir).and_then(|handle| handle.sync_all()).map_err(FileError::of("sync directory", dir))
}

/// The directory that holds `path`.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_permissions() {
        for replace in [replace, replace_cached] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            replace(&path, b"first", 0o600).unwrap();
            assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"first".to_vec(), 0o600));
            fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
            replace(&path, b"second", 0o600).unwrap();
            assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"second".to_vec(), 0o640));
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        }
    }

    #[test]
    fn what_cannot_be_replaced_stays_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("directory");
        fs::create_dir(&path).unwrap();
        for replace in [replace, replace_cached] {
            let error = replace(&path, b"file", 0o600).unwrap_err();
            assert_eq!((error.action, &error.path), ("write", &path));
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn directories_are_made_with_those_above_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/c");
        create_dir(&path).unwrap();
        create_dir(&path).unwrap();
        assert!(path.is_dir());
        fs::write(dir.path().join("file"), b"").unwrap();
        assert!(create_dir(&dir.path().join("file/d")).is_err());
    }
}

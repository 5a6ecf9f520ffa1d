//! The content-addressed store of an archive: objects named by the BLAKE3 of their stored bytes.
//!
//! An object lives at `objects/blake3/<first 2 hex>/<64 hex>.bin` below the store's root. Stored bytes are never
//! interpreted. [`check`] compares a store with the index that names its objects.

pub mod check;

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use blake3::Hash;
use ec_files::FileError;

/// The directory of BLAKE3-named objects below the root of a store.
pub(crate) const OBJECTS_DIR: &str = "objects/blake3";

/// The permissions of an object, less the umask: anyone may read what was broadcast.
const OBJECT_MODE: u32 = 0o666;

/// Why the store could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CasError {
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory concerned.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// An object of that name exists with other bytes; the store never overwrites.
    #[error("object {} does not hold the bytes its name promises; move it away and run again", path.display())]
    Corrupt {
        /// The object's file.
        path: PathBuf,
    },
}

impl From<FileError> for CasError {
    fn from(FileError { action, path, source }: FileError) -> Self {
        Self::Io { action, path, source }
    }
}

/// What [`Cas::insert`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// The name of the object.
    pub hash: Hash,
    /// Whether the object was not in the store before.
    pub new: bool,
}

/// A content-addressed store rooted at a directory, which need not exist before the first insertion.
#[derive(Clone, Debug)]
pub struct Cas {
    root: PathBuf,
}

impl Cas {
    /// A store at `root`, the directory that holds `objects/`. Touches nothing.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory that holds `objects/`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of an object relative to the root, as `cas_path` in an index record: always with `/`.
    pub(crate) fn relative_path(hash: &Hash) -> String {
        let hex = hash.to_hex();
        format!("{OBJECTS_DIR}/{}/{hex}.bin", &hex[..2])
    }

    /// The path of an object.
    pub(crate) fn path_of(&self, hash: &Hash) -> PathBuf {
        self.root.join(Self::relative_path(hash))
    }

    /// Reads an object of at most `most` bytes, whose bytes are what its name promises.
    ///
    /// # Errors
    ///
    /// The operating system's, [`io::ErrorKind::NotFound`] for an object that is absent, [`io::ErrorKind::FileTooLarge`] for a
    /// larger one, [`io::ErrorKind::InvalidData`] for one with other bytes.
    pub fn read(&self, hash: &Hash, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.path_of(hash))?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if blake3::hash(&bytes) == *hash { Ok(bytes) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// Whether an object's file is there. Not whether it holds what its name promises.
    pub fn has(&self, hash: &Hash) -> bool {
        self.size_of(hash).is_ok()
    }

    /// Stores `bytes` durably and returns their name.
    ///
    /// The bytes are written to a temporary file in the object's directory, synced, renamed into place, and the
    /// directory is synced, so that after a crash an object is either whole or absent. An existing object is compared,
    /// never rewritten.
    ///
    /// # Errors
    ///
    /// [`CasError::Io`], and [`CasError::Corrupt`] if the object exists with other bytes.
    pub fn insert(&self, bytes: &[u8]) -> Result<Inserted, CasError> {
        let hash = blake3::hash(bytes);
        let path = self.path_of(&hash);
        match fs::read(&path) {
            Ok(existing) if existing == bytes => {
                // A writer that was killed between renaming and syncing leaves a visible name that is not yet durable.
                ec_files::sync_dir(path.parent().unwrap_or(Path::new(".")))?;
                return Ok(Inserted { hash, new: false });
            }
            Ok(_) => return Err(CasError::Corrupt { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(CasError::Io { action: "read object", path, source }),
        }
        write_durably(&path, bytes)?;
        Ok(Inserted { hash, new: true })
    }

    /// Reads an object's bytes through BLAKE3 and returns their hash and number. Memory use does not grow with size.
    ///
    /// # Errors
    ///
    /// The operating system's, [`io::ErrorKind::NotFound`] for an object that is absent.
    pub(crate) fn rehash(&self, hash: &Hash) -> io::Result<(Hash, u64)> {
        let mut file = File::open(self.path_of(hash))?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok((hasher.finalize(), hasher.count())),
                read => hasher.update(&buffer[..read]),
            };
        }
    }

    /// The size in bytes of an object's file.
    ///
    /// # Errors
    ///
    /// The operating system's, [`io::ErrorKind::NotFound`] for an object that is absent.
    pub(crate) fn size_of(&self, hash: &Hash) -> io::Result<u64> {
        fs::metadata(self.path_of(hash)).map(|metadata| metadata.len())
    }

    /// The files of one of the 256 object directories, sorted by name; empty if there is no such directory.
    ///
    /// Names beginning with a dot (temporary files of a writer) are left out. Nothing says that a file's name is one
    /// of an object: compare with [`Cas::relative_path`].
    ///
    /// # Errors
    ///
    /// [`CasError::Io`] if the directory cannot be listed.
    pub(crate) fn files_of_prefix(&self, prefix: u8) -> Result<Vec<PathBuf>, CasError> {
        let dir = self.root.join(OBJECTS_DIR).join(format!("{prefix:02x}"));
        let failed = |source| CasError::Io { action: "list", path: dir.clone(), source };
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                files.push(entry.path());
            }
        }
        files.sort_unstable();
        Ok(files)
    }
}

/// The file of an object that is whole, or absent after a crash. Not an overwrite guard: the caller has looked.
fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), CasError> {
    ec_files::create_dir(path.parent().unwrap_or(Path::new(".")))?;
    ec_files::replace(path, bytes, OBJECT_MODE).map_err(|error| match error.action {
        "write" => CasError::Io { action: "write object", path: error.path, source: error.source },
        _ => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_by_its_bytes_and_stored_once() {
        let dir = tempfile::tempdir().unwrap();
        let cas = Cas::new(dir.path().join("not/yet"));
        let first = cas.insert(b"group").unwrap();
        let again = cas.insert(b"group").unwrap();
        assert!(first.new && !again.new);
        assert_eq!(cas.read(&first.hash, 5).unwrap(), b"group");
        assert_eq!(cas.read(&first.hash, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(cas.read(&blake3::hash(b"other"), 5).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(cas.has(&first.hash) && !cas.has(&blake3::hash(b"other")));
        let hex = blake3::hash(b"group").to_hex();
        assert_eq!(Cas::relative_path(&first.hash), format!("objects/blake3/{}/{hex}.bin", &hex[..2]));
        assert_eq!(cas.rehash(&first.hash).unwrap(), (first.hash, 5));
        assert_eq!(cas.files_of_prefix(first.hash.as_bytes()[0]).unwrap(), [cas.path_of(&first.hash)]);
    }

    #[test]
    fn an_object_with_other_bytes_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let cas = Cas::new(dir.path());
        let path = cas.path_of(&cas.insert(b"group").unwrap().hash);
        fs::write(&path, b"grouq").unwrap();
        assert!(matches!(cas.insert(b"group"), Err(CasError::Corrupt { path: named }) if named == path));
        assert_eq!(fs::read(&path).unwrap(), b"grouq");
        assert_eq!(cas.read(&blake3::hash(b"group"), 5).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn temporary_files_are_no_objects() {
        let dir = tempfile::tempdir().unwrap();
        let cas = Cas::new(dir.path());
        fs::create_dir_all(dir.path().join(OBJECTS_DIR).join("ab")).unwrap();
        fs::write(dir.path().join(OBJECTS_DIR).join("ab/.1-1.tmp"), b"torn").unwrap();
        assert!(cas.files_of_prefix(0xab).unwrap().is_empty());
    }
}

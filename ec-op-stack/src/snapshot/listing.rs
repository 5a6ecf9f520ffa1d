//! What is in a directory, and what of it belongs into a snapshot.

use std::{
    fs::{self, Metadata},
    os::unix::fs::PermissionsExt,
    path::Path,
    time::SystemTime,
};

use super::error::SnapshotError;

/// What a file's name says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Of the chain.
    Data,
    /// Tells processes of each other, and holds nothing.
    Lock,
    /// Is this host's alone.
    Secret,
}

/// Names of lock files: of pebble, leveldb and geth's instance; of op-reth's storage; of MDBX.
const LOCKS: [&str; 3] = ["LOCK", "lock", "mdbx.lck"];
/// Names of secrets that execution clients keep in their datadirs: the P2P identity, the engine's token, op-reth's P2P key.
const SECRETS: [&str; 4] = ["nodekey", "jwtsecret", "jwt.hex", "discovery-secret"];
/// geth's directory of accounts.
const KEYSTORE: &str = "keystore";

impl Kind {
    fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        if LOCKS.contains(&name) {
            Self::Lock
        } else if SECRETS.contains(&name) || path.split('/').any(|part| part == KEYSTORE) {
            Self::Secret
        } else {
            Self::Data
        }
    }
}

/// A file as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Its path below the directory, with `/`.
    pub(super) path: String,
    /// Bytes.
    pub(super) size: u64,
    /// Permission bits.
    pub(super) mode: u32,
    /// When it was written last.
    pub(super) modified: SystemTime,
}

/// All of a directory, by path.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// What belongs into a snapshot.
    pub(super) files: Vec<Listed>,
    /// What says who uses the data.
    pub(super) locks: Vec<String>,
    /// Secrets, which stay where they are unless they are asked for.
    pub(super) secrets: Vec<Listed>,
}

impl Listing {
    /// What is in `dir`, and in those below it; of a directory that is not there, nothing.
    pub(super) fn read(dir: &Path) -> Result<Self, SnapshotError> {
        let mut listing = Self::default();
        if dir.exists() {
            listing.add(dir, "")?;
        }
        for files in [&mut listing.files, &mut listing.secrets] {
            files.sort_by(|a, b| a.path.cmp(&b.path));
        }
        listing.locks.sort();
        Ok(listing)
    }

    fn add(&mut self, dir: &Path, prefix: &str) -> Result<(), SnapshotError> {
        for entry in fs::read_dir(dir).map_err(SnapshotError::system("list", dir))? {
            let entry = entry.map_err(SnapshotError::system("list", dir))?;
            let path = entry.path();
            // of the entry itself: a link is not followed
            let metadata = entry.metadata().map_err(SnapshotError::system("look at", &path))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else { return Err(SnapshotError::Unknown { path }) };
            let below = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            if metadata.is_dir() {
                self.add(&path, &below)?;
            } else if metadata.is_file() {
                self.sort_in(below, &metadata).map_err(SnapshotError::system("look at", &path))?;
            } else if !is_socket(&metadata) {
                return Err(SnapshotError::Unknown { path });
            }
        }
        Ok(())
    }

    fn sort_in(&mut self, path: String, metadata: &Metadata) -> std::io::Result<()> {
        let kind = Kind::of(&path);
        if kind == Kind::Lock {
            self.locks.push(path);
            return Ok(());
        }
        let mode = metadata.permissions().mode() & 0o7777;
        let listed = Listed { path, size: metadata.len(), mode, modified: metadata.modified()? };
        if kind == Kind::Secret {
            self.secrets.push(listed);
        } else {
            self.files.push(listed);
        }
        Ok(())
    }

    /// Everything but locks, by path.
    pub(super) fn all(self) -> Vec<Listed> {
        let mut all = self.files;
        all.extend(self.secrets);
        all.sort_by(|a, b| a.path.cmp(&b.path));
        all
    }
}

/// A client's IPC endpoint, which is no data.
fn is_socket(metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.file_type().is_socket()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_locks_are_known_by_name() {
        let kinds = [
            ("geth/chaindata/000012.sst", Kind::Data),
            ("geth/chaindata/LOCK", Kind::Lock),
            ("geth/LOCK", Kind::Lock),
            ("db/lock", Kind::Lock),
            ("db/mdbx.lck", Kind::Lock),
            ("db/mdbx.dat", Kind::Data),
            ("initialised", Kind::Data),
            ("geth/nodekey", Kind::Secret),
            ("geth/jwtsecret", Kind::Secret),
            ("jwt.hex", Kind::Secret),
            ("discovery-secret", Kind::Secret),
            ("keystore/UTC--2026", Kind::Secret),
        ];
        for (path, kind) in kinds {
            assert_eq!(Kind::of(path), kind, "{path}");
        }
    }
}

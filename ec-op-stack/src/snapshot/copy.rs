//! Copies of files that are whole or absent, with the checksum of what was copied.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use blake3::{Hash, Hasher};

use super::{error::SnapshotError, listing::Listed, plan::PART};

/// What is read at once: a few reads for an SST, and no memory to speak of.
const CHUNK: usize = 1 << 20;

/// BLAKE3 of a file. `told` hears of each piece's length.
pub(super) fn hash(path: &Path, told: &mut dyn FnMut(u64)) -> Result<Hash, SnapshotError> {
    let mut read = || -> io::Result<Hash> {
        let (mut file, mut hasher, mut buffer) = (File::open(path)?, Hasher::new(), vec![0; CHUNK]);
        loop {
            let length = file.read(&mut buffer)?;
            if length == 0 {
                return Ok(hasher.finalize());
            }
            hasher.update(&buffer[..length]);
            told(length as u64);
        }
    };
    read().map_err(SnapshotError::system("read", path))
}

/// Copies a file's bytes beside `to`, where [`place`] then puts them; returns their checksum. What an earlier run has written
/// there is compared rather than written again.
pub(super) fn copy(from: &Path, to: &Path, told: &mut dyn FnMut(u64)) -> Result<Hash, SnapshotError> {
    ec_files::create_dir(to.parent().unwrap_or(Path::new(".")))?;
    let part = part_of(to);
    let mut source = File::open(from).map_err(SnapshotError::system("read", from))?;
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&part);
    let mut target = opened.map_err(SnapshotError::system("write", &part))?;
    let (mut hasher, mut buffer, mut written, mut at) = (Hasher::new(), vec![0; CHUNK], vec![0; CHUNK], 0);
    loop {
        let length = source.read(&mut buffer).map_err(SnapshotError::system("read", from))?;
        if length == 0 {
            break;
        }
        let bytes = &buffer[..length];
        put(&mut target, at, bytes, &mut written[..length]).map_err(SnapshotError::system("write", &part))?;
        hasher.update(bytes);
        at += length as u64;
        told(length as u64);
    }
    target.set_len(at).map_err(SnapshotError::system("write", &part))?;
    Ok(hasher.finalize())
}

/// Writes `bytes` at `at`, unless they are there. `space` is as long.
fn put(file: &mut File, at: u64, bytes: &[u8], space: &mut [u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    if file.read_exact(space).is_ok() && space == bytes {
        return Ok(());
    }
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

/// Puts a copied file in its place, with these permissions and this time, durably.
pub(super) fn place(to: &Path, like: &Listed) -> Result<(), SnapshotError> {
    let part = part_of(to);
    let finish = || -> io::Result<()> {
        let file = File::options().write(true).open(&part)?;
        file.set_permissions(Permissions::from_mode(like.mode))?;
        file.set_modified(like.modified)?;
        file.sync_all()?;
        fs::rename(&part, to)
    };
    finish().map_err(SnapshotError::system("write", to))?;
    Ok(ec_files::sync_dir(to.parent().unwrap_or(Path::new(".")))?)
}

/// Where a file is until it is whole.
pub(super) fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(PART);
    name.into()
}

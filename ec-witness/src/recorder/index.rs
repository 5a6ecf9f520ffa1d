//! The JSONL index as the recorder needs it: which slots it holds, and appending to it.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use blake3::Hash;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_jsonlines::{JsonLinesReader, JsonLinesWriter};

use super::broadcast::BroadcastName;
use crate::cas::{self, Cas, CasError};

/// Why an index could not be read or extended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum IndexError {
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// The directory of the index could not be made.
    #[error(transparent)]
    Directory(#[from] CasError),
    /// Another recorder holds the broadcast's lock.
    #[error("another recorder is writing below {}; wait for it to end", path.display())]
    Busy { path: PathBuf },
    /// The file does not end with a whole line.
    #[error(
        "{}: ends within a line after byte {complete}; if no writer is active, cut it with `truncate -s {complete}`",
        path.display()
    )]
    TornLine { path: PathBuf, complete: u64 },
}

/// A line as it is written, with the canonical names in their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The broadcast's name.
    pub broadcast: String,
    /// The track's name.
    pub track: String,
    /// The group's number on the broadcast's timeline.
    pub group_sequence: u64,
    /// When the group was received, in Unix milliseconds.
    pub received_unix_ms: u64,
    /// The object's size in bytes.
    pub size_bytes: u64,
    /// The object's name, 64 lower-case hex digits.
    pub blake3: String,
    /// The object's path below the store's root.
    pub cas_path: String,
}

impl Record {
    /// The record of a group that is stored as `slot` says.
    pub fn new(broadcast: &BroadcastName, track: &str, slot: &Slot, received_unix_ms: u64) -> Self {
        Self {
            broadcast: broadcast.to_string(),
            track: track.to_owned(),
            group_sequence: slot.group_sequence,
            received_unix_ms,
            size_bytes: slot.size_bytes,
            blake3: slot.blake3.to_hex().to_string(),
            cas_path: Cas::relative_path(&slot.blake3),
        }
    }
}

/// What a line says about its slot: the required fields only, under any of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Slot {
    /// The group's number on the broadcast's timeline.
    #[serde(alias = "sequence", alias = "group_id", deserialize_with = "integer")]
    pub group_sequence: u64,
    /// The object's name.
    #[serde(alias = "hash", alias = "digest", deserialize_with = "digest")]
    pub blake3: Hash,
    /// The object's size in bytes.
    #[serde(alias = "size", alias = "bytes", deserialize_with = "integer")]
    pub size_bytes: u64,
}

/// A number, or a string of decimal digits.
fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Integer {
        Number(u64),
        Text(String),
    }
    match Integer::deserialize(deserializer)? {
        Integer::Number(number) => Ok(number),
        Integer::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().map_err(D::Error::custom),
        Integer::Text(text) => Err(D::Error::custom(format!("{text:?} is no integer"))),
    }
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
    let text = String::deserialize(deserializer)?;
    let hex = text.strip_prefix("blake3:").unwrap_or(&text);
    Hash::from_hex(hex).map_err(D::Error::custom)
}

/// Hands the complete lines of an index file to `visit`, with their number from 1: a slot, or why there is none.
/// A missing file has no lines. Returns the bytes up to the end of the last complete line, and of the file.
///
/// # Errors
///
/// [`IndexError::Io`] if the file cannot be read.
pub fn read_slots(path: &Path, mut visit: impl FnMut(u64, Result<Slot, String>)) -> Result<(u64, u64), IndexError> {
    let failed = |source| IndexError::Io { action: "read index", path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, 0)),
        Err(error) => return Err(failed(error)),
    };
    let lengths = complete_len(&mut file).map_err(failed)?;
    let mut lines = JsonLinesReader::new(BufReader::new(file.take(lengths.0)));
    for number in 1.. {
        match lines.read() {
            Ok(Some(slot)) => visit(number, Ok(slot)),
            Ok(None) => break,
            Err(error) if is_about_the_line(&error) => visit(number, Err(error.to_string())),
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(lengths)
}

/// Whether the line was read but is no record, so that reading can go on.
fn is_about_the_line(error: &io::Error) -> bool {
    let json = error.get_ref().is_some_and(|inner| inner.is::<serde_json::Error>());
    json || matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

/// The bytes up to and with the last line feed, and all bytes; the file is left at its start.
fn complete_len(file: &mut File) -> io::Result<(u64, u64)> {
    const BLOCK: u64 = 4096;
    let len = file.metadata()?.len();
    let mut end = len;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        file.by_ref().take(end - start).read_to_end(&mut block)?;
        if let Some(at) = memchr::memrchr(b'\n', &block) {
            end = start + at as u64 + 1;
            break;
        }
        end = start;
    }
    file.rewind()?;
    Ok((end, len))
}

/// The slots of a track's index whose sequence is one of `wanted`; a slot with several records keeps the first that
/// differs from `wanted`'s, else any. Bad lines are logged.
///
/// # Errors
///
/// [`IndexError::Io`], and [`IndexError::TornLine`] if the file cannot be appended to.
pub(super) fn slots_of(path: &Path, wanted: &HashMap<u64, Slot>) -> Result<HashMap<u64, Slot>, IndexError> {
    let mut found = HashMap::new();
    let (complete, len) = read_slots(path, |line, slot| match slot {
        Ok(slot) => {
            let Some(planned) = wanted.get(&slot.group_sequence) else { return };
            let kept = found.entry(slot.group_sequence).or_insert(slot);
            if *kept == *planned {
                *kept = slot;
            }
        }
        Err(reason) => tracing::warn!(path = %path.display(), line, reason, "bad line in the index"),
    })?;
    match complete == len {
        true => Ok(found),
        false => Err(IndexError::TornLine { path: path.to_owned(), complete }),
    }
}

/// The directory of a broadcast's index, locked against other recorders until dropped.
#[derive(Debug)]
pub(super) struct BroadcastDir {
    path: PathBuf,
    _lock: File,
}

impl BroadcastDir {
    /// Creates the directory if need be, and locks it.
    pub(super) fn lock(manifests: &Path, broadcast: &BroadcastName) -> Result<Self, IndexError> {
        let path = manifests.join(broadcast.as_str());
        cas::create_dir_durably(&path)?;
        let failed = |source| IndexError::Io { action: "lock", path: path.clone(), source };
        let handle = File::open(&path).map_err(failed)?;
        match handle.try_lock() {
            Ok(()) => Ok(Self { path, _lock: handle }),
            Err(TryLockError::WouldBlock) => Err(IndexError::Busy { path }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Opens a track's index for appending, creating it if need be.
    pub(super) fn appender(&self, track: &str) -> Result<Appender, IndexError> {
        let path = index_path(&self.path, track);
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        match opened {
            Ok(file) => Ok(Appender { writer: JsonLinesWriter::new(BufWriter::new(file)), path }),
            Err(source) => Err(IndexError::Io { action: "open index", path, source }),
        }
    }
}

/// The index file of a track in a broadcast's directory.
pub(super) fn index_path(broadcast_dir: &Path, track: &str) -> PathBuf {
    broadcast_dir.join(format!("{track}.jsonl"))
}

/// Appends to a track's index, each line in one write.
#[derive(Debug)]
pub(super) struct Appender {
    writer: JsonLinesWriter<BufWriter<File>>,
    path: PathBuf,
}

impl Appender {
    /// Appends a record and hands it to the operating system. Its object must be durable.
    pub(super) fn append(&mut self, record: &Record) -> Result<(), IndexError> {
        let written = self.writer.write(record).and_then(|()| self.writer.flush());
        written.map_err(|source| IndexError::Io { action: "append to", path: self.path.clone(), source })
    }

    /// Makes what was appended durable.
    pub(super) fn finish(self) -> Result<(), IndexError> {
        let synced = self.writer.get_ref().get_ref().sync_all();
        synced.map_err(|source| IndexError::Io { action: "sync", path: self.path.clone(), source })?;
        Ok(cas::sync_dir(self.path.parent().unwrap_or(Path::new(".")))?)
    }
}

#[cfg(test)]
mod tests;

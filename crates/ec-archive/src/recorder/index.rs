//! The JSONL index as the recorder needs it: which groups it holds, and appending to it.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

use blake3::Hash;
use ec_files::FileError;
use ec_observation::Record;
use serde::Serialize;
use serde_jsonlines::JsonLinesWriter;

use super::broadcast::BroadcastName;
use crate::{
    ArchiveError,
    cas::Cas,
    files::{Broadcast, FileId, TRACK_FILE_ENDING, TrackFile},
    line::FieldNames,
};

/// Why an index could not be read or extended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum IndexError {
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// The index could not be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The directory of the index could not be made.
    #[error(transparent)]
    Directory(#[from] FileError),
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
pub struct RecordLine {
    /// The broadcast's name.
    pub broadcast: String,
    /// The track's name.
    pub track: String,
    /// The group's number.
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

impl RecordLine {
    /// The record of a group that is stored as `group` says.
    pub fn new(broadcast: &BroadcastName, track: &str, group: &StoredGroup, received_unix_ms: u64) -> Self {
        Self {
            broadcast: broadcast.to_string(),
            track: track.to_owned(),
            group_sequence: group.group_sequence,
            received_unix_ms,
            size_bytes: group.size_bytes,
            blake3: group.blake3.to_hex().to_string(),
            cas_path: Cas::relative_path(&group.blake3),
        }
    }
}

/// A group by its number, and its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredGroup {
    /// The group's number.
    pub group_sequence: u64,
    /// The object's name.
    pub blake3: Hash,
    /// The object's size in bytes.
    pub size_bytes: u64,
}

impl From<Record> for StoredGroup {
    fn from(record: Record) -> Self {
        let Record { group_sequence, blake3, size_bytes, .. } = record;
        Self { group_sequence, blake3: Hash::from_bytes(blake3), size_bytes }
    }
}

/// What a track's index holds.
#[derive(Debug, Default)]
pub(super) struct Present {
    /// The groups whose sequence is one of the wanted; a group with several records keeps the first that differs from
    /// the wanted one, else any.
    pub(super) wanted: HashMap<u64, StoredGroup>,
    /// The lowest sequence; `None` without records.
    pub(super) lowest: Option<u64>,
    /// The group that came last before all that are wanted, by its sequence.
    pub(super) before: Option<StoredGroup>,
}

/// What a track's index holds, and which of it is `wanted`. Bad lines are logged.
///
/// # Errors
///
/// The file cannot be read, and [`IndexError::TornLine`] if it cannot be appended to.
pub(super) fn present(
    broadcast: &Broadcast,
    track: &str,
    wanted: &HashMap<u64, StoredGroup>,
) -> Result<Present, IndexError> {
    let file = TrackFile::new(broadcast, track, FieldNames::default());
    let mut found = Present::default();
    let first = wanted.keys().min().copied();
    for_each_record(&file, u64::MAX, |record| found.add(wanted, first, record.into()))?;
    Ok(found)
}

/// Hands over the records in the last `bytes` bytes of a file that is to be appended to. Bad lines are logged.
///
/// # Errors
///
/// The file cannot be read, and [`IndexError::TornLine`] if it cannot be appended to.
pub(super) fn for_each_record(file: &TrackFile, bytes: u64, mut visit: impl FnMut(Record)) -> Result<(), IndexError> {
    let (complete, len) = file.for_each_of_the_last_lines(bytes, |line| match line.said {
        Some(Ok(record)) => visit(record),
        Some(Err(bad)) => {
            tracing::warn!(path = %file.path().display(), offset = line.offset, reason = %bad.reason, "bad line in the index");
        }
        None => {}
    })?;
    match complete == len {
        true => Ok(()),
        false => Err(IndexError::TornLine { path: file.path().to_owned(), complete }),
    }
}

impl Present {
    fn add(&mut self, wanted: &HashMap<u64, StoredGroup>, first: Option<u64>, group: StoredGroup) {
        let sequence = group.group_sequence;
        if first.is_some_and(|first| sequence < first)
            && self.before.is_none_or(|before| before.group_sequence <= sequence)
        {
            self.before = Some(group);
        }
        self.lowest = Some(self.lowest.map_or(sequence, |lowest| lowest.min(sequence)));
        let Some(planned) = wanted.get(&sequence) else { return };
        let kept = self.wanted.entry(sequence).or_insert(group);
        if kept == planned {
            *kept = group;
        }
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
        ec_files::create_dir(&path)?;
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
        let path = self.path.join(format!("{track}{TRACK_FILE_ENDING}"));
        let opened = OpenOptions::new().append(true).create(true).open(&path);
        match opened {
            Ok(file) => Ok(Appender { writer: JsonLinesWriter::new(BufWriter::new(file)), path, is_named: false }),
            Err(source) => Err(IndexError::Io { action: "open index", path, source }),
        }
    }
}

/// Appends to a track's index, each line in one write.
#[derive(Debug)]
pub(super) struct Appender {
    writer: JsonLinesWriter<BufWriter<File>>,
    path: PathBuf,
    /// Whether its name is durable.
    is_named: bool,
}

impl Appender {
    /// Appends a record and hands it to the operating system. Its object must be durable.
    pub(super) fn append(&mut self, record: &RecordLine) -> Result<(), IndexError> {
        let written = self.writer.write(record).and_then(|()| self.writer.flush());
        written.map_err(|source| IndexError::Io { action: "append to", path: self.path.clone(), source })
    }

    /// Makes what was appended durable.
    pub(super) fn sync(&mut self) -> Result<(), IndexError> {
        let synced = self.file().sync_all();
        synced.map_err(|source| IndexError::Io { action: "sync", path: self.path.clone(), source })?;
        if !self.is_named {
            ec_files::sync_dir(self.path.parent().unwrap_or(Path::new(".")))?;
            self.is_named = true;
        }
        Ok(())
    }

    /// Whether the file still stands at its path. One that was rotated does not.
    pub(super) fn is_in_place(&self) -> bool {
        let here = self.file().metadata().map(|file| FileId::from(&file));
        let there = fs::metadata(&self.path).map(|file| FileId::from(&file));
        matches!((here, there), (Ok(here), Ok(there)) if here == there)
    }

    fn file(&self) -> &File {
        self.writer.get_ref().get_ref()
    }
}

#[cfg(test)]
mod tests;

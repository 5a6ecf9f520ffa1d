//! An archive that grows while its groups are received.

use std::{collections::HashMap, path::Path};

use super::{
    RecorderError,
    broadcast::BroadcastName,
    index::{self, IndexError, StoredGroup},
    stretch::Stretch,
    track::TrackName,
    writer::ArchiveWriter,
};
use crate::{
    cas::Cas,
    files::{Broadcast, TrackFile},
    line::FieldNames,
};

/// A group as it was received: its frames one after the other, as one object.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedGroup<'a> {
    /// The group's track.
    pub track: &'a TrackName,
    /// The group's number, as its publisher gave it.
    pub group_sequence: u64,
    /// The own clock when the group was complete, Unix milliseconds.
    pub received_unix_ms: u64,
    /// Names the running publisher, where that is known.
    pub publisher: Option<u64>,
    /// The bytes of the group's frames.
    pub bytes: &'a [u8],
}

/// What became of a received group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The object.
    pub stored: StoredGroup,
    /// Whether it got a record; if not, the index has one from shortly before.
    pub is_new: bool,
}

/// The archive of one broadcast while it is received, locked against other recorders.
#[derive(Debug)]
pub struct Reception {
    writer: ArchiveWriter,
    broadcast: Broadcast,
    stretches: HashMap<TrackName, Stretch>,
}

impl Reception {
    /// Opens the archive of a broadcast, creating its directory in the index if need be.
    ///
    /// # Errors
    ///
    /// [`IndexError::Busy`] while another recorder has it open, [`IndexError::TornLine`] if a track's file does not end with
    /// a whole line, and the operating system's.
    pub fn open(cas: Cas, manifests: &Path, broadcast: BroadcastName) -> Result<Self, RecorderError> {
        let directory = manifests.join(broadcast.as_str());
        let files = Broadcast { name: broadcast.to_string(), directory };
        let writer = ArchiveWriter::lock(cas, manifests, broadcast)?;
        let mut reception = Self { writer, broadcast: files, stretches: HashMap::new() };
        for track in reception.broadcast.tracks().map_err(IndexError::from)? {
            if let Ok(track) = track.parse() {
                reception.stretch(&track)?;
            }
        }
        Ok(reception)
    }

    /// Stores a group durably, then gives it a record, unless the index has that from shortly before.
    ///
    /// # Errors
    ///
    /// The operating system's; nothing was written then but, at most, the object.
    pub fn keep(&mut self, group: &ReceivedGroup<'_>) -> Result<Kept, RecorderError> {
        let &ReceivedGroup { track, group_sequence, received_unix_ms, publisher, bytes } = group;
        let stored = StoredGroup { group_sequence, blake3: blake3::hash(bytes), size_bytes: bytes.len() as u64 };
        let is_new = self.stretch(track)?.take(stored, received_unix_ms, publisher);
        self.writer.store(track.as_str(), &stored, received_unix_ms, bytes, !is_new)?;
        Ok(Kept { stored, is_new })
    }

    /// Makes every record durable.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn sync(&mut self) -> Result<(), RecorderError> {
        Ok(self.writer.sync()?)
    }

    /// The present stretch of a track, read from its file the first time.
    fn stretch(&mut self, track: &TrackName) -> Result<&mut Stretch, RecorderError> {
        if !self.stretches.contains_key(track) {
            let stretch = read(&TrackFile::new(&self.broadcast, track.as_str(), FieldNames::default()))?;
            self.stretches.insert(track.clone(), stretch);
        }
        Ok(self.stretches.entry(track.clone()).or_default())
    }
}

/// How much of a track's file is read at the start, bytes: minutes of any track's lines, where seconds count.
const READ_BYTES: u64 = 4 << 20;

/// The present stretch of a track's file, as far back as its end tells.
fn read(file: &TrackFile) -> Result<Stretch, IndexError> {
    let (mut stretch, mut last_unix_ms) = (Stretch::default(), 0);
    index::for_each_record(file, READ_BYTES, |record| {
        last_unix_ms = record.received_unix_ms.unwrap_or(last_unix_ms);
        stretch.take(record.into(), last_unix_ms, None);
    })?;
    Ok(stretch)
}

#[cfg(test)]
mod tests;

//! Writes groups into an archive: first the object, durably, then its record, so that no record names what could be lost.

use std::{
    collections::{HashMap, hash_map::Entry},
    path::Path,
};

use super::{
    RecorderError,
    broadcast::BroadcastName,
    index::{Appender, BroadcastDir, IndexError, RecordLine, StoredGroup},
};
use crate::cas::Cas;

/// The archive of one broadcast, open for appending and locked against other recorders.
#[derive(Debug)]
pub(super) struct ArchiveWriter {
    cas: Cas,
    broadcast: BroadcastName,
    dir: BroadcastDir,
    appenders: HashMap<String, Appender>,
}

impl ArchiveWriter {
    /// Creates the broadcast's directory in the index if need be, and locks it.
    pub(super) fn lock(cas: Cas, manifests: &Path, broadcast: BroadcastName) -> Result<Self, IndexError> {
        let dir = BroadcastDir::lock(manifests, &broadcast)?;
        Ok(Self { cas, broadcast, dir, appenders: HashMap::new() })
    }

    /// Stores a group's object, then appends its record unless the index has it. Returns whether the object is new.
    pub(super) fn store(
        &mut self,
        track: &str,
        group: &StoredGroup,
        received_unix_ms: u64,
        bytes: &[u8],
        is_indexed: bool,
    ) -> Result<bool, RecorderError> {
        let inserted = self.cas.insert(bytes)?;
        if !is_indexed {
            let appender = match self.appenders.entry(track.to_owned()) {
                Entry::Occupied(open) => open.into_mut(),
                Entry::Vacant(closed) => closed.insert(self.dir.appender(track)?),
            };
            appender.append(&RecordLine::new(&self.broadcast, track, group, received_unix_ms))?;
        }
        Ok(inserted.new)
    }

    /// Makes every record durable. A file that was renamed away is let go: the next record of its track begins a new one.
    pub(super) fn sync(&mut self) -> Result<(), IndexError> {
        for appender in self.appenders.values_mut() {
            appender.sync()?;
        }
        self.appenders.retain(|_, appender| appender.is_in_place());
        Ok(())
    }
}

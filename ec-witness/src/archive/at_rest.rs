//! Observations of an archive at rest: the grace has passed and every record in the files counts (protocol §3).

use super::{ArchiveError, EpochRecords, StreamIndex, Sweep};
use crate::{
    observation::{ObservationHash, ObservationHeader},
    stream::{DerivedEpoch, TimeError},
};

/// Why an archive at rest has no observations to show.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeriveError {
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// An epoch has no time for its header.
    #[error(transparent)]
    Time(#[from] TimeError),
}

/// One closed epoch.
#[derive(Clone, Debug)]
pub struct Observation {
    /// What the archive says.
    pub derived: DerivedEpoch,
    /// Its header; `None` for a conflicting epoch.
    pub header: Option<ObservationHeader>,
    /// Its records.
    pub records: EpochRecords,
}

impl Observation {
    /// The header's hash.
    pub fn hash(&self) -> Option<ObservationHash> {
        self.header.as_ref().map(ObservationHeader::hash)
    }
}

/// Iterates over a stream's closed epochs in ascending order. The parent of each is the nearest lower complete one.
#[derive(Debug)]
pub struct AtRest<'a> {
    sweep: Sweep<'a>,
    highest: Option<u64>,
    parent: ObservationHash,
}

impl<'a> AtRest<'a> {
    /// The observations of an index that was read to its end.
    pub fn new(index: &'a StreamIndex) -> Self {
        Self { sweep: Sweep::all(index), highest: index.highest_epoch(), parent: ObservationHash::ZERO }
    }

    fn observe(&mut self, derived: DerivedEpoch, records: EpochRecords) -> Result<Observation, TimeError> {
        let observation = Observation { header: derived.header(self.parent)?, derived, records };
        if let Some(hash) = observation.hash().filter(|_| observation.derived.complete) {
            self.parent = hash;
        }
        Ok(observation)
    }
}

impl Iterator for AtRest<'_> {
    type Item = Result<Observation, DeriveError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let swept = match self.sweep.next()? {
                Ok(swept) => swept,
                Err(error) => return Some(Err(error.into())),
            };
            // closed: complete, or a record of a later epoch exists
            if swept.derived.complete || self.highest.is_some_and(|highest| swept.derived.sequence < highest) {
                return Some(self.observe(swept.derived, swept.records).map_err(DeriveError::from));
            }
        }
    }
}

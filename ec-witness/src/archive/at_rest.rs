//! Observations of an archive at rest: the grace has passed and every record in the files counts (protocol §3).

use super::{ArchiveError, EpochRecords, StreamIndex, Sweep, one_pass::Epochs};
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedEpoch {
    /// What the archive says.
    pub derived: DerivedEpoch,
    /// Its header; `None` for a conflicting epoch.
    pub header: Option<ObservationHeader>,
    /// The header's hash.
    pub hash: Option<ObservationHash>,
}

/// Hands over a stream's closed epochs in ascending order. The parent of each is the nearest lower complete one.
///
/// # Errors
///
/// The archive cannot be read, an epoch has no time, or whatever `sink` returns.
pub fn for_each_closed<E: From<DeriveError>>(
    epochs: Epochs,
    mut sink: impl FnMut(ClosedEpoch) -> Result<(), E>,
) -> Result<(), E> {
    let mut chain = Chain { highest: epochs.highest_epoch(), parent: ObservationHash::ZERO };
    epochs.for_each(|derived: Result<_, DeriveError>| match derived.and_then(|derived| Ok(chain.close(derived)?)) {
        Ok(closed) => closed.map_or(Ok(()), &mut sink),
        Err(error) => Err(error.into()),
    })
}

/// Links closed epochs to their parents.
#[derive(Debug)]
struct Chain {
    /// The highest epoch that has a record.
    highest: Option<u64>,
    parent: ObservationHash,
}

impl Chain {
    /// The next epoch, if it is closed: complete, or a record of a later epoch exists.
    fn close(&mut self, derived: DerivedEpoch) -> Result<Option<ClosedEpoch>, TimeError> {
        if !derived.complete && self.highest.is_none_or(|highest| derived.sequence >= highest) {
            return Ok(None);
        }
        let header = derived.header(self.parent)?;
        let hash = header.as_ref().map(ObservationHeader::hash);
        if let Some(hash) = hash.filter(|_| derived.complete) {
            self.parent = hash;
        }
        Ok(Some(ClosedEpoch { derived, header, hash }))
    }
}

/// One closed epoch with its records.
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

/// Iterates over a stream's closed epochs with their records, as [`for_each_closed`] does without.
#[derive(Debug)]
pub struct AtRest<'a> {
    sweep: Sweep<'a>,
    chain: Chain,
}

impl<'a> AtRest<'a> {
    /// The observations of an index that was read to its end.
    pub fn new(index: &'a StreamIndex) -> Self {
        let chain = Chain { highest: index.highest_epoch(), parent: ObservationHash::ZERO };
        Self { sweep: Sweep::all(index), chain }
    }

    fn advance(&mut self) -> Result<Option<Observation>, DeriveError> {
        for swept in self.sweep.by_ref() {
            let swept = swept?;
            if let Some(ClosedEpoch { derived, header, .. }) = self.chain.close(swept.derived)? {
                return Ok(Some(Observation { derived, header, records: swept.records }));
            }
        }
        Ok(None)
    }
}

impl Iterator for AtRest<'_> {
    type Item = Result<Observation, DeriveError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

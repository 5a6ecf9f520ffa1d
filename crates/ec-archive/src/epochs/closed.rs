//! Closed epochs: which they are, and how each of an archive at rest is linked to its parent (protocol §3).

use ec_observation::{DerivedEpoch, EpochKey, NameError, NamedEpoch, ObservationHash, ObservationHeader, TimeError};

use crate::ArchiveError;

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
    /// An epoch has no sequence.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// One closed epoch, linked to its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedEpoch {
    /// What the archive says, by name.
    pub named: NamedEpoch,
    /// Its header; `None` for a conflicting epoch.
    pub header: Option<ObservationHeader>,
    /// The header's hash.
    pub hash: Option<ObservationHash>,
}

/// Whether an epoch is closed (protocol §2.6): complete, or below `aged`, the highest epoch that has had a record for
/// longer than the grace. In an archive at rest the grace has passed, so that is the highest epoch that has a record.
pub fn is_closed(epoch: &DerivedEpoch, aged: Option<EpochKey>) -> bool {
    epoch.complete || aged.is_some_and(|aged| epoch.key < aged)
}

/// Links epochs to their parents: that of each is the nearest lower complete one.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    parent: ObservationHash,
}

impl Chain {
    /// The header of the next epoch and that one's hash, as `hash` has it; none of a conflicting epoch.
    ///
    /// An epoch that turns out not to be closed may be among those linked: it is not complete, so it is no parent.
    pub(crate) fn link(
        &mut self,
        epoch: &NamedEpoch,
        hash: impl FnOnce(&ObservationHeader) -> ObservationHash,
    ) -> Result<Option<(ObservationHeader, ObservationHash)>, TimeError> {
        let linked = epoch.header(self.parent)?.map(|header| (header, hash(&header)));
        if let Some((_, hash)) = linked.filter(|_| epoch.derived.complete) {
            self.parent = hash;
        }
        Ok(linked)
    }
}

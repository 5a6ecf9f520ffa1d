//! Observations of an archive at rest: the grace has passed and every record in the files counts (protocol §3).

use ec_observation::{EpochKey, EpochRecords, NamedEpoch, ObservationHash, ObservationHeader, StreamRule};

use super::{
    closed::{Chain, DeriveError, LinkedEpoch, is_closed},
    one_pass::Epochs,
    sweep::Sweep,
};
use crate::files::StreamIndex;

/// Hands over a stream's closed epochs, as [`Epochs::closed`] has them.
///
/// # Errors
///
/// The archive cannot be read, an epoch has no time, or whatever `sink` returns.
pub fn for_each_closed<E: From<DeriveError>>(
    mut epochs: Epochs,
    mut sink: impl FnMut(LinkedEpoch) -> Result<(), E>,
) -> Result<(), E> {
    epochs.closed().map_err(DeriveError::from)?.try_for_each(|closed| sink(closed?))
}

/// One closed epoch with its records.
#[derive(Clone, Debug)]
pub struct Observation {
    /// What the archive says, by name.
    pub named: NamedEpoch,
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

/// Iterates over a stream's closed epochs with their records, as [`Epochs::closed`] does without.
#[derive(Debug)]
pub struct AtRest<'a> {
    rule: &'a StreamRule,
    sweep: Sweep<'a>,
    highest: Option<EpochKey>,
    chain: Chain,
}

impl<'a> AtRest<'a> {
    /// The observations of an index that was read to its end.
    pub fn new(index: &'a StreamIndex) -> Self {
        Self { rule: index.rule(), sweep: Sweep::all(index), highest: index.highest_epoch(), chain: Chain::default() }
    }

    fn advance(&mut self) -> Result<Option<Observation>, DeriveError> {
        for swept in self.sweep.by_ref() {
            let swept = swept?;
            if is_closed(&swept.derived, self.highest) {
                let named = self.rule.name(swept.derived, 0)?;
                let linked = self.chain.link(&named, ObservationHeader::hash)?;
                let header = linked.map(|(header, _)| header);
                return Ok(Some(Observation { named, header, records: swept.records }));
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

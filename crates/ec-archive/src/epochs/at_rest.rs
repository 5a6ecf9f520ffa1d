//! Observations of an archive at rest: the grace has passed and every record in the files counts (protocol §3).

use ec_observation::{EpochKey, EpochRecords, NamedEpoch, ObservationHash, ObservationHeader};

use super::{
    closed::{Chain, DeriveError, LinkedEpoch, is_closed},
    marks::{KnownMark, Marks, own_mark},
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
    /// What the archive says, and its name.
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
    index: &'a StreamIndex,
    sweep: Sweep<'a>,
    highest: Option<EpochKey>,
    marks: Marks<'a>,
    chain: Chain,
}

impl<'a> AtRest<'a> {
    /// The observations of an index that was read to its end.
    pub fn new(index: &'a StreamIndex) -> Self {
        Self::named(index, Box::new(|_| None))
    }

    /// The same with the marks of segments whose sessions are known.
    pub fn named(index: &'a StreamIndex, known: KnownMark<'a>) -> Self {
        let (sweep, highest) = (Sweep::all(index), index.highest_epoch());
        Self { index, sweep, highest, marks: Marks::new(known), chain: Chain::default() }
    }

    fn advance(&mut self) -> Result<Option<Observation>, DeriveError> {
        for swept in self.sweep.by_ref() {
            let swept = swept?;
            if is_closed(&swept.derived, self.highest) {
                let (index, rule) = (self.index, self.index.rule());
                let own = |segment| own_mark(index, segment)?.map_err(DeriveError::from);
                let mark = self.marks.of(rule.is_lane(), &swept.derived, own)?;
                let named = rule.name(swept.derived, mark)?;
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

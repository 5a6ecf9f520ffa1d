//! The marks of a lane's segments: by what an archive at rest names its epochs, as long as no ledger does
//! (protocol §3.7).

use std::fmt;

use ec_observation::{DerivedEpoch, EpochKey, TimeError};

use super::sweep::Sweep;
use crate::{ArchiveError, files::StreamIndex};

/// A source of marks: the mark of a segment's session, where another knows it.
pub type KnownMark<'a> = Box<dyn FnMut(u64) -> Option<u64> + Send + 'a>;

/// Names segments, one after the other.
pub(crate) struct Marks<'a> {
    known: KnownMark<'a>,
    /// The present segment and its mark.
    present: Option<(u64, u64)>,
}

impl fmt::Debug for Marks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marks").field("present", &self.present).finish_non_exhaustive()
    }
}

impl<'a> Marks<'a> {
    pub(crate) fn new(known: KnownMark<'a>) -> Self {
        Self { known, present: None }
    }

    /// The mark of an epoch: its segment's, which `own` tells where nobody else knows it. 0 on the timeline.
    pub(crate) fn of<E>(
        &mut self,
        is_lane: bool,
        epoch: &DerivedEpoch,
        own: impl FnOnce(u64) -> Result<u64, E>,
    ) -> Result<u64, E> {
        if !is_lane {
            return Ok(0);
        }
        let segment = epoch.key.segment;
        if let Some((_, mark)) = self.present.filter(|(present, _)| *present == segment) {
            return Ok(mark);
        }
        let mark = match (self.known)(segment) {
            Some(mark) => mark,
            None => own(segment)?,
        };
        self.present = Some((segment, mark));
        Ok(mark)
    }
}

/// The mark that an archive gives a segment by itself: the own time of its first complete epoch, else of its first epoch
/// that has a time; *first* is the lowest index.
#[derive(Debug, Default)]
pub(crate) struct OwnMark {
    first: Option<u64>,
    error: Option<TimeError>,
}

impl OwnMark {
    /// Hears the segment's epochs in order; its mark, as soon as it is known.
    pub(crate) fn hear(&mut self, epoch: &DerivedEpoch) -> Option<u64> {
        match &epoch.time {
            Ok(time) if epoch.complete => return Some(*time),
            Ok(time) => _ = self.first.get_or_insert(*time),
            Err(error) => _ = self.error.get_or_insert_with(|| error.clone()),
        }
        None
    }

    /// The mark after the last epoch; an error where none has a time, `None` of a segment without epochs.
    pub(crate) fn last(self) -> Option<Result<u64, TimeError>> {
        self.first.map(Ok).or(self.error.map(Err))
    }
}

/// The mark of a segment, which is looked for in the index.
pub(crate) fn own_mark(index: &StreamIndex, segment: u64) -> Result<Result<u64, TimeError>, ArchiveError> {
    let mut mark = OwnMark::default();
    for swept in Sweep::new(index, EpochKey { segment, index: 0 }..=EpochKey { segment, index: u64::MAX }) {
        if let Some(mark) = mark.hear(&swept?.derived) {
            return Ok(Ok(mark));
        }
    }
    Ok(mark.last().unwrap_or(Ok(0)))
}

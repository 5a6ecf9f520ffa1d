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
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OwnMark {
    /// The time of the first epoch that has one.
    first_ms: Option<u64>,
}

impl OwnMark {
    /// Hears of the segment's next epoch, in order; the mark, as soon as it is known.
    pub(crate) fn hear(&mut self, is_complete: bool, time_ms: Option<u64>) -> Option<u64> {
        self.first_ms = self.first_ms.or(time_ms);
        time_ms.filter(|_| is_complete)
    }

    /// The mark after the last epoch; `None` where none has a time.
    pub(crate) fn last(self) -> Option<u64> {
        self.first_ms
    }
}

/// The mark of a segment, which is looked for in the index.
pub(crate) fn own_mark(index: &StreamIndex, segment: u64) -> Result<Result<u64, TimeError>, ArchiveError> {
    let (mut mark, mut error) = (OwnMark::default(), None);
    for swept in Sweep::new(index, EpochKey { segment, index: 0 }..=EpochKey { segment, index: u64::MAX }) {
        let DerivedEpoch { complete, time, .. } = swept?.derived;
        if let Some(mark) = mark.hear(complete, time.as_ref().ok().copied()) {
            return Ok(Ok(mark));
        }
        error = error.or(time.err());
    }
    Ok(mark.last().map(Ok).or(error.map(Err)).unwrap_or(Ok(0)))
}

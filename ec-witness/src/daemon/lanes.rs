//! A lane that is followed: its windows, and what its archive says for naming them, looked up where it is asked for, and
//! kept.

use std::collections::{BTreeMap, BTreeSet};

use ec_archive::{ArchiveError, StreamIndex, Sweep};
use ec_ledger::{
    LedgerState, WitnessSet,
    matching::{Matching, OwnEpochSeen, OwnLane, SegmentSession, SegmentSpan},
};
use ec_observation::{DerivedEpoch, EpochKey, StreamRule};

use super::{ledger::FollowedLedger, show};
use crate::{
    advice::{EpochLength, LOOKED_AT},
    clock,
    standing::{LaneStanding, StreamStanding},
    witness::{decision::Agreement, engine::Engine, lane::Lane},
};

/// Epochs that are kept; with more, all are looked up again.
const MAX_KEPT: usize = 4096;

/// A lane's windows, and what was looked up of its archive.
#[derive(Debug)]
pub(super) struct FollowedLane {
    pub(super) lane: Lane,
    pub(super) seen: Seen,
    /// The sessions of the segments, by which what is final is passed by. One that settled a segment is not looked for
    /// again: where it turns out to be another, more is looked at than must be.
    pub(super) sessions: BTreeMap<u64, SegmentSession>,
    /// How far times that are near may be apart.
    pub(super) tolerance_ms: u64,
    /// The newest closed epochs, for telling how long they last.
    newest: BTreeMap<EpochKey, DerivedEpoch>,
}

impl FollowedLane {
    pub(super) fn new(rule: StreamRule, agreement: &Agreement) -> Self {
        Self {
            tolerance_ms: agreement.tolerance_ms(rule.time),
            lane: Lane::new(rule),
            seen: Seen::default(),
            sessions: BTreeMap::new(),
            newest: BTreeMap::new(),
        }
    }

    /// Notes a closed epoch.
    pub(super) fn note(&mut self, derived: &DerivedEpoch) {
        self.newest.insert(derived.key, derived.clone());
        if self.newest.len() as u64 > LOOKED_AT {
            self.newest.pop_first();
        }
    }

    /// How it stands at `now_ms` by the daemon's clock; `standing` is what the engine and the ledger tell of it.
    pub(super) fn standing(
        &self,
        index: &StreamIndex,
        engine: &Engine,
        standing: &StreamStanding,
        now_ms: u64,
    ) -> LaneStanding {
        let named = self.sessions.iter().filter_map(|(&segment, session)| Some((segment, session.mark?)));
        let marks: BTreeMap<u64, u64> = named.collect();
        let (unnamed_epochs, first_ms) = self.lane.unnamed_complete(|segment| marks.contains_key(&segment));
        let since = |first_ms| clock::unix_s().saturating_sub(now_ms.saturating_sub(first_ms) / 1000);
        LaneStanding {
            unnamed_epochs,
            unnamed_since_unix_s: first_ms.map(since),
            epoch: EpochLength::of(self.newest.values(), index.rule().epochs.groups_per_epoch),
            ..show::lane(index, &marks, engine, standing.newest_final)
        }
    }

    /// Finds the sessions of all segments.
    pub(super) fn find_sessions(&mut self, index: &StreamIndex, ledger: &FollowedLedger) {
        let (state, set) = (ledger.state(), ledger.follower.set());
        let Some(matching) = Matching::new(state, index.rule().stream_hash(), set, self.tolerance_ms) else { return };
        let mut own = OwnEpochs::new(index, &mut self.seen);
        let segments: Vec<u64> = own.spans().map(|(segment, _)| segment).collect();
        for segment in segments {
            if !self.sessions.get(&segment).is_some_and(SegmentSession::is_settled) {
                self.sessions.insert(segment, matching.session_of(&mut own, segment));
            }
        }
    }
}

/// What was looked up of a lane before. A complete epoch stays as it is.
#[derive(Debug, Default)]
pub(super) struct Seen {
    complete: BTreeMap<EpochKey, OwnEpochSeen>,
    /// Segments with a complete epoch.
    with_complete: BTreeSet<u64>,
    /// Segments without one, that no longer grow.
    without: BTreeSet<u64>,
}

/// A lane of the archive.
#[derive(Debug)]
pub(super) struct OwnEpochs<'a> {
    index: &'a StreamIndex,
    spans: Vec<(u64, SegmentSpan)>,
    seen: &'a mut Seen,
    /// Why something could not be looked up.
    error: Option<ArchiveError>,
}

impl<'a> OwnEpochs<'a> {
    pub(super) fn new(index: &'a StreamIndex, seen: &'a mut Seen) -> Self {
        let span = |span: ec_archive::SegmentSpan| {
            let ec_archive::SegmentSpan { segment, lowest, highest, first_ms, last_ms } = span;
            (segment, SegmentSpan { lowest, highest, first_ms, last_ms })
        };
        let spans = index.segments().into_iter().map(span).collect();
        if seen.complete.len() > MAX_KEPT {
            seen.complete.clear();
        }
        Self { index, spans, seen, error: None }
    }

    /// What could not be read. What was found without it must not count.
    pub(super) fn error(self) -> Option<ArchiveError> {
        self.error
    }
}

impl OwnLane for OwnEpochs<'_> {
    fn spans(&self) -> impl Iterator<Item = (u64, SegmentSpan)> + '_ {
        self.spans.iter().copied()
    }

    fn span(&self, segment: u64) -> Option<SegmentSpan> {
        let at = self.spans.binary_search_by_key(&segment, |(segment, _)| *segment).ok()?;
        Some(self.spans[at].1)
    }

    fn has_complete(&mut self, segment: u64) -> bool {
        if self.seen.with_complete.contains(&segment) || self.seen.without.contains(&segment) {
            return self.seen.with_complete.contains(&segment);
        }
        let range = EpochKey { segment, index: 0 }..=EpochKey { segment, index: u64::MAX };
        for swept in Sweep::new(self.index, range) {
            match swept {
                Ok(swept) if swept.derived.complete => {
                    self.seen.with_complete.insert(segment);
                    return true;
                }
                Ok(_) => {}
                Err(error) => {
                    self.error = Some(error);
                    return false;
                }
            }
        }
        if self.spans.last().is_some_and(|(last, _)| *last != segment) {
            self.seen.without.insert(segment);
        }
        false
    }

    fn epoch(&mut self, key: EpochKey) -> Option<OwnEpochSeen> {
        if let Some(seen) = self.seen.complete.get(&key) {
            return Some(*seen);
        }
        let swept = Sweep::new(self.index, key..=key).next()?;
        let derived = swept.map_err(|error| self.error = Some(error)).ok()?.derived;
        let (data_root, observed_unix_ms) = (derived.data_root?, derived.time.ok()?);
        let seen = OwnEpochSeen { complete: derived.complete, data_root, observed_unix_ms };
        if seen.complete {
            self.seen.complete.insert(key, seen);
        }
        Some(seen)
    }
}

/// The marks of the segments of an archive that have a session on the ledger, by segment; none on the timeline.
///
/// # Errors
///
/// The archive cannot be read.
pub fn session_marks(
    index: &StreamIndex,
    ledger: &LedgerState,
    set: &WitnessSet,
    tolerance_ms: u64,
) -> Result<BTreeMap<u64, u64>, ArchiveError> {
    let Some(matching) = Matching::new(ledger, index.rule().stream_hash(), set, tolerance_ms) else {
        return Ok(BTreeMap::new());
    };
    let mut seen = Seen::default();
    let mut own = OwnEpochs::new(index, &mut seen);
    let segments: Vec<u64> = own.spans().map(|(segment, _)| segment).collect();
    let mark = |segment| Some((segment, matching.session_of(&mut own, segment).mark?));
    let marks = segments.into_iter().filter_map(mark).collect();
    own.error().map_or(Ok(marks), Err)
}

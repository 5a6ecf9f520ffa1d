//! The session of each segment of one archive (protocol §5.10).

use std::{cmp::Reverse, collections::HashMap, ops::RangeInclusive};

use alloy::primitives::B256;
use ec_observation::{EpochKey, StreamHash};

use crate::{
    sessions::{Lane, Session, SessionCandidate},
    set::WitnessSet,
    state::LedgerState,
};

/// What one archive has of a lane.
pub trait OwnLane {
    /// The segments with closed epochs, by their numbers.
    fn spans(&self) -> impl Iterator<Item = (u64, SegmentSpan)> + '_;

    /// One of them; `None` where it has no closed epoch.
    fn span(&self, segment: u64) -> Option<SegmentSpan> {
        self.spans().find(|(number, _)| *number == segment).map(|(_, span)| span)
    }

    /// Whether any epoch of a segment is complete.
    fn has_complete(&mut self, segment: u64) -> bool;

    /// A closed epoch; `None` where there is none. Only asked for epochs that a candidate is near to in time, but
    /// again with every such candidate.
    fn epoch(&mut self, key: EpochKey) -> Option<OwnEpochSeen>;
}

/// The bounds of a segment's closed epochs, incomplete ones included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSpan {
    /// The lowest index.
    pub lowest: u64,
    /// The highest index.
    pub highest: u64,
    /// No own time of its epochs is before this, Unix milliseconds.
    pub first_ms: u64,
    /// No own time of its epochs is after this, Unix milliseconds.
    pub last_ms: u64,
}

impl SegmentSpan {
    /// The times near those of its epochs.
    fn near(&self, tolerance_ms: u64) -> RangeInclusive<u64> {
        self.first_ms.saturating_sub(tolerance_ms)..=self.last_ms.saturating_add(tolerance_ms)
    }

    fn has(&self, index: u64) -> bool {
        (self.lowest..=self.highest).contains(&index)
    }
}

/// An own epoch, as matching sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnEpochSeen {
    /// Whether it is complete; only then the rest counts.
    pub complete: bool,
    /// Its data root.
    pub data_root: B256,
    /// Its own time, Unix milliseconds.
    pub observed_unix_ms: u64,
}

/// Whether a segment may be what is left of the one before it. A record that does not belong cuts the epoch in two that it
/// stands in, so that is not complete in both.
fn goes_on(own: &mut impl OwnLane, segment: u64, before: u64) -> bool {
    let (Some(span), Some(span_before)) = (own.span(segment), own.span(before)) else { return false };
    let index = span.lowest;
    let mut is_complete = |segment| own.epoch(EpochKey { segment, index }).is_some_and(|epoch| epoch.complete);
    index > span_before.highest || index == span_before.highest && !(is_complete(before) && is_complete(segment))
}

/// The rule that gives a segment its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum SessionRule {
    /// A final observation of a session matches it: settled.
    Final,
    /// It matches a usable session.
    Matching,
    /// It goes on where the segment before it ended.
    Before,
    /// It has no session.
    None,
}

/// The session of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSession {
    /// Its mark; `None` where the segment has none.
    pub mark: Option<u64>,
    /// The rule that gives it.
    pub rule: SessionRule,
}

impl SegmentSession {
    const NONE: Self = Self { mark: None, rule: SessionRule::None };

    /// Whether a final observation gives it.
    pub fn is_settled(&self) -> bool {
        self.rule == SessionRule::Final
    }
}

/// Finds the sessions of an archive's segments in the ledger's log at one block.
#[derive(Clone, Copy, Debug)]
pub struct Matching<'a> {
    ledger: &'a LedgerState,
    lane: &'a Lane,
    set: &'a WitnessSet,
    tolerance_ms: u64,
}

impl<'a> Matching<'a> {
    /// For a lane that `ledger` follows, else `None`. `set` is the active set at the same block, `tolerance_ms` how far
    /// times that are near may be apart.
    pub fn new(ledger: &'a LedgerState, stream: StreamHash, set: &'a WitnessSet, tolerance_ms: u64) -> Option<Self> {
        Some(Self { ledger, lane: ledger.lane(stream)?, set, tolerance_ms })
    }

    /// The session of a segment.
    pub fn session_of(&self, own: &mut impl OwnLane, segment: u64) -> SegmentSession {
        let Some((mark, rule, from)) = self.first_named(own, segment) else { return SegmentSession::NONE };
        SegmentSession { mark: Some(mark), rule: if from == segment { rule } else { SessionRule::Before } }
    }

    /// The first segment from `segment` on downwards that matches a session, as long as each may go on where the one
    /// before it ended.
    fn first_named(&self, own: &mut impl OwnLane, segment: u64) -> Option<(u64, SessionRule, u64)> {
        let mut at = segment;
        loop {
            let span = own.span(at)?;
            if let Some((mark, rule)) = self.by_match(own, at, &span) {
                return Some((mark, rule, at));
            }
            let before = at.checked_sub(1)?;
            if !own.has_complete(at) || !goes_on(own, at, before) {
                return None;
            }
            at = before;
        }
    }

    fn by_match(&self, own: &mut impl OwnLane, segment: u64, span: &SegmentSpan) -> Option<(u64, SessionRule)> {
        let with = |rule| move |mark| (mark, rule);
        let last_final = self.last_final(own, segment, span).map(with(SessionRule::Final));
        last_final.or_else(|| self.first_usable(own, segment, span).map(with(SessionRule::Matching)))
    }

    /// Of the sessions with a final observation that matches and has the own data root, the one where that has the highest
    /// index; of several the one that had a final observation first.
    fn last_final(&self, own: &mut impl OwnLane, segment: u64, span: &SegmentSpan) -> Option<u64> {
        let mut best: Option<(u64, Reverse<Option<u64>>)> = None;
        let mut last: Option<(u64, u64)> = None;
        for (time_ms, candidate) in self.lane.latest_candidates_in(span.near(self.tolerance_ms)) {
            // times ascend with the index, so below this no index is as high
            let least_ms = |at_ms: u64| at_ms.saturating_sub(self.tolerance_ms.saturating_mul(2));
            if last.is_some_and(|(_, at_ms)| time_ms < least_ms(at_ms)) {
                break;
            }
            let Some(session) = self.lane.session(candidate.name.mark).filter(|_| candidate.is_final) else { continue };
            let found = (candidate.name.index, Reverse(session.first_final));
            let is_equal = |epoch: &OwnEpochSeen| epoch.data_root == candidate.data_root;
            if best.is_none_or(|best| best < found)
                && self.matched(own, segment, span, (time_ms, &candidate)).as_ref().is_some_and(is_equal)
            {
                (best, last) = (Some(found), Some((session.mark, time_ms)));
            }
        }
        last.map(|(mark, _)| mark)
    }

    /// Of the usable sessions that match, the one opened first; those with an equal data root before others.
    fn first_usable(&self, own: &mut impl OwnLane, segment: u64, span: &SegmentSpan) -> Option<u64> {
        let mut best: Option<(bool, u64, u64)> = None;
        let mut usable = HashMap::new();
        for (time_ms, candidate) in self.lane.candidates_in(span.near(self.tolerance_ms)) {
            let Some(session) = self.lane.session(candidate.name.mark) else { continue };
            let at_best = (false, session.opened_at, session.mark);
            if best.is_some_and(|best| best <= at_best) {
                continue;
            }
            let Some(epoch) = self.matched(own, segment, span, (time_ms, &candidate)) else { continue };
            let found = (epoch.data_root != candidate.data_root, session.opened_at, session.mark);
            if best.is_none_or(|best| found < best)
                && *usable.entry(session.mark).or_insert_with(|| self.is_usable(own, session))
            {
                best = Some(found);
            }
        }
        best.map(|(_, _, mark)| mark)
    }

    /// The own complete epoch that a candidate matches.
    fn matched(
        &self,
        own: &mut impl OwnLane,
        segment: u64,
        span: &SegmentSpan,
        (time_ms, candidate): (u64, &SessionCandidate),
    ) -> Option<OwnEpochSeen> {
        let index = candidate.name.index;
        let epoch = span.has(index).then(|| own.epoch(EpochKey { segment, index })).flatten()?;
        self.is_near(&epoch, time_ms).then_some(epoch)
    }

    fn is_near(&self, epoch: &OwnEpochSeen, time_ms: u64) -> bool {
        epoch.complete && epoch.observed_unix_ms.abs_diff(time_ms) <= self.tolerance_ms
    }

    fn is_usable(&self, own: &mut impl OwnLane, session: &Session) -> bool {
        session.is_final() || self.has_opener(own, session) || self.has_unbeatable(session)
    }

    /// Whether the archive has the very epoch that opened the session, near its mark.
    fn has_opener(&self, own: &mut impl OwnLane, session: &Session) -> bool {
        let &Session { mark, opened_by: index, .. } = session;
        let may = |span: &SegmentSpan| span.has(index) && span.near(self.tolerance_ms).contains(&mark);
        let segments: Vec<_> = own.spans().filter(|(_, span)| may(span)).map(|(segment, _)| segment).collect();
        let mut epochs = segments.into_iter().filter_map(|segment| own.epoch(EpochKey { segment, index }));
        epochs.any(|epoch| self.is_near(&epoch, mark))
    }

    /// Whether an observation of the session has so many votes that no other can win (§5.3).
    fn has_unbeatable(&self, session: &Session) -> bool {
        let votes =
            |&(slot, hash): &_| self.ledger.slot(slot)?.candidate(hash).map(|candidate| self.set.votes_for(candidate));
        session.candidates.iter().filter_map(votes).any(|votes| votes >= self.set.unbeatable())
    }
}

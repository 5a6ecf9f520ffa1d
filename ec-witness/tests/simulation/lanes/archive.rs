//! One witness's archive of a lane, which grows: the real cutter and the real derivation over records in memory.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::RangeInclusive,
};

use alloy::primitives::B256;
use ec_archive::SegmentSpan;
use ec_ledger::matching::{self, OwnEpochSeen, OwnLane};
use ec_observation::{
    DerivedEpoch, EpochKey, EpochRecords, StreamRule,
    segments::{Cut, Cutter},
};

use super::broadcast::Arrival;

/// For how long an incomplete epoch may still grow when later ones have begun.
const GRACE_MS: u64 = 10_000;

/// What is written by now.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    rule: StreamRule,
    /// What is still to come.
    coming: VecDeque<Arrival>,
    cutter: Cutter,
    segment: u64,
    spans: Vec<SegmentSpan>,
    epochs: BTreeMap<EpochKey, EpochRecords>,
    /// Derivations that stay.
    complete: BTreeMap<EpochKey, DerivedEpoch>,
    with_complete: BTreeSet<u64>,
    /// Epochs that records came to since they were asked for last.
    touched: BTreeSet<EpochKey>,
    /// When the highest epoch rose, and to what.
    risen: Vec<(u64, EpochKey)>,
}

impl Archive {
    pub(crate) fn new(rule: &StreamRule, arrivals: &[Arrival]) -> Self {
        Self {
            rule: rule.clone(),
            coming: arrivals.iter().copied().collect(),
            cutter: Cutter::default(),
            segment: 0,
            spans: vec![],
            epochs: BTreeMap::new(),
            complete: BTreeMap::new(),
            with_complete: BTreeSet::new(),
            touched: BTreeSet::new(),
            risen: vec![],
        }
    }

    /// Takes in what is written by now; true when that is something.
    pub(crate) fn read_on(&mut self, now_ms: u64) -> bool {
        let mut grown = false;
        while let Some(arrival) = self.coming.pop_front_if(|arrival| arrival.at_ms <= now_ms) {
            self.take(&arrival);
            grown = true;
        }
        grown
    }

    fn take(&mut self, Arrival { at_ms, record }: &Arrival) {
        if self.cutter.take(record) == Cut::Begins {
            self.segment = self.spans.last().map_or(0, |last| last.segment + 1);
        }
        let index = self.rule.epochs.index(record.group_sequence);
        let key = EpochKey { segment: self.segment, index };
        let received_ms = record.received_unix_ms.expect("every record has a time");
        match self.spans.last_mut().filter(|span| span.segment == key.segment) {
            Some(span) => {
                (span.lowest, span.highest) = (span.lowest.min(index), span.highest.max(index));
                (span.first_ms, span.last_ms) = (span.first_ms.min(received_ms), span.last_ms.max(received_ms));
            }
            None => self.spans.push(SegmentSpan {
                segment: key.segment,
                lowest: index,
                highest: index,
                first_ms: received_ms,
                last_ms: received_ms,
            }),
        }
        if self.highest().is_none_or(|highest| highest < key) {
            self.risen.push((*at_ms, key));
        }
        let records = self.epochs.entry(key).or_default();
        records.add(0, record);
        if records.is_complete(self.rule.epochs.groups_per_epoch, 1) {
            self.complete.insert(key, self.rule.derive(key, &self.epochs[&key]));
            self.with_complete.insert(key.segment);
        }
        self.touched.insert(key);
    }

    /// The highest epoch that has a record.
    pub(crate) fn highest(&self) -> Option<EpochKey> {
        self.epochs.last_key_value().map(|(key, _)| *key)
    }

    /// The bounds of its segments.
    pub(crate) fn segments(&self) -> &[SegmentSpan] {
        &self.spans
    }

    /// The epochs in a range, each with whether it is closed.
    pub(crate) fn epochs(
        &self,
        range: RangeInclusive<EpochKey>,
        now_ms: u64,
    ) -> impl Iterator<Item = (EpochKey, bool)> {
        let aged = self.risen.iter().rev().find(|(at_ms, _)| at_ms + GRACE_MS <= now_ms).map(|(_, key)| *key);
        let is_closed = move |key: EpochKey| self.complete.contains_key(&key) || aged.is_some_and(|aged| key < aged);
        self.epochs.range(range).map(move |(key, _)| (*key, is_closed(*key)))
    }

    /// What its records say of an epoch.
    pub(crate) fn derive(&self, key: EpochKey) -> Option<DerivedEpoch> {
        let derive = || Some(self.rule.derive(key, self.epochs.get(&key)?));
        self.complete.get(&key).cloned().or_else(derive)
    }

    /// The segment, the root and the own time of each complete epoch of this index.
    pub(crate) fn complete(&self, index: u64) -> Vec<(u64, B256, u64)> {
        let found = self.complete.values().filter(|derived| derived.key.index == index);
        let seen = |derived: &DerivedEpoch| Some((derived.key.segment, derived.data_root?, derived.time.clone().ok()?));
        found.filter_map(seen).collect()
    }

    /// Takes the epochs that records came to.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<EpochKey> {
        std::mem::take(&mut self.touched)
    }
}

impl OwnLane for Archive {
    fn spans(&self) -> impl Iterator<Item = (u64, matching::SegmentSpan)> + '_ {
        let span = |&SegmentSpan { segment, lowest, highest, first_ms, last_ms }: &SegmentSpan| {
            (segment, matching::SegmentSpan { lowest, highest, first_ms, last_ms })
        };
        self.spans.iter().map(span)
    }

    fn has_complete(&mut self, segment: u64) -> bool {
        self.with_complete.contains(&segment)
    }

    fn epoch(&mut self, key: EpochKey) -> Option<OwnEpochSeen> {
        let derived = self.derive(key)?;
        let (data_root, observed_unix_ms) = (derived.data_root?, derived.time.ok()?);
        Some(OwnEpochSeen { complete: derived.complete, data_root, observed_unix_ms })
    }
}

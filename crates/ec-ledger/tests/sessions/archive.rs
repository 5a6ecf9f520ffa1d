//! What one witness has of a lane, in memory.

use std::collections::BTreeMap;

use alloy::primitives::B256;
use ec_ledger::matching::{OwnEpochSeen, OwnLane, SegmentSpan};
use ec_observation::EpochKey;
use serde::Deserialize;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Epoch {
    pub(crate) index: u64,
    pub(crate) complete: bool,
    pub(crate) data_root: B256,
    pub(crate) observed_unix_ms: u64,
}

/// Remembers what it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    segments: Vec<BTreeMap<u64, OwnEpochSeen>>,
    pub(crate) asked: Vec<EpochKey>,
}

impl Archive {
    pub(crate) fn new(segments: Vec<Vec<Epoch>>) -> Self {
        let seen = |epoch: Epoch| {
            let Epoch { index, complete, data_root, observed_unix_ms } = epoch;
            (index, OwnEpochSeen { complete, data_root, observed_unix_ms })
        };
        let segments = segments.into_iter().map(|segment| segment.into_iter().map(seen).collect()).collect();
        Self { segments, asked: Vec::new() }
    }

    /// The same, received later.
    pub(crate) fn moved_by(mut self, ms: u64) -> Self {
        let epochs = self.segments.iter_mut().flat_map(BTreeMap::values_mut);
        epochs.for_each(|epoch| epoch.observed_unix_ms += ms);
        self
    }

    pub(crate) fn len(&self) -> u64 {
        self.segments.len() as u64
    }
}

impl OwnLane for Archive {
    fn spans(&self) -> impl Iterator<Item = (u64, SegmentSpan)> + '_ {
        (0..).zip(&self.segments).filter_map(|(number, segment)| {
            let times = || segment.values().map(|epoch| epoch.observed_unix_ms);
            let (&lowest, &highest) = (segment.keys().next()?, segment.keys().next_back()?);
            Some((number, SegmentSpan { lowest, highest, first_ms: times().min()?, last_ms: times().max()? }))
        })
    }

    fn has_complete(&mut self, segment: u64) -> bool {
        self.segments[segment as usize].values().any(|epoch| epoch.complete)
    }

    fn epoch(&mut self, EpochKey { segment, index }: EpochKey) -> Option<OwnEpochSeen> {
        self.asked.push(EpochKey { segment, index });
        self.segments[segment as usize].get(&index).copied()
    }
}

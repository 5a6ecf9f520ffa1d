//! A lane whose segments are never settled: the archive shows the naming no bytes, so no final observation has them.

use alloy::primitives::B256;
use ec_ledger::matching::{OwnEpochSeen, OwnLane, SegmentSpan};
use ec_observation::EpochKey;

use super::archive::Archive;

/// An archive to which rule 1 of §5.10 never applies. Rule 2 does, only that it prefers no equal bytes.
#[derive(Debug)]
pub(crate) struct Unsettled<'a>(pub(crate) &'a mut Archive);

impl OwnLane for Unsettled<'_> {
    fn spans(&self) -> impl Iterator<Item = (u64, SegmentSpan)> + '_ {
        self.0.spans()
    }

    fn has_complete(&mut self, segment: u64) -> bool {
        self.0.has_complete(segment)
    }

    fn epoch(&mut self, key: EpochKey) -> Option<OwnEpochSeen> {
        Some(OwnEpochSeen { data_root: B256::ZERO, ..self.0.epoch(key)? })
    }
}

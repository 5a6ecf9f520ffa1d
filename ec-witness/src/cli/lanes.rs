//! What the commands that look at an archive at rest need to know of the epochs of a lane: when each was received. From
//! that follows which are meant by a mark, and which of another archive are the same.

mod pairs;

use std::collections::{BTreeMap, BTreeSet};

use ec_archive::{ArchiveError, AtRest, DeriveError, StreamIndex, Sweep, SweptEpoch};
use ec_ledger::Follower;
use ec_observation::{DerivedEpoch, EpochKey, EpochName};
use ec_witness::daemon::session_marks;

pub(super) use pairs::pairs;

/// The marks of a lane's segments on the ledger; none of a segment that has no session there. Times that are near are
/// apart by the tolerance at most.
pub(super) fn marks(
    follower: &Follower,
    index: &StreamIndex,
    tolerance_ms: u64,
) -> Result<impl Fn(u64) -> Option<u64> + Send + use<>, ArchiveError> {
    let marks = session_marks(index, follower.ledger(), follower.set(), tolerance_ms)?;
    Ok(move |segment| marks.get(&segment).copied())
}

/// The marks by which the archive itself names the epochs of its segments (protocol §3.7).
pub(super) fn own_marks(index: &StreamIndex) -> Result<BTreeMap<u64, u64>, DeriveError> {
    AtRest::new(index)
        .map(|epoch| epoch.map(|epoch| (epoch.named.derived.key.segment, epoch.named.name.mark)))
        .collect()
}

/// When an epoch was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) key: EpochKey,
    /// Its own time, Unix milliseconds, where it has one.
    pub(super) unix_ms: Option<u64>,
    pub(super) complete: bool,
}

impl Received {
    pub(super) fn new(epoch: &DerivedEpoch) -> Self {
        Self { key: epoch.key, unix_ms: epoch.time.as_ref().ok().copied(), complete: epoch.complete }
    }

    /// Those of all epochs of an archive.
    pub(super) fn all(index: &StreamIndex) -> Result<Vec<Self>, ArchiveError> {
        Sweep::all(index).map(|swept| Ok(Self::new(&swept?.derived))).collect()
    }

    fn is_near(&self, unix_ms: u64, tolerance_ms: u64) -> bool {
        self.unix_ms.is_some_and(|own| own.abs_diff(unix_ms) <= tolerance_ms)
    }
}

/// The epochs that another archive may call by this name: those of its index, in the segments that have an epoch near the
/// mark. On the timeline there is one at most.
pub(super) fn called(index: &StreamIndex, name: EpochName, tolerance_ms: u64) -> Result<Vec<SweptEpoch>, ArchiveError> {
    let segments = match index.rule().is_lane() {
        true => near(&Received::all(index)?, name.mark, tolerance_ms),
        false => BTreeSet::from([0]),
    };
    let key = |segment| EpochKey { segment, index: name.index };
    segments.into_iter().map(key).flat_map(|key| Sweep::new(index, key..=key)).collect()
}

/// The segments that have an epoch near this time.
fn near(epochs: &[Received], unix_ms: u64, tolerance_ms: u64) -> BTreeSet<u64> {
    epochs.iter().filter(|epoch| epoch.is_near(unix_ms, tolerance_ms)).map(|epoch| epoch.key.segment).collect()
}

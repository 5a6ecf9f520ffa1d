//! What `status`, `run --once` and the log say of a slot.

use ec_observation::{EpochKey, EpochName, ObservationHash, SlotId, StreamRule};
use serde::Serialize;

use crate::witness::slot::SlotState;

/// One slot, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotReport {
    /// The stream.
    pub stream_id: String,
    /// The epoch's sequence: its index, in a lane its session's mark plus its index.
    pub sequence: u64,
    /// The epoch's id.
    pub epoch_id: String,
    /// Its session, in a lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionEpoch>,
    /// The slot.
    pub slot: SlotId,
    /// Where it stands; whoever shows it finds the word for it.
    #[serde(skip)]
    pub state: SlotState,
    /// The newest header this witness voted for.
    pub observation_hash: Option<ObservationHash>,
    /// The final observation.
    pub finalized_hash: Option<ObservationHash>,
    /// Candidates in the slot.
    pub candidates: usize,
    /// Votes for the final candidate, else for the one with most votes.
    pub votes: usize,
    /// Active witnesses.
    pub witness_count: usize,
    /// Votes that finalize.
    pub quorum: usize,
}

impl SlotReport {
    /// What the ledger calls its epoch.
    pub fn epoch_name(&self) -> EpochName {
        let named = |SessionEpoch { mark, index, .. }| EpochName { mark, index };
        self.session.map_or_else(|| EpochName::timeline(self.sequence), named)
    }
}

/// Which epoch of which session it is, and in which segment of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SessionEpoch {
    /// The session's mark, Unix milliseconds.
    pub mark: u64,
    /// The epoch's index.
    pub index: u64,
    /// The segment.
    pub segment: u64,
}

impl SessionEpoch {
    /// That of an epoch of a lane; `None` on the timeline.
    pub fn of(rule: &StreamRule, EpochName { mark, index }: EpochName, key: EpochKey) -> Option<Self> {
        rule.is_lane().then_some(Self { mark, index, segment: key.segment })
    }
}

//! What `status`, `run --once` and the log say of a slot.

use ec_observation::{ObservationHash, SlotId};
use serde::Serialize;

use crate::witness::engine::SlotState;

/// One slot, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotReport {
    /// The stream.
    pub stream_id: String,
    /// The epoch's index.
    pub sequence: u64,
    /// The epoch's id.
    pub epoch_id: String,
    /// The slot.
    pub slot: SlotId,
    /// Where it stands.
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

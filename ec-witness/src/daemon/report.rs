//! What `status`, `run --once` and the log say of a slot.

use serde::Serialize;

use super::{Backlog, FollowedStream, Reading, Tally};
use crate::witness::engine::{JudgedSlot, SlotKey, SlotState};
use ec_ledger::Follower;
use ec_observation::{ObservationHash, ObservationHeader, SlotId, StreamRule};

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

impl SlotReport {
    /// The report of a slot that is judged.
    pub fn new(rule: &StreamRule, key: SlotKey, judged: &JudgedSlot, follower: &Follower) -> Self {
        let candidates = follower.ledger().slot(judged.slot).map(|slot| slot.candidates.as_slice()).unwrap_or_default();
        let votes = |of: &dyn Fn(ObservationHash) -> bool| {
            let voters =
                candidates.iter().filter(|candidate| of(candidate.hash)).map(|candidate| candidate.voters.len());
            voters.max().unwrap_or_default()
        };
        Self {
            stream_id: rule.stream_id.clone(),
            sequence: key.sequence,
            epoch_id: rule.epochs.id(key.sequence),
            slot: judged.slot,
            state: judged.state,
            observation_hash: judged.voted.as_ref().map(ObservationHeader::hash),
            finalized_hash: judged.finalized,
            candidates: candidates.len(),
            votes: match judged.finalized {
                Some(finalized) => votes(&|hash| hash == finalized),
                None => votes(&|_| true),
            },
            witness_count: follower.set().active.len(),
            quorum: follower.set().quorum,
        }
    }
}

/// How one stream stands: for the log, the metrics and whoever asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamReport {
    /// The stream.
    pub stream_id: String,
    /// How far its files are read, or why not.
    pub reading: Reading,
    /// The highest epoch that has a record.
    pub highest_epoch: Option<u64>,
    /// What happened to its files.
    pub tally: Tally,
    /// Epochs that are withheld for good.
    pub withheld_epochs: u64,
    /// Its old epochs, when they were last counted.
    pub backlog: Backlog,
}

impl StreamReport {
    pub(super) fn new(stream: &FollowedStream, backlog: Backlog) -> Self {
        Self {
            stream_id: stream.rule().stream_id.clone(),
            reading: stream.reading().clone(),
            highest_epoch: stream.highest_epoch(),
            tally: stream.tally(),
            withheld_epochs: stream.index().withheld_epochs(),
            backlog,
        }
    }
}

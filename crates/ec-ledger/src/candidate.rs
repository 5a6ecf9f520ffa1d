//! What stands for election in a slot.

use ec_observation::{EpochName, ObservationHash, ObservationHeader};
use serde::{Deserialize, Serialize};

use crate::seats::Seat;

/// A header that was proposed for a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its hash.
    pub hash: ObservationHash,
    /// The header.
    pub header: ObservationHeader,
    /// Whose proposal made it a candidate. Its vote may have moved since.
    pub proposer: Seat,
    /// Whose votes it has now, in the order in which they came to it. Some may not be of active witnesses any more.
    pub voters: Vec<Seat>,
    /// The timestamp of the block that holds its proposal, Unix seconds.
    pub timestamp_s: u64,
    /// In a lane, the mark of its session and its index there; `None` where it is of no session, and so never
    /// acceptable (protocol §5.10). `None` on the timeline.
    pub name: Option<EpochName>,
    /// Its place in the ledger's log.
    pub(crate) place: u64,
}

impl Candidate {
    /// Where its lane keeps it.
    pub(crate) fn time_and_place(&self) -> (u64, u64) {
        (self.header.observed_unix_ms, self.place)
    }
}

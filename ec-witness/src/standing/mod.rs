//! How a witness stands: plain numbers, for metrics, health checks and `status`.
//!
//! Data flows one way: the daemon, or `status` from outside, fills these in; nobody who reads them can reach back.

mod catch_up;
mod lane;
mod ledger;
mod sending;
mod slot;
mod stream;

use std::time::Duration;

use ec_archive::IndexFiles;

use crate::store::StoreStanding;

pub use catch_up::CatchUp;
pub use lane::LaneStanding;
pub use ledger::{AtHeads, EndpointStanding, Head, LedgerStanding};
pub use sending::SendingStanding;
pub use slot::{SessionEpoch, SlotReport};
pub use stream::{Backlog, Reading, StreamStanding, Tally};

/// How a witness stands.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// How long the turn took.
    pub took: Duration,
    /// The time between two turns, where the daemon takes them.
    pub poll: Duration,
    /// Totals of this process.
    pub totals: Totals,
    /// The ledger and its chain.
    pub ledger: LedgerStanding,
    /// Why the archive cannot be walked, if it cannot.
    pub archive_trouble: Option<String>,
    /// The files of the archive's index that the daemon reads on; only it knows.
    pub index_files: Option<IndexFiles>,
    /// Streams that are read for the first time.
    pub joining: usize,
    /// Every stream that is followed.
    pub streams: Vec<StreamStanding>,
    /// How catching up stands; only the daemon knows.
    pub catch_up: Option<CatchUp>,
    /// How sending stands; `None` in a dry run.
    pub sending: Option<SendingStanding>,
    /// For how long a transaction may stay out before the operator forces it, milliseconds; 0 where he does not.
    pub force_after_ms: u64,
    /// The vote store; `None` in a dry run, the error where it cannot be looked at.
    pub store: Option<Result<StoreStanding, String>>,
}

/// What was done so far in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Slots handed to the engine so far.
    pub judged: usize,
    /// Those with an outcome.
    pub outcomes: usize,
    /// Votes cast.
    pub votes: usize,
    /// Epochs whose records came after the vote on them.
    pub late: usize,
    /// Votes the guard refused.
    pub refused: usize,
    /// Whether the disk is full: nothing is voted until there is room.
    pub no_room: bool,
}

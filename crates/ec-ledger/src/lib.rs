//! The observation ledger on its chain.
//!
//! [`contracts`] binds to the contracts by their committed artifacts, [`identity`] makes sure that those that are
//! configured are there and belong together. [`LedgerState`] is the ledger as its log tells it, pure, block by block and
//! back again; [`sessions`] is what it tells of lanes, and [`matching`] finds in that the session of each segment of an
//! archive. [`follow`] reads that log, agreed on by several endpoints, to the latest head and through reorgs;
//! [`finality_of`] asks where a single slot became final, [`voters_of`] by whose votes, [`Unsettled`] which ones the rail has not settled.

mod candidate;
pub mod contracts;
pub mod creation;
mod event;
mod finality;
pub mod follow;
pub mod identity;
mod logs;
pub mod matching;
mod parents;
mod pulse;
mod seats;
pub mod sessions;
mod set;
mod settled;
mod state;
mod strays;
mod touched;
mod unsettled;

pub use candidate::Candidate;
pub use event::LedgerEvent;
pub use finality::{FinalityError, final_header_of, finality_of, voters_of};
pub use follow::{FollowError, Follower, Heads, LedgerSettings, Listen, Polled};
pub use logs::LedgerLog;
pub use matching::Matching;
pub use pulse::Pulse;
pub use seats::Seat;
pub use set::WitnessSet;
pub use settled::SettledError;
pub use state::{Final, Finality, LedgerState, Slot};
pub use touched::Touched;
pub use unsettled::{FinalHeader, Unsettled, UnsettledError};

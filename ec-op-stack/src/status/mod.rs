//! Live: where the chain stands on this host, and what is wrong with it.
//!
//! [`Status::gather`] asks; [`RELATIONS`] is what must hold between the answers, and [`judge`] holds them against it, purely.

mod facts;
mod gather;
mod metrics;
mod posts;
mod relations;

pub use facts::{
    Account, Anchor, Claim, Disk, Fact, Head, Heads, L1Block, NewestGame, Origin, Origins, Pool, Questions, Silence,
    Status,
};
pub use metrics::exposition;
pub use posts::LastPost;
pub use relations::{Finding, Judgement, Level, RELATIONS, Relation, judge};

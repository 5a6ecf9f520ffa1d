//! The ledger on its chain: reaching it, following its log, sending votes.

pub mod connect;
pub mod follow;
pub mod metered;
pub mod sender;

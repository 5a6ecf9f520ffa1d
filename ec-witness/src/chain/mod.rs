//! The ledger on its chain: reaching it, following its log.

pub mod connect;
pub mod endpoints;
pub mod follow;
mod logs;
pub mod metered;

//! The ledger on its chain: reaching it, following its log, sending votes.

pub mod sender;

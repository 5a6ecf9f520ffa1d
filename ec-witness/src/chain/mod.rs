//! The ledger's side: connecting to it.

pub mod connect;

//! Derives observation headers from every.channel archives and attests them to a ledger.

pub mod cas;
pub mod recorder;

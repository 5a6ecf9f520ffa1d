//! The sender and the vote store against a real chain behind an endpoint that fails: nothing is lost, no nonce is left
//! out, nothing is signed twice. Time is the test's own.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

#[path = "../common/mod.rs"]
mod common;

mod bench;
mod fees;
mod pace;
mod pool;
mod reorgs;
mod reverts;
mod signer;
mod spending;
mod storm;

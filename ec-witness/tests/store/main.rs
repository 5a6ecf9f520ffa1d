//! The vote store from outside: older stores, faults of the disk, histories.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod migration;

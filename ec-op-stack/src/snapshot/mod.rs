//! A copy of what a host has of the chain, from which another host goes on: the execution client's data and op-node's
//! record of safe heads.
//!
//! - [`sources()`]: which directories that is, by the arguments of what runs
//! - [`take()`]: copies them while nothing uses them, each file with its checksum
//! - [`restore()`]: puts them in place, whole and checked
//!
//! A snapshot is a directory: `data/NAME/…` as the files are, and `manifest.json`, which is written last. Both ways a file is
//! written beside its place, synced and renamed, so a run that was killed goes on where it was when it is started again.

mod copy;
mod error;
mod holds;
mod listing;
mod manifest;
mod plan;
mod restore;
mod sources;
mod take;

pub use error::SnapshotError;
pub use manifest::{Chain, Entry, Manifest, Part};
pub use restore::restore;
pub use sources::{Source, sources};
pub use take::take;

/// Told as bytes are copied or checked: how many are done, and of how many.
pub type Told<'a> = &'a mut dyn FnMut(u64, u64);

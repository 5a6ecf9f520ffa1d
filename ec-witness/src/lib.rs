//! Derives observation headers from every.channel archives and attests them to the observation ledger.
//!
//! Data flows one way: [`archive`] (JSONL index → records → epochs) → [`observation`] and [`tree`] (header, hashes,
//! proofs) → [`witness`] (what to do with a slot) → [`chain`] (the ledger). The first three are pure over the bytes
//! they are given; the rules they follow are `docs/protocol.md`.

pub mod archive;
pub mod chain;
pub mod contracts;
pub mod key;
pub mod observation;
pub mod stream;
pub mod tree;

//! Derives observation headers from every.channel archives and attests them to the observation ledger.
//!
//! Data flows one way: [`archive`] (JSONL index → records → epochs) → [`stream`], [`tree`] and [`observation`] (rules,
//! proofs, header) → [`witness`] (what to do with a slot) → [`store`] (one durable vote per slot) → [`chain`] (the
//! ledger). The pure part ends with `witness`; [`daemon`] drives it all. The rules are in `docs/protocol.md`.
//!
//! [`standing`] is how a witness stands, in plain numbers, which the daemon fills in; [`monitor`] shows it from outside,
//! and [`metrics`] names what is counted.
//!
//! [`in_order`] shares work among threads.
//!
//! [`recorder`] and [`cas`] are the other side: they write archives and check their objects.

pub mod archive;
pub mod cas;
pub mod chain;
pub mod contracts;
pub mod daemon;
pub mod failpoint;
pub mod in_order;
pub mod keccak;
pub mod key;
pub mod listing;
pub mod metric;
pub mod metrics;
pub mod monitor;
pub mod observation;
pub mod proof;
pub mod pulse;
pub mod recorder;
pub mod standing;
pub mod store;
pub mod stream;
pub mod tree;
pub mod witness;

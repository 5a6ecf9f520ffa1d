//! Derives observation headers from every.channel archives and attests them to the observation ledger.
//!
//! Data flows one way: [`archive`] (JSONL index → records → epochs) → [`stream`], [`tree`] and [`observation`] (rules,
//! proofs, header) → [`witness`] (what to do with a slot) → [`store`] (one durable vote per slot) → [`chain`] (the
//! ledger). The pure part ends with `witness`; [`daemon`] drives it all. The rules are in `docs/protocol.md`.
//!
//! [`monitor`] shows from outside how the daemon fares; [`metrics`] names what is counted.
//!
//! [`in_order`] shares work among threads.
//!
//! [`recorder`] and [`cas`] are the other side: they write archives and check their objects.

pub mod chain;
pub mod daemon;
pub mod failpoint;
pub mod key;
pub mod metrics;
pub mod monitor;
pub mod store;
pub mod witness;

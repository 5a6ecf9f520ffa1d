//! A witness: derives observation headers from every.channel archives and attests them to the observation ledger.
//!
//! Data flows one way: `ec-archive` reads an archive's index into epochs, `ec-observation` makes headers of them →
//! [`witness`] decides what to do with a slot, shown what `ec-ledger` follows → [`store`] keeps one durable vote per slot
//! → [`sender`] brings it onto the chain, by `ec-rpc`. `witness` is pure; [`daemon`] drives it all. The rules are in
//! `docs/protocol.md`.
//!
//! [`force`] sends through L1 what a sequencer leaves out. [`advice`] is what to write otherwise in the configuration, by what an archive shows.
//! [`standing`] is how a witness stands, in plain numbers, which the daemon fills in; [`monitor`] shows it from outside,
//! and [`metrics`] names what is counted. [`clock`] is the only wall clock. Apart from all that, [`reception`] shows how the
//! recorder of a relay's broadcast fares.

pub mod advice;
pub mod clock;
pub mod daemon;
pub mod failpoint;
pub mod force;
pub mod key;
pub mod metrics;
pub mod monitor;
pub mod reception;
pub mod sender;
pub mod standing;
pub mod store;
pub mod witness;

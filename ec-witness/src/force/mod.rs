//! A way around a sequencer that leaves a witness's transactions out: the same calls through L1 (protocol §5.8).

mod deposit;

pub use deposit::{DEPOSIT_TYPE, Deposit, OptimismPortal};

//! A way around a sequencer that leaves a witness's transactions out: the same calls through L1 (protocol §5.8).
//!
//! ```text
//! stuck ──▶ choice ──▶ offer ──▶ store ──▶ layer1 ──▶ forcing
//!           which      fees      kept      sent       its deposit found on the L2; final, then noted
//! ```
//!
//! A deposit ignores the account's nonce and uses the one that comes. So the witness is stopped meanwhile, and nothing else
//! is signed until all of them are final.

mod choice;
mod deposit;
mod error;
mod forcing;
mod layer1;
mod offer;

pub use choice::{Choice, Left, choose};
pub use deposit::{Deposit, OptimismPortal};
pub use error::ForceError;
pub use forcing::{Came, Cost, Forcing, Loss};
pub use layer1::Layer1;

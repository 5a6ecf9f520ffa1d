//! What signs for the account: a key that is here, or a signer elsewhere. A key's bytes and its password never reach a log, a
//! message or `Debug`.
//!
//! [`KeySource`] is which one is configured, [`Signer`] what comes of it. What a signer elsewhere answers counts only when it is
//! exactly what it was asked for, signed by the configured address: [`SignError`] says what else it was.

mod answer;
mod create;
mod error;
mod file;
mod keystore;
mod remote;
mod signer;
mod source;

pub use answer::{Mismatch, Signed};
pub use create::create;
pub use error::KeyError;
pub use remote::{DEFAULT_TIMEOUT, RemoteError, RemoteSettings, RemoteSigner, SignMethod};
#[cfg(test)]
pub(crate) use signer::signed;
pub use signer::{SignError, Signer};
pub use source::KeySource;

/// The environment variable that may hold the key itself: 64 hex digits, `0x` optional.
pub const KEY_VARIABLE: &str = "EC_WITNESS_KEY";

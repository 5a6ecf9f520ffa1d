//! What the OP Stack's programs accept: their own rules, in their own order, so that what is refused by one is refused here.
//!
//! Written from the published Go modules; `scripts/op-stack/conformance` holds each against the program's own code.

pub mod arguments;
pub mod genesis;
pub mod intent;
pub mod rollup;

use serde::Serialize;

/// Why a program would not start with something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// What stands there, and why it is refused.
    pub found: String,
    /// What to do about it.
    pub fix: String,
}

impl Refusal {
    pub(crate) fn new(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { found: found.into(), fix: fix.into() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.found, self.fix)
    }
}

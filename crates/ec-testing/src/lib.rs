//! Test equipment for the rail, for development only: a real Anvil, archives as several hosts have them, the processes
//! of a test. It drives the real `ec-witness` by its path and imports nothing of it.
//!
//! - [`archive`]: the lines of an index, and what copies of an archive differ in
//! - [`anvil`]: a chain of one test's own
//! - [`pictures`]: screens, as pictures of text
//! - [`processes`]: everything that a program has started ends with it
//! - [`rail`]: the contracts on a chain, and the witnesses' keys and stores
//! - [`supervisor`]: a process that is started again when it is killed
//!
//! With the feature `black-box`, for tests of a program from outside:
//!
//! - `proxy`: an RPC endpoint that fails as they fail
//! - `running`, `served`: a program that goes on until it is stopped, and what it serves
//! - `archive::made`: small archives
//! - `relay`: a MoQ relay, and publishers on it
//! - `shells`: what bash, zsh and fish make of a completion script
//! - `clef`, `tls`: a signer, and TLS with client certificates in front of one
//!
//! Two programs are built from it: `smoke`, which `scripts/op-stack/anvil-reality-smoke.sh` runs, and `fixture`, which
//! makes what other scripts test with.

pub mod anvil;
pub mod archive;
#[cfg(feature = "black-box")]
pub mod clef;
mod lifeline;
pub mod pictures;
pub mod processes;
#[cfg(feature = "black-box")]
pub mod proxy;
pub mod rail;
#[cfg(feature = "black-box")]
pub mod relay;
#[cfg(feature = "black-box")]
pub mod running;
#[cfg(feature = "black-box")]
pub mod served;
#[cfg(feature = "black-box")]
pub mod shells;
pub mod supervisor;
#[cfg(feature = "black-box")]
pub mod tls;

use std::path::{Path, PathBuf};

/// The repository that this was built in: where the sample archive and Foundry's programs are.
pub fn repository() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap_or(root)
}

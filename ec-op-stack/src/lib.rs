//! What the operator of an OP Stack chain needs around op-deployer and the runtime.
//!
//! - [`intent`]: what op-deployer is asked for
//! - [`state`]: what it has deployed
//! - [`normalise`]: its output, made to fit the pinned runtime
//!
//! All of it is pure over file contents; the command line does the reading and writing.

pub mod intent;
pub mod normalise;
pub mod object;
pub mod state;
pub mod version;

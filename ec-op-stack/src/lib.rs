//! What the operator of an OP Stack chain needs around op-deployer and the runtime.
//!
//! - [`intent`]: what op-deployer is asked for
//! - [`state`]: what it has deployed
//! - [`normalise`]: its output, made to fit the pinned runtime
//! - [`stack`]: what runs on a host, and with which arguments
//! - [`doctor`]: what would go wrong, before the start
//! - [`status`]: what goes wrong, live
//! - [`snapshot`]: the chain's data, for another host
//!
//! What decides is pure over file contents and facts; reading, writing and calling is apart from it.

mod chain_id;
pub mod doctor;
pub mod games;
pub mod intent;
pub mod normalise;
pub mod object;
pub mod prestate;
pub mod programs;
pub mod reads;
pub mod rpc;
pub mod snapshot;
pub mod stack;
pub mod state;
pub mod status;
mod tables;
pub mod version;

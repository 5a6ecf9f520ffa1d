//! A chain's JSON-RPC endpoints.
//!
//! [`Endpoints`] are several of one chain: what a vote rests on must come alike from as many as are configured
//! ([`Endpoints::agreed`]), anything else from the healthiest. [`Fault`] tells apart why one gave no answer,
//! [`SendRefusal`] why a node does not take a transaction, by the words of each client; [`Health`] is how one has done so
//! far. Only an endpoint's scheme, host and port are ever shown: the rest of a URL may be secret.

mod block;
pub mod count;
mod endpoint;
mod endpoints;
mod fault;
mod health;
mod http;
mod metered;
pub mod metric;
mod refusal;
mod report;
mod tls;
mod words;

pub use block::BlockRef;
pub use endpoint::{ConnectError, Endpoint};
pub use endpoints::{AgreedHead, Endpoints, HeadTimes, majority};
pub use fault::{AskError, Fault};
pub use health::{Backoff, Health};
pub use refusal::SendRefusal;
pub use report::in_one_line;
pub use tls::Tls;

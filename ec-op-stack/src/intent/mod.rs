//! op-deployer's intent: what it is asked to deploy, as TOML.
//!
//! Three generations of op-deployer wrote three layouts: roles of the superchain in camel case or in Pascal case, chains as
//! tables or as inline tables, contract artifacts by tag or embedded. [`repair()`] takes any of them, also an empty file.
//! It fills what is missing or zero, keeps every value and comment of the operator, and names what contradicts the
//! roles. It judges the fields that make a deployment fail or a chain invalid, and no others.

mod document;
mod repair;
mod roles;

pub use crate::programs::intent::Layout;
pub use document::Change;
pub use repair::{IntentError, Repair, Wanted, repair};
pub use roles::Roles;

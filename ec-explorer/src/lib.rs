//! The explorer: what was broadcast, when, who says so, and how anyone can check it.
//!
//! It follows ledgers ([`follow`]) and reads archives ([`archives`]), as they grow, into a database of its own ([`store`]) that
//! can be thrown away, and answers from that and from the archives over HTTP ([`api`], in the shapes of [`model`]), with the
//! page in the binary. It holds no key and writes to nothing but its own directory.
//!
//! Data flows one way: [`settings`] say what there is → [`follow`] and [`archives`] write → [`store`] → [`show`] →
//! [`api`]. [`hub`] tells what happens, [`state`] is how all stands, [`metrics`] what is counted, [`clock`] the only wall clock.

pub mod api;
pub mod archives;
pub mod clock;
pub mod follow;
pub mod hub;
pub mod metrics;
pub mod model;
pub mod serve;
pub mod settings;
pub mod show;
pub mod state;
pub mod store;

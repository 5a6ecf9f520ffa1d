//! What a witness does: the decision and what it rests on. Pure; the chain and the archive are elsewhere.

pub mod agreement;
pub mod decision;
pub mod engine;
pub mod lane;
pub mod naming;
pub mod own;
mod rest;
pub mod rounds;
pub mod situation;
pub mod slot;
pub mod window;

//! The agreement on the lanes of a broadcast (protocol §2.5 and §5.10): a publisher that restarts, archives that receive
//! it through the real cutter, and the real naming of their segments.

mod archive;
mod broadcast;
mod figures;
mod host;
mod rogue;
mod scenario;
mod unsettled;
mod world;

pub(crate) use figures::run;
pub(crate) use scenario::{attacked, honest, reorged, without_a_rule};

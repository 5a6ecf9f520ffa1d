//! Archives as several hosts have them. Lines are changed as text: what a change is not about stays as it was written.

pub mod files;
pub mod lines;
#[cfg(feature = "black-box")]
pub mod made;
pub mod names;
pub mod schedule;
pub mod variants;

//! Epochs out of an index: by a sweep over it, or in one pass where the files are in order (protocol §2.6, §2.7).

mod at_rest;
mod closed;
mod late;
mod marks;
mod one_pass;
mod sweep;

pub use self::{
    at_rest::{AtRest, Observation, for_each_closed},
    closed::{DeriveError, LinkedEpoch, is_closed},
    late::late_records,
    marks::KnownMark,
    one_pass::{Closed, Epochs},
    sweep::{Sweep, SweptEpoch},
};

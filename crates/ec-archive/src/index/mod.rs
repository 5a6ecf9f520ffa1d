//! What of a file's lines touches which epochs. Pure over what lines say.

mod extent;
mod keys;
mod line_index;
mod neighbours;
mod withheld;

pub(crate) use self::{
    extent::{Extent, Grain},
    keys::{KeptKeys, Keys},
    line_index::{Kept, LineIndex},
    neighbours::{Mark, Neighbours},
    withheld::Withheld,
};
pub use self::{keys::SegmentSpan, line_index::FileLine};

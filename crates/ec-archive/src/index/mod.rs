//! What of a file's lines touches which epochs. Pure over what lines say.

mod extent;
mod line_index;
mod neighbours;
mod withheld;

pub use self::line_index::FileLine;
pub(crate) use self::{
    extent::{Extent, Grain},
    line_index::{Kept, LineIndex},
    neighbours::{Mark, Neighbours},
    withheld::{Bound, Withheld},
};

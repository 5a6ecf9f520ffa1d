//! What makes a line bad.

use super::field::Field;

/// The longest line that is read, bytes, without its line ending.
pub const MAX_LINE_LEN: usize = 1 << 20;

/// How deep a record may nest, itself included.
pub const MAX_DEPTH: usize = 64;

/// Characters of a key that a [`Reason`] repeats.
pub(super) const MAX_SHOWN_KEY: usize = 64;

/// A complete line that is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// What is wrong with it.
    pub reason: Reason,
    /// The sequence the line states, where that can be read.
    pub group_sequence: Option<u64>,
}

/// What makes a line bad.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Longer than [`MAX_LINE_LEN`].
    #[error("the line is longer than {MAX_LINE_LEN} bytes")]
    TooLong,
    /// Not UTF-8, not JSON, or not an object.
    #[error("not a JSON object: {0}")]
    Json(String),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A `\u` escape that is half a character.
    #[error("a lone surrogate in a string")]
    LoneSurrogate,
    /// One key twice in the record; of a long one only the beginning is kept.
    #[error("the key {0:?} stands twice")]
    DuplicateKey(String),
    /// None of a required field's names is there.
    #[error("`{0}` is missing")]
    Missing(Field),
    /// A value that is not of the field's form.
    #[error("`{0}` is not {form}", form = .0.form())]
    Form(Field),
    /// Two names of one field with different values.
    #[error("`{0}` is stated twice, differently")]
    Disagree(Field),
    /// A `broadcast` or `track` other than the file's path says.
    #[error("`{0}` contradicts the file's path")]
    Misplaced(Field),
}

//! How an archive's epoch is, and its word in the database.

/// How an epoch is, as the database has it.
const COMPLETE: i64 = 1;
const INCOMPLETE: i64 = 0;
const CONFLICTING: i64 = 2;

/// How an archive's epoch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochWord {
    /// All records are there.
    Complete,
    /// Some are missing, or a bad line touches it.
    Incomplete,
    /// Two records contradict each other.
    Conflicting,
}

impl EpochWord {
    pub(super) fn to_sql(self) -> i64 {
        match self {
            Self::Complete => COMPLETE,
            Self::Incomplete => INCOMPLETE,
            Self::Conflicting => CONFLICTING,
        }
    }

    pub(super) fn of_sql(word: i64) -> Self {
        match word {
            COMPLETE => Self::Complete,
            CONFLICTING => Self::Conflicting,
            _ => Self::Incomplete,
        }
    }
}

//! How a lane stands.

use serde::Serialize;

use super::AtHeads;
use crate::advice::EpochLength;

/// How a lane stands, beside what every stream has.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LaneStanding {
    /// Its track.
    pub track: String,
    /// Segments that the archive has.
    pub segments: u64,
    /// Those that began within the last hour, by their receive times.
    pub segments_last_hour: u64,
    /// The mark of the newest segment's session; `None` while that has none.
    pub session: Option<u64>,
    /// Closed complete epochs that no session names.
    pub unnamed_epochs: u64,
    /// Since when there are any, Unix seconds.
    pub unnamed_since_unix_s: Option<u64>,
    /// How long its epochs last; `None` where no two follow one another.
    pub epoch: Option<EpochLength>,
    /// Closed epochs above the newest final one.
    pub behind: AtHeads,
}

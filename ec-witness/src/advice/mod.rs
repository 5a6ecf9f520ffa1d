//! What an operator should write otherwise in the configuration, by what is seen of an archive: the numbering of a
//! broadcast, and how long the epochs of a lane last (protocol §3.1). The rules are pure; what they rest on is read here.

mod length;
mod numbering;

use ec_archive::StreamIndex;
use ec_observation::EpochKey;

pub use length::{EpochLength, LOOKED_AT};
pub use numbering::{OtherNumbering, Seen, configured_id, other_numberings};

/// The lowest of the newest epochs of an archive, so many as asked for, in all its segments; all for 0.
pub fn lowest_of_newest(index: &StreamIndex, epochs: u64) -> EpochKey {
    let mut left = epochs;
    for span in index.segments().into_iter().rev().filter(|_| epochs > 0) {
        let known = (span.highest - span.lowest).saturating_add(1);
        if left <= known {
            return EpochKey { segment: span.segment, index: span.highest - (left - 1) };
        }
        left -= known;
    }
    EpochKey::MIN
}

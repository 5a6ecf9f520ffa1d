//! How long the epochs of a lane last, as observed, and whether that is wise.

use std::num::NonZeroU64;

use ec_archive::{ArchiveError, StreamIndex, Sweep};
use ec_observation::EpochKey;

use super::Received;

/// How long an epoch should last, milliseconds.
const GOOD_MS: u64 = 60_000;
/// Below this the restart of a publisher may lie within the tolerance (protocol §3.1), milliseconds.
const SHORTEST_MS: u64 = 20_000;
/// Above this a restart costs much (protocol §3.1), milliseconds.
const LONGEST_MS: u64 = 600_000;
/// As many of the newest epochs are looked at.
const LOOKED_AT: u64 = 64;

/// The observed length of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Length {
    /// Milliseconds: the median of the differences between the times of epochs that follow one another.
    pub(in crate::cli) ms: u64,
    groups_per_epoch: NonZeroU64,
}

impl Length {
    /// That of these epochs, which ascend; `None` where no two follow one another.
    pub(in crate::cli) fn of(epochs: &[Received], groups_per_epoch: NonZeroU64) -> Option<Self> {
        let follows = |pair: &[Received]| pair[0].key.next() == Some(pair[1].key) && pair[0].complete;
        let between = |pair: &[Received]| pair[1].unix_ms?.checked_sub(pair[0].unix_ms?);
        let mut lengths: Vec<_> = epochs.windows(2).filter(|pair| follows(pair)).filter_map(between).collect();
        lengths.sort_unstable();
        let ms = *lengths.get(lengths.len() / 2)?;
        Some(Self { ms, groups_per_epoch })
    }

    /// Seconds, rounded.
    pub(in crate::cli) fn seconds(self) -> u64 {
        self.ms.saturating_add(500) / 1000
    }

    /// What is wrong with it, and what to change, where it is too short or too long.
    pub(in crate::cli) fn advice(self, track: &str) -> Option<(String, String)> {
        let Self { ms, groups_per_epoch } = self;
        let why = match ms {
            ..SHORTEST_MS => "below 20 s the restart of a publisher may lie within the tolerance",
            LONGEST_MS.. => "above 10 minutes a restart costs much",
            _ => return None,
        };
        let groups = u128::from(groups_per_epoch.get()) * u128::from(GOOD_MS) / u128::from(ms.max(1));
        let (seconds, groups) = (ms as f64 / 1000.0, groups.max(1));
        Some((
            format!("an epoch lasts {seconds:.1} s; {why}"),
            format!(
                "for about a minute write track_groups_per_epoch = {{ {track:?} = {groups} }} in its [[stream]], with a new \
                 stream_id and at all its witnesses"
            ),
        ))
    }
}

/// The observed length of the newest epochs of a lane.
pub(in crate::cli) fn newest_lengths(index: &StreamIndex) -> Result<Option<Length>, ArchiveError> {
    let Some(highest) = index.highest_epoch() else { return Ok(None) };
    let lowest = EpochKey { index: highest.index.saturating_sub(LOOKED_AT), ..highest };
    let newest = Sweep::new(index, lowest..=highest);
    let epochs: Vec<_> =
        newest.map(|swept| swept.map(|swept| Received::new(&swept.derived))).collect::<Result<_, _>>()?;
    Ok(Length::of(&epochs, index.rule().epochs.groups_per_epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(epochs: &[(u64, u64, u64)], groups_per_epoch: u64) -> Option<Length> {
        let received = |&(segment, index, ms): &(u64, u64, u64)| Received {
            key: EpochKey { segment, index },
            unix_ms: Some(ms),
            complete: true,
        };
        let epochs: Vec<_> = epochs.iter().map(received).collect();
        Length::of(&epochs, NonZeroU64::new(groups_per_epoch).unwrap())
    }

    #[test]
    fn the_length_is_the_median_within_segments() {
        let ms = |epochs: &[_]| length(epochs, 30).map(|length| length.ms);
        assert_eq!(ms(&[]), None);
        assert_eq!(ms(&[(0, 0, 5), (1, 0, 60_005), (1, 2, 180_000)]), None);
        assert_eq!(ms(&[(0, 0, 0), (0, 1, 60_000), (0, 2, 60_001), (0, 3, 120_001), (1, 0, 125_000)]), Some(60_000));
    }

    #[test]
    fn a_bad_length_is_told_with_the_number_for_a_minute() {
        let advice = |ms, groups| length(&[(0, 0, 0), (0, 1, ms)], groups).unwrap().advice("audio0.m4s");
        assert_eq!(advice(20_000, 30), None);
        assert_eq!(advice(599_999, 30), None);
        // an audio group at each fragment, 46.9 a second
        let short = advice(640, 30).unwrap();
        assert!(short.0.contains("lasts 0.6 s") && short.1.contains("{ \"audio0.m4s\" = 2812 }"), "{short:?}");
        assert!(advice(600_000, 300).unwrap().1.contains("= 30 }"));
    }
}

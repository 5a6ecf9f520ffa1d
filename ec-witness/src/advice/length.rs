//! How long the epochs of a lane last, as observed, and whether that is wise.

use std::num::NonZeroU64;

use ec_archive::{ArchiveError, StreamIndex, Sweep};
use ec_observation::{DerivedEpoch, EpochKey};
use serde::Serialize;

use super::lowest_of_newest;

/// How long an epoch should last, milliseconds.
const GOOD_MS: u64 = 60_000;
/// Below this the restart of a publisher may lie within the tolerance (protocol §3.1), seconds.
const SHORTEST_S: f64 = 20.0;
/// Above this a restart costs much (protocol §3.1), seconds.
const LONGEST_S: f64 = 600.0;

/// As many of the newest epochs are looked at.
pub const LOOKED_AT: u64 = 64;

/// The observed length of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EpochLength {
    /// Milliseconds: the median of the differences between the times of epochs that follow one another.
    ms: u64,
    /// Groups in each.
    groups_per_epoch: NonZeroU64,
}

impl EpochLength {
    /// That of these epochs, which ascend; `None` where no two follow one another.
    pub fn of<'a>(epochs: impl IntoIterator<Item = &'a DerivedEpoch>, groups_per_epoch: NonZeroU64) -> Option<Self> {
        let mut before: Option<&DerivedEpoch> = None;
        let mut lengths = Vec::new();
        for epoch in epochs {
            let followed =
                before.replace(epoch).filter(|before| before.complete && before.key.next() == Some(epoch.key));
            lengths.extend(followed.and_then(|before| between(before, epoch)));
        }
        lengths.sort_unstable();
        let ms = *lengths.get(lengths.len() / 2)?;
        Some(Self { ms, groups_per_epoch })
    }

    /// That of the newest epochs of an archive.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn of_newest(index: &StreamIndex) -> Result<Option<Self>, ArchiveError> {
        let newest = Sweep::new(index, lowest_of_newest(index, LOOKED_AT)..=EpochKey::MAX);
        let epochs: Vec<_> = newest.map(|swept| swept.map(|swept| swept.derived)).collect::<Result<_, _>>()?;
        Ok(Self::of(&epochs, index.rule().epochs.groups_per_epoch))
    }

    /// Seconds, to a tenth: receive times are no more exact than that.
    pub fn seconds(self) -> f64 {
        (self.ms.saturating_add(50) / 100) as f64 / 10.0
    }

    /// What `groups_per_epoch` would have to be for epochs of about a minute.
    pub fn minute_groups(self) -> u64 {
        let groups = u128::from(self.groups_per_epoch.get()) * u128::from(GOOD_MS) / u128::from(self.ms.max(1));
        u64::try_from(groups.max(1)).unwrap_or(u64::MAX)
    }

    /// What is wrong with it, and what to change, where it is too short or too long.
    pub fn advice(self, track: &str) -> Option<(String, String)> {
        let (seconds, groups) = (self.seconds(), self.minute_groups());
        let why = match seconds {
            ..SHORTEST_S => "below 20 s the restart of a publisher may lie within the tolerance",
            LONGEST_S.. => "above 10 minutes a restart costs much",
            _ => return None,
        };
        Some((
            format!("an epoch lasts {seconds:.1} s; {why}"),
            format!(
                "for about a minute write track_groups_per_epoch = {{ {track:?} = {groups} }} in its [[stream]], with a new \
                 stream_id and at all its witnesses"
            ),
        ))
    }
}

fn between(before: &DerivedEpoch, epoch: &DerivedEpoch) -> Option<u64> {
    let (before_ms, ms) = (before.time.as_ref().ok()?, epoch.time.as_ref().ok()?);
    ms.checked_sub(*before_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(epochs: &[(u64, u64, u64)], groups_per_epoch: u64) -> Option<EpochLength> {
        let derived = |&(segment, index, ms): &(u64, u64, u64)| DerivedEpoch {
            key: EpochKey { segment, index },
            leaf_count: 1,
            complete: true,
            data_root: None,
            time: Ok(ms),
        };
        let epochs: Vec<_> = epochs.iter().map(derived).collect();
        EpochLength::of(&epochs, NonZeroU64::new(groups_per_epoch).unwrap())
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
        assert_eq!(advice(19_950, 30), None, "20 s, but for the jitter of receive times");
        assert_eq!(advice(599_949, 30), None);
        assert!(advice(19_949, 30).unwrap().0.contains("lasts 19.9 s"));
        // an audio group at each fragment, 46.9 a second
        let short = advice(640, 30).unwrap();
        assert!(short.0.contains("lasts 0.6 s") && short.1.contains("{ \"audio0.m4s\" = 2812 }"), "{short:?}");
        let long = advice(600_000, 300).unwrap();
        assert!(long.0.contains("lasts 600.0 s") && long.1.contains("= 30 }"), "{long:?}");
        assert!(advice(0, 1).unwrap().1.contains("= 60000 }"));
        assert!(advice(u64::MAX, 1).unwrap().1.contains("= 1 }"));
    }
}

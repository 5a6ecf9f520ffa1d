//! Tells by what was read of a stream that its archive has the other numbering (protocol §3.1).

use std::mem;

use ec_archive::{ArchiveError, Source, StreamIndex, Sweep};
use ec_observation::{DerivedEpoch, EpochKey, EpochRule, Numbering, StreamRule};

use super::roster::lane_of;

/// Numbers from here on are those of a timeline. A relay's come so far in 231 days of two-second groups without a restart.
const HIGH: u64 = 10_000_000;

/// The time by which a later number may be received before an earlier one within one life of the numbers: that by which
/// segments are told apart (protocol §2.5), milliseconds.
const RESTART_MS: u64 = 20_000;

/// As many of the newest epochs are looked at where not all are.
const LOOKED_AT: u64 = 64;

/// What was seen of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// The lowest and the highest number, to an epoch.
    numbers: Option<(u64, u64)>,
    /// The time of the epoch before.
    before_unix_ms: Option<u64>,
    conflict: bool,
    restart: bool,
}

impl Seen {
    /// Takes in the next epoch of the stream, in ascending order.
    pub(super) fn take(&mut self, rule: EpochRule, epoch: &DerivedEpoch) {
        let lowest = epoch.key.index.saturating_mul(rule.groups_per_epoch.get());
        let (first, _) = self.numbers.unwrap_or((lowest, lowest));
        self.numbers = Some((first.min(lowest), lowest.max(self.numbers.map_or(0, |(_, last)| last))));
        if lowest < HIGH {
            let unix_ms = epoch.time.as_ref().ok().copied();
            self.conflict |= epoch.is_conflicting();
            self.restart |=
                self.before_unix_ms.zip(unix_ms).is_some_and(|(before, now)| before > now.saturating_add(RESTART_MS));
            self.before_unix_ms = unix_ms.or(self.before_unix_ms);
        }
    }

    /// What is seen of the newest epochs of an archive.
    pub(super) fn of_newest(index: &StreamIndex) -> Result<Self, ArchiveError> {
        let mut seen = Self::default();
        let Some(highest) = index.highest_epoch() else { return Ok(seen) };
        let lowest = EpochKey { index: highest.index.saturating_sub(LOOKED_AT), ..highest };
        for swept in Sweep::new(index, lowest..=highest) {
            seen.take(index.rule().epochs, &swept?.derived);
        }
        Ok(seen)
    }

    /// Whether there was any epoch.
    pub(super) fn any(&self) -> bool {
        self.numbers.is_some()
    }
}

/// Tells of each broadcast once, by all its streams, which come one after the other.
#[derive(Debug, Default)]
pub(super) struct Told {
    broadcast: String,
    streams: Vec<(StreamRule, Seen)>,
}

impl Told {
    /// Takes in what was seen of a stream; says what is to be said of the broadcast before.
    pub(super) fn take(&mut self, source: &Source, seen: Seen) {
        if source.broadcast != self.broadcast {
            self.tell();
            self.broadcast.clone_from(&source.broadcast);
        }
        self.streams.push((source.rule.clone(), seen));
    }

    /// Says what is to be said of the last broadcast.
    pub(super) fn tell(&mut self) {
        let streams = mem::take(&mut self.streams);
        let streams: Vec<_> = streams.iter().map(|(rule, seen)| (rule, *seen)).collect();
        if let Some((stream, reason)) = other_numbering(&streams) {
            tracing::warn!(stream, "{reason}");
        }
    }
}

/// What to say where the streams of one broadcast have the other numbering than the one that is configured.
pub(super) fn other_numbering<'a>(streams: &[(&'a StreamRule, Seen)]) -> Option<(&'a str, String)> {
    let (rule, seen) = streams.first()?;
    let stream_id = lane_of(rule).unwrap_or(&rule.stream_id);
    let (why, other) = match rule.epochs.numbering {
        Numbering::Timeline if seen.conflict => ("records of low numbers conflict", Numbering::Session),
        Numbering::Timeline if seen.restart => ("low numbers are followed by older ones", Numbering::Session),
        Numbering::Session if are_shared(streams) => {
            ("all its tracks have the same numbers above 10 000 000", Numbering::Timeline)
        }
        _ => return None,
    };
    let meaning = match other {
        Numbering::Session => "as if its publisher numbered each track from 0 with each start",
        Numbering::Timeline => "as if its publisher numbered all tracks by the broadcast's timeline",
    };
    Some((stream_id, format!("{why}, {meaning}; then write numbering = \"{other}\" in [archive] or in its [[stream]]")))
}

/// Whether several tracks have common numbers, all of them high.
fn are_shared(lanes: &[(&StreamRule, Seen)]) -> bool {
    let numbers: Option<Vec<_>> = lanes.iter().map(|(_, seen)| seen.numbers).collect();
    let Some(numbers) = numbers.filter(|numbers| numbers.len() > 1) else { return false };
    let lowest = numbers.iter().map(|(lowest, _)| *lowest);
    let highest = numbers.iter().map(|(_, highest)| *highest);
    lowest.clone().min() >= Some(HIGH) && lowest.max() <= highest.min()
}

#[cfg(test)]
mod tests {
    use ec_observation::stream::DEFAULT_GROUPS_PER_EPOCH;

    use super::*;

    /// What is seen of epochs given as (number of the first group, seconds, whether it conflicts).
    fn seen(epochs: &[(u64, u64, bool)]) -> Seen {
        let mut seen = Seen::default();
        for &(number, s, conflicts) in epochs {
            let epoch = DerivedEpoch {
                key: EpochKey::timeline(number / 30),
                leaf_count: 1,
                complete: false,
                data_root: (!conflicts).then_some(Default::default()),
                time: Ok(s * 1000),
            };
            seen.take(EpochRule::timeline(DEFAULT_GROUPS_PER_EPOCH), &epoch);
        }
        seen
    }

    fn on_timeline(epochs: &[(u64, u64, bool)]) -> Option<String> {
        other_numbering(&[(&StreamRule::new("x"), seen(epochs))]).map(|(stream_id, said)| {
            assert_eq!(stream_id, "x");
            said
        })
    }

    fn in_lanes(lanes: &[&[(u64, u64, bool)]]) -> Option<String> {
        let rule = StreamRule::lane("x", "x", "0.m4s", DEFAULT_GROUPS_PER_EPOCH).unwrap();
        let lanes: Vec<_> = lanes.iter().map(|epochs| (&rule, seen(epochs))).collect();
        other_numbering(&lanes).map(|(stream_id, said)| {
            assert_eq!(stream_id, "x");
            said
        })
    }

    #[test]
    fn restarts_and_conflicts_at_low_numbers_are_no_timeline() {
        for epochs in [&[(0, 0, true)][..], &[(0, 90, false), (30, 60, false)]] {
            let said = on_timeline(epochs).unwrap();
            assert!(said.contains("write numbering = \"session\""), "{said}");
        }
        assert_eq!(on_timeline(&[]), None);
        assert_eq!(on_timeline(&[(0, 0, false), (30, 60, false), (60, 40, false)]), None);
        assert_eq!(on_timeline(&[(20_000_010, 90, false), (20_000_040, 0, true)]), None);
    }

    #[test]
    fn equal_high_numbers_on_all_tracks_are_no_sessions() {
        let high = [(20_000_010, 0, false), (20_000_040, 60, false)];
        let said = in_lanes(&[&high, &high[1..]]).unwrap();
        assert!(said.contains("write numbering = \"timeline\""), "{said}");
        // one track, other numbers, low ones, and a track without any record tell nothing
        assert_eq!(in_lanes(&[&high]), None);
        assert_eq!(in_lanes(&[&high[..1], &high[1..]]), None);
        assert_eq!(in_lanes(&[&high, &[(0, 0, false), (30_000_000, 0, false)]]), None);
        assert_eq!(in_lanes(&[&high, &high, &[]]), None);
        assert_eq!(in_lanes(&[]), None);
    }
}

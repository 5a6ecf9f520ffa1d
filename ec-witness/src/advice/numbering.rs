//! Tells by what is seen of a broadcast that its archive has the other numbering.

use std::{collections::BTreeMap, fmt};

use ec_archive::{ArchiveError, SegmentSpan, StreamIndex, Sweep};
use ec_observation::{DerivedEpoch, EpochKey, EpochRule, Numbering, StreamRule};
use serde::Serialize;

use super::LOOKED_AT;

/// Numbers from here on are those of a timeline. A relay's come so far in 231 days of two-second groups without a restart.
const HIGH: u64 = 10_000_000;

/// The time by which a later number may be received before an earlier one within one life of the numbers: that by which
/// segments are told apart (protocol §2.5), milliseconds.
const RESTART_MS: u64 = 20_000;

/// What was seen of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// The lowest and the highest number, to an epoch.
    numbers: Option<(u64, u64)>,
    /// The time of the epoch before.
    before_unix_ms: Option<u64>,
    conflict: bool,
    restart: bool,
}

impl Seen {
    /// Takes in the next epoch of the stream, in ascending order.
    pub fn take(&mut self, rule: EpochRule, epoch: &DerivedEpoch) {
        let lowest = first_number(rule, epoch.key.index);
        self.take_number(lowest);
        if lowest < HIGH {
            let unix_ms = epoch.time.as_ref().ok().copied();
            self.conflict |= epoch.is_conflicting();
            self.restart |=
                self.before_unix_ms.zip(unix_ms).is_some_and(|(before, now)| before > now.saturating_add(RESTART_MS));
            self.before_unix_ms = unix_ms.or(self.before_unix_ms);
        }
    }

    fn take_number(&mut self, number: u64) {
        let (lowest, highest) = self.numbers.unwrap_or((number, number));
        self.numbers = Some((lowest.min(number), highest.max(number)));
    }

    /// What is seen of an archive where its streams would show it: the bounds of their numbers, and on the timeline the
    /// lowest epochs, where numbers stand that began again, and the newest ones. Reads nothing where numbers are high.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn of(index: &StreamIndex) -> Result<Self, ArchiveError> {
        let (rule, mut seen) = (index.rule().epochs, Self::default());
        let segments = index.segments();
        for SegmentSpan { lowest, highest, .. } in &segments {
            [*lowest, *highest].into_iter().for_each(|index| seen.take_number(first_number(rule, index)));
        }
        let (Numbering::Timeline, Some(span)) = (rule.numbering, segments.first()) else { return Ok(seen) };
        if first_number(rule, span.lowest) >= HIGH {
            return Ok(seen);
        }
        let (low, high) = (span.lowest.saturating_add(LOOKED_AT), span.highest.saturating_sub(LOOKED_AT));
        let ranges = [(span.lowest, low.min(span.highest)), (high.max(low.saturating_add(1)), span.highest)];
        for (first, last) in ranges.into_iter().filter(|(first, last)| first <= last) {
            for swept in Sweep::new(index, EpochKey::timeline(first)..=EpochKey::timeline(last)) {
                seen.take(rule, &swept?.derived);
            }
        }
        Ok(seen)
    }

    /// Whether there was any epoch.
    pub fn any(&self) -> bool {
        self.numbers.is_some()
    }
}

fn first_number(rule: EpochRule, index: u64) -> u64 {
    index.saturating_mul(rule.groups_per_epoch.get())
}

/// The numbering that a broadcast seems to have, and does not have by its configuration. Shown, it says why and what to
/// write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OtherNumbering {
    /// What to write.
    pub numbering: Numbering,
    /// What was seen.
    pub seen: &'static str,
}

impl OtherNumbering {
    /// What to write.
    pub fn fix(self) -> String {
        format!("write numbering = \"{}\" in [archive] or in its [[stream]]", self.numbering)
    }
}

impl fmt::Display for OtherNumbering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.numbering {
            Numbering::Session => "as if its publisher numbered each track from 0 with each start",
            Numbering::Timeline => "as if its publisher numbered all tracks by the broadcast's timeline",
        };
        write!(f, "{}, {meaning}; then {}", self.seen, self.fix())
    }
}

/// The `stream_id` that is configured of the stream's broadcast: its own, or that of which it is a lane.
pub fn configured_id(rule: &StreamRule) -> &str {
    rule.lane_of().unwrap_or(&rule.stream_id)
}

/// For each of these streams what its broadcast seems to have instead.
pub fn other_numberings(streams: &[(&StreamRule, Seen)]) -> Vec<Option<OtherNumbering>> {
    let mut broadcasts: BTreeMap<&str, Vec<(&StreamRule, Seen)>> = BTreeMap::new();
    for &(rule, seen) in streams {
        broadcasts.entry(configured_id(rule)).or_default().push((rule, seen));
    }
    let others: BTreeMap<_, _> = broadcasts.iter().map(|(id, streams)| (*id, other_numbering(streams))).collect();
    streams.iter().map(|(rule, _)| others[configured_id(rule)]).collect()
}

/// What to say where the streams of one broadcast have the other numbering than the one that is configured.
fn other_numbering(streams: &[(&StreamRule, Seen)]) -> Option<OtherNumbering> {
    let (rule, seen) = streams.first()?;
    let (seen, numbering) = match rule.epochs.numbering {
        Numbering::Timeline if seen.conflict => ("records of low numbers conflict", Numbering::Session),
        Numbering::Timeline if seen.restart => ("low numbers are followed by older ones", Numbering::Session),
        Numbering::Session if are_shared(streams) => {
            ("all its tracks have the same numbers above 10 000 000", Numbering::Timeline)
        }
        _ => return None,
    };
    Some(OtherNumbering { numbering, seen })
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
        other_numbering(&[(&StreamRule::new("x"), seen(epochs))]).map(|other| other.to_string())
    }

    fn in_lanes(lanes: &[&[(u64, u64, bool)]]) -> Option<String> {
        let rule = StreamRule::lane("x", "x", "0.m4s", DEFAULT_GROUPS_PER_EPOCH).unwrap();
        let lanes: Vec<_> = lanes.iter().map(|epochs| (&rule, seen(epochs))).collect();
        other_numbering(&lanes).map(|other| other.to_string())
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

    #[test]
    fn each_stream_has_what_its_broadcast_has() {
        let lane = |stream_id, track| StreamRule::lane(stream_id, "x", track, DEFAULT_GROUPS_PER_EPOCH).unwrap();
        let high = seen(&[(20_000_010, 0, false)]);
        let rules =
            [lane("a", "0.m4s"), StreamRule::new("b"), lane("a", "1.m4s"), lane("c", "0.m4s"), lane("c", "1.m4s")];
        let seen = [high, seen(&[(0, 0, true)]), high, high, seen(&[(0, 0, false)])];
        let others = other_numberings(&rules.iter().zip(seen).collect::<Vec<_>>());
        let others: Vec<_> = others.into_iter().map(|other| other.map(|other| other.numbering)).collect();
        let (timeline, session) = (Some(Numbering::Timeline), Some(Numbering::Session));
        assert_eq!(others, [timeline, session, timeline, None, None]);
    }
}

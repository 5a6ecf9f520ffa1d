//! Does the configuration fit what the archive shows of its lanes, and do sessions name them?

use std::collections::BTreeMap;

use super::Check;
use crate::standing::{LaneStanding, StreamStanding};

/// For how long complete epochs may be without a session before an operator is told, seconds: many turns to open one.
const LONG_UNNAMED_S: u64 = 900;
/// Segments that may begin within an hour before an operator is told: a publisher that lives for ten minutes.
const MANY_SEGMENTS: u64 = 6;

/// Nothing of what no stream has.
pub(super) fn checks(streams: &[StreamStanding], now_unix_s: u64) -> Vec<Check> {
    let lanes: Vec<_> =
        streams.iter().filter_map(|stream| Some((stream.stream_id.as_str(), stream.lane.as_ref()?))).collect();
    let mut checks: Vec<_> = (!streams.is_empty()).then(|| numbering(streams)).into_iter().collect();
    if !lanes.is_empty() {
        checks.extend([sessions(&lanes, now_unix_s), restarts(&lanes)]);
        checks.extend(epochs(&lanes));
    }
    checks
}

fn numbering(streams: &[StreamStanding]) -> Check {
    let other = |stream: &StreamStanding| Some((stream.other_numbering?, stream.stream_id.clone()));
    let mut found: Vec<_> = streams.iter().filter_map(other).collect();
    let Some(&(first, _)) = found.first() else {
        return Check::ok("numbering", "no archive looks as if it had the other one");
    };
    found.retain(|(other, _)| other.numbering == first.numbering);
    let streams: Vec<_> = found.into_iter().map(|(_, stream)| stream).collect();
    Check::warn("numbering", format!("{}: {}", first.seen, streams.join(", ")), first.fix())
}

fn sessions(lanes: &[(&str, &LaneStanding)], now_unix_s: u64) -> Check {
    let long = |(stream, lane): &(&str, &LaneStanding)| {
        let for_s = now_unix_s.saturating_sub(lane.unnamed_since_unix_s?);
        (for_s > LONG_UNNAMED_S).then(|| format!("{} of {stream} for {for_s} s", lane.unnamed_epochs))
    };
    let found: Vec<_> = lanes.iter().filter_map(long).collect();
    if found.is_empty() {
        return Check::ok("sessions", "sessions name all lanes");
    }
    let fix = "look whether other witnesses vote, and at this host's clock; write stream_id, groups_per_epoch and \
               track_groups_per_epoch as all its witnesses have them";
    Check::warn("sessions", format!("complete epochs that no session names: {}", found.join(", ")), fix)
}

fn restarts(lanes: &[(&str, &LaneStanding)]) -> Check {
    let many = |(stream, lane): &(&str, &LaneStanding)| {
        (lane.segments_last_hour > MANY_SEGMENTS).then(|| format!("{} of {stream}", lane.segments_last_hour))
    };
    let found: Vec<_> = lanes.iter().filter_map(many).collect();
    if found.is_empty() {
        return Check::ok("restarts", "publishers do not restart often");
    }
    let fix = "see to the publisher; where that cannot be, write a smaller track_groups_per_epoch in its [[stream]], with a \
               new stream_id and at all its witnesses";
    Check::warn("restarts", format!("segments that began within an hour: {}", found.join(", ")), fix)
}

/// One for all good lengths, one for each bad one; none where no length was observed.
fn epochs(lanes: &[(&str, &LaneStanding)]) -> Vec<Check> {
    let (mut good, mut bad) = (BTreeMap::new(), Vec::new());
    for (stream, lane) in lanes {
        let Some(epoch) = lane.epoch else { continue };
        match epoch.advice(&lane.track) {
            None => _ = good.insert(stream, epoch.seconds()),
            Some((found, fix)) => bad.push(Check::warn("epochs", format!("{stream}: {found}"), fix)),
        }
    }
    let shown: Vec<_> = good.iter().map(|(stream, seconds)| format!("{stream} {seconds:.0} s")).collect();
    let good = (!good.is_empty()).then(|| Check::ok("epochs", format!("an epoch lasts: {}", shown.join(", "))));
    bad.into_iter().chain(good).collect()
}

#[cfg(test)]
mod tests {
    use ec_observation::{DerivedEpoch, EpochKey, Numbering};

    use super::*;
    use crate::{
        advice::{EpochLength, OtherNumbering},
        monitor::check::Level,
    };

    const NOW: u64 = 1_000_000;

    fn lane(change: impl FnOnce(&mut LaneStanding)) -> StreamStanding {
        let mut lane = LaneStanding { track: "1.m4s".into(), ..LaneStanding::default() };
        change(&mut lane);
        StreamStanding { stream_id: "tv/track/1.m4s".into(), lane: Some(lane), ..StreamStanding::default() }
    }

    /// The one check that is not well.
    fn warned(stream: StreamStanding) -> Option<(String, String, String)> {
        let mut wrong = checks(&[stream], NOW).into_iter().filter(|check| check.level != Level::Ok);
        let found = wrong.next().map(|check| (check.name.into_owned(), check.reason, check.fix));
        assert_eq!(wrong.next(), None);
        found
    }

    fn lasting(ms: u64) -> Option<EpochLength> {
        let epoch = |index: u64| DerivedEpoch {
            key: EpochKey { segment: 0, index },
            leaf_count: 1,
            complete: true,
            data_root: None,
            time: Ok(ms * index),
        };
        EpochLength::of(&[epoch(0), epoch(1)], 30.try_into().unwrap())
    }

    #[test]
    fn each_fault_names_what_to_write() {
        let says = |stream, name: &str, fix: &str| {
            let (found, reason, fixed) = warned(stream).unwrap();
            assert!(found == name && fixed.contains(fix), "{found}: {reason}; {fixed}");
        };
        assert_eq!(warned(StreamStanding::default()), None);
        assert_eq!(warned(lane(|lane| lane.epoch = lasting(60_000))), None);
        let other = OtherNumbering { numbering: Numbering::Session, seen: "records of low numbers conflict" };
        let conflicting = StreamStanding { other_numbering: Some(other), ..StreamStanding::default() };
        says(conflicting, "numbering", "numbering = \"session\"");
        let unnamed = |since_s: u64| lane(|lane| (lane.unnamed_epochs, lane.unnamed_since_unix_s) = (2, Some(since_s)));
        assert_eq!(warned(unnamed(NOW - 900)), None, "a session may take its time");
        says(unnamed(NOW - 901), "sessions", "track_groups_per_epoch");
        assert_eq!(warned(lane(|lane| lane.segments_last_hour = 6)), None);
        says(lane(|lane| lane.segments_last_hour = 7), "restarts", "smaller track_groups_per_epoch");
        says(lane(|lane| lane.epoch = lasting(640)), "epochs", "track_groups_per_epoch = { \"1.m4s\" = 2812 }");
        says(lane(|lane| lane.epoch = lasting(600_000)), "epochs", "track_groups_per_epoch = { \"1.m4s\" = 3 }");
        assert_eq!(checks(&[], NOW), []);
    }
}

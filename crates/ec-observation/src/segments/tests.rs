//! The cutter beside a plain reading of protocol §2.5 that keeps everything.

use proptest::prelude::*;

use super::*;

fn record(group_sequence: u64, content: u8, received_unix_ms: impl Into<Option<u64>>) -> Record {
    Record { group_sequence, blake3: [content; 32], size_bytes: 1, received_unix_ms: received_unix_ms.into() }
}

/// A record of the present segment in the plain reading.
struct Plain {
    record: Record,
    time: u64,
    forgotten: bool,
}

/// The segments of a lane, each rule as the protocol states it.
fn plain(records: &[Record]) -> Vec<u64> {
    let (mut number, mut time, mut latest) = (0, 0, 0);
    let mut segment: Vec<Plain> = Vec::new();
    let mut numbers = Vec::new();
    for &record in records {
        time = record.received_unix_ms.unwrap_or(time);
        let s = record.group_sequence;
        let at = segment.iter().find(|known| known.record.group_sequence == s);
        let above = segment.iter().filter(|known| known.record.group_sequence > s);
        let next_higher = above.min_by_key(|known| known.record.group_sequence);
        let difference = |known: u64| i128::from(time) - i128::from(known);
        let w = i128::from(WINDOW_MS);
        let is_repeated = at.is_some_and(|known| {
            !known.forgotten
                && known.record.blake3 == record.blake3
                && known.record.size_bytes == record.size_bytes
                && difference(known.time).abs() <= w
        });
        let lowest = segment.iter().map(|known| known.record.group_sequence).min();
        let belongs = match (at, next_higher, lowest) {
            (Some(_), ..) => is_repeated,
            (None, None, _) => !segment.is_empty(),
            (None, Some(next), Some(lowest)) if s > lowest => !next.forgotten && difference(next.time) <= w,
            (None, Some(_), Some(lowest)) => s + 64 >= lowest && difference(segment[0].time) <= w,
            (None, Some(_), None) => unreachable!("a segment with a higher record has a lowest"),
        };
        if !belongs {
            number += u64::from(!segment.is_empty());
            segment.clear();
            latest = 0;
        }
        if !is_repeated {
            segment.push(Plain { record, time, forgotten: false });
        }
        latest = latest.max(time);
        for known in &mut segment {
            known.forgotten |= i128::from(latest) - i128::from(known.time) > w;
        }
        let not_forgotten = segment.iter_mut().rev().filter(|known| !known.forgotten);
        not_forgotten.skip(REMEMBERED).for_each(|known| known.forgotten = true);
        numbers.push(number);
    }
    numbers
}

fn cut(records: &[Record]) -> Vec<u64> {
    let mut segments = Segments::default();
    records.iter().map(|record| segments.take(record)).collect()
}

/// Lanes that go on, fall back, repeat themselves and have clocks that jump.
fn lane() -> impl Strategy<Value = Vec<Record>> {
    let step = prop_oneof![6 => Just(1i64), 3 => -12..12i64, 1 => -90..90i64];
    let wait = prop_oneof![6 => 0..3000i64, 2 => 9_999..10_002i64, 2 => 19_999..20_002i64, 1 => -25_000..25_000i64];
    let drawn = prop::collection::vec((step, wait, 0..8u8, 0..10u8), 0..120);
    drawn.prop_map(|drawn| {
        let (mut sequence, mut time) = (100u64, 1_000_000u64);
        let next = |(step, wait, content, timed): (i64, i64, u8, u8)| {
            sequence = sequence.saturating_add_signed(step);
            time = time.saturating_add_signed(wait);
            record(sequence, content / 7, (timed > 0).then_some(time))
        };
        drawn.into_iter().map(next).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn segments_are_those_of_the_plain_reading(lane in lane()) {
        prop_assert_eq!(cut(&lane), plain(&lane));
    }

    #[test]
    fn what_serde_keeps_goes_on_as_before(lane in lane(), at in 0..120usize) {
        let mut segments = Segments::default();
        let (before, after) = lane.split_at(at.min(lane.len()));
        before.iter().for_each(|record| { segments.take(record); });
        let kept = serde_json::to_string(&segments).unwrap();
        let mut restored: Segments = serde_json::from_str(&kept).unwrap();
        prop_assert_eq!(&restored, &segments);
        for record in after {
            prop_assert_eq!(restored.take(record), segments.take(record));
        }
    }
}

/// The record of number 0 is followed by `others`, all at one moment, and then repeated.
fn repeated_after(others: u64) -> u64 {
    let mut segments = Segments::default();
    (0..=others).for_each(|number| assert_eq!(segments.take(&record(number, 1, 5)), 0));
    segments.take(&record(0, 1, 5))
}

#[test]
fn the_last_65536_taken_are_remembered() {
    assert_eq!(repeated_after(65_535), 0);
    assert_eq!(repeated_after(65_536), 1);
}

#[test]
fn the_ends_of_all_numbers_are_numbers_like_others() {
    let lane =
        [record(u64::MAX, 1, 0), record(u64::MAX - 64, 1, 0), record(u64::MAX - 1, 1, 0), record(0, 1, u64::MAX)];
    assert_eq!(cut(&lane), [0, 0, 0, 1]);
}

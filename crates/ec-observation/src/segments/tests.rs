//! Cuts against a plain reading of the protocol, which keeps everything.

use proptest::prelude::*;

use super::*;

/// A record of a segment, as the plain reading keeps it.
#[derive(Clone, Copy)]
struct Known {
    record: Record,
    received_ms: u64,
    is_forgotten: bool,
}

/// Protocol §2.5 word by word.
#[derive(Default)]
struct Plain {
    /// What is there, in the order in which it was taken.
    known: Vec<Known>,
    latest_ms: u64,
    last_ms: u64,
}

impl Plain {
    fn take(&mut self, record: Record) -> Cut {
        let received_ms = record.received_unix_ms.unwrap_or(self.last_ms);
        self.last_ms = received_ms;
        let sequence = record.group_sequence;
        let same = self.known.iter().find(|known| known.record.group_sequence == sequence).copied();
        let lowest = self.known.iter().map(|known| known.record.group_sequence).min();
        let highest = self.known.iter().map(|known| known.record.group_sequence).max();
        let is_soon = |before_ms: u64| received_ms <= before_ms + SPREAD_MS;
        let belongs = match (lowest, highest, same) {
            (None, ..) | (_, None, _) => false,
            (.., Some(same)) => {
                !same.is_forgotten
                    && Object::from(&same.record) == Object::from(&record)
                    && same.received_ms.abs_diff(received_ms) <= SPREAD_MS
            }
            (_, Some(highest), _) if sequence > highest => true,
            (Some(lowest), ..) if sequence < lowest => sequence + 64 >= lowest && is_soon(self.known[0].received_ms),
            _ => {
                let above = self.known.iter().filter(|known| known.record.group_sequence > sequence);
                let above = above.min_by_key(|known| known.record.group_sequence).unwrap();
                !above.is_forgotten && is_soon(above.received_ms)
            }
        };
        if !belongs {
            self.known.clear();
            self.latest_ms = 0;
        }
        if same.is_none() || !belongs {
            self.known.push(Known { record, received_ms, is_forgotten: false });
        }
        self.latest_ms = self.latest_ms.max(received_ms);
        for known in &mut self.known {
            known.is_forgotten |= known.received_ms + SPREAD_MS < self.latest_ms;
        }
        if belongs { Cut::Belongs } else { Cut::Begins }
    }
}

/// Mostly going on, with steps back, holes that are filled, the same again, and clocks that jump.
fn records() -> impl Strategy<Value = Vec<Record>> {
    let step = (0..12u8, 0..40u64, prop_oneof![4 => 0..3_000u64, 1 => 0..45_000u64], 0..2u8, any::<bool>());
    proptest::collection::vec(step, 1..120).prop_map(|steps| {
        let (mut next, mut now_ms) = (100u64, 1_000_000u64);
        let record = |(kind, far, later_ms, content, back): (u8, u64, u64, u8, bool)| {
            let group_sequence = match kind {
                0 => next.saturating_sub(far),
                1 => next + far % 5,
                2 => far % 3,
                _ => next,
            };
            next = match kind {
                2 => group_sequence + 1,
                _ => next.max(group_sequence + 1),
            };
            now_ms = if back && kind == 3 { now_ms - later_ms } else { now_ms + later_ms };
            let received_unix_ms = (kind != 11).then_some(now_ms);
            Record { group_sequence, blake3: [content; 32], size_bytes: 1, received_unix_ms }
        };
        steps.into_iter().map(record).collect()
    })
}

proptest! {
    #[test]
    fn cuts_are_those_of_a_plain_reading(records in records()) {
        let (mut cutter, mut plain) = (Cutter::default(), Plain::default());
        for (at, record) in records.iter().enumerate() {
            prop_assert_eq!(cutter.take(record), plain.take(*record), "record {} of {:?}", at, records);
        }
    }

    #[test]
    fn records_that_are_taken_together_are_cut_alike(records in records(), at: prop::sample::Index) {
        let mut plain = Plain::default();
        let cuts: Vec<_> = records.iter().map(|record| plain.take(*record)).collect();
        let mut cutter = Cutter::default();
        let at = at.index(records.len());
        let mut found = vec![Cut::Belongs; records.len()];
        cutter.take_each(&records[..at], |begins| found[begins] = Cut::Begins);
        cutter.take_each(&records[at..], |begins| found[at + begins] = Cut::Begins);
        prop_assert_eq!(found, cuts);
        prop_assert_eq!(cutter.last_ms(), plain.last_ms);
    }

    #[test]
    fn a_cutter_goes_on_where_it_was_kept(records in records(), at: prop::sample::Index) {
        let mut whole = Cutter::default();
        let cuts: Vec<_> = records.iter().map(|record| whole.take(record)).collect();
        let at = at.index(records.len());
        let mut first = Cutter::default();
        let mut found: Vec<_> = records[..at].iter().map(|record| first.take(record)).collect();
        let mut kept: Cutter = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
        found.extend(records[at..].iter().map(|record| kept.take(record)));
        prop_assert_eq!(found, cuts);
    }
}

fn record(group_sequence: u64, received_unix_ms: u64) -> Record {
    Record { group_sequence, blake3: [1; 32], size_bytes: 1, received_unix_ms: Some(received_unix_ms) }
}

/// What becomes of the last of these records, which are taken one by one; and taken together it is the same.
fn last_cut(records: &[Record]) -> Cut {
    let (mut one_by_one, mut together) = (Cutter::default(), Cutter::default());
    let last = records.iter().map(|record| one_by_one.take(record)).last();
    let mut begins = false;
    together.take_each(records, |at| begins = at == records.len() - 1);
    let found = if begins { Cut::Begins } else { Cut::Belongs };
    assert_eq!(last, Some(found));
    found
}

#[test]
fn what_is_as_old_as_may_be_at_the_end_is_remembered() {
    let taken = |age_ms| [record(10, 1000), record(11, 1000), record(12, 1000 + age_ms), record(11, 1000)];
    assert_eq!(last_cut(&taken(SPREAD_MS)), Cut::Belongs);
    assert_eq!(last_cut(&taken(SPREAD_MS + 1)), Cut::Begins);
}

#[test]
fn what_others_have_pushed_out_stays_forgotten_though_these_are_forgotten_by_their_time_later() {
    let first = record(10, 200_000);
    let others = |count: usize| (11..).take(count).map(|sequence| record(sequence, 190_000));
    let taken = |count| -> Vec<_> {
        let last = record(11 + count as u64, 215_000);
        [first].into_iter().chain(others(count)).chain([last, first]).collect()
    };
    assert_eq!(last_cut(&taken(REMEMBERED - 1)), Cut::Belongs);
    assert_eq!(last_cut(&taken(REMEMBERED)), Cut::Begins);
}

#[test]
fn no_more_than_so_many_are_remembered() {
    let mut cutter = Cutter::default();
    // two of each three numbers, so that each third is a hole
    let sequences = (0u64..).filter(|sequence| sequence % 3 != 1).take(REMEMBERED + 2);
    let taken = sequences.inspect(|&sequence| {
        cutter.take(&record(sequence, 5));
    });
    let last = taken.last().unwrap();
    let remembered = &cutter.segment.as_ref().unwrap().remembered;
    assert_eq!((remembered.len(), remembered[0].sequence), (REMEMBERED, 3));
    assert_eq!(cutter.clone().take(&record(1, 5)), Cut::Begins, "2, which is above it, is forgotten");
    assert_eq!(cutter.clone().take(&record(2, 5)), Cut::Begins, "2 is there, and forgotten");
    assert_eq!(cutter.clone().take(&record(4, 5)), Cut::Belongs);
    assert_eq!(cutter.clone().take(&record(3, 5)), Cut::Belongs, "a duplicate");
    assert_eq!(cutter.take(&record(last + 1, 5)), Cut::Belongs);
}

#[test]
fn a_long_segment_is_remembered_as_far_as_its_times_reach() {
    let mut cutter = Cutter::default();
    for sequence in 0..10_000 {
        assert_eq!(
            cutter.take(&record(sequence, sequence * 2_000)),
            if sequence == 0 { Cut::Begins } else { Cut::Belongs }
        );
    }
    assert_eq!(cutter.segment.unwrap().remembered.len(), 11);
}

fn timed(group_sequence: u64, received_unix_ms: Option<u64>) -> Record {
    Record { group_sequence, blake3: [1; 32], size_bytes: 1, received_unix_ms }
}

#[test]
fn the_highest_number_is_the_present_segments() {
    let mut cutter = Cutter::default();
    assert_eq!(cutter.highest(), None);
    let mut highest_after = |sequence, ms| {
        cutter.take(&timed(sequence, Some(ms)));
        cutter.highest()
    };
    assert_eq!([(7, 0), (9, 1), (8, 2)].map(|(sequence, ms)| highest_after(sequence, ms)), [Some(7), Some(9), Some(9)]);
    assert_eq!(highest_after(3, 90_000), Some(3), "another segment");
}

#[test]
fn a_cutter_in_the_middle_goes_on_from_the_time_before_it() {
    let mut cutter = Cutter::after(50_000);
    assert_eq!((cutter.highest(), cutter.last_ms()), (None, 50_000));
    cutter.pass(&timed(3, None));
    assert_eq!(cutter.last_ms(), 50_000, "without a time, that of the record before");
    cutter.pass(&timed(4, Some(60_000)));
    assert_eq!((cutter.highest(), cutter.last_ms()), (None, 60_000), "what is passed by is of no segment");
    assert_eq!((cutter.take(&timed(9, None)), cutter.last_ms()), (Cut::Begins, 60_000));
    // 5.: 20 s after the first record, whose time it took over
    assert_eq!([(7, 80_000), (6, 80_001)].map(|(n, ms)| cutter.take(&timed(n, Some(ms)))), [Cut::Belongs, Cut::Begins]);
}

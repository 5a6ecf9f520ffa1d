//! Where each line's epoch stands in the archive: its index, and in a lane the segment that it is of (protocol §2.5).

use ec_observation::{
    EpochKey, EpochRule, Numbering, Record,
    segments::{Cut, Cutter},
};
use serde::{Deserialize, Serialize};

/// The bounds of what one archive has of a segment. On the timeline there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentSpan {
    /// The segment.
    pub segment: u64,
    /// The lowest index with a record.
    pub lowest: u64,
    /// The highest index with a record.
    pub highest: u64,
    /// The earliest receive time of its records, Unix milliseconds; 2^64−1 where none has one.
    pub first_ms: u64,
    /// The latest; 0 where none has one.
    pub last_ms: u64,
}

impl SegmentSpan {
    /// The span of a segment of which this much is known, and nothing of times.
    pub fn untimed(segment: u64, lowest: u64, highest: u64) -> Self {
        Self { segment, lowest, highest, first_ms: u64::MAX, last_ms: 0 }
    }

    /// Takes in what is known of the same segment elsewhere.
    pub(crate) fn join(&mut self, other: &Self) {
        (self.lowest, self.highest) = (self.lowest.min(other.lowest), self.highest.max(other.highest));
        (self.first_ms, self.last_ms) = (self.first_ms.min(other.first_ms), self.last_ms.max(other.last_ms));
    }
}

/// Tells the keys of a track's lines, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    epochs: EpochRule,
    /// Lines before this offset are of the present segment: that is known of them.
    cut_from: u64,
    kept: KeptKeys,
}

/// The part that a checkpoint keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptKeys {
    /// The present segment; `None` before the first good line.
    present: Option<u64>,
    /// The file of which the last line was read, by its generation's serial.
    reader: Option<u64>,
    cutter: Cutter,
    /// The highest number of a track on the timeline.
    highest_number: Option<u64>,
    spans: Spans,
}

impl Keys {
    /// The keys of a track of which nothing was read yet.
    pub(crate) fn new(epochs: EpochRule) -> Self {
        Self::of(epochs, KeptKeys::default())
    }

    /// Keys as they were kept.
    pub(crate) fn of(epochs: EpochRule, kept: KeptKeys) -> Self {
        Self { epochs, cut_from: 0, kept }
    }

    /// The keys of a stretch that is read again: of one that begins in `segment`, after a record of this time, and in
    /// which the line at `cut`, if any, is the first that begins another segment.
    pub(crate) fn again(epochs: EpochRule, segment: u64, before_ms: u64, cut: Option<u64>) -> Self {
        let kept = KeptKeys { present: Some(segment), cutter: Cutter::after(before_ms), ..KeptKeys::default() };
        Self { epochs, cut_from: cut.unwrap_or(u64::MAX), kept }
    }

    /// Goes on with a line of this file; true where the line before was one of another and a lane is cut, so that what the
    /// lines of one file say is not enough to cut them again.
    pub(crate) fn pass_to(&mut self, file: u64) -> bool {
        self.epochs.numbering == Numbering::Session && self.kept.reader.replace(file) != Some(file)
    }

    /// What a checkpoint keeps.
    pub(crate) fn kept(&self) -> &KeptKeys {
        &self.kept
    }

    /// What was read of each segment.
    pub(crate) fn spans(&self) -> &[SegmentSpan] {
        &self.kept.spans.0
    }

    /// The present segment.
    pub(crate) fn segment(&self) -> u64 {
        self.kept.present.unwrap_or_default()
    }

    /// Whether an epoch may be complete: not where the timeline, or the present segment of a lane, has no number as high as
    /// the epoch's last.
    pub(crate) fn may_be_complete(&self, epoch: EpochKey) -> bool {
        let highest = match self.epochs.numbering {
            Numbering::Timeline => self.kept.highest_number,
            Numbering::Session => self.kept.cutter.highest().filter(|_| self.kept.present == Some(epoch.segment)),
        };
        highest.is_none_or(|highest| highest >= self.epochs.last_sequence(epoch.index))
    }

    /// The time by which the last good line was cut.
    pub(crate) fn last_ms(&self) -> u64 {
        self.kept.cutter.last_ms()
    }

    /// The key of the next good line, which stands at `offset`, and whether it begins another segment than the one before
    /// it.
    pub(crate) fn next(&mut self, offset: u64, record: &Record) -> (EpochKey, bool) {
        let found = self.place(offset, record);
        if self.epochs.numbering == Numbering::Timeline {
            self.kept.highest_number = self.kept.highest_number.max(Some(record.group_sequence));
        }
        self.kept.spans.note(found.0, record.received_unix_ms);
        found
    }

    fn place(&mut self, offset: u64, record: &Record) -> (EpochKey, bool) {
        let index = self.epochs.index(record.group_sequence);
        if self.epochs.numbering == Numbering::Timeline {
            return (EpochKey::timeline(index), false);
        }
        let KeptKeys { present, cutter, .. } = &mut self.kept;
        if offset < self.cut_from {
            cutter.pass(record);
            return (EpochKey { segment: present.unwrap_or_default(), index }, false);
        }
        let begins = cutter.take(record) == Cut::Begins;
        let before = *present;
        if begins {
            *present = Some(before.map_or(0, |before| before + 1));
        }
        (EpochKey { segment: present.unwrap_or_default(), index }, begins && before.is_some())
    }

    /// The key that a bad line states: it is of the present segment.
    pub(crate) fn stated(&self, group_sequence: u64) -> EpochKey {
        EpochKey { segment: self.segment(), index: self.epochs.index(group_sequence) }
    }
}

/// The spans of a track's segments, as far as they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spans(Vec<SegmentSpan>);

impl Spans {
    /// Notes a record of this epoch.
    pub(crate) fn note(&mut self, EpochKey { segment, index }: EpochKey, received_ms: Option<u64>) {
        let (first_ms, last_ms) = (received_ms.unwrap_or(u64::MAX), received_ms.unwrap_or_default());
        let record = SegmentSpan { segment, lowest: index, highest: index, first_ms, last_ms };
        match self.0.last_mut().filter(|last| last.segment == segment) {
            Some(last) => last.join(&record),
            None => self.0.push(record),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    #[test]
    fn an_epoch_of_the_timeline_may_be_complete_once_a_number_is_as_high_as_its_last() {
        let rule = EpochRule { groups_per_epoch: NonZeroU64::new(3).unwrap(), numbering: Numbering::Timeline };
        for numbers in [vec![0, 1, 2, 3, 4, 5], vec![2, 1, 0, 5, 3, 4], vec![4, 0, 2, 1, 3, 5], vec![1, 7, 0, 2]] {
            let mut keys = Keys::new(rule);
            for read in 1..=numbers.len() {
                let number = numbers[read - 1];
                let record = Record { group_sequence: number, blake3: [0; 32], size_bytes: 1, received_unix_ms: None };
                keys.next(0, &record);
                let (seen, highest) = (&numbers[..read], *numbers[..read].iter().max().unwrap());
                for index in 0..3 {
                    let may = keys.may_be_complete(EpochKey::timeline(index));
                    let is_complete = (index * 3..index * 3 + 3).all(|number| seen.contains(&number));
                    assert!(may || !is_complete, "{seen:?} {index}");
                    assert_eq!(may, highest >= index * 3 + 2, "{seen:?} {index}");
                }
            }
        }
    }

    #[test]
    fn passing_to_another_file_is_told_of_a_lane() {
        let rule = |numbering| EpochRule { groups_per_epoch: NonZeroU64::MIN, numbering };
        let passes = |numbering| {
            let mut keys = Keys::new(rule(numbering));
            [3, 3, 4, 4, 3].map(|file| keys.pass_to(file))
        };
        assert_eq!(passes(Numbering::Session), [true, false, true, false, true]);
        assert_eq!(passes(Numbering::Timeline), [false; 5]);
    }

    /// The next of a sequence that a seed begins.
    fn random(state: &mut u64, below: u64) -> u64 {
        (*state, _) = state.overflowing_mul(0x5851_f42d_4c95_7f2d);
        *state = state.wrapping_add(1);
        (*state >> 33) % below
    }

    /// A lane whose numbers ascend, come late and begin again, some without a time.
    fn records(seed: u64) -> Vec<Record> {
        let (mut state, mut number, mut now_ms) = (seed, 0, 1_000_000);
        let record = |place: u8| {
            match random(&mut state, 8) {
                0 => number = 0,
                1 => number -= random(&mut state, 3).min(number),
                _ => number += 1,
            }
            now_ms += [100, 2000, 400_000][random(&mut state, 3) as usize];
            let received_unix_ms = (random(&mut state, 3) > 0).then_some(now_ms);
            Record { group_sequence: number, blake3: [place; 32], size_bytes: 1, received_unix_ms }
        };
        (0..60).map(record).collect()
    }

    #[test]
    fn what_is_read_again_has_the_keys_of_the_first_reading_and_spans_have_all_of_it() {
        let rule = EpochRule { groups_per_epoch: NonZeroU64::new(3).unwrap(), numbering: Numbering::Session };
        for seed in 1..100 {
            let (records, mut keys) = (records(seed), Keys::new(rule));
            let lines = || (0..).zip(&records);
            let read = lines().map(|(offset, record)| {
                let before = (keys.segment(), keys.last_ms());
                (before, keys.next(offset, record))
            });
            let read: Vec<_> = read.collect();
            for from in 0..records.len() {
                let (segment, before_ms) = read[from].0;
                let cut = (from..records.len()).find(|&place| read[place].1.1).map(|place| place as u64);
                let mut again = Keys::again(rule, segment, before_ms, cut);
                for ((offset, record), (_, key)) in lines().zip(&read).skip(from) {
                    assert_eq!(again.next(offset, record), *key, "seed {seed}, from {from}, line {offset}");
                }
            }
            let mut expected: Vec<SegmentSpan> = Vec::new();
            for segment in 0..=keys.segment() {
                let of = || read.iter().zip(&records).filter(|((_, (key, _)), _)| key.segment == segment);
                let indexes = || of().map(|((_, (key, _)), _)| key.index);
                let times = || of().filter_map(|(_, record)| record.received_unix_ms);
                expected.push(SegmentSpan {
                    segment,
                    lowest: indexes().min().unwrap(),
                    highest: indexes().max().unwrap(),
                    first_ms: times().min().unwrap_or(u64::MAX),
                    last_ms: times().max().unwrap_or(0),
                });
            }
            assert_eq!(keys.spans(), expected, "seed {seed}");
            assert!(expected.len() > 1, "seed {seed}: numbers never begin again");
        }
    }
}

//! Yields whole epochs in ascending order, in bounded memory, from files in any order.
//!
//! Extents are read in the order of their lowest epoch, so an epoch is whole as soon as every extent that could touch
//! it has been read. In an archive in order that keeps a handful of epochs in memory. Where so many epochs are open at
//! once that they exceed the budget, the upper ones are dropped and gathered in another pass over the extents that
//! hold them: disorder costs time, never memory.

use std::{collections::BTreeMap, ops::RangeInclusive};

use ec_observation::{DerivedEpoch, EpochKey, EpochRecords};

use crate::{
    ArchiveError,
    files::{StreamIndex, TrackPart},
    index::Mark,
};

/// Records held at once, about 100 bytes each, before the upper epochs are put off.
const BUDGET: usize = 1 << 18;

/// What an open epoch costs beside its records: a tree's first node has room for eleven, whether they come or not.
const EPOCH_COST: usize = 8;

/// One epoch, gathered and derived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweptEpoch {
    /// Its records.
    pub records: EpochRecords,
    /// What they say.
    pub derived: DerivedEpoch,
}

/// Iterates over the epochs of a range that have at least one good record.
#[derive(Debug)]
pub struct Sweep<'a> {
    index: &'a StreamIndex,
    last: EpochKey,
    /// Parts still to be read in this pass, by descending lowest epoch, each with its track's place.
    unread: Vec<(usize, TrackPart)>,
    gathered: Gathered,
}

/// The epochs that are being gathered.
#[derive(Debug)]
struct Gathered {
    /// What this pass gathers; the part of the range above it comes in a later pass.
    pass: RangeInclusive<EpochKey>,
    open: BTreeMap<EpochKey, EpochRecords>,
    budget: usize,
    /// What counts against the budget. An epoch that only bad lines touch has no records, but takes its room.
    held: usize,
}

impl Gathered {
    fn take(&mut self, place: usize, mark: Mark) {
        let (Mark::Record(epoch, _) | Mark::Bad(epoch)) = mark;
        if !self.pass.contains(&epoch) {
            return;
        }
        let known = self.open.len();
        let records = self.open.entry(epoch).or_default();
        let before = records.len();
        match mark {
            Mark::Record(_, record) => records.add(place, &record),
            Mark::Bad(_) => records.add_bad_line(),
        }
        self.held += records.len() - before;
        self.held += (self.open.len() - known) * EPOCH_COST;
        self.keep_to_budget();
    }

    /// Puts the upper epochs off to a later pass; the lowest one always stays.
    fn keep_to_budget(&mut self) {
        while self.held > self.budget && self.open.len() > 1 {
            let Some((epoch, records)) = self.open.pop_last() else { return };
            self.held -= records.len() + EPOCH_COST;
            self.pass = *self.pass.start()..=epoch.before().unwrap_or(EpochKey::MIN);
        }
    }

    fn pop_lowest(&mut self) -> Option<(EpochKey, EpochRecords)> {
        let (epoch, records) = self.open.pop_first()?;
        self.held -= records.len() + EPOCH_COST;
        Some((epoch, records))
    }
}

impl<'a> Sweep<'a> {
    /// Sweeps the epochs of `range`.
    pub fn new(index: &'a StreamIndex, range: RangeInclusive<EpochKey>) -> Self {
        Self::with_budget(index, range, BUDGET)
    }

    /// Sweeps every epoch.
    pub fn all(index: &'a StreamIndex) -> Self {
        Self::new(index, EpochKey::MIN..=EpochKey::MAX)
    }

    fn with_budget(index: &'a StreamIndex, range: RangeInclusive<EpochKey>, budget: usize) -> Self {
        let last = *range.end();
        let gathered = Gathered { pass: range, open: BTreeMap::new(), budget, held: 0 };
        let mut sweep = Self { index, last, unread: Vec::new(), gathered };
        sweep.start_pass();
        sweep
    }

    fn start_pass(&mut self) {
        let (low, high) = (*self.gathered.pass.start(), *self.gathered.pass.end());
        let tracks = self.index.tracks().iter().enumerate();
        self.unread = tracks.flat_map(|(place, track)| track.parts(low, high).map(move |part| (place, part))).collect();
        self.unread.sort_by_key(|(_, part)| std::cmp::Reverse(part.extent.touched.map(|(lowest, _)| lowest)));
    }

    /// The next epoch with its records.
    fn advance(&mut self) -> Result<Option<(EpochKey, EpochRecords)>, ArchiveError> {
        loop {
            while let Some((place, part)) = self.next_part() {
                let Self { index, gathered, .. } = self;
                index.tracks()[place].read_part(&part, |mark| gathered.take(place, mark))?;
            }
            if let Some((epoch, records)) = self.gathered.pop_lowest() {
                if !records.is_empty() {
                    return Ok(Some((epoch, records)));
                }
            } else if let Some(next) = self.gathered.pass.end().next().filter(|next| *next <= self.last) {
                self.gathered.pass = next..=self.last;
                self.start_pass();
            } else {
                return Ok(None);
            }
        }
    }

    /// Takes the next part that could touch the lowest open epoch, or open one when none is.
    fn next_part(&mut self) -> Option<(usize, TrackPart)> {
        let lowest_open = self.gathered.open.first_key_value().map(|(&epoch, _)| epoch);
        let bound = lowest_open.unwrap_or(*self.gathered.pass.end());
        self.unread.pop_if(|(_, part)| part.extent.touched.is_some_and(|(lowest, _)| lowest <= bound))
    }
}

impl Iterator for Sweep<'_> {
    type Item = Result<SweptEpoch, ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        let swept = self.advance().transpose()?;
        Some(swept.map(|(epoch, records)| SweptEpoch { derived: self.index.rule().derive(epoch, &records), records }))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, num::NonZeroU64};

    use ec_observation::{EpochRule, Record, StreamRule, Tracks};
    use proptest::prelude::*;

    use super::*;
    use crate::{Archive, FieldNames, index::Grain};

    /// One line of a test file: a record of this sequence and content, half of one, or garbage.
    #[derive(Clone, Debug)]
    enum TestLine {
        Record { sequence: u64, content: u8 },
        Stated { sequence: u64 },
        Garbage,
    }

    fn test_line() -> impl Strategy<Value = TestLine> {
        prop_oneof![
            20 => (0u64..400, 0u8..2).prop_map(|(sequence, content)| TestLine::Record { sequence, content }),
            1 => (0u64..400).prop_map(|sequence| TestLine::Stated { sequence }),
            1 => Just(TestLine::Garbage),
        ]
    }

    fn text(lines: &[TestLine]) -> String {
        // a long unknown field makes a few lines fill an extent
        let filler = "x".repeat(3000);
        let text = |line: &TestLine| match line {
            TestLine::Record { sequence, content } => {
                format!(
                    r#"{{"group_sequence":{sequence},"size_bytes":1,"blake3":"{}","x":"{filler}"}}"#,
                    hash(*content)
                )
            }
            TestLine::Stated { sequence } => format!(r#"{{"group_sequence":{sequence}}}"#),
            TestLine::Garbage => "garbage".into(),
        };
        lines.iter().map(|line| text(line) + "\n").collect()
    }

    fn hash(content: u8) -> String {
        format!("{content:02x}").repeat(32)
    }

    fn key(index: u64) -> EpochKey {
        EpochKey::timeline(index)
    }

    fn rule() -> StreamRule {
        StreamRule {
            tracks: Tracks::new(["a", "b"]).unwrap(),
            epochs: EpochRule::timeline(NonZeroU64::new(3).unwrap()),
            ..StreamRule::new("x")
        }
    }

    /// What protocol §2 says of two files, computed with everything in memory.
    fn expected(files: &[Vec<TestLine>; 2]) -> BTreeMap<u64, EpochRecords> {
        let mut epochs: BTreeMap<u64, EpochRecords> = BTreeMap::new();
        for (track, lines) in files.iter().enumerate() {
            for (at, line) in lines.iter().enumerate() {
                let epoch_of = |line: &TestLine| match line {
                    TestLine::Record { sequence, .. } => Some(sequence / 3),
                    TestLine::Stated { .. } | TestLine::Garbage => None,
                };
                match line {
                    TestLine::Record { sequence, content } => {
                        let record = Record {
                            group_sequence: *sequence,
                            blake3: [*content; 32],
                            size_bytes: 1,
                            received_unix_ms: None,
                        };
                        epochs.entry(sequence / 3).or_default().add(track, &record);
                    }
                    TestLine::Stated { sequence } => epochs.entry(sequence / 3).or_default().add_bad_line(),
                    TestLine::Garbage => {
                        let before = lines[..at].iter().rev().find_map(epoch_of);
                        let after = lines[at..].iter().find_map(epoch_of);
                        for epoch in before.into_iter().chain(after) {
                            epochs.entry(epoch).or_default().add_bad_line();
                        }
                    }
                }
            }
        }
        epochs
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn epochs_come_whole_and_in_order_whatever_the_budget(
            lines in [prop::collection::vec(test_line(), 0..300), prop::collection::vec(test_line(), 0..300)],
            budget in 0usize..2000,
            (extent_len, max_extents) in (1u64..20_000, 2usize..9),
            range in (0u64..150, 0u64..150),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let archive = Archive::at(dir.path());
            fs::create_dir_all(archive.manifests.join("x")).unwrap();
            for (track, lines) in ["a", "b"].iter().zip(&lines) {
                fs::write(archive.manifests.join(format!("x/{track}.jsonl")), text(lines)).unwrap();
            }
            let index = StreamIndex::new(&archive.broadcast("x"), rule(), &FieldNames::default());
            let mut index = index.with_grain(Grain { extent_len, max_extents });
            index.read_on(&mut ()).unwrap();
            let range = range.0..=range.1;
            let swept = Sweep::with_budget(&index, key(*range.start())..=key(*range.end()), budget);
            let swept: Vec<_> = swept.map(|swept| swept.unwrap().derived).collect();
            let expected = expected(&lines).into_iter().filter(|(epoch, records)| range.contains(epoch) && !records.is_empty());
            let expected: Vec<_> = expected.map(|(epoch, records)| rule().derive(key(epoch), &records)).collect();
            prop_assert_eq!(swept, expected);
        }
    }

    #[test]
    fn the_last_epoch_of_all_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let archive = Archive::at(dir.path());
        fs::create_dir_all(archive.manifests.join("x")).unwrap();
        let line = format!(r#"{{"group_sequence":"{}","size_bytes":1,"blake3":"{}"}}"#, u64::MAX, hash(1));
        fs::write(archive.manifests.join("x/a.jsonl"), line + "\n").unwrap();
        let rule = StreamRule { epochs: EpochRule::timeline(NonZeroU64::MIN), ..rule() };
        let index = StreamIndex::read(&archive, "x", rule, &FieldNames::default(), &mut ()).unwrap();
        let epochs: Vec<_> = Sweep::all(&index).map(|swept| swept.unwrap().derived.key).collect();
        assert_eq!(epochs, [key(u64::MAX)]);
    }

    #[test]
    fn epochs_that_only_bad_lines_touch_are_held_to_the_budget() {
        let mut gathered = Gathered { pass: EpochKey::MIN..=EpochKey::MAX, open: BTreeMap::new(), budget: 85, held: 0 };
        (1..1000).rev().for_each(|epoch| gathered.take(0, Mark::Bad(key(epoch))));
        assert_eq!((gathered.open.len(), gathered.held), (10, 80));
        assert_eq!(gathered.pass, key(0)..=key(10));
        while gathered.pop_lowest().is_some() {}
        assert_eq!(gathered.held, 0);
    }
}

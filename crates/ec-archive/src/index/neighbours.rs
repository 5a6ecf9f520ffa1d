//! What a line means for its epochs: its own and, where a bad line says none, those beside it (protocol §2.4).

use ec_observation::{EpochKey, Record};

use super::keys::Keys;
use crate::line::BadLine;

/// What a line means for its epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A good line of this epoch.
    Record(EpochKey, Record),
    /// A bad line makes this epoch incomplete.
    Bad(EpochKey),
}

/// What a stretch of lines must know, and tell, of the lines beside it. It grows line by line, or by a whole stretch. `K`
/// tells epochs apart: a key, or the index alone where there is one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neighbours<K = EpochKey> {
    /// The epoch of the first good line.
    pub(crate) first: Option<K>,
    /// The epoch of the last good line.
    pub(crate) last: Option<K>,
    /// Whether bad lines of unknown epoch stand before the first good line, or are all there is.
    bad_at_start: bool,
    /// Whether bad lines of unknown epoch wait for the next good line.
    pub(crate) waiting: bool,
}

impl<K> Default for Neighbours<K> {
    fn default() -> Self {
        Self { first: None, last: None, bad_at_start: false, waiting: false }
    }
}

impl Neighbours {
    /// The next line, which stands at `offset`; `sink` hears what it means. True when it begins another segment.
    pub(crate) fn mark(
        &mut self,
        offset: u64,
        said: &Result<Record, BadLine>,
        keys: &mut Keys,
        mut sink: impl FnMut(Mark),
    ) -> bool {
        match said {
            Ok(record) => {
                let (epoch, begins) = keys.next(offset, record);
                self.good(epoch, |epoch| sink(Mark::Bad(epoch)));
                sink(Mark::Record(epoch, *record));
                begins
            }
            Err(bad) => {
                let stated = bad.group_sequence.map(|sequence| keys.stated(sequence));
                self.bad(stated, |epoch| sink(Mark::Bad(epoch)));
                false
            }
        }
    }
}

impl<K: Copy> Neighbours<K> {
    /// After a good line of this epoch, if any, and bad ones of unknown epoch, if they are `waiting`.
    pub(crate) fn after(last: Option<K>, waiting: bool) -> Self {
        Self { first: last, last, bad_at_start: false, waiting }
    }

    /// A good line of this epoch, which bad lines that wait for it touch.
    pub(crate) fn good(&mut self, epoch: K, mut touch: impl FnMut(K)) {
        if std::mem::take(&mut self.waiting) {
            touch(epoch);
        }
        self.pass(epoch, epoch);
    }

    /// Good lines, the first and the last of these epochs. No bad line waits for them.
    pub(crate) fn pass(&mut self, first: K, last: K) {
        self.first.get_or_insert(first);
        self.last = Some(last);
    }

    /// A bad line: it touches the epoch that it states, or else those of its neighbours.
    pub(crate) fn bad(&mut self, stated: Option<K>, mut touch: impl FnMut(K)) {
        if let Some(epoch) = stated {
            touch(epoch);
            return;
        }
        self.waiting = true;
        match self.last {
            Some(epoch) => touch(epoch),
            None => self.bad_at_start = true,
        }
    }

    /// So many good lines, and bad ones: of each, how many good ones stand before it, and the epoch that it states. `epoch`
    /// tells those of the good ones.
    pub(crate) fn hear(
        &mut self,
        good: usize,
        bad: impl Iterator<Item = (usize, Option<K>)>,
        epoch: impl Fn(usize) -> K,
        mut touch: impl FnMut(K),
    ) {
        let mut heard = 0;
        let mut go_on = |neighbours: &mut Self, to: usize, touch: &mut dyn FnMut(K)| {
            if heard < to {
                neighbours.good(epoch(heard), touch);
                neighbours.pass(epoch(heard), epoch(to - 1));
                heard = to;
            }
        };
        for (at, stated) in bad {
            go_on(self, at, &mut touch);
            self.bad(stated, &mut touch);
        }
        go_on(self, good, &mut touch);
    }

    /// This stretch and the `next` one. What bad lines at the cut touch beyond it is heard now.
    pub(crate) fn join(self, next: Self, mut touch: impl FnMut(K)) -> Self {
        self.last.filter(|_| next.bad_at_start).into_iter().for_each(&mut touch);
        next.first.filter(|_| self.waiting).into_iter().for_each(&mut touch);
        Self {
            first: self.first.or(next.first),
            last: next.last.or(self.last),
            bad_at_start: self.bad_at_start || self.last.is_none() && next.bad_at_start,
            waiting: next.waiting || self.waiting && next.first.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use ec_observation::EpochRule;
    use proptest::prelude::*;

    use super::*;
    use crate::line::Reason;

    const EPOCHS: EpochRule = EpochRule::timeline(NonZeroU64::new(2).unwrap());

    /// A good line, a bad one that states its sequence, or one that does not.
    fn line() -> impl Strategy<Value = Result<Record, BadLine>> {
        (0..20u64, 0..3u8).prop_map(|(group_sequence, kind)| match kind {
            0 => Ok(Record { group_sequence, blake3: [0; 32], size_bytes: 1, received_unix_ms: None }),
            1 => Err(BadLine { reason: Reason::TooDeep, group_sequence: Some(group_sequence) }),
            _ => Err(BadLine { reason: Reason::TooDeep, group_sequence: None }),
        })
    }

    /// The epochs that bad lines touch, as protocol §2.4 says it: each line is looked at with all others beside it.
    fn touched(lines: &[Result<Record, BadLine>]) -> Vec<u64> {
        let epoch = |line: &Result<Record, BadLine>| Some(EPOCHS.index(line.as_ref().ok()?.group_sequence));
        let mut touched = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            match line {
                Err(BadLine { group_sequence: Some(stated), .. }) => touched.push(EPOCHS.index(*stated)),
                Err(_) => {
                    touched.extend(lines[..at].iter().rev().find_map(epoch));
                    touched.extend(lines[at..].iter().find_map(epoch));
                }
                Ok(_) => {}
            }
        }
        sorted(touched)
    }

    fn sorted(mut epochs: Vec<u64>) -> Vec<u64> {
        epochs.sort_unstable();
        epochs.dedup();
        epochs
    }

    fn read(lines: &[Result<Record, BadLine>], bad: &mut Vec<u64>) -> Neighbours {
        let mut neighbours = Neighbours::default();
        let mut keys = Keys::new(EPOCHS);
        for line in lines {
            neighbours.mark(0, line, &mut keys, |mark| {
                if let Mark::Bad(epoch) = mark {
                    bad.push(epoch.index);
                }
            });
        }
        neighbours
    }

    proptest! {
        #[test]
        fn bad_lines_touch_what_the_protocol_says(lines in proptest::collection::vec(line(), 0..12)) {
            let mut bad = Vec::new();
            read(&lines, &mut bad);
            prop_assert_eq!(sorted(bad), touched(&lines));
        }

        #[test]
        fn lines_are_heard_together_as_one_by_one(lines in proptest::collection::vec(line(), 0..12)) {
            let mut bad = Vec::new();
            let expected = read(&lines, &mut bad);
            let good: Vec<u64> = lines.iter().flatten().map(|record| record.group_sequence).collect();
            let mut before = 0;
            let bad_lines = lines.iter().filter_map(|line| match line {
                Ok(_) => {
                    before += 1;
                    None
                }
                Err(bad) => Some((before, bad.group_sequence.map(|sequence| EpochKey::timeline(EPOCHS.index(sequence))))),
            });
            let (mut found, mut neighbours) = (Vec::new(), Neighbours::default());
            let epoch = |at: usize| EpochKey::timeline(EPOCHS.index(good[at]));
            neighbours.hear(good.len(), bad_lines, epoch, |epoch| found.push(epoch.index));
            prop_assert_eq!(neighbours, expected);
            prop_assert_eq!(sorted(found), sorted(bad));
        }

        #[test]
        fn stretches_join_to_the_whole(lines in proptest::collection::vec(line(), 0..12), cuts in proptest::array::uniform2(0..12usize)) {
            let mut bad = Vec::new();
            let whole = read(&lines, &mut bad);
            let (low, high) = (cuts[0].min(cuts[1]).min(lines.len()), cuts[0].max(cuts[1]).min(lines.len()));
            let mut found = Vec::new();
            let mut joined = Neighbours::default();
            for stretch in [&lines[..low], &lines[low..high], &lines[high..]] {
                let next = read(stretch, &mut found);
                joined = joined.join(next, |epoch: EpochKey| found.push(epoch.index));
            }
            prop_assert_eq!(joined, whole);
            prop_assert_eq!(sorted(found), sorted(bad));
        }
    }
}

//! Cuts a lane's records into segments, in the order of its file, and gives out the epochs that are whole.

use std::collections::BTreeSet;

use ec_observation::{EpochKey, EpochRule, Record, segments::Cutter};

use super::{
    super::{
        disorder::Disorder,
        lines::{Bad, Lines, MAX_BAD_LINES},
    },
    piece::{Part, Piece, Run},
};
use crate::{epochs::marks::OwnMark, index::Neighbours};

/// What was cut so far means for the lines to come.
#[derive(Debug)]
pub(super) struct Cuts {
    epochs: EpochRule,
    /// How far below the highest number records may still come; epochs that lie lower are whole.
    held: u64,
    cutter: Cutter,
    neighbours: Neighbours<EpochKey>,
    /// Epochs that bad lines touch, of those that are not given out.
    bad: BTreeSet<EpochKey>,
    present: Option<Segment>,
}

/// The segment that is being read.
#[derive(Debug, Default)]
struct Segment {
    number: u64,
    /// The first epoch that is not given out.
    first: u64,
    /// The records of those that are not, ascending. The last one is the segment's highest.
    held: Run,
    /// What the epochs that were given out say of its mark.
    own: OwnMark,
    mark: Option<u64>,
}

impl Cuts {
    pub(super) fn new(epochs: EpochRule, held: u64) -> Self {
        let (cutter, neighbours) = (Cutter::default(), Neighbours::default());
        Self { epochs, held, cutter, neighbours, bad: BTreeSet::new(), present: None }
    }

    /// Takes in the next lines of the file; what is whole then.
    pub(super) fn take(&mut self, lines: Lines) -> Result<Piece, Disorder> {
        let Lines { records, disordered, bad, .. } = lines;
        let mut begins = Vec::new();
        self.cutter.take_each(&records, |at| begins.push(at));
        self.touch(&records, &bad, &begins)?;
        let records = Run::of(records);
        let mut parts = Vec::new();
        let mut start = 0;
        for begin in begins {
            parts.extend(self.end(records.within(start..begin), disordered)?);
            let number = self.present.take().map_or(0, |ended| ended.number + 1);
            self.present = Some(Segment { number, ..Segment::default() });
            start = begin;
        }
        parts.extend(self.go_on(records.within(start..records.len()), disordered)?);
        Ok(parts)
    }

    /// What is left, after the last line.
    pub(super) fn finish(&mut self) -> Result<Piece, Disorder> {
        Ok(Vec::from_iter(self.end(Run::default(), false)?))
    }

    /// Notes the epochs that bad lines touch.
    fn touch(&mut self, records: &[Record], bad: &[Bad], begins: &[usize]) -> Result<(), Disorder> {
        let (epochs, before) = (self.epochs, self.present.as_ref().map(|present| present.number));
        // the first record of all begins segment 0
        let first = before.map_or(0, |before| before + 1);
        let key = |at: usize, sequence| {
            let begun = begins.partition_point(|&begin| begin <= at) as u64;
            EpochKey { segment: (first + begun).saturating_sub(1), index: epochs.index(sequence) }
        };
        let stated = |bad: &Bad| {
            // of the segment that is present where it stands: that of the record before it
            let sequence = bad.line.group_sequence?;
            Some(match bad.at.checked_sub(1) {
                Some(at) => key(at, sequence),
                None => EpochKey { segment: before.unwrap_or_default(), index: epochs.index(sequence) },
            })
        };
        let whole = self.present.as_ref().map(|present| EpochKey { segment: present.number, index: present.first });
        let bad = bad.iter().map(|bad| (bad.at, stated(bad)));
        let (mut touched, found) = (Vec::new(), &mut self.bad);
        self.neighbours.hear(records.len(), bad, |at| key(at, records[at].group_sequence), |key| touched.push(key));
        let is_whole = touched.iter().any(|key| Some(*key) < whole);
        found.extend(touched);
        if is_whole || found.len() > MAX_BAD_LINES { Err(Disorder::Order) } else { Ok(()) }
    }

    /// The rest of the present segment, which ends with these records.
    fn end(&mut self, records: Run, disordered: bool) -> Result<Option<Part>, Disorder> {
        let Some(present) = &mut self.present else { return Ok(None) };
        let (before, last) = present.gather(records, disordered, self.epochs)?;
        let after = present.number.checked_add(1).map(|next| EpochKey { segment: next, index: 0 });
        let bad = take_below(&mut self.bad, after);
        let mut part = Part { segment: present.number, mark: None, before, last, bad };
        present.look_for_mark(&part, self.epochs);
        part.mark = present.mark.or(present.own.last());
        Ok(Some(part))
    }

    /// What is whole of the present segment, which goes on with these records.
    fn go_on(&mut self, records: Run, disordered: bool) -> Result<Option<Part>, Disorder> {
        let Some(present) = &mut self.present else { return Ok(None) };
        let (before, last) = present.gather(records, disordered, self.epochs)?;
        let highest = last.last().or(before.last()).map_or(0, |highest| highest.group_sequence);
        present.first = present.first.max(self.epochs.index(highest.saturating_sub(self.held)));
        let is_whole = |record: &Record| self.epochs.index(record.group_sequence) < present.first;
        let whole = [&before, &last].map(|run| run.partition_point(is_whole));
        let ((before, held), (last, more)) = (before.split_at(whole[0]), last.split_at(whole[1]));
        present.held = match (held.is_empty(), more.is_empty()) {
            (true, _) => more,
            (_, true) => held,
            // little was read: too little for all that is held
            (false, false) => Run::of([&*held, &*more].concat()),
        };
        let bad = take_below(&mut self.bad, Some(EpochKey { segment: present.number, index: present.first }));
        let mut part = Part { segment: present.number, mark: None, before, last, bad };
        present.look_for_mark(&part, self.epochs);
        part.mark = present.mark;
        Ok(Some(part))
    }
}

impl Segment {
    /// The records that were held and these, as two runs that ascend one after the other: where they do not, they are put in
    /// order.
    fn gather(&mut self, more: Run, disordered: bool, epochs: EpochRule) -> Result<(Run, Run), Disorder> {
        let held = std::mem::take(&mut self.held);
        let goes_on = held.last().zip(more.first()).is_none_or(|(a, b)| a.group_sequence < b.group_sequence);
        if goes_on && (!disordered || more.is_sorted_by(|a, b| a.group_sequence < b.group_sequence)) {
            return Ok((held, more));
        }
        let mut all = [&*held, &*more].concat();
        all.sort_by_key(|record| record.group_sequence);
        all.dedup_by(|next, kept| {
            let repeats = next.group_sequence == kept.group_sequence;
            if repeats {
                // of one segment, so a duplicate, whose time counts
                let times = [kept.received_unix_ms, next.received_unix_ms];
                kept.received_unix_ms = times.into_iter().flatten().min();
            }
            repeats
        });
        match all.first() {
            Some(lowest) if epochs.index(lowest.group_sequence) < self.first => Err(Disorder::Order),
            _ => Ok((Run::of(all), Run::default())),
        }
    }

    /// Looks for the mark among the epochs that are given out.
    fn look_for_mark(&mut self, part: &Part, epochs: EpochRule) {
        if self.mark.is_none() {
            part.for_each_epoch(epochs, |epoch, _| {
                let found = || self.own.hear(epoch.complete, epoch.first_received_unix_ms);
                self.mark = self.mark.or_else(found);
            });
        }
    }
}

/// Takes the epochs below one out of a set, or all.
fn take_below(set: &mut BTreeSet<EpochKey>, end: Option<EpochKey>) -> BTreeSet<EpochKey> {
    let rest = end.map(|end| set.split_off(&end)).unwrap_or_default();
    std::mem::replace(set, rest)
}

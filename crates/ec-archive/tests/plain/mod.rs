//! A plain model of an archive's epochs and segments, written from the protocol's text alone (§2.4 to §2.6 and §3.7): all is
//! kept in memory and looked at as often as need be. And a writer of lanes that gives it something to do.

#![allow(dead_code)] // Two test programs include it, and one of them needs less of it.

mod publisher;
mod segments;

use std::collections::BTreeMap;

use ec_observation::{DerivedEpoch, EpochKey, EpochRecords, Numbering, Record, StreamRule};

pub(crate) use self::{publisher::Publisher, segments::Segments};

/// What a line that is not blank says: a record, or the sequence that can be read of a bad one.
pub(crate) type Said = Result<Record, Option<u64>>;

/// What a line means for an epoch: its record, or that a bad line touches it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// The line's file.
    pub(crate) file: u64,
    pub(crate) epoch: EpochKey,
    pub(crate) record: Option<Record>,
}

/// What lines mean, each given with its file, in the order in which they are read.
pub(crate) fn marks(rule: &StreamRule, lines: &[(u64, Said)]) -> Vec<Mark> {
    let placed = placed(rule, lines);
    let mut marks = Vec::new();
    for (at, (line, epoch)) in lines.iter().zip(&placed).enumerate() {
        let file = line.0;
        match (line.1, *epoch) {
            (Ok(record), Some(epoch)) => marks.push(Mark { file, epoch, record: Some(record) }),
            (_, Some(epoch)) => marks.push(Mark { file, epoch, record: None }),
            (_, None) => {
                let good = |at: &usize| (lines[*at].0 == file && lines[*at].1.is_ok()).then(|| placed[*at]).flatten();
                let before = (0..at).rev().find_map(|at| good(&at));
                let after = (at..lines.len()).find_map(|at| good(&at));
                let touched = before.into_iter().chain(after);
                marks.extend(touched.map(|epoch| Mark { file, epoch, record: None }));
            }
        }
    }
    marks
}

/// The epoch of each line that states its sequence.
fn placed(rule: &StreamRule, lines: &[(u64, Said)]) -> Vec<Option<EpochKey>> {
    let mut segments = Segments::default();
    let key = |segment, sequence: u64| EpochKey { segment, index: sequence / rule.epochs.groups_per_epoch };
    let mut place = |(_, said): &(u64, Said)| match said {
        Ok(record) if rule.epochs.numbering == Numbering::Session => {
            Some(key(segments.take(record), record.group_sequence))
        }
        Ok(record) => Some(key(0, record.group_sequence)),
        Err(sequence) => sequence.map(|sequence| key(segments.present(), sequence)),
    };
    lines.iter().map(&mut place).collect()
}

/// The records of each epoch that anything touches.
pub(crate) fn epochs<'a>(marks: impl IntoIterator<Item = &'a Mark>) -> BTreeMap<EpochKey, EpochRecords> {
    let mut epochs: BTreeMap<EpochKey, EpochRecords> = BTreeMap::new();
    for Mark { epoch, record, .. } in marks {
        let records = epochs.entry(*epoch).or_default();
        match record {
            Some(record) => records.add(0, record),
            None => records.add_bad_line(),
        }
    }
    epochs
}

/// What an archive at rest shows: its closed epochs with their marks, up to the first that has no time, and whether one has
/// none.
pub(crate) fn at_rest(rule: &StreamRule, lines: &[(u64, Said)]) -> (Vec<(DerivedEpoch, u64)>, bool) {
    let derived: Vec<DerivedEpoch> = epochs(&marks(rule, lines))
        .iter()
        .filter(|(_, records)| !records.is_empty())
        .map(|(key, records)| rule.derive(*key, records))
        .collect();
    let highest = derived.last().map(|last| last.key);
    let mut closed = Vec::new();
    for epoch in derived.iter().filter(|epoch| epoch.complete || Some(epoch.key) < highest) {
        if epoch.time.is_err() {
            return (closed, true);
        }
        let mark = if rule.is_lane() { own_mark(&derived, epoch.key.segment) } else { 0 };
        closed.push((epoch.clone(), mark));
    }
    (closed, false)
}

/// The own time of a segment's first complete epoch, else of its first epoch that has one.
fn own_mark(derived: &[DerivedEpoch], segment: u64) -> u64 {
    let timed = |epoch: &&DerivedEpoch| epoch.key.segment == segment && epoch.time.is_ok();
    let complete = derived.iter().filter(timed).find(|epoch| epoch.complete);
    complete.or_else(|| derived.iter().find(timed)).and_then(|epoch| epoch.time.clone().ok()).unwrap_or_default()
}

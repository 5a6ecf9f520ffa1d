//! The segments of a lane: where its numbers begin anew (protocol §2.5).
//!
//! What decides is the lane's order and its own receive times. Memory is bounded: of a segment only the records of the last
//! [`WINDOW_MS`] are remembered, and of those no more than [`REMEMBERED`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::records::{Object, Record};

/// How long after a record others may still come that belong before it: W of protocol §2.5.
pub const WINDOW_MS: u64 = 20_000;

/// How far below the lowest number of a segment a record may lie: a late subscriber's backlog comes in disorder.
pub const BELOW: u64 = 64;

/// Records that are remembered at most.
pub const REMEMBERED: usize = 65_536;

/// Cuts the good records of a lane, taken in its order, into segments. It is as it was when it is read back from what serde
/// wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segments {
    /// The number of the present segment.
    number: u64,
    /// The time of the last record.
    time: u64,
    present: Option<Segment>,
}

impl Segments {
    /// Takes the lane's next good record and tells its segment, from 0.
    pub fn take(&mut self, record: &Record) -> u64 {
        self.time = record.received_unix_ms.unwrap_or(self.time);
        let (number, taken) = (record.group_sequence, Taken { time: self.time, object: record.into() });
        match &mut self.present {
            None => self.present = Some(Segment::of(number, taken)),
            Some(segment) => {
                if !segment.take(number, taken) {
                    *segment = Segment::of(number, taken);
                    self.number += 1;
                }
            }
        }
        self.number
    }

    /// The number of the segment that the last record belongs to; `None` before the first record.
    pub fn present(&self) -> Option<u64> {
        self.present.as_ref().map(|_| self.number)
    }
}

/// A record by which others are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Taken {
    time: u64,
    object: Object,
}

impl Taken {
    fn is_repeated_by(&self, other: &Self) -> bool {
        self.object == other.object && self.time.abs_diff(other.time) <= WINDOW_MS
    }
}

/// Whether `time` is no more than W after `other`. Where a clock was set back it is.
fn within_window(time: u64, other: u64) -> bool {
    time.saturating_sub(other) <= WINDOW_MS
}

/// The present segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Segment {
    lowest: u64,
    highest: u64,
    /// When its first record was received.
    first_time: u64,
    latest_time: u64,
    remembered: Remembered,
}

impl Segment {
    fn of(number: u64, taken: Taken) -> Self {
        let mut remembered = Remembered::default();
        remembered.add(number, taken, None);
        let time = taken.time;
        Self { lowest: number, highest: number, first_time: time, latest_time: time, remembered }
    }

    /// Takes a record, if it belongs.
    fn take(&mut self, number: u64, taken: Taken) -> bool {
        let belongs = if number > self.highest {
            self.remembered.add(number, taken, Some(self.highest));
            self.highest = number;
            true
        } else if number < self.lowest {
            self.take_below(number, taken)
        } else if let Some(known) = self.remembered.get(number) {
            known.is_repeated_by(&taken)
        } else {
            self.take_between(number, taken)
        };
        if belongs {
            self.latest_time = self.latest_time.max(taken.time);
            self.remembered.forget(self.latest_time);
        }
        belongs
    }

    /// Rule 5.
    fn take_below(&mut self, number: u64, taken: Taken) -> bool {
        let belongs = self.lowest - number <= BELOW && within_window(taken.time, self.first_time);
        if belongs {
            self.remembered.set_lower(self.lowest, number);
            self.remembered.add(number, taken, None);
            self.lowest = number;
        }
        belongs
    }

    /// Rule 4, and rule 2 for a number that is there but forgotten: it does not lie in the hole below a remembered record.
    fn take_between(&mut self, number: u64, taken: Taken) -> bool {
        let Some((above, time, lower)) = self.remembered.above(number) else { return false };
        let belongs = lower.is_some_and(|lower| number > lower) && within_window(taken.time, time);
        if belongs {
            self.remembered.set_lower(above, number);
            self.remembered.add(number, taken, lower);
        }
        belongs
    }
}

/// The records of a segment that are remembered. One that is forgotten never comes back: another one of its number begins a
/// new segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    /// By number, each with the next lower number that is there, remembered or not.
    records: BTreeMap<u64, (Taken, Option<u64>)>,
    /// Time and number of each.
    by_time: BTreeSet<(u64, u64)>,
    /// The numbers in the order in which they were taken; some may be forgotten.
    by_taking: VecDeque<u64>,
}

impl Remembered {
    fn get(&self, number: u64) -> Option<&Taken> {
        self.records.get(&number).map(|(taken, _)| taken)
    }

    /// The next higher record that is remembered: number, time, and the next lower number that is there.
    fn above(&self, number: u64) -> Option<(u64, u64, Option<u64>)> {
        self.records.range(number..).next().map(|(&above, (taken, lower))| (above, taken.time, *lower))
    }

    fn set_lower(&mut self, number: u64, lower: u64) {
        if let Some((_, known)) = self.records.get_mut(&number) {
            *known = Some(lower);
        }
    }

    fn add(&mut self, number: u64, taken: Taken, lower: Option<u64>) {
        self.records.insert(number, (taken, lower));
        self.by_time.insert((taken.time, number));
        self.by_taking.push_back(number);
    }

    /// Forgets what was received more than W before the latest time, and of the rest all but the last taken.
    fn forget(&mut self, latest_time: u64) {
        while let Some(&(time, number)) = self.by_time.first().filter(|(time, _)| !within_window(latest_time, *time)) {
            self.by_time.remove(&(time, number));
            self.records.remove(&number);
        }
        while self.records.len() > REMEMBERED {
            let Some(number) = self.by_taking.pop_front() else { break };
            if let Some((taken, _)) = self.records.remove(&number) {
                self.by_time.remove(&(taken.time, number));
            }
        }
        let Self { records, by_taking, .. } = self;
        while by_taking.pop_front_if(|number| !records.contains_key(number)).is_some() {}
        if by_taking.len() > 2 * REMEMBERED {
            by_taking.retain(|number| records.contains_key(number));
        }
    }
}

#[cfg(test)]
mod tests;

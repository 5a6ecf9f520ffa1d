//! Where the records of a lane are cut into segments (protocol §2.5).
//!
//! A relay hands on numbers that begin at 0 with every start of the publisher, and hands some of them on late. [`Cutter`]
//! hears the good records of a lane in their order and tells of each whether it begins another segment. What it remembers
//! of a segment is bounded, however long the segment is.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::records::{Object, Record};

/// How much later than its neighbours a record of the same segment may be received, milliseconds: W of protocol §2.5.
pub const SPREAD_MS: u64 = 20_000;

/// How far below the lowest sequence of a segment its first records may lie.
pub const BACKLOG: u64 = 64;

/// Records of a segment that are remembered at most.
pub const REMEMBERED: usize = 1 << 16;

/// What a record is in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It belongs to the segment of the record before it, or repeats one that does.
    Belongs,
    /// It begins the first segment, or another one.
    Begins,
}

/// Cuts the records of a lane into segments, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cutter {
    /// The present segment; `None` before the first record.
    segment: Option<Segment>,
    /// The time of the last record by which it was cut.
    last_ms: u64,
}

/// The segment that is being read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Segment {
    lowest: u64,
    highest: u64,
    /// When its first record was received.
    first_ms: u64,
    /// The latest time in it.
    latest_ms: u64,
    /// What is remembered, by ascending sequence. Some of it may be forgotten in truth, and is left until it is met.
    remembered: VecDeque<Remembered>,
    /// The sequences of that in the order in which they were taken.
    taken: VecDeque<u64>,
}

/// A record that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    sequence: u64,
    received_ms: u64,
    object: Object,
    /// The next lower sequence that is there, remembered or not; `None` for the lowest.
    below: Option<u64>,
}

impl Cutter {
    /// Hears the next good record of the lane.
    pub fn take(&mut self, record: &Record) -> Cut {
        let received_ms = record.received_unix_ms.unwrap_or(self.last_ms);
        self.last_ms = received_ms;
        if let Some(segment) = &mut self.segment
            && segment.take(record, received_ms)
        {
            return Cut::Belongs;
        }
        self.segment = Some(Segment::beginning_with(record, received_ms));
        Cut::Begins
    }

    /// Hears the next good records of the lane; `begins` is told the place of each that begins a segment. The same as
    /// [`Self::take`] of one after the other, and faster where they ascend.
    pub fn take_each(&mut self, records: &[Record], mut begins: impl FnMut(usize)) {
        let mut at = 0;
        loop {
            if let Some(segment) = &mut self.segment {
                (at, self.last_ms) = segment.take_ascending(records, at, self.last_ms);
            }
            let Some(record) = records.get(at) else { return };
            if self.take(record) == Cut::Begins {
                begins(at);
            }
            at += 1;
        }
    }

    /// A cutter for which the next record begins a segment, after a record of this time.
    pub fn after(last_ms: u64) -> Self {
        Self { segment: None, last_ms }
    }

    /// Passes by a record of which it is known where it belongs.
    pub fn pass(&mut self, record: &Record) {
        self.last_ms = record.received_unix_ms.unwrap_or(self.last_ms);
    }

    /// The highest sequence of the present segment; `None` before its first record.
    pub fn highest(&self) -> Option<u64> {
        self.segment.as_ref().map(|segment| segment.highest)
    }

    /// The time by which the last record was cut; 0 before the first.
    pub fn last_ms(&self) -> u64 {
        self.last_ms
    }
}

impl Segment {
    fn beginning_with(record: &Record, received_ms: u64) -> Self {
        let sequence = record.group_sequence;
        let mut begun = Self {
            lowest: sequence,
            highest: sequence,
            first_ms: received_ms,
            latest_ms: received_ms,
            remembered: VecDeque::new(),
            taken: VecDeque::new(),
        };
        begun.push(record, received_ms, None);
        begun
    }

    /// Takes a record in that belongs to the segment or repeats one of it; false for one that does not. The numbers in the
    /// comments are the rules'.
    fn take(&mut self, record: &Record, received_ms: u64) -> bool {
        let sequence = record.group_sequence;
        let is_soon = |before_ms: u64| received_ms.saturating_sub(before_ms) <= SPREAD_MS;
        // 3.
        if sequence > self.highest {
            self.ascend(record, received_ms);
            return true;
        }
        let at = self.remembered.partition_point(|known| known.sequence < sequence);
        let above = self.remembered.get(at).copied().filter(|known| !self.has_forgotten(known));
        // 2. a record that is there, but not remembered, is no duplicate
        if let Some(known) = above.filter(|known| known.sequence == sequence) {
            let is_duplicate =
                known.object == Object::from(record) && known.received_ms.abs_diff(received_ms) <= SPREAD_MS;
            if is_duplicate {
                self.pass(received_ms);
            }
            return is_duplicate;
        }
        // 5.
        if sequence < self.lowest {
            let belongs = sequence.saturating_add(BACKLOG) >= self.lowest && is_soon(self.first_ms);
            if belongs {
                let lowest = std::mem::replace(&mut self.lowest, sequence);
                self.insert(at, record, received_ms, None, lowest);
            }
            return belongs;
        }
        // 4. the next higher one that is remembered is the next higher one that is there, if the sequence lies in the hole
        // right below it
        let in_its_hole = |above: &Remembered| above.below.is_some_and(|below| below < sequence);
        let Some(above) = above.filter(in_its_hole).filter(|above| is_soon(above.received_ms)) else { return false };
        self.insert(at, record, received_ms, above.below, above.sequence);
        true
    }

    /// Takes in the records from the place `at` on that ascend above all others, which belong by rule 3. Returns the place
    /// of the first that does not, and the time by which the last one was cut.
    fn take_ascending(&mut self, records: &[Record], at: usize, last_ms: u64) -> (usize, u64) {
        let (mut highest, mut latest_ms, mut now_ms) = (self.highest, self.latest_ms, last_ms);
        let ascends = |record: &&Record| std::mem::replace(&mut highest, record.group_sequence) < record.group_sequence;
        let mut count = 0;
        for record in records[at..].iter().take_while(ascends) {
            now_ms = record.received_unix_ms.unwrap_or(now_ms);
            latest_ms = latest_ms.max(now_ms);
            count += 1;
        }
        let records = &records[at..at + count];
        // what is forgotten by its time at the end need not be remembered before, unless others might be forgotten by
        // their number meanwhile
        let remembers_all = self.taken.len() + count <= REMEMBERED;
        let mut before_ms = last_ms;
        for record in records {
            before_ms = record.received_unix_ms.unwrap_or(before_ms);
            if remembers_all && latest_ms.saturating_sub(before_ms) > SPREAD_MS {
                self.highest = record.group_sequence;
            } else {
                self.ascend(record, before_ms);
            }
        }
        self.pass(latest_ms);
        (at + count, now_ms)
    }

    /// Takes a record in above all others.
    fn ascend(&mut self, record: &Record, received_ms: u64) {
        let below = std::mem::replace(&mut self.highest, record.group_sequence);
        self.push(record, received_ms, Some(below));
    }

    /// Puts a record in below the one with the sequence `above`, if that is remembered.
    fn insert(&mut self, at: usize, record: &Record, received_ms: u64, below: Option<u64>, above: u64) {
        let sequence = record.group_sequence;
        if let Some(above) = self.remembered.get_mut(at).filter(|known| known.sequence == above) {
            above.below = Some(sequence);
        }
        self.remembered.insert(at, Remembered { sequence, received_ms, object: Object::from(record), below });
        self.taken.push_back(sequence);
        self.pass(received_ms);
    }

    /// Puts a record in above all others.
    fn push(&mut self, record: &Record, received_ms: u64, below: Option<u64>) {
        let sequence = record.group_sequence;
        self.remembered.push_back(Remembered { sequence, received_ms, object: Object::from(record), below });
        self.taken.push_back(sequence);
        self.pass(received_ms);
    }

    /// Whether a record was received too long before the latest one to be remembered.
    fn has_forgotten(&self, known: &Remembered) -> bool {
        self.latest_ms.saturating_sub(known.received_ms) > SPREAD_MS
    }

    /// Notes a time, and lets go of what is forgotten.
    fn pass(&mut self, received_ms: u64) {
        self.latest_ms = self.latest_ms.max(received_ms);
        while self.taken.front().is_some_and(|&first| self.get(first).is_none_or(|first| self.has_forgotten(first))) {
            self.forget_first();
        }
        if self.taken.len() > REMEMBERED {
            // what is forgotten by its time does not count among the last that were taken
            let latest_ms = self.latest_ms;
            self.remembered.retain(|known| latest_ms.saturating_sub(known.received_ms) <= SPREAD_MS);
            let remembered = &self.remembered;
            self.taken.retain(|&sequence| find(remembered, sequence).is_ok());
            while self.taken.len() > REMEMBERED {
                self.forget_first();
            }
        }
    }

    fn get(&self, sequence: u64) -> Option<&Remembered> {
        // what was taken first is the lowest as long as records come in order
        let first = self.remembered.front().filter(|first| first.sequence == sequence);
        first.or_else(|| self.remembered.get(find(&self.remembered, sequence).ok()?))
    }

    fn forget_first(&mut self) {
        let Some(first) = self.taken.pop_front() else { return };
        if let Ok(at) = find(&self.remembered, first) {
            self.remembered.remove(at);
        }
    }
}

fn find(remembered: &VecDeque<Remembered>, sequence: u64) -> Result<usize, usize> {
    remembered.binary_search_by_key(&sequence, |known| known.sequence)
}

#[cfg(test)]
mod tests;

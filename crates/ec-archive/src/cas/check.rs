//! Compares a store with the index that names its objects.
//!
//! Every object that the index names is hashed again. Memory does not grow with the archive: the index is read several
//! times, each round keeping only the records of a part of the hash space and of the sequence numbers.

mod finding;
mod round;

use std::{error::Error, num::NonZeroUsize};

use ec_observation::Numbering;
use serde::Serialize;

pub use self::finding::{Entry, Finding};
use self::round::Round;
use super::{Cas, CasError};

/// The records one round keeps; at roughly 200 bytes each, about 200 MiB.
const RECORDS_PER_ROUND: u64 = 1 << 20;

/// More rounds than object directories would leave rounds without objects. Above 2^28 records memory grows again.
const MAX_ROUNDS: u64 = 256;

/// Why a check could not be made, as opposed to what it found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The index could not be read.
    #[error("cannot read the index")]
    Index(#[source] Box<dyn Error + Send + Sync>),
    /// The store could not be listed.
    #[error(transparent)]
    Cas(#[from] CasError),
}

/// One thing an index holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexLine {
    /// A good record.
    Entry(Entry),
    /// A complete line that is no record.
    Bad {
        /// The index file, as the reader names it.
        file: String,
        /// The line's number in the file, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// An index that can be read several times. Lines that are appended between two readings do no harm.
pub trait Index {
    /// Hands every complete line to `visit`, in any order.
    ///
    /// # Errors
    ///
    /// Whatever keeps the index from being read; the check ends with it.
    fn for_each(&self, visit: &mut dyn FnMut(IndexLine)) -> Result<(), Box<dyn Error + Send + Sync>>;
}

/// How far a check has come; all counts are since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordsDone {
    /// Records whose object was judged in the rounds that are over.
    pub records: u64,
    /// Records in the index.
    pub of_records: u64,
}

/// What a whole check found. `conflicts` and `unreferenced` are `None` where they were not looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct CheckTotals {
    pub ok: bool,
    pub records: u64,
    pub objects: u64,
    pub bytes: u64,
    pub missing: u64,
    pub size_differs: u64,
    pub hash_differs: u64,
    pub unreadable: u64,
    pub conflicts: Option<u64>,
    pub bad_lines: u64,
    pub unreferenced: Option<u64>,
}

impl CheckTotals {
    fn count(&mut self, finding: &Finding) {
        let counter = match finding {
            Finding::Missing { .. } => &mut self.missing,
            Finding::SizeDiffers { .. } => &mut self.size_differs,
            Finding::HashDiffers { .. } => &mut self.hash_differs,
            Finding::Unreadable { .. } => &mut self.unreadable,
            Finding::Conflict { .. } => self.conflicts.get_or_insert(0),
            Finding::BadLine { .. } => &mut self.bad_lines,
            Finding::Unreferenced { .. } => self.unreferenced.get_or_insert(0),
        };
        *counter += 1;
        self.ok &= !finding.is_problem();
    }
}

/// What to check, and how.
#[derive(Clone, Copy, Debug)]
pub struct ObjectCheck<'a> {
    /// The store.
    pub cas: &'a Cas,
    /// Threads that hash objects.
    pub jobs: NonZeroUsize,
    /// How groups are numbered. By [`Numbering::Session`] another start of the publisher gives a number again, so only
    /// by [`Numbering::Timeline`] are two contents of one number a conflict.
    pub numbering: Numbering,
    /// Whether objects that no record names are listed; only right if the index is the store's whole index.
    pub unreferenced: bool,
}

impl ObjectCheck<'_> {
    /// Checks the store against `index`, handing each finding to `report` in an order that depends on the archive alone.
    /// `progress` is called from the hashing threads.
    ///
    /// # Errors
    ///
    /// [`CheckError`] if index or store cannot be read, and whatever `report` returns. A damaged archive is no error.
    pub fn run<E: From<CheckError>>(
        &self,
        index: &dyn Index,
        mut report: impl FnMut(&Finding) -> Result<(), E>,
        progress: &(dyn Fn(RecordsDone) + Sync),
    ) -> Result<CheckTotals, E> {
        let records = count_records(index)?;
        let rounds = rounds_for(records);
        let conflicts = (self.numbering == Numbering::Timeline).then_some(0);
        let unreferenced = self.unreferenced.then_some(0);
        let mut totals = CheckTotals { ok: true, records, conflicts, unreferenced, ..CheckTotals::default() };
        for number in 0..rounds {
            let mut round = Round::gather(index, self.numbering, number, rounds)?;
            totals.objects += round.object_count();
            let mut findings = round.take_findings();
            if self.unreferenced {
                findings.extend(round.unreferenced(self.cas).map_err(CheckError::from)?);
            }
            let at_start = RecordsDone { records: records * number / rounds, of_records: records };
            let verified = round.verify(self.cas, self.jobs, &|done, of| progress(at_start.advance(rounds, done, of)));
            totals.bytes += verified.bytes;
            findings.extend(verified.findings);
            for finding in &findings {
                totals.count(finding);
                report(finding)?;
            }
        }
        Ok(totals)
    }
}

impl RecordsDone {
    /// `done` of `of` objects of one of `rounds` rounds further.
    fn advance(self, rounds: u64, done: u64, of: u64) -> Self {
        let share = u128::from(self.of_records) * u128::from(done) / u128::from(rounds) / u128::from(of.max(1));
        let records = self.records + u64::try_from(share).unwrap_or(u64::MAX);
        Self { records: records.min(self.of_records), ..self }
    }
}

fn count_records(index: &dyn Index) -> Result<u64, CheckError> {
    let mut records = 0;
    let counted = index.for_each(&mut |line| records += u64::from(matches!(line, IndexLine::Entry(_))));
    counted.map(|()| records).map_err(CheckError::Index)
}

/// The smallest power of two of rounds that keeps each within its memory, at most one per object directory.
fn rounds_for(records: u64) -> u64 {
    records.div_ceil(RECORDS_PER_ROUND).max(1).next_power_of_two().min(MAX_ROUNDS)
}

#[cfg(test)]
mod tests;

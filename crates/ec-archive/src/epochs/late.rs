//! Whether records that came late explain why an archive differs from what was voted for.

use ec_observation::{ContentHash, EpochKey, EpochRecords, Record};

use crate::{ArchiveError, files::StreamIndex};

/// Late records that are tried; more of them explain nothing.
const MAX_LATE: usize = 512;

/// How many of an epoch's records, all received after `closed_unix_ms` and the last ones to come, must be left out
/// for the rest to have the content `voted`, named by the mark of its session; `None` when no number does.
///
/// # Errors
///
/// The archive cannot be read.
pub fn late_records(
    index: &StreamIndex,
    epoch: EpochKey,
    closed_unix_ms: u64,
    voted: ContentHash,
    mark: u64,
) -> Result<Option<usize>, ArchiveError> {
    let mut records: Vec<(usize, Record)> = Vec::new();
    index.for_each_record(epoch, |track, record| records.push((track, record)))?;
    records.sort_by_key(|(_, record)| record.received_unix_ms);
    let is_late = |(_, record): &(usize, Record)| record.received_unix_ms.is_some_and(|ms| ms > closed_unix_ms);
    let late = records.iter().rev().take_while(|record| is_late(record)).count();
    let left_out = (1..=late.min(MAX_LATE))
        .find(|&left_out| content(index, (epoch, mark), &records[..records.len() - left_out]) == Some(voted));
    Ok(left_out)
}

fn content(index: &StreamIndex, (epoch, mark): (EpochKey, u64), records: &[(usize, Record)]) -> Option<ContentHash> {
    let mut set = EpochRecords::default();
    records.iter().for_each(|(track, record)| set.add(*track, record));
    let derived = index.rule().derive(epoch, &set);
    Some(index.rule().name(derived, mark).ok()?.content?.hash())
}

//! What the store's votes cost on the disk, and what a year of the present rate will.

use std::collections::HashSet;

use serde::Serialize;

use super::{StoreError, VoteStore, standing, unix_ms};

/// Within what time votes are counted, milliseconds.
const DAY_MS: i64 = 86_400_000;
/// The least time by which a rate is told, milliseconds: within a shorter one those of a start count as if they went on.
const HOUR_MS: i64 = 3_600_000;
const YEAR_DAYS: f64 = 365.0;
/// The most votes that are counted, the newest ones: where there are more within a day, the rate is theirs.
const MOST_COUNTED: usize = 100_000;
/// What a compacted vote takes, bytes: slot and content as text, and the slot once more in its index.
const COMPACTED_BYTES: u64 = 240;

/// What the store costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Growth {
    /// Slots voted on, ever.
    pub votes: i64,
    /// Those of them that are compacted.
    pub compacted_votes: i64,
    /// Bytes of the store's file.
    pub size_bytes: u64,
    /// Bytes of a vote that is not compacted; 0 where there is none.
    pub bytes_per_vote: u64,
    /// Streams that were voted on within the last day.
    pub streams: usize,
    /// Votes in a day at the present rate, those that were cast elsewhere left out; `None` where it cannot be told yet.
    pub votes_per_day: Option<f64>,
    /// Bytes that a year adds at that rate.
    pub bytes_per_year: Option<u64>,
    /// The same for one stream.
    pub bytes_per_year_per_stream: Option<u64>,
}

/// Votes that were counted: how many, of how many streams, within what time.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    votes: usize,
    streams: usize,
    within_ms: i64,
}

impl Growth {
    /// Of a file of so many bytes, by what was counted of the newest votes.
    fn of(votes: i64, compacted_votes: i64, size_bytes: u64, counted: Counted) -> Self {
        let whole = u64::try_from(votes - compacted_votes).unwrap_or_default();
        let of_compacted = u64::try_from(compacted_votes).unwrap_or_default().saturating_mul(COMPACTED_BYTES);
        let bytes_per_vote = size_bytes.saturating_sub(of_compacted).checked_div(whole).unwrap_or_default();
        let tells = counted.within_ms >= HOUR_MS || counted.votes >= MOST_COUNTED && counted.within_ms > 0;
        let votes_per_day = tells.then(|| counted.votes as f64 * DAY_MS as f64 / counted.within_ms as f64);
        let bytes_per_year = votes_per_day.map(|votes| (votes * YEAR_DAYS * bytes_per_vote as f64) as u64);
        let bytes_per_year_per_stream = bytes_per_year.and_then(|bytes| bytes.checked_div(counted.streams as u64));
        Self {
            votes,
            compacted_votes,
            size_bytes,
            bytes_per_vote,
            streams: counted.streams,
            votes_per_day,
            bytes_per_year,
            bytes_per_year_per_stream,
        }
    }
}

impl VoteStore {
    /// What the store costs.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn growth(&self) -> Result<Growth, StoreError> {
        let db = &self.connection;
        let votes = db.query_row(standing::VOTES, [], |row| row.get(0))?;
        let compacted = db.query_row("SELECT COALESCE(MAX(votes), 0) FROM compaction", [], |row| row.get(0))?;
        let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let size_bytes = u64::try_from(pragma("page_count")?.saturating_mul(pragma("page_size")?)).unwrap_or_default();
        Ok(Growth::of(votes, compacted, size_bytes, self.counted(unix_ms())?))
    }

    /// Counts the votes of the last day, or since the first one where that is later, and nothing is older.
    fn counted(&self, now_ms: i64) -> Result<Counted, StoreError> {
        let newest = "SELECT h.recorded_unix_ms, substr(h.header, 3, 64) FROM headers h
                      WHERE h.carried = 0 OR EXISTS (
                          SELECT 1 FROM ballots b JOIN transactions t ON t.id = b.transaction_id
                          WHERE b.observation = h.observation AND t.state <> 'adopted')
                      ORDER BY h.id DESC LIMIT ?1";
        let mut statement = self.connection.prepare(newest)?;
        let mut rows = statement.query([MOST_COUNTED as i64])?;
        let (mut votes, mut streams, mut first_ms) = (0, HashSet::new(), now_ms);
        while let Some(row) = rows.next()? {
            let (recorded_ms, stream): (i64, String) = (row.get(0)?, row.get(1)?);
            if now_ms.saturating_sub(recorded_ms) > DAY_MS {
                first_ms = now_ms.saturating_sub(DAY_MS);
                break;
            }
            (votes, first_ms) = (votes + 1, recorded_ms.min(first_ms));
            streams.insert(stream);
        }
        Ok(Counted { votes, streams: streams.len(), within_ms: now_ms.saturating_sub(first_ms) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_costs_what_a_vote_does_as_often_as_one_is_cast() {
        let counted = Counted { votes: 1440, streams: 2, within_ms: DAY_MS / 2 };
        let growth = Growth::of(1000, 0, 2_000_000, counted);
        assert_eq!((growth.bytes_per_vote, growth.votes_per_day), (2000, Some(2880.0)));
        assert_eq!(growth.bytes_per_year, Some(2880 * 365 * 2000));
        assert_eq!(growth.bytes_per_year_per_stream, Some(1440 * 365 * 2000));
        let just_begun = Counted { within_ms: HOUR_MS - 1, ..counted };
        assert_eq!(Growth::of(1000, 0, 2_000_000, just_begun).votes_per_day, None);
        let many = Counted { votes: MOST_COUNTED, ..just_begun };
        assert!(Growth::of(1000, 0, 2_000_000, many).votes_per_day.is_some());
        let compacted = Growth::of(1000, 900, 2_000_000, counted);
        assert_eq!(compacted.bytes_per_vote, (2_000_000 - 900 * COMPACTED_BYTES) / 100, "of those that are not");
        let fresh = Growth::of(0, 0, 100_000, Counted::default());
        assert_eq!((fresh.bytes_per_vote, fresh.bytes_per_year), (0, None));
        let silent = Growth::of(10, 0, 20_000, Counted { within_ms: DAY_MS, ..Counted::default() });
        assert_eq!((silent.bytes_per_year, silent.bytes_per_year_per_stream), (Some(0), None));
    }
}

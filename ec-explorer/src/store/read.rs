//! What is asked of the database.

use std::collections::{BTreeMap, HashMap};

use alloy::primitives::{Address, B256};
use ec_observation::{ObservationHash, ObservationHeader, SlotId, StreamHash, StreamRule};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};

use super::{DISPUTED_AFTER_MS, EpochWord, StoreError, hash_of, header_of, int, key_of, ledger, rules, uint};

/// The state of a slot as a number; the first parameter is the time before which an undecided slot is disputed.
const STATE: &str = "CASE WHEN final_block IS NOT NULL THEN CASE WHEN differing > 0 THEN 3 ELSE 0 END
 WHEN candidates = 0 THEN 4 WHEN contents > 1 OR first_ms < ?1 THEN 2 ELSE 1 END";

/// The columns of a [`SlotRow`].
const SLOT: &str =
    "id, hash, stream, sequence, mark, idx, observed_ms, first_ms, candidates, contents, votes, final_candidate,
 final_block, final_index, final_ms, final_tx, equal, differing, incomplete";

/// One view of the database.
#[derive(Debug)]
pub struct Reader<'a> {
    sql: &'a Connection,
}

/// A stream.
#[derive(Clone, Debug)]
pub struct StreamRow {
    /// Its number here.
    pub id: i64,
    /// Its hash.
    pub hash: StreamHash,
    /// Its rule, where an archive told it.
    pub rule: Option<StreamRule>,
    /// The broadcast, where an archive told it.
    pub broadcast: Option<String>,
    /// The archives that have it.
    pub archives: Vec<String>,
}

/// A slot.
#[derive(Clone, Debug)]
pub struct SlotRow {
    /// Its number here.
    pub id: i64,
    /// Its hash.
    pub hash: SlotId,
    /// Its stream's number here.
    pub stream: i64,
    /// The number in its headers.
    pub sequence: u64,
    /// Its session's mark and its index there, in a lane.
    pub session: Option<(u64, u64)>,
    /// The observed time.
    pub observed_ms: u64,
    /// When its first candidate was proposed.
    pub first_ms: Option<u64>,
    /// How many candidates.
    pub candidates: u32,
    /// Of how many contents.
    pub contents: u32,
    /// Votes for the final one, else the most.
    pub votes: u32,
    /// What is final.
    pub final_row: Option<FinalRow>,
    /// Archives with the final content, else with any.
    pub equal: u32,
    /// Archives that have the whole epoch, with another one.
    pub differing: u32,
    /// Archives that do not have the whole epoch.
    pub incomplete: u32,
}

/// What is final in a slot.
#[derive(Clone, Copy, Debug)]
pub struct FinalRow {
    /// The candidate.
    pub candidate: i64,
    /// The block.
    pub block: u64,
    /// Its time.
    pub ms: u64,
    /// The transaction.
    pub transaction: Option<B256>,
}

/// A candidate.
#[derive(Clone, Debug)]
pub struct CandidateRow {
    /// Its number here.
    pub id: i64,
    /// Its hash.
    pub hash: ObservationHash,
    /// Its header.
    pub header: ObservationHeader,
    /// The proposer's seat.
    pub proposer: i64,
    /// The block.
    pub block: u64,
    /// Its time.
    pub ms: u64,
    /// The transaction.
    pub transaction: Option<B256>,
}

/// A vote.
#[derive(Clone, Debug)]
pub struct VoteRow {
    /// The slot.
    pub slot: i64,
    /// The seat.
    pub seat: i64,
    /// The address that cast it.
    pub address: i64,
    /// How: 0 by a proposal, 1 by an attestation, 2 by a move.
    pub kind: i64,
    /// The candidate.
    pub candidate: i64,
    /// The one that it left.
    pub from: Option<i64>,
    /// The block.
    pub block: u64,
    /// The log's index there.
    pub log_index: u64,
    /// The block's time.
    pub ms: u64,
    /// The transaction.
    pub transaction: Option<B256>,
}

/// What an archive has of a slot.
#[derive(Clone, Debug)]
pub struct EpochOfSlot {
    /// The stream in the archive.
    pub source: i64,
    /// The archive.
    pub archive: String,
    /// The segment.
    pub segment: u64,
    /// The index.
    pub index: u64,
    /// How it is.
    pub word: EpochWord,
    /// Its records.
    pub leaves: u64,
    /// The root.
    pub root: Option<B256>,
    /// Its own time.
    pub observed_ms: Option<u64>,
}

/// An address, and whose it is.
#[derive(Clone, Copy, Debug)]
pub struct AddressRow {
    /// Its number here.
    pub id: i64,
    /// It.
    pub address: Address,
    /// The seat: the number of its first address.
    pub seat: i64,
    /// The block since which it has the seat.
    pub since: u64,
}

/// A stream in an archive.
#[derive(Clone, Debug)]
pub struct SourceRow {
    /// Its number here.
    pub id: i64,
    /// The archive.
    pub archive: String,
    /// The stream.
    pub stream: i64,
    /// The broadcast.
    pub broadcast: String,
    /// Records.
    pub records: u64,
    /// Lines that are none.
    pub bad_lines: u64,
}

/// Where a record may stand.
#[derive(Clone, Copy, Debug)]
pub struct RecordKey {
    /// The stream in an archive.
    pub source: i64,
    /// The segment.
    pub segment: u64,
    /// The group.
    pub sequence: u64,
}

/// A session.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// Its mark.
    pub mark: u64,
    /// The observed time of its first slot.
    pub first_ms: u64,
    /// Of its last one.
    pub last_ms: u64,
    /// The lowest index.
    pub first_index: u64,
    /// The highest index.
    pub last_index: u64,
    /// Its slots.
    pub slots: Window,
}

/// How many slots are in each state, and the last time among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// By state, in the order of `STATE`: final, open, disputed, mismatched, unvoted.
    pub states: [u64; 5],
    /// The last observed time.
    pub last_ms: u64,
}

/// In which order slots come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotOrder {
    /// The newest first.
    Newest,
    /// The oldest first.
    Oldest,
}

/// Which slots of a stream are asked for.
#[derive(Clone, Debug)]
pub struct SlotQuery {
    /// Not before.
    pub from_ms: u64,
    /// Before.
    pub to_ms: u64,
    /// With this number.
    pub sequence: Option<u64>,
    /// In this state.
    pub state: Option<u8>,
    /// In which order.
    pub order: SlotOrder,
    /// After this one, by time and number.
    pub after: Option<(u64, i64)>,
    /// At most.
    pub limit: usize,
}

/// What one seat did in a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Slots it voted in.
    pub voted: u64,
    /// Final ones with the final content.
    pub agreed: u64,
    /// With other content.
    pub disagreed: Vec<i64>,
    /// Final ones since its first vote, without its vote.
    pub missed: Vec<i64>,
    /// Candidates.
    pub proposed: u64,
    /// Moves.
    pub moved: u64,
    /// How long after a slot's first vote its own came, ascending.
    pub lags_ms: Vec<u64>,
}

fn hash_column(row: &Row<'_>, at: usize) -> rusqlite::Result<B256> {
    Ok(hash_of(&row.get::<_, Vec<u8>>(at)?))
}

fn optional_hash(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<B256>> {
    Ok(row.get::<_, Option<Vec<u8>>>(at)?.map(|hash| hash_of(&hash)))
}

fn number(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get(at).map(uint)
}

fn slot_row(row: &Row<'_>) -> rusqlite::Result<SlotRow> {
    slot_row_at(row, 0)
}

/// A slot whose columns begin at this one.
fn slot_row_at(row: &Row<'_>, at: usize) -> rusqlite::Result<SlotRow> {
    let optional = |column: usize| row.get::<_, Option<i64>>(at + column);
    let session = optional(4)?.zip(optional(5)?);
    let final_row = match (optional(11)?, optional(12)?) {
        (Some(candidate), Some(block)) => {
            let transaction = optional_hash(row, at + 15)?;
            Some(FinalRow { candidate, block: uint(block), ms: number(row, at + 14)?, transaction })
        }
        _ => None,
    };
    Ok(SlotRow {
        id: row.get(at)?,
        hash: SlotId(hash_column(row, at + 1)?),
        stream: row.get(at + 2)?,
        sequence: number(row, at + 3)?,
        session: session.map(|(mark, index)| (uint(mark), uint(index))),
        observed_ms: number(row, at + 6)?,
        first_ms: optional(7)?.map(uint),
        candidates: row.get(at + 8)?,
        contents: row.get(at + 9)?,
        votes: row.get(at + 10)?,
        final_row,
        equal: row.get(at + 16)?,
        differing: row.get(at + 17)?,
        incomplete: row.get(at + 18)?,
    })
}

fn vote_row(row: &Row<'_>) -> rusqlite::Result<VoteRow> {
    Ok(VoteRow {
        slot: row.get(0)?,
        block: number(row, 1)?,
        log_index: number(row, 2)?,
        seat: row.get(3)?,
        address: row.get(4)?,
        kind: row.get(5)?,
        candidate: row.get(6)?,
        from: row.get(7)?,
        ms: number(row, 8)?,
        transaction: optional_hash(row, 9)?,
    })
}

fn candidate_row(row: &Row<'_>) -> rusqlite::Result<Option<CandidateRow>> {
    let Some(header) = header_of(&row.get::<_, Vec<u8>>(2)?) else { return Ok(None) };
    Ok(Some(CandidateRow {
        id: row.get(0)?,
        hash: ObservationHash(hash_column(row, 1)?),
        header,
        proposer: row.get(3)?,
        block: number(row, 4)?,
        ms: number(row, 5)?,
        transaction: optional_hash(row, 6)?,
    }))
}

const CANDIDATE: &str = "id, hash, header, proposer, block, ms, tx";
const VOTE: &str = "slot, block, log_index, seat, address, kind, candidate, from_candidate, ms, tx";

impl SlotRow {
    /// Its state, in the order of [`Window::states`], when the chain is at this time.
    pub fn state(&self, chain_ms: u64) -> u8 {
        let is_late = self.first_ms.is_some_and(|first| first < chain_ms.saturating_sub(DISPUTED_AFTER_MS));
        match self.final_row {
            Some(_) if self.differing > 0 => 3,
            Some(_) => 0,
            None if self.candidates == 0 => 4,
            None if self.contents > 1 || is_late => 2,
            None => 1,
        }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(sql: &'a Connection) -> Self {
        Self { sql }
    }

    fn one<T>(
        &self,
        query: &str,
        parameters: impl rusqlite::Params,
        row: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.sql.prepare_cached(query)?.query_row(parameters, row).optional()?)
    }

    fn all<T>(
        &self,
        query: &str,
        parameters: impl rusqlite::Params,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.sql.prepare_cached(query)?;
        let rows = statement.query_map(parameters, row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn stream_row(&self, row: &Row<'_>) -> rusqlite::Result<StreamRow> {
        let id: i64 = row.get(0)?;
        let rule = row.get::<_, Option<String>>(2)?.as_deref().and_then(rules::rule_of);
        let mut sources =
            self.sql.prepare_cached("SELECT archive, broadcast FROM source WHERE stream = ? ORDER BY archive")?;
        let found = sources.query_map([id], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let found: Vec<_> = found.collect::<Result<_, _>>()?;
        let broadcast = found.first().map(|(_, broadcast)| broadcast.clone());
        let archives = found.into_iter().map(|(archive, _)| archive).collect();
        Ok(StreamRow { id, hash: StreamHash(hash_column(row, 1)?), rule, broadcast, archives })
    }

    /// Streams whose id holds this text, by id and hash, after one of these.
    pub fn streams(
        &self,
        part: Option<&str>,
        after: Option<(&str, &StreamHash)>,
        limit: usize,
    ) -> Result<Vec<StreamRow>, StoreError> {
        let (after_id, after_hash) = after.map_or(("", &[][..]), |(id, hash)| (id, hash.0.as_slice()));
        self.all(
            "SELECT id, hash, rule FROM stream WHERE (?1 IS NULL OR instr(lower(stream_id), lower(?1)) > 0)
               AND (coalesce(stream_id, x'ff'), hash) > (?2, ?3) ORDER BY coalesce(stream_id, x'ff'), hash LIMIT ?4",
            params![part, after_value(after_id), after_hash, limit as i64],
            |row| self.stream_row(row),
        )
    }

    /// A stream by its hash.
    pub fn stream(&self, hash: StreamHash) -> Result<Option<StreamRow>, StoreError> {
        let query = "SELECT id, hash, rule FROM stream WHERE hash = ?";
        self.one(query, [hash.0.as_slice()], |row| self.stream_row(row))
    }

    /// A stream by its number here.
    pub fn stream_by_id(&self, id: i64) -> Result<Option<StreamRow>, StoreError> {
        self.one("SELECT id, hash, rule FROM stream WHERE id = ?", [id], |row| self.stream_row(row))
    }

    /// The observed times of a stream's first and last epochs.
    pub fn extent(&self, stream: i64) -> Result<Option<(u64, u64)>, StoreError> {
        let end = |which: &str, order: &str| {
            let slots = format!("SELECT observed_ms FROM slot WHERE stream = ? ORDER BY observed_ms {order} LIMIT 1");
            let slot: Option<i64> = self.one(&slots, [stream], |row| row.get(0))?;
            let nameless = format!(
                "SELECT {which}(observed_ms) FROM epoch WHERE slot IS NULL AND observed_ms IS NOT NULL
                   AND source IN (SELECT id FROM source WHERE stream = ?)"
            );
            let epoch: Option<i64> = self.one(&nameless, [stream], |row| row.get(0))?.flatten();
            Ok::<_, StoreError>((slot, epoch))
        };
        let (first, last) = (end("min", "ASC")?, end("max", "DESC")?);
        let first = first.0.into_iter().chain(first.1).min();
        let last = last.0.into_iter().chain(last.1).max();
        Ok(first.zip(last).map(|(first, last)| (uint(first), uint(last))))
    }

    /// The newest observed time of all.
    pub fn newest_ms(&self) -> Result<Option<u64>, StoreError> {
        let slot: Option<Option<i64>> = self.one("SELECT max(observed_ms) FROM slot", [], |row| row.get(0))?;
        Ok(slot.flatten().map(uint))
    }

    /// The median distance of the newest slots of a stream.
    pub fn epoch_ms(&self, stream: i64) -> Result<Option<u64>, StoreError> {
        let times: Vec<i64> = self.all(
            "SELECT observed_ms FROM slot WHERE stream = ? ORDER BY observed_ms DESC LIMIT 33",
            [stream],
            |row| row.get(0),
        )?;
        let mut apart: Vec<_> =
            times.windows(2).map(|pair| uint(pair[0] - pair[1])).filter(|apart| *apart > 0).collect();
        apart.sort_unstable();
        Ok(apart.get(apart.len() / 2).copied())
    }

    /// The slots of a stretch, and the epochs of archives that have none, in cells of `cell_ms`; cells without any are left out.
    pub fn cells(
        &self,
        stream: i64,
        (from_ms, to_ms, cell_ms): (u64, u64, u64),
        chain_ms: u64,
    ) -> Result<BTreeMap<u64, Window>, StoreError> {
        let mut cells: BTreeMap<u64, Window> = BTreeMap::new();
        let mut add = |cell: i64, state: i64, count: i64, last: i64| {
            let window = cells.entry(uint(cell)).or_default();
            if let Some(known) = window.states.get_mut(state as usize) {
                *known += uint(count);
            }
            window.last_ms = window.last_ms.max(uint(last));
        };
        let query = format!(
            "SELECT (observed_ms - ?3) / ?5 AS cell, {STATE} AS state, count(*), max(observed_ms) FROM slot
             WHERE stream = ?2 AND observed_ms >= ?3 AND observed_ms < ?4 GROUP BY cell, state"
        );
        let disputed = int(chain_ms.saturating_sub(DISPUTED_AFTER_MS));
        let mut statement = self.sql.prepare_cached(&query)?;
        let mut rows = statement.query(params![disputed, stream, int(from_ms), int(to_ms), int(cell_ms.max(1))])?;
        while let Some(row) = rows.next()? {
            add(row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        }
        let mut statement = self.sql.prepare_cached(
            "SELECT (observed_ms - ?2) / ?4 AS cell, count(*), max(observed_ms) FROM epoch
             WHERE slot IS NULL AND source IN (SELECT id FROM source WHERE stream = ?1)
               AND observed_ms >= ?2 AND observed_ms < ?3 GROUP BY cell",
        )?;
        let mut rows = statement.query(params![stream, int(from_ms), int(to_ms), int(cell_ms.max(1))])?;
        while let Some(row) = rows.next()? {
            add(row.get(0)?, 4, row.get(1)?, row.get(2)?);
        }
        Ok(cells)
    }

    /// The observed time of the last slot before this time.
    pub fn last_before(&self, stream: i64, ms: u64) -> Result<Option<SlotRow>, StoreError> {
        let query =
            format!("SELECT {SLOT} FROM slot WHERE stream = ? AND observed_ms < ? ORDER BY observed_ms DESC LIMIT 1");
        self.one(&query, params![stream, int(ms)], slot_row)
    }

    /// Slots of a stream.
    pub fn slots(&self, stream: i64, query: &SlotQuery, chain_ms: u64) -> Result<Vec<SlotRow>, StoreError> {
        let (direction, past) = match query.order {
            SlotOrder::Newest => ("DESC", "<"),
            SlotOrder::Oldest => ("ASC", ">"),
        };
        // by themselves the times, which come sorted, are preferred to a number that one slot has
        let by = if query.sequence.is_some() { "INDEXED BY slot_sequence" } else { "" };
        let mut text =
            format!("SELECT {SLOT} FROM slot {by} WHERE stream = ?2 AND observed_ms >= ?3 AND observed_ms < ?4");
        let mut values = vec![
            Value::from(int(chain_ms.saturating_sub(DISPUTED_AFTER_MS))),
            stream.into(),
            int(query.from_ms).into(),
            int(query.to_ms).into(),
        ];
        let mut bind = |value: i64| {
            values.push(value.into());
            values.len()
        };
        if let Some(sequence) = query.sequence {
            let at = bind(int(sequence));
            text += &format!(" AND sequence = ?{at}");
        }
        if let Some(state) = query.state {
            let at = bind(state.into());
            text += &format!(" AND {STATE} = ?{at}");
        }
        if let Some((ms, id)) = query.after {
            let (ms, id) = (bind(int(ms)), bind(id));
            text += &format!(" AND (observed_ms, id) {past} (?{ms}, ?{id})");
        }
        let limit = bind(query.limit as i64);
        // the first parameter is always bound
        text += &format!(" AND ?1 IS NOT NULL ORDER BY observed_ms {direction}, id {direction} LIMIT ?{limit}");
        self.all(&text, params_from_iter(values), slot_row)
    }

    /// The newest slot of a stream.
    pub fn newest_slot(&self, stream: i64) -> Result<Option<SlotRow>, StoreError> {
        self.last_before(stream, i64::MAX as u64)
    }

    /// A slot by its hash.
    pub fn slot(&self, hash: SlotId) -> Result<Option<SlotRow>, StoreError> {
        self.one(&format!("SELECT {SLOT} FROM slot WHERE hash = ?"), [hash.0.as_slice()], slot_row)
    }

    /// A slot by its number here.
    pub fn slot_by_id(&self, id: i64) -> Result<Option<SlotRow>, StoreError> {
        self.one(&format!("SELECT {SLOT} FROM slot WHERE id = ?"), [id], slot_row)
    }

    /// The slots before and after one in its stream.
    pub fn neighbours(&self, slot: &SlotRow) -> Result<(Option<SlotId>, Option<SlotId>), StoreError> {
        let beside = |past: &str, direction: &str| {
            let query = format!(
                "SELECT hash FROM slot WHERE stream = ? AND (observed_ms, id) {past} (?, ?)
                 ORDER BY observed_ms {direction}, id {direction} LIMIT 1"
            );
            let found =
                self.one(&query, params![slot.stream, int(slot.observed_ms), slot.id], |row| hash_column(row, 0));
            found.map(|hash| hash.map(SlotId))
        };
        Ok((beside("<", "DESC")?, beside(">", "ASC")?))
    }

    /// The candidates of a slot, in the order of the log.
    pub fn candidates(&self, slot: i64) -> Result<Vec<CandidateRow>, StoreError> {
        let query = format!("SELECT {CANDIDATE} FROM candidate WHERE slot = ? ORDER BY block, log_index");
        Ok(self.all(&query, [slot], candidate_row)?.into_iter().flatten().collect())
    }

    /// A candidate by its number here.
    pub fn candidate(&self, id: i64) -> Result<Option<CandidateRow>, StoreError> {
        Ok(self.one(&format!("SELECT {CANDIDATE} FROM candidate WHERE id = ?"), [id], candidate_row)?.flatten())
    }

    /// The slot of an observation.
    pub fn slot_of(&self, observation: ObservationHash) -> Result<Option<SlotId>, StoreError> {
        let found = self.one(
            "SELECT s.hash FROM candidate c JOIN slot s ON s.id = c.slot WHERE c.hash_key = ? AND c.hash = ?",
            params![key_of(&observation.0.0), observation.0.as_slice()],
            |row| hash_column(row, 0),
        )?;
        Ok(found.map(SlotId))
    }

    /// The votes in a slot, in the order of the log.
    pub fn votes(&self, slot: i64) -> Result<Vec<VoteRow>, StoreError> {
        self.all(&format!("SELECT {VOTE} FROM vote WHERE slot = ? ORDER BY block, log_index"), [slot], vote_row)
    }

    /// The newest votes of a seat, the newest first.
    pub fn votes_of(&self, seat: i64, limit: usize) -> Result<Vec<VoteRow>, StoreError> {
        let query =
            format!("SELECT {VOTE} FROM vote WHERE seat = ? ORDER BY ms DESC, block DESC, log_index DESC LIMIT ?");
        self.all(&query, params![seat, limit as i64], vote_row)
    }

    /// When a seat voted first and last.
    pub fn seen(&self, seat: i64) -> Result<Option<(u64, u64)>, StoreError> {
        // in one go, min and max would read every vote
        let query = "SELECT (SELECT min(ms) FROM vote WHERE seat = ?1), (SELECT max(ms) FROM vote WHERE seat = ?1)";
        let found: Option<(Option<i64>, Option<i64>)> =
            self.one(query, [seat], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.and_then(|(first, last)| Some((uint(first?), uint(last?)))))
    }

    /// What archives have of a slot.
    pub fn epochs(&self, slot: i64) -> Result<Vec<EpochOfSlot>, StoreError> {
        self.all(
            "SELECT e.source, s.archive, e.segment, e.idx, e.state, e.leaves, e.root, e.observed_ms
             FROM epoch e JOIN source s ON s.id = e.source WHERE e.slot = ? ORDER BY s.archive, e.segment, e.idx LIMIT 256",
            [slot],
            |row| {
                Ok(EpochOfSlot {
                    source: row.get(0)?,
                    archive: row.get(1)?,
                    segment: number(row, 2)?,
                    index: number(row, 3)?,
                    word: EpochWord::of_sql(row.get(4)?),
                    leaves: number(row, 5)?,
                    root: optional_hash(row, 6)?,
                    observed_ms: row.get::<_, Option<i64>>(7)?.map(uint),
                })
            },
        )
    }

    /// The slot of an archive's epoch.
    pub fn slot_of_epoch(&self, source: i64, segment: u64, index: u64) -> Result<Option<SlotRow>, StoreError> {
        let query = format!(
            "SELECT {SLOT} FROM slot WHERE id = (SELECT slot FROM epoch WHERE source = ? AND segment = ? AND idx = ?)"
        );
        self.one(&query, params![source, int(segment), int(index)], slot_row)
    }

    /// The epochs of a stream in an archive that were observed in a stretch, ascending, each with its slot.
    pub fn epochs_between(
        &self,
        source: i64,
        (from_ms, to_ms): (u64, u64),
        limit: usize,
    ) -> Result<Vec<(u64, u64, Option<SlotRow>)>, StoreError> {
        // those with a slot by the slots' times, the others by their own
        let query = format!(
            "SELECT e.segment, e.idx, {} FROM epoch e JOIN slot s ON s.id = e.slot
             WHERE s.stream = (SELECT stream FROM source WHERE id = ?1) AND s.observed_ms >= ?2 AND s.observed_ms < ?3
               AND e.source = ?1 ORDER BY s.observed_ms LIMIT ?4",
            SLOT.split(',').map(|column| format!("s.{}", column.trim())).collect::<Vec<_>>().join(", ")
        );
        let mut found = Vec::new();
        let mut statement = self.sql.prepare_cached(&query)?;
        let mut rows = statement.query(params![source, int(from_ms), int(to_ms), limit as i64])?;
        while let Some(row) = rows.next()? {
            let slot = slot_row_at(row, 2)?;
            found.push((slot.observed_ms, number(row, 0)?, number(row, 1)?, Some(slot)));
        }
        let mut statement = self.sql.prepare_cached(
            "SELECT segment, idx, observed_ms FROM epoch WHERE slot IS NULL AND source = ? AND observed_ms >= ? AND observed_ms < ?
             ORDER BY observed_ms LIMIT ?",
        )?;
        let mut rows = statement.query(params![source, int(from_ms), int(to_ms), limit as i64])?;
        while let Some(row) = rows.next()? {
            found.push((number(row, 2)?, number(row, 0)?, number(row, 1)?, None));
        }
        found.sort_by_key(|(ms, segment, index, _)| (*ms, *segment, *index));
        found.truncate(limit);
        Ok(found.into_iter().map(|(_, segment, index, slot)| (segment, index, slot)).collect())
    }

    /// Where records may stand whose hash begins like this one.
    pub fn records(&self, blake3: &[u8; 32], limit: usize) -> Result<Vec<RecordKey>, StoreError> {
        self.all(
            // one that was read twice may be in two runs until they are merged
            "SELECT DISTINCT r.source, r.segment, r.sequence FROM run CROSS JOIN record r ON r.run = run.id WHERE r.hash_key = ? LIMIT ?",
            params![key_of(blake3), limit as i64],
            |row| Ok(RecordKey { source: row.get(0)?, segment: number(row, 1)?, sequence: number(row, 2)? }),
        )
    }

    /// The streams of all archives.
    pub fn sources(&self) -> Result<Vec<SourceRow>, StoreError> {
        self.all("SELECT id, archive, stream, broadcast, records, bad_lines FROM source ORDER BY id", [], |row| {
            Ok(SourceRow {
                id: row.get(0)?,
                archive: row.get(1)?,
                stream: row.get(2)?,
                broadcast: row.get(3)?,
                records: number(row, 4)?,
                bad_lines: number(row, 5)?,
            })
        })
    }

    /// Every address that votes, or did.
    pub fn addresses(&self) -> Result<Vec<AddressRow>, StoreError> {
        self.all("SELECT id, address, seat, since FROM address ORDER BY id", [], |row| {
            let address: Vec<u8> = row.get(1)?;
            Ok(AddressRow {
                id: row.get(0)?,
                address: Address::try_from(address.as_slice()).unwrap_or_default(),
                seat: row.get(2)?,
                since: number(row, 3)?,
            })
        })
    }

    /// The sessions of a stream, the newest first, before this mark.
    pub fn sessions(
        &self,
        stream: i64,
        before: Option<u64>,
        limit: usize,
        chain_ms: u64,
    ) -> Result<Vec<SessionRow>, StoreError> {
        let mut found = Vec::new();
        let mut before = before.map_or(i64::MAX, int);
        let next = "SELECT max(mark) FROM slot WHERE stream = ? AND mark < ?";
        let totals = format!(
            "SELECT {STATE} AS state, count(*), min(observed_ms), max(observed_ms), min(idx), max(idx) FROM slot
             WHERE stream = ?2 AND mark = ?3 GROUP BY state"
        );
        while found.len() < limit
            && let Some(Some(mark)) = self.one(next, params![stream, before], |row| row.get::<_, Option<i64>>(0))?
        {
            before = mark;
            let mut session = SessionRow {
                mark: uint(mark),
                first_ms: u64::MAX,
                last_ms: 0,
                first_index: u64::MAX,
                last_index: 0,
                slots: Window::default(),
            };
            let mut statement = self.sql.prepare_cached(&totals)?;
            let mut rows = statement.query(params![int(chain_ms.saturating_sub(DISPUTED_AFTER_MS)), stream, mark])?;
            while let Some(row) = rows.next()? {
                if let Some(count) = session.slots.states.get_mut(row.get::<_, i64>(0)? as usize) {
                    *count = number(row, 1)?;
                }
                session.first_ms = session.first_ms.min(number(row, 2)?);
                session.last_ms = session.last_ms.max(number(row, 3)?);
                session.first_index = session.first_index.min(number(row, 4)?);
                session.last_index = session.last_index.max(number(row, 5)?);
            }
            found.push(session);
        }
        Ok(found)
    }

    /// What each seat did in the slots that were observed in a stretch, and how many of these are final. Of each seat at most
    /// `most` slots are named, the newest.
    pub fn tallies(
        &self,
        (from_ms, to_ms): (u64, u64),
        seats: &HashMap<i64, u64>,
        most: usize,
    ) -> Result<(u64, HashMap<i64, Tally>), StoreError> {
        let mut tallies: HashMap<i64, Tally> = seats.keys().map(|seat| (*seat, Tally::default())).collect();
        let mut finals = 0;
        let mut slots = self.sql.prepare_cached(
            "SELECT id, final_content, first_ms FROM slot WHERE observed_ms >= ? AND observed_ms < ? AND candidates > 0
             ORDER BY observed_ms DESC LIMIT 200000",
        )?;
        let mut votes = self.sql.prepare_cached(
            "SELECT v.seat, v.kind, v.ms, c.content FROM vote v JOIN candidate c ON c.id = v.candidate
             WHERE v.slot = ? ORDER BY v.block, v.log_index",
        )?;
        let mut rows = slots.query(params![int(from_ms), int(to_ms)])?;
        while let Some(row) = rows.next()? {
            let (slot, content): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
            let first_ms = row.get::<_, Option<i64>>(2)?.map_or(0, uint);
            let mut last: HashMap<i64, (u64, i64)> = HashMap::new();
            let mut cast = votes.query([slot])?;
            while let Some(vote) = cast.next()? {
                let (seat, kind): (i64, i64) = (vote.get(0)?, vote.get(1)?);
                let (ms, content) = (number(vote, 2)?, vote.get(3)?);
                let tally = tallies.entry(seat).or_default();
                match kind {
                    ledger::MOVE => tally.moved += 1,
                    ledger::PROPOSE => tally.proposed += 1,
                    _ => {}
                }
                // how fast it voted is said by its first vote
                last.entry(seat).and_modify(|known| known.1 = content).or_insert((ms, content));
            }
            finals += u64::from(content.is_some());
            for (seat, (ms, voted)) in &last {
                let tally = tallies.entry(*seat).or_default();
                tally.voted += 1;
                tally.lags_ms.push(ms.saturating_sub(first_ms));
                match content {
                    Some(content) if content == *voted => tally.agreed += 1,
                    Some(_) => push(&mut tally.disagreed, slot, most),
                    None => {}
                }
            }
            if content.is_some() {
                for (seat, since_ms) in seats {
                    if *since_ms <= first_ms && !last.contains_key(seat) {
                        push(&mut tallies.entry(*seat).or_default().missed, slot, most);
                    }
                }
            }
        }
        tallies.values_mut().for_each(|tally| tally.lags_ms.sort_unstable());
        Ok((finals, tallies))
    }

    /// Every slot and record in the database, about.
    pub fn totals(&self) -> Result<(u64, u64), StoreError> {
        let slots = self.one("SELECT coalesce(max(id), 0) FROM slot", [], |row| number(row, 0))?;
        let records = self.one("SELECT coalesce(sum(records), 0) FROM source", [], |row| number(row, 0))?;
        Ok((slots.unwrap_or_default(), records.unwrap_or_default()))
    }
}

/// All are counted, and so many named: the rest is zero.
fn push(slots: &mut Vec<i64>, slot: i64, most: usize) {
    slots.push(if slots.len() < most { slot } else { 0 });
}

/// Ids sort before those streams that have none.
fn after_value(id: &str) -> Value {
    match id {
        "\u{ff}" => Value::Blob(vec![0xff]),
        id => Value::Text(id.to_owned()),
    }
}

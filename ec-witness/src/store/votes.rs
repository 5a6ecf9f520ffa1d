//! The guard: one content per slot, for ever.

use alloy::primitives::Bytes;
use ec_observation::{Ballot, ContentHash, HEADER_LEN, ObservationHash, ObservationHeader, SlotId, VoteKind};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{StoreError, VoteStore, halts::refuse_halted, hex, invalid, parsed, unix_ms};
use crate::failpoint;

/// What recording a vote found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Recorded {
    /// The slot's first vote.
    First,
    /// This header was recorded before.
    Again,
    /// Another header of the same content, as the ones before it cannot land, or as the vote for one of them moves.
    Another,
}

impl Recorded {
    /// Its name in logs.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What became of the transactions that carry a slot's votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoteFate {
    /// Recorded, but no transaction carries the newest header yet.
    Recorded,
    /// At least one header is not carried, or by a nonce of which no transaction is executed.
    OnItsWay,
    /// Every nonce that carries a header has an executed transaction, the last one in this block; be it one that
    /// carries the header or another.
    Executed {
        /// The highest block that executed one; 0 where all votes are adopted.
        block: u64,
    },
}

impl VoteStore {
    /// Checks and records votes in one exclusive durable transaction, each on its own: a refused one does not hinder
    /// the others. Nothing may be signed for a ballot unless it is `Ok` here.
    ///
    /// # Errors
    ///
    /// A halt stands, or the whole transaction failed; no vote is recorded.
    pub fn record(&mut self, ballots: &[Ballot]) -> Result<Vec<Result<Recorded, StoreError>>, StoreError> {
        self.write(failpoint::RECORD, |db| {
            refuse_halted(db)?;
            let mut outcomes = Vec::with_capacity(ballots.len());
            for ballot in ballots {
                outcomes.push(match record(db, ballot) {
                    Err(error @ (StoreError::OtherContent { .. } | StoreError::StillOnItsWay { .. })) => Err(error),
                    Err(error) => return Err(error),
                    recorded => recorded,
                });
            }
            Ok(outcomes)
        })
    }

    /// The newest header recorded for a slot, and what became of the slot's votes.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn vote(&self, slot: SlotId) -> Result<Option<(ObservationHeader, VoteFate)>, StoreError> {
        let query = "SELECT header FROM headers WHERE slot = ?1 ORDER BY id DESC LIMIT 1";
        let mut statement = self.connection.prepare_cached(query)?;
        let header = statement.query_row([hex(slot.0)], |row| header_at(row, 0)).optional()?;
        header.map(|header| Ok((header, fate(&self.connection, slot, header.hash())?))).transpose()
    }

    /// Every header recorded for a slot, oldest first.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn headers(&self, slot: SlotId) -> Result<Vec<ObservationHeader>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT header FROM headers WHERE slot = ?1 ORDER BY id")?;
        let headers = statement.query_map([hex(slot.0)], |row| header_at(row, 0))?;
        Ok(headers.collect::<Result<_, _>>()?)
    }

    /// Whether this vote was recorded.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn knows(&self, observation: ObservationHash) -> Result<bool, StoreError> {
        header_is_recorded(&self.connection, observation)
    }

    /// Votes that were recorded, but that no transaction carries yet, oldest first.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn unsigned(&self) -> Result<Vec<Ballot>, StoreError> {
        self.ballots_where("h.carried = 0")
    }

    /// Every recorded ballot, oldest first, each as it was recorded.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn ballots(&self) -> Result<Vec<Ballot>, StoreError> {
        self.ballots_where("true")
    }

    fn ballots_where(&self, condition: &'static str) -> Result<Vec<Ballot>, StoreError> {
        let query = format!(
            "SELECT h.header, h.candidates_seen, h.observation, f.header FROM headers h
             LEFT JOIN moves m ON m.observation = h.observation
             LEFT JOIN headers f ON f.observation = m.moved_from
             WHERE {condition} ORDER BY h.id"
        );
        let mut statement = self.connection.prepare(&query)?;
        let ballots = statement.query_map([], ballot)?;
        Ok(ballots.collect::<Result<_, _>>()?)
    }
}

/// The guard itself (protocol §5, vote safety).
fn record(db: &Transaction<'_>, ballot: &Ballot) -> Result<Recorded, StoreError> {
    let header = &ballot.header;
    let slot = header.slot();
    let content = recorded_content(db, slot)?;
    refuse_other_content(content, header)?;
    if content.is_none() {
        insert_vote(db, header)?;
        insert_header(db, ballot)?;
        return Ok(Recorded::First);
    }
    if header_is_recorded(db, header.hash())? {
        return Ok(Recorded::Again);
    }
    // a move, too, has to be judged by what the votes before it came to
    if matches!(fate_of_slot(db, slot)?, VoteFate::Executed { .. }) {
        insert_header(db, ballot)?;
        return Ok(Recorded::Another);
    }
    Err(StoreError::StillOnItsWay { slot })
}

pub(super) fn recorded_content(db: &Transaction<'_>, slot: SlotId) -> Result<Option<ContentHash>, StoreError> {
    let query = "SELECT content FROM votes WHERE slot = ?1";
    Ok(db.prepare_cached(query)?.query_row([hex(slot.0)], |row| parsed(row, 0)).optional()?)
}

pub(super) fn refuse_other_content(
    recorded: Option<ContentHash>,
    header: &ObservationHeader,
) -> Result<(), StoreError> {
    let asked = header.content().hash();
    match recorded {
        Some(recorded) if recorded != asked => Err(StoreError::OtherContent { slot: header.slot(), recorded, asked }),
        _ => Ok(()),
    }
}

pub(super) fn insert_vote(db: &Transaction<'_>, header: &ObservationHeader) -> Result<(), StoreError> {
    let content = header.content().hash();
    let insert = "INSERT INTO votes VALUES (?1, ?2)";
    db.prepare_cached(insert)?.execute([hex(header.slot().0), hex(content.0)])?;
    Ok(())
}

fn header_is_recorded(db: &Connection, observation: ObservationHash) -> Result<bool, StoreError> {
    let mut statement = db.prepare_cached("SELECT EXISTS (SELECT 1 FROM headers WHERE observation = ?1)")?;
    Ok(statement.query_row([hex(observation.0)], |row| row.get(0))?)
}

pub(super) fn insert_header(db: &Transaction<'_>, ballot: &Ballot) -> Result<bool, StoreError> {
    let header = &ballot.header;
    let (candidates_seen, moved_from) = match ballot.vote {
        VoteKind::Propose { candidates_seen } => (Some(candidates_seen), None),
        VoteKind::Attest => (None, None),
        VoteKind::Move { from, candidates_seen } => (Some(candidates_seen), Some(from.hash())),
    };
    let insert = "INSERT OR IGNORE INTO headers (slot, observation, header, candidates_seen, recorded_unix_ms)
                  VALUES (?1, ?2, ?3, ?4, ?5)";
    let (slot, observation, seen) =
        (hex(header.slot().0), hex(header.hash().0), candidates_seen.map(|seen| seen as i64));
    let row = params![slot, observation, hex(header.abi_encode()), seen, unix_ms()];
    let is_new = db.prepare_cached(insert)?.execute(row)? == 1;
    if let Some(moved_from) = moved_from.filter(|_| is_new) {
        db.execute("INSERT INTO moves VALUES (?1, ?2)", params![observation, hex(moved_from.0)])?;
    }
    Ok(is_new)
}

fn fate(db: &Connection, slot: SlotId, newest: ObservationHash) -> Result<VoteFate, StoreError> {
    let mut statement = db.prepare_cached("SELECT carried FROM headers WHERE observation = ?1")?;
    let carried: bool = statement.query_row([hex(newest.0)], |row| row.get(0))?;
    if carried { fate_of_slot(db, slot) } else { Ok(VoteFate::Recorded) }
}

/// The fate of all headers of the slot together: one that is not carried can still land, and so can one whose nonce no
/// transaction has used up.
fn fate_of_slot(db: &Connection, slot: SlotId) -> Result<VoteFate, StoreError> {
    let query = "SELECT t.state, (SELECT e.block FROM transactions e
                                  WHERE e.nonce = t.nonce AND e.state IN ('executed', 'safe', 'finalized'))
                 FROM headers h
                 LEFT JOIN ballots b ON b.observation = h.observation
                 LEFT JOIN transactions t ON t.id = b.transaction_id
                 WHERE h.slot = ?1";
    let mut statement = db.prepare_cached(query)?;
    let mut rows = statement.query([hex(slot.0)])?;
    let mut highest = 0;
    while let Some(row) = rows.next()? {
        let state: Option<String> = row.get(0)?;
        let executed: Option<String> = row.get(1)?;
        match (state.as_deref(), executed) {
            (Some("adopted"), _) => {}
            (Some(_), Some(_)) => highest = highest.max(parsed(row, 1)?),
            _ => return Ok(VoteFate::OnItsWay),
        }
    }
    Ok(VoteFate::Executed { block: highest })
}

/// A row of `header, candidates_seen, observation`, and the header that it moves from.
fn ballot(row: &rusqlite::Row<'_>) -> rusqlite::Result<Ballot> {
    let candidates_seen = row.get::<_, Option<i64>>(1)?.map(|seen| seen as usize);
    let moved_from = row.get_ref(3)?.as_str_or_null()?.map(|_| header_at(row, 3)).transpose()?;
    let vote = match (candidates_seen, moved_from) {
        (Some(candidates_seen), Some(from)) => VoteKind::Move { from, candidates_seen },
        (Some(candidates_seen), None) => VoteKind::Propose { candidates_seen },
        (None, None) => VoteKind::Attest,
        (None, Some(_)) => return Err(invalid(1, "a move without the candidates that were seen")),
    };
    let header = header_at(row, 0)?;
    if header.hash() != parsed(row, 2)? {
        return Err(invalid(0, "not the header that its hash names"));
    }
    Ok(Ballot { header, vote })
}

pub(super) fn header_at(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<ObservationHeader> {
    let bytes: Bytes = parsed(row, column)?;
    let header = <&[u8; HEADER_LEN]>::try_from(bytes.as_ref()).ok().and_then(ObservationHeader::abi_decode);
    header.ok_or_else(|| invalid(column, "not an encoded header"))
}

//! The guard: one content per slot, for ever.

use alloy::primitives::Bytes;
use ec_observation::{Ballot, ContentHash, HEADER_LEN, ObservationHash, ObservationHeader, SlotId, VoteKind};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{StoreError, VoteStore, halts::refuse_halted, hex, invalid, parsed, unix_ms};
use crate::failpoint;

/// What is asked of votes in turns, each time about few of them.
#[cfg(test)]
pub(super) const ASKED: &[&str] =
    &[NEWEST_HEADER, HEADERS, UNSIGNED, GUARDED, HAS_HEADERS, INSERT_VOTE, IS_RECORDED, INSERT_HEADER, FATES];

const NEWEST_HEADER: &str = "SELECT header, carried FROM headers WHERE slot = ?1 ORDER BY id DESC LIMIT 1";
const HEADERS: &str = "SELECT header FROM headers WHERE slot = ?1 ORDER BY id";
const UNSIGNED: &str = "SELECT h.header, h.candidates_seen, h.observation, f.header, h.id FROM headers h
    LEFT JOIN moves m ON m.observation = h.observation
    LEFT JOIN headers f ON f.observation = m.moved_from
    WHERE h.carried = 0 AND h.id > ?1 ORDER BY h.id LIMIT ?2";
const GUARDED: &str = "SELECT content, compacted FROM votes WHERE slot = ?1";
const HAS_HEADERS: &str = "SELECT EXISTS (SELECT 1 FROM headers WHERE slot = ?1)";
const INSERT_VOTE: &str = "INSERT INTO votes (slot, content) VALUES (?1, ?2)";
const IS_RECORDED: &str = "SELECT EXISTS (SELECT 1 FROM headers WHERE observation = ?1)";
const INSERT_HEADER: &str =
    "INSERT OR IGNORE INTO headers (slot, observation, header, candidates_seen, carried, recorded_unix_ms)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const FATES: &str = "SELECT t.state, (SELECT e.block FROM transactions e
                                      WHERE e.nonce = t.nonce AND e.state IN ('executed', 'safe', 'finalized'))
    FROM headers h
    LEFT JOIN ballots b ON b.observation = h.observation
    LEFT JOIN transactions t ON t.id = b.transaction_id
    WHERE h.slot = ?1";

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
        self.checked()?;
        self.write(failpoint::RECORD, |db| {
            refuse_halted(db)?;
            let mut outcomes = Vec::with_capacity(ballots.len());
            for ballot in ballots {
                outcomes.push(match record(db, ballot) {
                    Err(
                        error @ (StoreError::OtherContent { .. }
                        | StoreError::StillOnItsWay { .. }
                        | StoreError::Compacted { .. }),
                    ) => Err(error),
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
        let mut statement = self.connection.prepare_cached(NEWEST_HEADER)?;
        let newest = statement.query_row([hex(slot.0)], |row| Ok((header_at(row, 0)?, row.get(1)?))).optional()?;
        let with_fate = |(header, is_carried)| {
            let fate = if is_carried { fate_of_slot(&self.connection, slot)? } else { VoteFate::Recorded };
            Ok((header, fate))
        };
        newest.map(with_fate).transpose()
    }

    /// Every header recorded for a slot, oldest first; none of a compacted vote.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn headers(&self, slot: SlotId) -> Result<Vec<ObservationHeader>, StoreError> {
        let mut statement = self.connection.prepare_cached(HEADERS)?;
        let headers = statement.query_map([hex(slot.0)], |row| header_at(row, 0))?;
        Ok(headers.collect::<Result<_, _>>()?)
    }

    /// The content that a compacted vote of this slot stands for; `None` where there is none.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn compacted(&self, slot: SlotId) -> Result<Option<ContentHash>, StoreError> {
        let guarded = guarded(&self.connection, slot)?;
        Ok(guarded.filter(|guarded| guarded.compacted).map(|guarded| guarded.content))
    }

    /// Whether this vote was recorded, and is not compacted.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn knows(&self, observation: ObservationHash) -> Result<bool, StoreError> {
        header_is_recorded(&self.connection, observation)
    }

    /// At most so many votes that were recorded after the one at this place, but that no transaction carries yet, oldest first,
    /// each with its place; from the first on after place 0.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn unsigned_after(&self, place: i64, limit: usize) -> Result<Vec<(i64, Ballot)>, StoreError> {
        self.ballots_by(UNSIGNED, place, limit)
    }

    /// Every recorded ballot that is not compacted, oldest first, each as it was recorded.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn ballots(&self) -> Result<Vec<Ballot>, StoreError> {
        let ballots = self.ballots_by(&UNSIGNED.replace("h.carried = 0", "true"), 0, usize::MAX)?;
        Ok(ballots.into_iter().map(|(_, ballot)| ballot).collect())
    }

    fn ballots_by(&self, query: &str, after: i64, limit: usize) -> Result<Vec<(i64, Ballot)>, StoreError> {
        let mut statement = self.connection.prepare_cached(query)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let ballots = statement.query_map([after, limit], |row| Ok((row.get(4)?, ballot(row)?)))?;
        Ok(ballots.collect::<Result<_, _>>()?)
    }
}

/// The guard itself (protocol §5, vote safety).
fn record(db: &Transaction<'_>, ballot: &Ballot) -> Result<Recorded, StoreError> {
    let header = &ballot.header;
    let slot = header.slot();
    let guarded = guarded(db, slot)?;
    refuse_other_content(guarded, header)?;
    let Some(Guarded { compacted, .. }) = guarded else {
        refuse_lost_vote(db, slot)?;
        insert_vote(db, slot, header)?;
        insert_header(db, ballot, (slot, header.hash()), false)?;
        return Ok(Recorded::First);
    };
    if compacted {
        return Err(StoreError::Compacted { slot });
    }
    if header_is_recorded(db, header.hash())? {
        return Ok(Recorded::Again);
    }
    // a move, too, has to be judged by what the votes before it came to
    if matches!(fate_of_slot(db, slot)?, VoteFate::Executed { .. }) {
        insert_header(db, ballot, (slot, header.hash()), false)?;
        return Ok(Recorded::Another);
    }
    Err(StoreError::StillOnItsWay { slot })
}

/// The guard's row of a slot.
#[derive(Clone, Copy)]
pub(super) struct Guarded {
    /// What this witness stands for.
    pub(super) content: ContentHash,
    /// Whether that is all that is kept of the vote.
    pub(super) compacted: bool,
}

pub(super) fn guarded(db: &Connection, slot: SlotId) -> Result<Option<Guarded>, StoreError> {
    let mut statement = db.prepare_cached(GUARDED)?;
    let guarded = statement
        .query_row([hex(slot.0)], |row| Ok(Guarded { content: parsed(row, 0)?, compacted: row.get(1)? }))
        .optional();
    Ok(guarded?)
}

pub(super) fn refuse_other_content(recorded: Option<Guarded>, header: &ObservationHeader) -> Result<(), StoreError> {
    let Some(Guarded { content: recorded, .. }) = recorded else { return Ok(()) };
    let asked = header.content().hash();
    if recorded == asked { Ok(()) } else { Err(StoreError::OtherContent { slot: header.slot(), recorded, asked }) }
}

/// Refuses a slot that has headers and no vote. A store may still be being checked while it votes: then a damaged page of
/// the guard must not pass for a slot that nobody voted in.
fn refuse_lost_vote(db: &Connection, slot: SlotId) -> Result<(), StoreError> {
    if !db.prepare_cached(HAS_HEADERS)?.query_row([hex(slot.0)], |row| row.get::<_, bool>(0))? {
        return Ok(());
    }
    let what = format!("slot {slot} has headers, and its vote is lost");
    Err(StoreError::Damaged { path: db.path().unwrap_or_default().into(), what })
}

pub(super) fn insert_vote(db: &Transaction<'_>, slot: SlotId, header: &ObservationHeader) -> Result<(), StoreError> {
    let content = header.content().hash();
    db.prepare_cached(INSERT_VOTE)?.execute([hex(slot.0), hex(content.0)])?;
    Ok(())
}

fn header_is_recorded(db: &Connection, observation: ObservationHash) -> Result<bool, StoreError> {
    let mut statement = db.prepare_cached(IS_RECORDED)?;
    Ok(statement.query_row([hex(observation.0)], |row| row.get(0))?)
}

/// Inserts a header, of which slot and hash are given, unless it is there; whether it is new. One that is `carried` already
/// needs no trigger to be marked.
pub(super) fn insert_header(
    db: &Transaction<'_>,
    ballot: &Ballot,
    (slot, observation): (SlotId, ObservationHash),
    carried: bool,
) -> Result<bool, StoreError> {
    let header = &ballot.header;
    let candidates_seen = match ballot.vote {
        VoteKind::Propose { candidates_seen } | VoteKind::Move { candidates_seen, .. } => Some(candidates_seen),
        VoteKind::Attest => None,
    };
    let (slot, observation, seen) = (hex(slot.0), hex(observation.0), candidates_seen.map(|seen| seen as i64));
    let row = params![slot, observation, hex(header.abi_encode()), seen, carried, unix_ms()];
    let is_new = db.prepare_cached(INSERT_HEADER)?.execute(row)? == 1;
    if let Some(moved_from) = ballot.moved_from().filter(|_| is_new) {
        db.execute("INSERT INTO moves VALUES (?1, ?2)", params![observation, hex(moved_from.hash().0)])?;
    }
    Ok(is_new)
}

/// The fate of all headers of the slot together: one that is not carried can still land, and so can one whose nonce no
/// transaction has used up.
fn fate_of_slot(db: &Connection, slot: SlotId) -> Result<VoteFate, StoreError> {
    let mut statement = db.prepare_cached(FATES)?;
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
    let header = header_at(row, 0)?;
    if header.hash() != parsed(row, 2)? {
        return Err(invalid(0, "not the header that its hash names"));
    }
    let moved_from = row.get_ref(3)?.as_str_or_null()?.map(|_| header_at(row, 3)).transpose()?;
    let vote = match (candidates_seen, moved_from) {
        (Some(_), Some(from)) if from.content() != header.content() => {
            return Err(invalid(3, "a move from other content"));
        }
        (Some(candidates_seen), Some(from)) => VoteKind::Move { from: from.choice(), candidates_seen },
        (Some(candidates_seen), None) => VoteKind::Propose { candidates_seen },
        (None, None) => VoteKind::Attest,
        (None, Some(_)) => return Err(invalid(1, "a move without the candidates that were seen")),
    };
    Ok(Ballot { header, vote })
}

pub(super) fn header_at(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<ObservationHeader> {
    let bytes: Bytes = parsed(row, column)?;
    let header = <&[u8; HEADER_LEN]>::try_from(bytes.as_ref()).ok().and_then(ObservationHeader::abi_decode);
    header.ok_or_else(|| invalid(column, "not an encoded header"))
}

//! Writes a history some slots at a time: memory holds these alone, and no reader keeps the store from being written while
//! whoever takes the history in is slow.

use std::io::{BufWriter, Write};

use ec_observation::{ObservationHeader, SlotId};
use rusqlite::{OptionalExtension, Row};

use super::{COMPACTED_HISTORY_VERSION, ExportError, HISTORY_VERSION, SlotVotes};
use crate::store::{Identity, StoreError, VoteStore, hex, invalid, parsed, votes::header_at};

/// Slots that are read at once.
const SLOTS: i64 = 1000;

/// The version that says what the store has.
pub(super) fn version(store: &VoteStore) -> Result<u8, StoreError> {
    let is_compacted = store.connection.query_row("SELECT 1 FROM compaction", [], |_| Ok(())).optional()?;
    Ok(is_compacted.map_or(HISTORY_VERSION, |()| COMPACTED_HISTORY_VERSION))
}

/// The votes of the slots that come after one, by slot; `None` after the last one.
pub(super) fn after(store: &VoteStore, slot: Option<SlotId>) -> Result<Option<Vec<SlotVotes>>, StoreError> {
    let db = store.connection.unchecked_transaction()?;
    let query = "SELECT slot, content, compacted FROM votes WHERE slot > ?1 ORDER BY slot LIMIT ?2";
    let mut slots = db.prepare_cached(query)?;
    let mut headers = db.prepare_cached("SELECT header, observation FROM headers WHERE slot = ?1 ORDER BY id")?;
    let mut votes = Vec::new();
    let mut rows = slots.query(rusqlite::params![slot.map_or_else(String::new, |slot| hex(slot.0)), SLOTS])?;
    while let Some(row) = rows.next()? {
        let slot: SlotId = parsed(row, 0)?;
        let content = if row.get(2)? { Some(parsed(row, 1)?) } else { None };
        let headers = headers.query_map([hex(slot.0)], named_header)?.collect::<Result<_, _>>()?;
        votes.push(SlotVotes { slot, content, headers });
    }
    Ok((!votes.is_empty()).then_some(votes))
}

/// The header of a row of `header, observation`, if it is the one that its hash names.
fn named_header(row: &Row<'_>) -> rusqlite::Result<ObservationHeader> {
    let header = header_at(row, 0)?;
    let is_named = header.hash() == parsed(row, 1)?;
    is_named.then_some(header).ok_or_else(|| invalid(0, "not the header that its hash names"))
}

/// Writes all of it, as one line.
pub(super) fn write(store: &VoteStore, to: impl Write) -> Result<(), ExportError> {
    let mut to = BufWriter::with_capacity(1 << 16, to);
    let Identity { chain_id, ledger, witness } = store.identity();
    let (v, ledger, witness) = (version(store)?, json(&ledger)?, json(&witness)?);
    write!(to, r#"{{"v":{v},"chain_id":{chain_id},"ledger":{ledger},"witness":{witness},"votes":["#)?;
    let (mut last, mut parting) = (None, "");
    while let Some(votes) = after(store, last)? {
        last = votes.last().map(|votes| votes.slot);
        for votes in votes {
            to.write_all(parting.as_bytes())?;
            serde_json::to_writer(&mut to, &votes).map_err(std::io::Error::from)?;
            parting = ",";
        }
    }
    to.write_all(b"]}\n")?;
    Ok(to.flush()?)
}

fn json(value: &impl serde::Serialize) -> Result<String, ExportError> {
    Ok(serde_json::to_string(value).map_err(std::io::Error::from)?)
}

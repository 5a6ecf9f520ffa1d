//! Rows that say what their hashes say, a stretch of a table at a time.

use std::ops::Range;

use alloy::{
    consensus::{Transaction as _, TxEnvelope},
    eips::Decodable2718,
    primitives::keccak256,
};
use ec_observation::{ContentHash, ObservationHash, SlotId};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{Checked, Fault, Part, Stretch, each, ensure};
use crate::store::{
    Identity, OutboxTx, TxState,
    forced::{DEPOSIT_TYPE, KEPT, forced_tx},
    hex,
    outbox::{LAST_FINAL, OUTBOX, outbox_tx},
    parsed,
    votes::header_at,
};

/// Asked at each start, of each nonce that may be sent again.
pub(super) const NONCE_IS_THERE: &str = "SELECT EXISTS (SELECT 1 FROM transactions WHERE nonce = ?1)";

type Named<'a> = (Option<&'static str>, Part<'a>);

/// What votes rest on.
pub(super) fn of_votes<'a>(identity: Identity) -> Vec<Named<'a>> {
    vec![
        Part::of("headers", headers),
        Part::of("votes", votes),
        Part::of("transactions", move |db, rows| transactions(db, identity, rows)),
    ]
}

/// That what rows refer to is there, which the database's own check tells in another way.
pub(super) fn of_references<'a>() -> Vec<Named<'a>> {
    let refers = |table: &'static str, to: &'static str| {
        let query = format!("SELECT r.rowid FROM {table} r WHERE r.rowid > ?1 AND r.rowid <= ?2 AND NOT ({to})");
        Part::of(table, move |db, rows| {
            let dangling = format!("a row of {table} refers to nothing");
            each(db, &query, [rows.after, rows.to], |_| Err(Fault::Wrong(dangling.clone())))
        })
    };
    let header = "EXISTS (SELECT 1 FROM headers h WHERE h.observation = r.observation)";
    let from = "EXISTS (SELECT 1 FROM headers f WHERE f.observation = r.moved_from)";
    vec![
        refers("ballots", "EXISTS (SELECT 1 FROM transactions t WHERE t.id = r.transaction_id)"),
        refers("ballots", header),
        refers("moves", header),
        refers("moves", from),
        refers("forced", "EXISTS (SELECT 1 FROM transactions t WHERE t.hash = r.repeats)"),
        refers("forced", "r.l2_hash IS NULL OR EXISTS (SELECT 1 FROM transactions t WHERE t.hash = r.l2_hash)"),
    ]
}

/// That none of these nonces is missing.
pub(super) fn of_nonces<'a>(among: Range<u64>) -> Named<'a> {
    let number = |nonce: u64| i64::try_from(nonce).unwrap_or(i64::MAX);
    let rows = Stretch { after: number(among.start).saturating_sub(1), to: number(among.end).saturating_sub(1) };
    let look = |db: &Connection, rows: Stretch| {
        let number = |row: i64| u64::try_from(row).unwrap_or_default();
        nonces(db, number(rows.after.saturating_add(1))..number(rows.to.saturating_add(1)))
    };
    (None, Part { rows, look: Box::new(look) })
}

/// Every header is the one that its hash, its slot and its slot's content name.
fn headers(db: &Connection, rows: Stretch) -> Checked {
    let query = "SELECT h.header, h.observation, h.slot, v.content,
                     h.carried = EXISTS (SELECT 1 FROM ballots b WHERE b.observation = h.observation)
                 FROM headers h LEFT JOIN votes v ON v.slot = h.slot WHERE h.id > ?1 AND h.id <= ?2";
    each(db, query, [rows.after, rows.to], |row| {
        let header = header_at(row, 0)?;
        let named: (ObservationHash, SlotId, ContentHash) = (parsed(row, 1)?, parsed(row, 2)?, parsed(row, 3)?);
        let found = (header.hash(), header.slot(), header.content().hash());
        ensure(found == named, || format!("the header of vote {} is not the one that was recorded", named.0))?;
        ensure(row.get(4)?, || format!("vote {} is marked wrongly as carried", named.0))
    })
}

/// Every vote has headers, and none that is compacted.
fn votes(db: &Connection, rows: Stretch) -> Checked {
    let query = "SELECT v.slot, v.compacted FROM votes v WHERE v.rowid > ?1 AND v.rowid <= ?2
                 AND v.compacted = EXISTS (SELECT 1 FROM headers h WHERE h.slot = v.slot)";
    each(db, query, [rows.after, rows.to], |row| {
        let (slot, compacted): (String, bool) = (row.get(0)?, row.get(1)?);
        Err(Fault::Wrong(match compacted {
            true => format!("slot {slot} is marked wrongly as compacted"),
            false => format!("slot {slot} has lost its headers"),
        }))
    })
}

/// Every transaction is the one that was signed, or the deposit that was noted.
fn transactions(db: &Connection, identity: Identity, rows: Stretch) -> Checked {
    let query = "SELECT t.hash, t.nonce, t.raw, t.state, t.block,
                     EXISTS (SELECT 1 FROM forced f WHERE f.l2_hash = t.hash)
                 FROM transactions t WHERE t.id > ?1 AND t.id <= ?2 AND t.state <> 'adopted'";
    each(db, query, [rows.after, rows.to], |row| if row.get(5)? { deposit(row) } else { transaction(row, identity) })
}

/// The transactions that may be sent again are those that were signed, and so is the last final one, by which the next start
/// knows the chain. The lowest nonce of the first.
pub(super) fn open_transactions(db: &Connection, identity: Identity) -> Result<Option<u64>, Fault> {
    let mut lowest = None;
    each(db, OUTBOX, [], |row| {
        let nonce: u64 = parsed(row, 1)?;
        lowest = Some(lowest.map_or(nonce, |lowest: u64| lowest.min(nonce)));
        transaction(row, identity)
    })?;
    each(db, LAST_FINAL, [], |row| transaction(row, identity))?;
    Ok(lowest)
}

fn transaction(row: &Row<'_>, identity: Identity) -> Checked {
    let tx = outbox_tx(row)?;
    let Err(what) = signed_by(&tx, identity) else { return Ok(()) };
    Err(Fault::Wrong(format!("transaction {}: {what}", hex(tx.hash))))
}

/// A deposit of a forced transaction is final, and has the bytes that its hash names.
fn deposit(row: &Row<'_>) -> Checked {
    let OutboxTx { hash, raw, state, .. } = outbox_tx(row)?;
    let is_whole = keccak256(&raw) == hash && raw.first() == Some(&DEPOSIT_TYPE);
    let is_final = matches!(state, TxState::Finalized { .. });
    ensure(is_whole && is_final, || format!("deposit {hash} is not the one that was noted"))
}

/// Every forced transaction that may be sent again is the one that was signed.
pub(super) fn forced(db: &Connection, identity: Identity) -> Checked {
    each(db, KEPT, [], |row| {
        let tx = forced_tx(row)?;
        let signed = TxEnvelope::decode_2718_exact(&tx.l1_raw).ok().filter(|signed| {
            let signer = signed.signature().recover_address_from_prehash(&signed.signature_hash());
            signed.nonce() == tx.l1_nonce && signer.is_ok_and(|signer| signer == identity.witness)
        });
        let is_whole = keccak256(&tx.l1_raw) == tx.l1_hash && signed.is_some();
        ensure(is_whole, || format!("the forced transaction {} is not the one that was signed", tx.l1_hash))
    })
}

/// As many votes are compacted as compacting has noted.
pub(super) fn compacted(db: &Connection) -> Checked {
    let found: i64 = db.query_row("SELECT count(*) FROM votes WHERE compacted = 1", [], |row| row.get(0))?;
    let noted: Option<i64> = db.query_row("SELECT votes FROM compaction", [], |row| row.get(0)).optional()?;
    let noted = noted.unwrap_or_default();
    ensure(found == noted, || format!("{found} votes are marked as compacted, and {noted} were"))
}

/// None of these nonces is missing.
pub(super) fn nonces(db: &Connection, among: Range<u64>) -> Checked {
    let mut statement = db.prepare_cached(NONCE_IS_THERE)?;
    for nonce in among {
        let is_there: bool = statement.query_row([nonce.to_string()], |row| row.get(0))?;
        ensure(is_there, || format!("the transaction of nonce {nonce} is missing, and a higher one is there"))?;
    }
    Ok(())
}

/// Whether a transaction is what its columns say, and signed by this witness for this chain.
fn signed_by(tx: &OutboxTx, identity: Identity) -> Result<(), String> {
    if keccak256(&tx.raw) != tx.hash {
        return Err("its bytes are not those that were signed".into());
    }
    let signed = TxEnvelope::decode_2718_exact(&tx.raw).map_err(|error| error.to_string())?;
    if (signed.nonce(), signed.chain_id()) != (tx.nonce, Some(identity.chain_id)) {
        return Err(format!("it was signed with nonce {} for chain {:?}", signed.nonce(), signed.chain_id()));
    }
    if matches!(tx.state, TxState::Finalized { .. }) {
        return Ok(());
    }
    let signer = signed.signature().recover_address_from_prehash(&signed.signature_hash());
    let signer = signer.map_err(|error| error.to_string())?;
    if signer == identity.witness { Ok(()) } else { Err(format!("it was signed by {signer}")) }
}

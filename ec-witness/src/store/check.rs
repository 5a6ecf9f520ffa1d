//! Whether a store is whole: the database's own checks, and that every row says what its hashes say.

use std::path::Path;

use alloy::{
    consensus::{Transaction as _, TxEnvelope},
    eips::Decodable2718,
    primitives::keccak256,
};
use ec_observation::{ContentHash, ObservationHash, SlotId};
use rusqlite::{Connection, Row};

use super::{
    Identity, OutboxTx, StoreError, TxState,
    forced::{DEPOSIT_TYPE, forced_tx},
    hex, migrate,
    outbox::outbox_tx,
    parsed,
    votes::header_at,
};

/// What is wrong, or what kept it from being looked at.
enum Fault {
    Wrong(String),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

type Checked = Result<(), Fault>;

fn ensure(holds: bool, wrong: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Fault::Wrong(wrong())) }
}

/// Checks a store that is opened for voting.
///
/// Signatures are verified of the transactions that may be sent again; of final ones, that their bytes are those that
/// were signed. That is what makes it fast enough to look at every row.
///
/// # Errors
///
/// [`StoreError::Damaged`] names the first thing that is wrong.
pub(super) fn check(db: &Connection, path: &Path, identity: Identity, first_nonce: u64) -> Result<(), StoreError> {
    let checked = database(db)
        .and_then(|()| schema(db))
        .and_then(|()| headers(db))
        .and_then(|()| transactions(db, identity))
        .and_then(|()| deposits(db))
        .and_then(|()| forced(db, identity))
        .and_then(|()| nonces(db, first_nonce));
    checked.map_err(|fault| match fault {
        Fault::Wrong(what) => StoreError::Damaged { path: path.to_owned(), what },
        Fault::Sqlite(error) => super::files::damaged_by(error, path),
    })
}

/// SQLite's own view: pages, indexes, constraints and references.
fn database(db: &Connection) -> Checked {
    let found: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    ensure(found == "ok", || found)?;
    let mut dangling = db.prepare("PRAGMA foreign_key_check")?;
    let dangling = dangling.query([])?.next()?.map(|row| row.get::<_, String>(0)).transpose()?;
    ensure(dangling.is_none(), || format!("a row of {} refers to nothing", dangling.unwrap_or_default()))
}

/// The tables are those that this program would create.
fn schema(db: &Connection) -> Checked {
    let tables = |db: &Connection| -> rusqlite::Result<Vec<(String, Option<String>)>> {
        let mut statement = db.prepare("SELECT name, sql FROM sqlite_schema ORDER BY type, name")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    let fresh = Connection::open_in_memory()?;
    fresh.execute_batch(migrate::SCHEMA)?;
    ensure(tables(db)? == tables(&fresh)?, || "its tables are not those of its version".into())
}

/// Every header is the one that its hash, its slot and its slot's content name.
fn headers(db: &Connection) -> Checked {
    let query = "SELECT h.header, h.observation, h.slot, v.content,
                     h.carried = EXISTS (SELECT 1 FROM ballots b WHERE b.observation = h.observation)
                 FROM headers h JOIN votes v ON v.slot = h.slot";
    each(db, query, |row| {
        let header = header_at(row, 0)?;
        let named: (ObservationHash, SlotId, ContentHash) = (parsed(row, 1)?, parsed(row, 2)?, parsed(row, 3)?);
        let found = (header.hash(), header.slot(), header.content().hash());
        ensure(found == named, || format!("the header of vote {} is not the one that was recorded", named.0))?;
        ensure(row.get(4)?, || format!("vote {} is marked wrongly as carried", named.0))
    })?;
    let lost = "SELECT slot FROM votes WHERE slot NOT IN (SELECT slot FROM headers)";
    each(db, lost, |row| {
        ensure(false, || format!("slot {} has lost its headers", row.get::<_, String>(0).unwrap_or_default()))
    })
}

/// Every transaction is the one that was signed.
fn transactions(db: &Connection, identity: Identity) -> Checked {
    let query = "SELECT hash, nonce, raw, state, block FROM transactions
                 WHERE state <> 'adopted' AND hash NOT IN (SELECT l2_hash FROM forced WHERE l2_hash IS NOT NULL)";
    each(db, query, |row| {
        let tx = outbox_tx(row)?;
        let Err(what) = signed_by(&tx, identity) else { return Ok(()) };
        Err(Fault::Wrong(format!("transaction {}: {what}", hex(tx.hash))))
    })
}

/// Every deposit of a forced transaction is final, and has the bytes that its hash names.
fn deposits(db: &Connection) -> Checked {
    let query = "SELECT t.hash, t.nonce, t.raw, t.state, t.block FROM transactions t
                 JOIN forced f ON f.l2_hash = t.hash WHERE t.state <> 'adopted'";
    each(db, query, |row| {
        let OutboxTx { hash, raw, state, .. } = outbox_tx(row)?;
        let is_whole = keccak256(&raw) == hash && raw.first() == Some(&DEPOSIT_TYPE);
        let is_final = matches!(state, TxState::Finalized { .. });
        ensure(is_whole && is_final, || format!("deposit {hash} is not the one that was noted"))
    })
}

/// Every forced transaction that may be sent again is the one that was signed.
fn forced(db: &Connection, identity: Identity) -> Checked {
    each(db, "SELECT l1_hash, l1_nonce, l1_raw, repeats, kept_unix_ms FROM forced WHERE state = 'kept'", |row| {
        let tx = forced_tx(row)?;
        let signed = TxEnvelope::decode_2718_exact(&tx.l1_raw).ok().filter(|signed| {
            let signer = signed.signature().recover_address_from_prehash(&signed.signature_hash());
            signed.nonce() == tx.l1_nonce && signer.is_ok_and(|signer| signer == identity.witness)
        });
        let is_whole = keccak256(&tx.l1_raw) == tx.l1_hash && signed.is_some();
        ensure(is_whole, || format!("the forced transaction {} is not the one that was signed", tx.l1_hash))
    })
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

/// Nonces are given out one by one, so none is missing. Those below the store's first are not its own: they fill what a
/// reorg took back.
fn nonces(db: &Connection, first_nonce: u64) -> Checked {
    let mut next = first_nonce;
    let query = "SELECT DISTINCT nonce FROM transactions WHERE nonce IS NOT NULL ORDER BY length(nonce), nonce";
    each(db, query, |row| {
        let nonce: u64 = parsed(row, 0)?;
        if nonce < first_nonce {
            return Ok(());
        }
        ensure(nonce == next, || format!("the transaction of nonce {next} is missing, {nonce} is there"))?;
        next = nonce.saturating_add(1);
        Ok(())
    })
}

fn each(db: &Connection, query: &str, mut look: impl FnMut(&Row<'_>) -> Checked) -> Checked {
    let mut statement = db.prepare(query)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        look(row)?;
    }
    Ok(())
}

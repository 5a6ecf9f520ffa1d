-- The vote store, version 1. Hashes, addresses and bytes are `0x` and lower-case hex, so that an operator can read
-- them; unsigned 64-bit integers are decimal text, as SQLite's integers are signed.

CREATE TABLE identity (
    one              INTEGER PRIMARY KEY CHECK (one = 1),
    chain_id         TEXT NOT NULL,
    ledger           TEXT NOT NULL,
    witness          TEXT NOT NULL,
    first_nonce      TEXT NOT NULL,
    created_unix_ms  INTEGER NOT NULL
) STRICT;

-- Where each stream's judging starts; fixed once.
CREATE TABLE streams (
    stream_id        TEXT PRIMARY KEY,
    from_sequence    TEXT NOT NULL
) STRICT;

-- One row a slot, for ever: the content this witness stands for.
CREATE TABLE votes (
    slot             TEXT PRIMARY KEY,
    content          TEXT NOT NULL
) STRICT;

-- Every header tried for a slot, all of one content. `candidates_seen` is null for an attestation.
CREATE TABLE headers (
    id               INTEGER PRIMARY KEY,
    slot             TEXT NOT NULL REFERENCES votes (slot),
    observation      TEXT NOT NULL UNIQUE,
    header           TEXT NOT NULL,
    candidates_seen  INTEGER,
    recorded_unix_ms INTEGER NOT NULL
) STRICT;

-- Signed transactions, resent as they stand. `block` is where one was executed, null while it was not. An adopted one
-- stands for a vote that was cast elsewhere: nothing is sent for it.
CREATE TABLE transactions (
    id               INTEGER PRIMARY KEY,
    hash             TEXT NOT NULL UNIQUE,
    nonce            TEXT NOT NULL,
    raw              TEXT NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('signed', 'executed', 'finalized', 'adopted')),
    block            TEXT,
    signed_unix_ms   INTEGER NOT NULL
) STRICT;

-- Which votes a transaction carries.
CREATE TABLE ballots (
    transaction_id   INTEGER NOT NULL REFERENCES transactions (id),
    observation      TEXT NOT NULL REFERENCES headers (observation),
    PRIMARY KEY (transaction_id, observation)
) STRICT;

CREATE INDEX headers_by_slot ON headers (slot);
CREATE INDEX ballots_by_observation ON ballots (observation);
CREATE INDEX transactions_by_state ON transactions (state);

-- The vote store, version 2. Hashes, addresses and bytes are `0x` and lower-case hex, so that an operator can read
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

-- Every header tried for a slot, all of one content. `candidates_seen` is null for an attestation. `carried` is 1 once
-- a transaction carries it; kept by a trigger, so that the few that wait are found without reading all.
CREATE TABLE headers (
    id               INTEGER PRIMARY KEY,
    slot             TEXT NOT NULL REFERENCES votes (slot),
    observation      TEXT NOT NULL UNIQUE,
    header           TEXT NOT NULL,
    candidates_seen  INTEGER,
    carried          INTEGER NOT NULL DEFAULT 0 CHECK (carried IN (0, 1)),
    recorded_unix_ms INTEGER NOT NULL
) STRICT;

-- Signed transactions, resent as they stand. Several may share a nonce: they are one another's replacements, and at
-- most one of them can execute. `signed`: perhaps sent; `sent`: an endpoint has taken it; `executed`, `safe`,
-- `finalized`: in `block`, which is at most at the latest, the safe, the finalized head. An `adopted` one stands for a
-- vote that was cast elsewhere: it has no nonce and no bytes, and nothing is sent for it.
CREATE TABLE transactions (
    id               INTEGER PRIMARY KEY,
    hash             TEXT NOT NULL UNIQUE,
    nonce            TEXT,
    raw              TEXT,
    state            TEXT NOT NULL
                     CHECK (state IN ('signed', 'sent', 'executed', 'safe', 'finalized', 'adopted')),
    block            TEXT,
    signed_unix_ms   INTEGER NOT NULL,
    CHECK ((nonce IS NULL) = (state = 'adopted')),
    CHECK ((raw IS NULL) = (state = 'adopted')),
    CHECK ((block IS NOT NULL) = (state IN ('executed', 'safe', 'finalized')))
) STRICT;

-- Which votes a transaction carries.
CREATE TABLE ballots (
    transaction_id   INTEGER NOT NULL REFERENCES transactions (id),
    observation      TEXT NOT NULL REFERENCES headers (observation),
    PRIMARY KEY (transaction_id, observation)
) STRICT;

-- Contradictions that stopped this witness. While one is not resumed, nothing is voted.
CREATE TABLE halts (
    id               INTEGER PRIMARY KEY,
    kind             TEXT NOT NULL,
    message          TEXT NOT NULL,
    evidence         TEXT NOT NULL,
    halted_unix_ms   INTEGER NOT NULL,
    resumed_unix_ms  INTEGER
) STRICT;

-- The chain's finalized head as last seen: no chain without this block is the one that was voted on.
CREATE TABLE finalized_head (
    one              INTEGER PRIMARY KEY CHECK (one = 1),
    number           TEXT NOT NULL,
    hash             TEXT NOT NULL,
    seen_unix_ms     INTEGER NOT NULL
) STRICT;

CREATE INDEX headers_by_slot ON headers (slot);
CREATE INDEX headers_not_carried ON headers (id) WHERE carried = 0;
CREATE INDEX ballots_by_observation ON ballots (observation);
CREATE INDEX transactions_by_nonce ON transactions (nonce);
CREATE INDEX transactions_not_final ON transactions (id) WHERE state IN ('signed', 'sent', 'executed', 'safe');
CREATE UNIQUE INDEX one_executes ON transactions (nonce) WHERE state IN ('executed', 'safe', 'finalized');
CREATE UNIQUE INDEX one_halt_stands ON halts ((1)) WHERE resumed_unix_ms IS NULL;

CREATE TRIGGER ballot_is_carried AFTER INSERT ON ballots BEGIN
    UPDATE headers SET carried = 1 WHERE observation = NEW.observation;
END;

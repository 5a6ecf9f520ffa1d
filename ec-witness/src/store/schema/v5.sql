-- Version 5 is version 4 and this.

-- 1 for a vote that was compacted: of its slot nothing but this row is kept.
ALTER TABLE votes ADD COLUMN compacted INTEGER NOT NULL DEFAULT 0 CHECK (compacted IN (0, 1));

-- What compacting took away, so that it can be told from what was lost: how many votes are compacted, and below which
-- nonce transactions may be gone. No row before the first time.
CREATE TABLE compaction (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    votes             INTEGER NOT NULL,
    nonces_below      TEXT NOT NULL,
    compacted_unix_ms INTEGER NOT NULL
) STRICT;

-- A row while nobody has the store open for writing and the last one who had closed it in order. It is taken away before
-- anything else is written, so that whoever is killed leaves none.
CREATE TABLE closed (
    one              INTEGER PRIMARY KEY CHECK (one = 1),
    closed_unix_ms   INTEGER NOT NULL
) STRICT;

-- What is asked at each start and in turns, and was found by reading every transaction before. Nonces are decimal text,
-- which sorts as numbers where the length comes first.
CREATE INDEX transactions_by_number ON transactions (length(nonce), nonce) WHERE nonce IS NOT NULL;
CREATE INDEX transactions_by_time ON transactions (signed_unix_ms) WHERE nonce IS NOT NULL;
CREATE INDEX forced_kept ON forced (id) WHERE state = 'kept';

-- What refers to a header or a transaction that is written, which SQLite may look for.
CREATE INDEX moves_by_origin ON moves (moved_from);
CREATE INDEX forced_by_repeated ON forced (repeats);

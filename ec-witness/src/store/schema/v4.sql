-- Version 4 is version 3 and this.

-- Forced transactions: what L1 is sent so that the L2 executes a call all the same, resent as it stands. `kept`: perhaps
-- sent, and what its deposit came to is not final; `final`: its deposit is the transaction `l2_hash`; `lost`: no deposit
-- ever comes of it.
CREATE TABLE forced (
    id               INTEGER PRIMARY KEY,
    l1_hash          TEXT NOT NULL UNIQUE,
    l1_nonce         TEXT NOT NULL,
    l1_raw           TEXT NOT NULL,
    repeats          TEXT NOT NULL REFERENCES transactions (hash),
    state            TEXT NOT NULL CHECK (state IN ('kept', 'final', 'lost')),
    l2_hash          TEXT UNIQUE REFERENCES transactions (hash),
    kept_unix_ms     INTEGER NOT NULL,
    CHECK ((l2_hash IS NOT NULL) = (state = 'final'))
) STRICT;

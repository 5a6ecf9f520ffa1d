-- Version 3 is version 2 and this.

-- Headers that are voted for by moving a vote to them, and the header that had it.
CREATE TABLE moves (
    observation      TEXT PRIMARY KEY REFERENCES headers (observation),
    moved_from       TEXT NOT NULL REFERENCES headers (observation)
) STRICT;

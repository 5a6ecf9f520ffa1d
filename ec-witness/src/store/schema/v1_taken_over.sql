-- Takes over what version 1 held. Its `signed` transactions were perhaps sent, as they are now. Its adopted ones had
-- 0, the empty string and 0 for what they do not have.

INSERT INTO identity SELECT * FROM identity_v1;
INSERT INTO streams SELECT * FROM streams_v1;
INSERT INTO votes SELECT * FROM votes_v1;
INSERT INTO headers (id, slot, observation, header, candidates_seen, recorded_unix_ms)
    SELECT id, slot, observation, header, candidates_seen, recorded_unix_ms FROM headers_v1 ORDER BY id;
INSERT INTO transactions (id, hash, nonce, raw, state, block, signed_unix_ms)
    SELECT id, hash,
        CASE state WHEN 'adopted' THEN NULL ELSE nonce END,
        CASE state WHEN 'adopted' THEN NULL ELSE raw END,
        state,
        CASE state WHEN 'adopted' THEN NULL ELSE block END,
        signed_unix_ms
    FROM transactions_v1 ORDER BY id;
INSERT INTO ballots SELECT * FROM ballots_v1;

DROP TABLE ballots_v1;
DROP TABLE headers_v1;
DROP TABLE votes_v1;
DROP TABLE transactions_v1;
DROP TABLE streams_v1;
DROP TABLE identity_v1;

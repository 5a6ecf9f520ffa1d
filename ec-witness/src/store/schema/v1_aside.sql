-- Version 1 steps aside, so that version 2 can be created beside it.

DROP INDEX headers_by_slot;
DROP INDEX ballots_by_observation;
DROP INDEX transactions_by_state;

ALTER TABLE identity RENAME TO identity_v1;
ALTER TABLE streams RENAME TO streams_v1;
ALTER TABLE votes RENAME TO votes_v1;
ALTER TABLE headers RENAME TO headers_v1;
ALTER TABLE transactions RENAME TO transactions_v1;
ALTER TABLE ballots RENAME TO ballots_v1;

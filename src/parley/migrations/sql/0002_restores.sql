-- Noticing a restore: docs/adr/0015-a-restore-is-noticed.md

ALTER TABLE installation
    ADD COLUMN restores integer NOT NULL DEFAULT 0,
    -- counts up while Parley runs: a database behind what is remembered of it was put back
    ADD COLUMN looks bigint NOT NULL DEFAULT 0;

-- The cluster alone was named before; a dump loaded into another database of it is another one as well.
UPDATE installation SET system_identifier = system_identifier || '/' ||
    (SELECT oid FROM pg_database WHERE datname = current_database());

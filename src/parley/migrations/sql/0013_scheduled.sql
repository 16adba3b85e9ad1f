-- A function with its owner's rights looks into nobody's temporary tables before ours: a schema of temporary tables that
-- search_path does not name is searched first. https://www.postgresql.org/docs/current/sql-createfunction.html
-- As its owner: who migrates may be a member of that role without inheriting what it may.
DO $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %s', (SELECT proowner::regrole FROM pg_proc WHERE oid = 'search_messages'::regproc));
    ALTER FUNCTION search_messages SET search_path = pg_catalog, public, pg_temp;
    RESET ROLE;
END $$;

-- Scheduled messages that are due and whose job is no more (parley.conversations.scheduling_store.list_abandoned).
CREATE INDEX scheduled_message_waiting ON scheduled_message (send_at) WHERE posted_at IS NULL AND error_code IS NULL;
CREATE INDEX job_scheduled ON job ((payload ->> 'scheduled_id'))
    WHERE kind = 'conversations.post_scheduled' AND work IN ('ready', 'leased', 'held');

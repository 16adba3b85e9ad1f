-- Integrations: programs that act for others, what they keep beside our rows, and what is published to a broker.

-- Who acted: an administrative act done by a key in somebody's name says both.
ALTER TABLE audit_entry ADD COLUMN by_id uuid;
-- The bot of the key that asked for the session: it ends with the key.
ALTER TABLE session ADD COLUMN issued_by uuid;
CREATE INDEX session_issued ON session (issued_by) WHERE issued_by IS NOT NULL;

-- Which bots act for whom, and when the audit was told last.
CREATE TABLE acting (
    workspace_id uuid NOT NULL,
    bot_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    noted_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, bot_id, actor_id),
    FOREIGN KEY (workspace_id, bot_id) REFERENCES actor (workspace_id, id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
);

-- Values of the embedding application, beside rows that must stay narrow.
CREATE TABLE actor_fields (
    workspace_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    fields jsonb NOT NULL,
    PRIMARY KEY (workspace_id, actor_id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
);

CREATE TABLE conversation_fields (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    fields jsonb NOT NULL,
    PRIMARY KEY (workspace_id, conversation_id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id)
);

-- Users whose updates are published. No row: none.
CREATE TABLE integration (
    workspace_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    enabled_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, actor_id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
);

-- A follower is run by one process at a time.
ALTER TABLE follower ADD COLUMN lease_token uuid, ADD COLUMN lease_until timestamptz;

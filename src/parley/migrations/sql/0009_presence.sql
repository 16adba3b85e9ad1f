-- Presence: who is online where, when somebody was last seen, and whether others may know.

ALTER TABLE actor ADD COLUMN shows_last_seen boolean NOT NULL DEFAULT true;

-- Written once a minute for who is online, and when the last device goes.
CREATE TABLE last_seen (
    workspace_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, actor_id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
) WITH (fillfactor = 70);

-- Who has a socket at which gateway, for several processes without Redis. Worth nothing after a crash, so unlogged.
CREATE UNLOGGED TABLE online (
    workspace_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    node uuid NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, actor_id, node),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
) WITH (fillfactor = 70);
CREATE INDEX online_until ON online (until);

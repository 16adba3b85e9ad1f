-- Messages: mentions, pins, what was deleted for one alone, schedules, who read when, the shape of voice notes.

-- Who is named in a message to everyone. One row for a whole group, however large: actor_id null means everybody but
-- the sender. unread mentions = rows above the member's read number.
CREATE TABLE mention (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    -- the message's
    number bigint NOT NULL,
    sender_id uuid NOT NULL,
    actor_id uuid,
    UNIQUE NULLS NOT DISTINCT (conversation_id, actor_id, number),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id),
    FOREIGN KEY (conversation_id, message_id) REFERENCES message (conversation_id, id),
    FOREIGN KEY (workspace_id, sender_id) REFERENCES actor (workspace_id, id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
);
CREATE INDEX mention_message ON mention (conversation_id, message_id);

CREATE TABLE pin (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    pinned_by uuid NOT NULL,
    pinned_at timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, message_id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id),
    FOREIGN KEY (conversation_id, message_id) REFERENCES message (conversation_id, id),
    FOREIGN KEY (workspace_id, pinned_by) REFERENCES actor (workspace_id, id)
);

-- What somebody deleted for themselves: for them alone it is not there.
CREATE TABLE hidden_message (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    message_id uuid NOT NULL,
    hidden_at timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, actor_id, message_id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id),
    FOREIGN KEY (conversation_id, message_id) REFERENCES message (conversation_id, id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
);

-- A message to be posted later. It goes when it is cancelled, and some time after it was posted, so that a repeated
-- request finds what became of it; one that failed stays for its author to see.
CREATE TABLE scheduled_message (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    client_id text NOT NULL CHECK (length(client_id) BETWEEN 1 AND 128),
    text text NOT NULL,
    entities jsonb,
    reply_to_id uuid,
    send_at timestamptz NOT NULL,
    -- counts changes: a job made for an older version does nothing
    version integer NOT NULL DEFAULT 1,
    error_code text,
    error_text text,
    -- once it is posted; what it said is in the message then, and here no more
    message_id uuid,
    posted_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (conversation_id, actor_id, client_id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id),
    FOREIGN KEY (conversation_id, reply_to_id) REFERENCES message (conversation_id, id),
    FOREIGN KEY (conversation_id, message_id) REFERENCES message (conversation_id, id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
);
CREATE INDEX scheduled_message_actor ON scheduled_message (workspace_id, actor_id, send_at);

CREATE TABLE scheduled_media (
    workspace_id uuid NOT NULL,
    scheduled_id uuid NOT NULL,
    ordinal integer NOT NULL,
    media_id uuid NOT NULL,
    PRIMARY KEY (workspace_id, scheduled_id, ordinal),
    FOREIGN KEY (workspace_id, scheduled_id) REFERENCES scheduled_message (workspace_id, id) ON DELETE CASCADE,
    FOREIGN KEY (workspace_id, media_id) REFERENCES media (workspace_id, id)
);
CREATE INDEX scheduled_media_file ON scheduled_media (workspace_id, media_id);

-- One step of a read position, in small groups and for a time: the messages above `above` up to `number` were read then.
CREATE TABLE read_step (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    above bigint NOT NULL,
    number bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, actor_id, number),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id),
    CHECK (above < number)
);
CREATE INDEX read_step_age ON read_step USING brin (at);

-- The heights of a sound's bars, 0 to 31, at most 100.
ALTER TABLE media ADD COLUMN waveform smallint[];

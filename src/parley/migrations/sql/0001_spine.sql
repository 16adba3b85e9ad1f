-- The spine: workspaces, actors, streams, messages, desk, journal, ledger, jobs.
--
-- Rules kept by every table here and later:
--   * a row of a workspace carries workspace_id, and every foreign key is composite with it, so no row points across;
--   * row-level security is forced; role parley_app sees only the workspaces in `parley.workspaces`,
--     role parley_system (claims, login, feed) sees all; the statements it runs are listed in ADR 0004;
--   * message-side keys begin with conversation_id;
--   * ids are UUIDv7 made in Python.

-- ------------------------------------------------------------------ accounts

CREATE TABLE workspace (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    settings jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A way to sign in; belongs to no workspace. One login may be a user of several workspaces.
CREATE TABLE login (
    id uuid PRIMARY KEY,
    email text UNIQUE CHECK (email = lower(email)),
    phone text UNIQUE,
    password_hash text,
    disabled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Whoever can speak: user, contact or bot. One table, one id space.
CREATE TABLE actor (
    workspace_id uuid NOT NULL REFERENCES workspace (id),
    id uuid NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('user', 'contact', 'bot')),
    name text NOT NULL,
    role text CHECK (role IN ('owner', 'admin', 'agent', 'member')),
    login_id uuid REFERENCES login (id),
    external_id text,
    locale text,
    avatar_media_id uuid,
    fields jsonb NOT NULL DEFAULT '{}',
    -- the personal stream's counter, and its place in the feed (see event)
    head bigint NOT NULL DEFAULT 0,
    tag integer NOT NULL DEFAULT 0,
    feed_transaction xid8 NOT NULL DEFAULT '0',
    created_at timestamptz NOT NULL DEFAULT now(),
    deactivated_at timestamptz,
    PRIMARY KEY (workspace_id, id),
    CHECK ((kind = 'user') = (role IS NOT NULL))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX actor_login ON actor (login_id, workspace_id) WHERE login_id IS NOT NULL;
CREATE UNIQUE INDEX actor_external ON actor (workspace_id, kind, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX actor_listing ON actor (workspace_id, kind, id);

CREATE TABLE session (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    login_id uuid NOT NULL REFERENCES login (id),
    access_hash bytea NOT NULL UNIQUE,
    access_expires_at timestamptz NOT NULL,
    refresh_hash bytea NOT NULL UNIQUE,
    -- the token before the last rotation, good for a few seconds more so that two tabs may refresh at once
    previous_refresh_hash bytea UNIQUE,
    previous_access_hash bytea UNIQUE,
    previous_access_expires_at timestamptz,
    rotated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    user_agent text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
);
CREATE INDEX session_actor ON session (workspace_id, actor_id);
CREATE INDEX session_login ON session (login_id);

CREATE TABLE api_key (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    actor_id uuid NOT NULL,
    name text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    hint text NOT NULL,
    scopes text[] NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
);

-- Attempts that protect logins; lives here and not in Redis because it must fail closed.
CREATE TABLE attempt (
    bucket text NOT NULL,
    subject bytea NOT NULL,
    window_start timestamptz NOT NULL,
    count integer NOT NULL,
    PRIMARY KEY (bucket, subject)
);

-- One-time links: creation of the first workspace, invitations.
CREATE TABLE one_time_token (
    hash bytea PRIMARY KEY,
    purpose text NOT NULL,
    workspace_id uuid REFERENCES workspace (id),
    payload jsonb NOT NULL DEFAULT '{}',
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE audit_entry (
    workspace_id uuid NOT NULL REFERENCES workspace (id),
    id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    actor_id uuid,
    action text NOT NULL,
    target text NOT NULL DEFAULT '',
    before jsonb,
    after jsonb,
    address text NOT NULL DEFAULT '',
    PRIMARY KEY (workspace_id, id)
);

-- ------------------------------------------------------------------ inboxes (desk) and contacts

CREATE TABLE inbox (
    workspace_id uuid NOT NULL REFERENCES workspace (id),
    id uuid NOT NULL UNIQUE,
    channel text NOT NULL,
    name text NOT NULL,
    address text NOT NULL DEFAULT '',
    secrets bytea NOT NULL,
    config jsonb NOT NULL DEFAULT '{}',
    -- what a message to a resolved conversation does: reopen it, or start another after these hours (0: always another)
    reopen text NOT NULL DEFAULT 'reopen' CHECK (reopen IN ('reopen', 'new')),
    reopen_within_hours integer,
    state text NOT NULL DEFAULT 'connected' CHECK (state IN ('connected', 'broken', 'disconnected')),
    state_reason text,
    -- long polling: where we are, and who polls (lease)
    poll_cursor text,
    poll_lease_token uuid,
    poll_lease_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    disconnected_at timestamptz,
    PRIMARY KEY (workspace_id, id)
);
CREATE UNIQUE INDEX inbox_address ON inbox (channel, address)
    WHERE state <> 'disconnected' AND address <> '';

CREATE TABLE inbox_member (
    workspace_id uuid NOT NULL,
    inbox_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (inbox_id, actor_id),
    FOREIGN KEY (workspace_id, inbox_id) REFERENCES inbox (workspace_id, id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
);
CREATE INDEX inbox_member_actor ON inbox_member (workspace_id, actor_id);

-- What we know of a contact beyond its name (actor) and addresses (identity).
CREATE TABLE contact (
    workspace_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    email text,
    phone text,
    note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, actor_id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
);

CREATE TABLE identity (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    inbox_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    address text NOT NULL,
    name text NOT NULL DEFAULT '',
    username text,
    is_reachable boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id),
    UNIQUE (inbox_id, address),
    FOREIGN KEY (workspace_id, inbox_id) REFERENCES inbox (workspace_id, id),
    FOREIGN KEY (workspace_id, contact_id) REFERENCES actor (workspace_id, id)
);
CREATE INDEX identity_contact ON identity (workspace_id, contact_id);

-- ------------------------------------------------------------------ media

CREATE TABLE media (
    workspace_id uuid NOT NULL REFERENCES workspace (id),
    id uuid NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('pending', 'ready', 'failed')),
    kind text NOT NULL CHECK (kind IN ('image', 'video', 'audio', 'voice', 'animation', 'sticker', 'file')),
    name text NOT NULL DEFAULT '',
    content_type text NOT NULL DEFAULT 'application/octet-stream',
    size_bytes bigint,
    sha256 bytea,
    width integer,
    height integer,
    duration_seconds double precision,
    thumbnail_width integer,
    thumbnail_height integer,
    error text,
    -- where a pending file is to be fetched: {"inbox_id", "reference"}
    source jsonb,
    uploaded_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX media_uploads ON media (workspace_id, uploaded_by, created_at);

-- ------------------------------------------------------------------ conversations

-- Narrow and updated with every message: the counters must stay HOT, so nothing that a send changes is indexed.
CREATE TABLE conversation (
    workspace_id uuid NOT NULL REFERENCES workspace (id),
    id uuid NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('direct', 'group', 'broadcast', 'desk')),
    title text,
    -- visibility of a desk conversation follows its inbox
    inbox_id uuid,
    -- direct conversations: the two actors, ordered, so that a pair has one
    direct_key text,
    -- the stream: number and tag of its last event, and its place in the feed (see event)
    head bigint NOT NULL DEFAULT 0,
    tag integer NOT NULL DEFAULT 0,
    feed_transaction xid8 NOT NULL DEFAULT '0',
    -- the last dense message number, and the last visible message for lists
    last_number bigint NOT NULL DEFAULT 0,
    last_message_id uuid,
    last_message_at timestamptz,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, inbox_id) REFERENCES inbox (workspace_id, id),
    CHECK ((kind = 'desk') = (inbox_id IS NOT NULL))
) WITH (fillfactor = 60);
CREATE UNIQUE INDEX conversation_direct ON conversation (workspace_id, direct_key) WHERE direct_key IS NOT NULL;

CREATE TABLE member (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'moderator', 'member', 'reader')),
    -- unread = conversation.last_number - read_number - own_since
    read_number bigint NOT NULL DEFAULT 0,
    own_since bigint NOT NULL DEFAULT 0,
    muted_until timestamptz,
    joined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (conversation_id, actor_id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
) WITH (fillfactor = 80);
CREATE INDEX member_actor ON member (workspace_id, actor_id, conversation_id);

CREATE TABLE message (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    id uuid NOT NULL,
    -- number of the event that created it: dense order of everything staff sees; history is paged by it
    position bigint NOT NULL,
    -- dense number among messages to everyone; null for notes and system notices
    number bigint,
    kind text NOT NULL CHECK (kind IN ('text', 'note', 'system')),
    sender_id uuid NOT NULL,
    text text NOT NULL DEFAULT '',
    entities jsonb,
    reply_to_id uuid,
    quote text,
    client_id text CHECK (length(client_id) BETWEEN 1 AND 128),
    group_key text,
    extra jsonb,
    -- desk: what became of it at the provider, {"state", "error"}; the ledger is the truth, this its face
    status jsonb,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    edited_at timestamptz,
    deleted_at timestamptz,
    PRIMARY KEY (conversation_id, id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id),
    FOREIGN KEY (workspace_id, sender_id) REFERENCES actor (workspace_id, id),
    FOREIGN KEY (conversation_id, reply_to_id) REFERENCES message (conversation_id, id),
    CHECK ((kind = 'text') = (number IS NOT NULL))
);
CREATE UNIQUE INDEX message_position ON message (conversation_id, position);
CREATE UNIQUE INDEX message_number ON message (conversation_id, number) WHERE number IS NOT NULL;
-- A repeat of a send is the same send, for ever.
CREATE UNIQUE INDEX message_client ON message (conversation_id, sender_id, client_id) WHERE client_id IS NOT NULL;
-- An album is one message.
CREATE UNIQUE INDEX message_group ON message (conversation_id, group_key) WHERE group_key IS NOT NULL;

CREATE TABLE message_version (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    version integer NOT NULL,
    text text NOT NULL,
    entities jsonb,
    replaced_at timestamptz NOT NULL,
    replaced_by uuid NOT NULL,
    PRIMARY KEY (conversation_id, message_id, version),
    FOREIGN KEY (conversation_id, message_id) REFERENCES message (conversation_id, id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id)
);

CREATE TABLE attachment (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    ordinal integer NOT NULL,
    media_id uuid NOT NULL,
    PRIMARY KEY (conversation_id, message_id, ordinal),
    FOREIGN KEY (conversation_id, message_id) REFERENCES message (conversation_id, id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id),
    FOREIGN KEY (workspace_id, media_id) REFERENCES media (workspace_id, id)
);
CREATE INDEX attachment_media ON attachment (workspace_id, media_id);

CREATE TABLE reaction (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    emoji text NOT NULL CHECK (length(emoji) BETWEEN 1 AND 32),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (conversation_id, message_id, actor_id, emoji),
    FOREIGN KEY (conversation_id, message_id) REFERENCES message (conversation_id, id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
);

-- Streams. `transaction` orders the feed: read by (transaction, conversation_id, number) below the oldest running one.
-- It is the writing transaction's, or that of the event before in the stream where that is higher: a transaction
-- numbered early may come late to a stream, and the feed keeps the stream's order. Never lower than the writer's own,
-- so nothing appears behind a follower.
CREATE TABLE event (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    number bigint NOT NULL,
    tag integer NOT NULL,
    kind text NOT NULL,
    -- 'all', 'staff', or the id of the one actor who may see it
    audience text NOT NULL,
    actor_id uuid,
    data jsonb NOT NULL,
    at timestamptz NOT NULL,
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (conversation_id, number),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id)
);
CREATE INDEX event_feed ON event (transaction, conversation_id, number);
CREATE INDEX event_age ON event USING brin (at);

CREATE TABLE personal_event (
    workspace_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    number bigint NOT NULL,
    tag integer NOT NULL,
    kind text NOT NULL,
    data jsonb NOT NULL,
    at timestamptz NOT NULL,
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (actor_id, number),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id)
);
CREATE INDEX personal_event_feed ON personal_event (transaction, actor_id, number);
CREATE INDEX personal_event_age ON personal_event USING brin (at);

-- Followers of the feed and how far each has come.
CREATE TABLE follower (
    name text PRIMARY KEY,
    transaction xid8 NOT NULL,
    position jsonb NOT NULL DEFAULT '[]',
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- ------------------------------------------------------------------ desk

-- What lists of the desk sort and filter by; one row beside each desk conversation.
CREATE TABLE desk_conversation (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    inbox_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'pending', 'resolved', 'snoozed')),
    snoozed_until timestamptz,
    resolved_at timestamptz,
    assignee_id uuid,
    active_at timestamptz NOT NULL,
    -- the transaction that last touched it: the token of "changed since"
    touch xid8 NOT NULL DEFAULT pg_current_xact_id(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (conversation_id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id),
    FOREIGN KEY (workspace_id, inbox_id) REFERENCES inbox (workspace_id, id),
    FOREIGN KEY (workspace_id, contact_id) REFERENCES actor (workspace_id, id),
    FOREIGN KEY (workspace_id, identity_id) REFERENCES identity (workspace_id, id),
    FOREIGN KEY (workspace_id, assignee_id) REFERENCES actor (workspace_id, id),
    CHECK ((status = 'snoozed') = (snoozed_until IS NOT NULL))
) WITH (fillfactor = 80);
-- One unfinished conversation of a contact in an inbox.
CREATE UNIQUE INDEX desk_conversation_unfinished ON desk_conversation (inbox_id, contact_id) WHERE status <> 'resolved';
CREATE INDEX desk_conversation_listing ON desk_conversation (workspace_id, inbox_id, status, active_at, conversation_id);
CREATE INDEX desk_conversation_touch ON desk_conversation (workspace_id, inbox_id, touch);
CREATE INDEX desk_conversation_contact ON desk_conversation (workspace_id, contact_id);
CREATE INDEX desk_conversation_snoozed ON desk_conversation (snoozed_until) WHERE status = 'snoozed';

-- A provider's message is one of ours; an edit is another key. The database refuses duplicates.
CREATE TABLE message_source (
    workspace_id uuid NOT NULL,
    inbox_id uuid NOT NULL,
    chat text NOT NULL,
    provider_id text NOT NULL,
    revision text NOT NULL DEFAULT '',
    conversation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    -- 'in': it came from there; 'out': our delivery made it
    direction text NOT NULL CHECK (direction IN ('in', 'out')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (inbox_id, chat, provider_id, revision),
    FOREIGN KEY (workspace_id, inbox_id) REFERENCES inbox (workspace_id, id),
    FOREIGN KEY (conversation_id, message_id) REFERENCES message (conversation_id, id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id)
);
CREATE INDEX message_source_message ON message_source (conversation_id, message_id);

-- ------------------------------------------------------------------ claimed work
-- Four tables of one shape (infra/work.py): journal, delivery, job and, later, mailing recipients.
--   work: ready -> leased -> done | failed; held: waits for an operator
--   lane: rows of a lane run one after another in order of seq; null: no order

CREATE TABLE journal (
    workspace_id uuid NOT NULL REFERENCES workspace (id),
    id uuid NOT NULL,
    inbox_id uuid NOT NULL,
    body bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    outcome text,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    lane text,
    work text NOT NULL DEFAULT 'ready' CHECK (work IN ('ready', 'leased', 'done', 'failed', 'held')),
    due_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    lease_token uuid,
    lease_until timestamptz,
    last_error text,
    finished_at timestamptz,
    PRIMARY KEY (id),
    FOREIGN KEY (workspace_id, inbox_id) REFERENCES inbox (workspace_id, id)
) WITH (fillfactor = 80);

CREATE TABLE delivery (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL UNIQUE,
    conversation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    inbox_id uuid NOT NULL,
    action text NOT NULL CHECK (action IN ('send', 'edit', 'delete')),
    -- message version an edit carries
    version integer NOT NULL DEFAULT 1,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN
        ('queued', 'sending', 'sent', 'failed', 'unknown', 'cancelled', 'delivered', 'read')),
    error_code text,
    error_text text,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    seq bigint GENERATED ALWAYS AS IDENTITY,
    lane text,
    work text NOT NULL DEFAULT 'ready' CHECK (work IN ('ready', 'leased', 'done', 'failed', 'held')),
    due_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    lease_token uuid,
    lease_until timestamptz,
    last_error text,
    finished_at timestamptz,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (conversation_id, message_id) REFERENCES message (conversation_id, id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id),
    FOREIGN KEY (workspace_id, inbox_id) REFERENCES inbox (workspace_id, id)
) WITH (fillfactor = 70);
CREATE INDEX delivery_message ON delivery (conversation_id, message_id);

CREATE TABLE delivery_part (
    workspace_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    ordinal integer NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'unknown')),
    provider_ids text[] NOT NULL DEFAULT '{}',
    error_code text,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (delivery_id, ordinal),
    FOREIGN KEY (workspace_id, delivery_id) REFERENCES delivery (workspace_id, id)
) WITH (fillfactor = 70);

-- A provider's status that came before we knew its id; applied when the id becomes known.
CREATE TABLE parked_status (
    workspace_id uuid NOT NULL,
    inbox_id uuid NOT NULL,
    chat text NOT NULL,
    provider_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('sent', 'delivered', 'read', 'failed')),
    error_code text,
    error_text text,
    at timestamptz NOT NULL,
    PRIMARY KEY (inbox_id, chat, provider_id, state),
    FOREIGN KEY (workspace_id, inbox_id) REFERENCES inbox (workspace_id, id)
);

CREATE TABLE job (
    workspace_id uuid REFERENCES workspace (id),
    id uuid NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL DEFAULT '{}',
    -- while an unfinished job with this key exists, another is not made
    unique_key text,
    created_at timestamptz NOT NULL DEFAULT now(),
    seq bigint GENERATED ALWAYS AS IDENTITY,
    lane text,
    work text NOT NULL DEFAULT 'ready' CHECK (work IN ('ready', 'leased', 'done', 'failed', 'held')),
    due_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    lease_token uuid,
    lease_until timestamptz,
    last_error text,
    finished_at timestamptz,
    PRIMARY KEY (id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX job_unique ON job (kind, workspace_id, unique_key) NULLS NOT DISTINCT
    WHERE unique_key IS NOT NULL AND work IN ('ready', 'leased');

CREATE TABLE schedule (
    name text PRIMARY KEY,
    every_seconds integer NOT NULL,
    next_at timestamptz NOT NULL,
    last_at timestamptz
);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['journal', 'delivery', 'job'] LOOP
        -- what is due: rows without a lane, and lanes by their oldest row; apart, so that neither hides the other
        EXECUTE format('CREATE INDEX %1$s_free ON %1$I (due_at, seq) WHERE work = ''ready'' AND lane IS NULL', t);
        EXECUTE format('CREATE INDEX %1$s_due ON %1$I (due_at, seq) WHERE work = ''ready'' AND lane IS NOT NULL', t);
        -- the head of a lane
        EXECUTE format('CREATE INDEX %1$s_lane ON %1$I (lane, seq) WHERE work = ''ready'' AND lane IS NOT NULL', t);
        -- which lanes are busy; lease_until stays out of it, so that a heartbeat is a HOT update
        EXECUTE format('CREATE INDEX %1$s_leased ON %1$I (lane) WHERE work = ''leased''', t);
        EXECUTE format('CREATE INDEX %1$s_failed ON %1$I (workspace_id, seq) WHERE work IN (''failed'', ''held'')', t);
    END LOOP;
END $$;

-- What this installation is: compared at start to notice a restored or foreign cluster.
CREATE TABLE installation (
    id integer PRIMARY KEY CHECK (id = 1),
    system_identifier text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

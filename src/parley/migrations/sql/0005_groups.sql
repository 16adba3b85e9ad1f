-- Groups: what they show of themselves, bans, invite links, what a member keeps for itself, drafts, people.

-- Nothing here changes with a send, so the counters stay HOT. `member_count` is counted under the conversation's lock.
ALTER TABLE conversation
    ADD COLUMN description text,
    ADD COLUMN avatar_media_id uuid,
    ADD COLUMN member_count integer NOT NULL DEFAULT 0,
    ADD FOREIGN KEY (workspace_id, avatar_media_id) REFERENCES media (workspace_id, id);
CREATE INDEX conversation_avatar ON conversation (workspace_id, avatar_media_id) WHERE avatar_media_id IS NOT NULL;

-- `is_chat`: a member of a direct conversation, a group or a broadcast. At the desk a row says only how far somebody has
-- read, and somebody who works there has one for every customer: their list of chats must not walk over those.
ALTER TABLE member
    ADD COLUMN is_chat boolean NOT NULL DEFAULT false,
    ADD COLUMN is_archived boolean NOT NULL DEFAULT false,
    ADD COLUMN is_pinned boolean NOT NULL DEFAULT false;
UPDATE member m SET is_chat = true FROM conversation c WHERE c.id = m.conversation_id AND c.kind <> 'desk';
UPDATE conversation c SET member_count = (SELECT count(*) FROM member m WHERE m.conversation_id = c.id)
    WHERE c.kind <> 'desk';
CREATE INDEX member_chats ON member (actor_id, conversation_id) WHERE is_chat;

-- Who is kept out; until then they are no member, by whichever way they come. `until` null: for good.
CREATE TABLE ban (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    banned_by uuid NOT NULL,
    until timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, actor_id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id),
    FOREIGN KEY (workspace_id, banned_by) REFERENCES actor (workspace_id, id)
);

-- A way into a group for whoever of the workspace holds the token; only its hash is kept.
CREATE TABLE invite_link (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    hash bytea NOT NULL UNIQUE,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    max_uses integer CHECK (max_uses > 0),
    use_count integer NOT NULL DEFAULT 0 CHECK (use_count <= max_uses),
    revoked_at timestamptz,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id),
    FOREIGN KEY (workspace_id, created_by) REFERENCES actor (workspace_id, id)
);
CREATE INDEX invite_link_conversation ON invite_link (conversation_id, id) WHERE revoked_at IS NULL;

-- What somebody began to write. `event_number`: the personal event that told it last; the one before tells its words no more.
CREATE TABLE draft (
    workspace_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    actor_id uuid NOT NULL,
    text text NOT NULL,
    entities jsonb,
    reply_to_id uuid,
    event_number bigint NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, actor_id),
    FOREIGN KEY (workspace_id, conversation_id) REFERENCES conversation (workspace_id, id),
    FOREIGN KEY (workspace_id, actor_id) REFERENCES actor (workspace_id, id),
    FOREIGN KEY (conversation_id, reply_to_id) REFERENCES message (conversation_id, id)
) WITH (fillfactor = 80);
CREATE INDEX draft_actor ON draft (actor_id, conversation_id);

-- People are listed by name. A column, since an index by an expression cannot be used below row-level security.
ALTER TABLE actor ADD COLUMN search_name text NOT NULL GENERATED ALWAYS AS (lower(name)) STORED;
CREATE INDEX actor_people ON actor (workspace_id, search_name, id) WHERE kind <> 'contact' AND deactivated_at IS NULL;

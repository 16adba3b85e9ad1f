"""SQL of sending: one statement locks and looks, one writes. Both carry a whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from parley.infra.db import Tx

# Lock order: conversations by id, then what lies under them. Member rows change only under their conversation's lock,
# so whoever was removed before us is seen as removed. Laterals with LIMIT keep the plan on indexes whatever the
# planner thinks of an array's length.
_LOCK_WAITING = """
WITH draft AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::uuid[])
        WITH ORDINALITY AS d (workspace_id, conversation_id, sender_id, client_id, group_key, reply_to_id, ord)
), locked_conversation AS MATERIALIZED (
    SELECT c.id, c.workspace_id, c.kind, c.inbox_id, c.head, c.last_number
    FROM (SELECT DISTINCT conversation_id FROM draft ORDER BY conversation_id) d
    CROSS JOIN LATERAL (SELECT * FROM conversation x WHERE x.id = d.conversation_id FOR NO KEY UPDATE) c
), locked_member AS MATERIALIZED (
    SELECT m.conversation_id, m.actor_id, m.role, m.read_number, m.own_since
    FROM (SELECT DISTINCT conversation_id, sender_id FROM draft
          WHERE (SELECT count(*) FROM locked_conversation) > 0) d
    CROSS JOIN LATERAL (SELECT * FROM member x WHERE x.conversation_id = d.conversation_id
        AND x.actor_id = d.sender_id FOR NO KEY UPDATE) m
), locked_staff AS MATERIALIZED (
    SELECT d.conversation_id, d.sender_id
    FROM (SELECT DISTINCT d.conversation_id, d.sender_id, c.inbox_id FROM draft d
          JOIN locked_conversation c ON c.id = d.conversation_id WHERE c.inbox_id IS NOT NULL) d
    CROSS JOIN LATERAL (SELECT FROM inbox_member i WHERE i.inbox_id = d.inbox_id AND i.actor_id = d.sender_id
        FOR KEY SHARE) i
)
SELECT c.id IS NULL AND EXISTS (SELECT FROM conversation x
        WHERE x.id = d.conversation_id AND x.workspace_id = d.workspace_id) AS is_busy,
    c.kind, c.inbox_id, c.head, c.last_number, m.role, m.read_number, m.own_since,
    s.sender_id IS NOT NULL AS is_staff, a.kind AS sender_kind, a.name AS sender_name, a.role AS sender_role,
    e.id AS repeat_of, r.id AS reply_id, r.kind AS reply_kind, r.text AS reply_text, r.sender_name AS reply_sender_name,
    r.deleted_at IS NOT NULL AS is_reply_deleted
FROM draft d
LEFT JOIN locked_conversation c ON c.id = d.conversation_id AND c.workspace_id = d.workspace_id
LEFT JOIN locked_member m ON m.conversation_id = d.conversation_id AND m.actor_id = d.sender_id
LEFT JOIN locked_staff s ON s.conversation_id = d.conversation_id AND s.sender_id = d.sender_id
LEFT JOIN LATERAL (SELECT * FROM actor x WHERE x.id = d.sender_id AND x.workspace_id = d.workspace_id LIMIT 1) a ON true
LEFT JOIN LATERAL (
    SELECT x.id FROM message x WHERE x.conversation_id = d.conversation_id
        AND x.sender_id = d.sender_id AND x.client_id = d.client_id AND d.client_id IS NOT NULL LIMIT 1
) e ON true
LEFT JOIN LATERAL (
    SELECT x.id, x.kind, x.text, x.deleted_at, n.name AS sender_name FROM message x JOIN actor n ON n.id = x.sender_id
    -- after the conversation's lock (c) and locked itself: as it reads now, not as it did before we waited
    WHERE x.conversation_id = c.id AND x.id = d.reply_to_id AND d.reply_to_id IS NOT NULL LIMIT 1 FOR SHARE OF x
) r ON true
ORDER BY d.ord
"""
_LOCK_FREE = _LOCK_WAITING.replace(
    "x.id = d.conversation_id FOR NO KEY UPDATE", "x.id = d.conversation_id FOR NO KEY UPDATE SKIP LOCKED"
)
assert _LOCK_FREE != _LOCK_WAITING


async def lock_for_sending(tx: Tx, drafts: Sequence[Any], *, is_patient: bool) -> list[asyncpg.Record]:
    """Lock what the drafts need until commit and return, in their order, what is known of each.

    A conversation that somebody else has locked is waited for; when not patient it is ``is_busy`` instead.

    ``repeat_of``: the stored message with the same client id, as far as this statement's snapshot knows; the
    unique index has the last word. Columns of the conversation are null when it is not there.
    """
    return await tx.fetch(
        _LOCK_WAITING if is_patient else _LOCK_FREE,
        [draft.workspace_id for draft in drafts],
        [draft.conversation_id for draft in drafts],
        [draft.sender_id for draft in drafts],
        [draft.client_id for draft in drafts],
        [draft.group_key for draft in drafts],
        [draft.reply_to_id for draft in drafts],
    )


_WRITE = """
WITH written_message AS (
    INSERT INTO message (workspace_id, conversation_id, id, position, number, kind, sender_id, text, entities,
        reply_to_id, quote, client_id, group_key, extra, status, created_at)
    SELECT w, c, id, position, number, kind, sender, text, entities::jsonb, reply_to, quote, client, album,
        extra::jsonb, status::jsonb, $29
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::text[], $7::uuid[], $8::text[],
        $9::text[], $10::uuid[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])
        AS m (w, c, id, position, number, kind, sender, text, entities, reply_to, quote, client, album, extra, status)
), moved_stream AS (
    UPDATE conversation c SET head = u.head, tag = u.tag, last_number = u.last_number,
        feed_transaction = greatest(c.feed_transaction, pg_current_xact_id()),
        last_message_id = coalesce(u.message_id, c.last_message_id),
        last_message_at = CASE WHEN u.message_id IS NULL THEN c.last_message_at ELSE $29 END
    FROM unnest($19::uuid[], $20::bigint[], $21::integer[], $22::bigint[], $23::uuid[])
        AS u (id, head, tag, last_number, message_id)
    WHERE c.id = u.id RETURNING c.id, c.feed_transaction
), written_event AS (
    INSERT INTO event
        (workspace_id, conversation_id, number, tag, kind, audience, actor_id, data, at, transaction)
    SELECT w, c, number, tag, 'message.created', audience, actor, data::jsonb, $29, s.feed_transaction
    FROM unnest($1::uuid[], $2::uuid[], $4::bigint[], $16::integer[], $17::text[], $7::uuid[], $18::text[])
        AS e (w, c, number, tag, audience, actor, data)
    JOIN moved_stream s ON s.id = e.c
)
INSERT INTO member (workspace_id, conversation_id, actor_id, role, read_number, own_since, joined_at)
SELECT w, c, a, 'member', r, o, $29
FROM unnest($24::uuid[], $25::uuid[], $26::uuid[], $27::bigint[], $28::bigint[]) AS m (w, c, a, r, o)
ON CONFLICT (conversation_id, actor_id)
DO UPDATE SET read_number = excluded.read_number, own_since = excluded.own_since
"""


async def write_batch(tx: Tx, *columns: list[Any]) -> None:
    """Write messages, events, counters and read positions of a batch in one statement.

    JSON comes as encoded text: a list of lists would be taken for an array of two dimensions.

    Raises: asyncpg.UniqueViolationError when a client id or group key was taken meanwhile.
    """
    await tx.execute(_WRITE, *columns, tx.now)


async def attach(
    tx: Tx,
    workspaces: list[UUID],
    conversations: list[UUID],
    messages: list[UUID],
    ordinals: list[int],
    media: list[UUID],
) -> None:
    """Attach files to messages of the batch."""
    await tx.execute(
        """INSERT INTO attachment (workspace_id, conversation_id, message_id, ordinal, media_id)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::uuid[])""",
        workspaces,
        conversations,
        messages,
        ordinals,
        media,
    )


async def hold_source(tx: Tx, conversation_id: UUID, message_id: UUID) -> bool:
    """Hold a message that is forwarded until the commit; False when it is deleted.

    Whoever deletes it meanwhile is waited for: a deletion that is committed first lets nothing out. They hold its
    conversation and wait for none, so it does not matter that we hold another.
    """
    return bool(
        await tx.execute(
            """SELECT FROM message WHERE conversation_id = $1 AND id = $2 AND deleted_at IS NULL FOR SHARE""",
            conversation_id,
            message_id,
        )
    )


async def list_foreign_media(
    tx: Tx, media_ids: list[UUID], sender_id: UUID, *, from_provider: bool
) -> list[UUID]:
    """Return those of the files that may not be sent.

    A user's or bot's must be their own uploads and ready; a contact's come from the provider, ready or on their way.
    """
    rows = await tx.fetch(
        """SELECT w.id FROM unnest($1::uuid[]) AS w (id) LEFT JOIN media m ON m.id = w.id
        WHERE m.id IS NULL OR m.state = 'failed' OR CASE WHEN $3 THEN m.source IS NULL
            ELSE m.uploaded_by IS DISTINCT FROM $2 OR m.state <> 'ready' END""",
        media_ids,
        sender_id,
        from_provider,
    )
    return [row["id"] for row in rows]


async def find_position(tx: Tx, conversation_id: UUID, actor_id: UUID) -> asyncpg.Record | None:
    """Return a member's read position as it is now, under the conversation's lock."""
    return await tx.fetchrow(
        "SELECT read_number, own_since FROM member WHERE conversation_id = $1 AND actor_id = $2",
        conversation_id,
        actor_id,
    )

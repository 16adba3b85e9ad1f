"""SQL of intake: the journal, sources of messages, and the conversation a customer is in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from parley.infra.db import Database, Tx, hex_literal
from parley.infra.work import WorkTable

JOURNAL = WorkTable("journal", columns=("inbox_id", "body"), max_attempts=8)

MESSAGE, ALBUM_ITEM, DUPLICATE = "message", "album item", "duplicate"
"""Outcomes of items that are a message of ours, which `message_source` knows by the provider's id."""


async def insert_items(tx: Tx, items: Sequence[tuple[UUID, UUID, UUID, str, bytes]]) -> None:
    """Journal items (workspace, inbox, id, lane, body) in order: seq follows the order of the list."""
    await tx.execute(
        """INSERT INTO journal (workspace_id, inbox_id, id, lane, body, received_at)
        SELECT t.w, t.i, t.id, t.lane, t.body, $6
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bytea[])
            WITH ORDINALITY AS t (w, i, id, lane, body, n) ORDER BY n""",
        *(list(column) for column in zip(*items, strict=True)),
        tx.now,
    )


async def insert_items_at_once(
    db: Database, items: Sequence[tuple[UUID, UUID, UUID, str, bytes]], received_at: dt.datetime
) -> None:
    """As `insert_items`, in a transaction of its own and one round trip; wakes the journal's workers."""
    rows = ", ".join(
        f"('{workspace}', '{inbox}', '{item}', convert_from({hex_literal(lane.encode())}, 'UTF8'), {hex_literal(body)},"
        f" '{received_at.isoformat()}')"
        for workspace, inbox, item, lane, body in items
    )
    sql = f"INSERT INTO journal (workspace_id, inbox_id, id, lane, body, received_at) VALUES {rows}"
    await db.write_at_once({item[0] for item in items}, sql, wakes=JOURNAL.name)


async def insert_refused(
    tx: Tx, workspace_id: UUID, inbox_id: UUID, item_id: UUID, body: bytes, error: str
) -> None:
    """Journal a body that could not even be split: failed from the start, to be replayed after a fix."""
    await tx.execute(
        """INSERT INTO journal (workspace_id, id, inbox_id, body, received_at, work, last_error, finished_at)
        VALUES ($1, $2, $3, $4, $5, 'failed', $6, $5)""",
        workspace_id,
        item_id,
        inbox_id,
        body,
        tx.now,
        error,
    )


async def list_journal(
    tx: Tx, workspace_id: UUID, state: str | None, before: int, limit: int
) -> list[asyncpg.Record]:
    """Return journal items, newest first. Index for failed ones: journal_failed."""
    return await tx.fetch(
        """SELECT * FROM journal WHERE workspace_id = $1 AND ($2::text IS NULL OR work = $2) AND seq < $3
        ORDER BY seq DESC LIMIT $4""",
        workspace_id,
        state,
        before,
        limit,
    )


async def find_any_item(tx: Tx, item_id: UUID) -> asyncpg.Record | None:
    """Return one journal item of any workspace the transaction sees."""
    return await tx.fetchrow("SELECT * FROM journal WHERE id = $1", item_id)


async def find_item(tx: Tx, workspace_id: UUID, item_id: UUID) -> asyncpg.Record | None:
    """Return one journal item."""
    return await tx.fetchrow(
        "SELECT * FROM journal WHERE workspace_id = $1 AND id = $2", workspace_id, item_id
    )


async def list_failed(tx: Tx, workspace_id: UUID | None, limit: int) -> list[UUID]:
    """Return failed journal items, oldest first."""
    rows = await tx.fetch(
        """SELECT id FROM journal WHERE work = 'failed' AND ($1::uuid IS NULL OR workspace_id = $1)
        ORDER BY seq LIMIT $2""",
        workspace_id,
        limit,
    )
    return [row["id"] for row in rows]


async def has_failed_before(tx: Tx, lane: str | None, seq: int) -> bool:
    """Whether an earlier item of a lane has failed. Index: journal_failed (failed items of the workspace)."""
    found: bool = await tx.fetchval(
        "SELECT EXISTS (SELECT FROM journal WHERE work = 'failed' AND lane = $1 AND seq < $2)", lane, seq
    )
    return found


async def set_lane(tx: Tx, item_id: UUID, lane: str) -> None:
    """Put a failed item that had no lane into one, now that its body can be split."""
    await tx.execute("UPDATE journal SET lane = $2 WHERE id = $1 AND work = 'failed'", item_id, lane)


# ---------------------------------------------------------------- sources


async def find_source(
    tx: Tx, inbox_id: UUID, chat: str, provider_id: str, revision: str = ""
) -> asyncpg.Record | None:
    """Return which of our messages a provider's message is. Index: message_source's primary key."""
    return await tx.fetchrow(
        """SELECT conversation_id, message_id FROM message_source
        WHERE inbox_id = $1 AND chat = $2 AND provider_id = $3 AND revision = $4""",
        inbox_id,
        chat,
        provider_id,
        revision,
    )


async def insert_source(
    tx: Tx,
    *,
    workspace_id: UUID,
    inbox_id: UUID,
    chat: str,
    provider_id: str,
    conversation_id: UUID,
    message_id: UUID,
    direction: str,
    revision: str = "",
) -> bool:
    """Note that a provider's message is one of ours; False when it was noted before."""
    return bool(
        await tx.execute(
            """INSERT INTO message_source (workspace_id, inbox_id, chat, provider_id, revision, conversation_id,
                message_id, direction, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING""",
            workspace_id,
            inbox_id,
            chat,
            provider_id,
            revision,
            conversation_id,
            message_id,
            direction,
            tx.now,
        )
    )


async def insert_sources(tx: Tx, rows: Sequence[tuple[UUID, UUID, str, str, UUID, UUID]]) -> int:
    """Note (workspace, inbox, chat, provider's id, conversation, message) of messages that came in; return of how
    many this is the first time."""
    return await tx.execute(
        """INSERT INTO message_source (workspace_id, inbox_id, chat, provider_id, conversation_id, message_id,
            direction, created_at)
        SELECT w, i, chat, provider_id, c, m, 'in', $7
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::uuid[])
            AS s (w, i, chat, provider_id, c, m) ON CONFLICT DO NOTHING""",
        *(list(column) for column in zip(*rows, strict=True)),
        tx.now,
    )


async def find_provider_id(tx: Tx, inbox_id: UUID, conversation_id: UUID, message_id: UUID) -> str | None:
    """Return the provider's id of a message of ours, the first of several. Index: message_source_message."""
    found: str | None = await tx.fetchval(
        """SELECT provider_id FROM message_source
        WHERE conversation_id = $2 AND message_id = $3 AND inbox_id = $1 AND revision = ''
        ORDER BY length(provider_id), provider_id LIMIT 1""",
        inbox_id,
        conversation_id,
        message_id,
    )
    return found


# ---------------------------------------------------------------- the customer's conversation


async def find_unfinished(tx: Tx, inbox_id: UUID, contact_id: UUID) -> asyncpg.Record | None:
    """Return the unfinished conversation of a contact. Index: desk_conversation_unfinished."""
    return await tx.fetchrow(
        "SELECT * FROM desk_conversation WHERE inbox_id = $1 AND contact_id = $2 AND status <> 'resolved'",
        inbox_id,
        contact_id,
    )


# Nobody is waited for, so one conversation that somebody holds keeps no other lane waiting. Laterals with LIMIT keep
# the plan on indexes.
_LOCK_KNOWN = """
WITH item AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
        WITH ORDINALITY AS i (inbox_id, chat, provider_id, address, reply_to, ord)
), known AS MATERIALIZED (
    SELECT i.ord, n.contact_id, n.name, n.username, n.is_reachable, d.conversation_id,
        s.message_id AS source_id, r.conversation_id AS reply_conversation_id, r.message_id AS reply_id
    FROM item i
    LEFT JOIN LATERAL (SELECT * FROM identity x WHERE x.inbox_id = i.inbox_id AND x.address = i.address LIMIT 1) n
        ON true
    LEFT JOIN LATERAL (SELECT x.conversation_id FROM desk_conversation x WHERE x.inbox_id = i.inbox_id
        AND x.contact_id = n.contact_id AND x.status <> 'resolved' LIMIT 1) d ON true
    LEFT JOIN LATERAL (SELECT x.message_id FROM message_source x WHERE x.inbox_id = i.inbox_id
        AND x.chat = i.chat AND x.provider_id = i.provider_id AND x.revision = '' LIMIT 1) s ON true
    LEFT JOIN LATERAL (SELECT x.conversation_id, x.message_id FROM message_source x WHERE x.inbox_id = i.inbox_id
        AND x.chat = i.chat AND x.provider_id = i.reply_to AND x.revision = '' LIMIT 1) r ON true
), locked_conversation AS MATERIALIZED (
    SELECT c.id FROM (SELECT DISTINCT conversation_id FROM known WHERE conversation_id IS NOT NULL
        ORDER BY conversation_id) k
    CROSS JOIN LATERAL (SELECT x.id FROM conversation x WHERE x.id = k.conversation_id
        FOR NO KEY UPDATE SKIP LOCKED) c
), locked_desk AS MATERIALIZED (
    SELECT d.conversation_id, d.status
    FROM (SELECT id FROM locked_conversation WHERE (SELECT count(*) FROM locked_conversation) > 0) c
    CROSS JOIN LATERAL (SELECT x.conversation_id, x.status FROM desk_conversation x
        WHERE x.conversation_id = c.id FOR NO KEY UPDATE SKIP LOCKED) d
)
SELECT k.*, l.status FROM known k LEFT JOIN locked_desk l ON l.conversation_id = k.conversation_id ORDER BY k.ord
"""


async def lock_known(tx: Tx, items: Sequence[tuple[UUID, str, str, str, str | None]]) -> list[asyncpg.Record]:
    """Return, in order, what is known of messages (inbox, chat, provider's id, address, provider's id replied to).

    The contact's unfinished conversation and its desk row are locked until commit; ``status`` is that of now, the
    rest as this statement found it. Columns are null where nothing is known, ``status`` also where somebody else has
    one of the two locked.
    """
    return await tx.fetch(_LOCK_KNOWN, *(list(column) for column in zip(*items, strict=True)))


async def find_last_resolved(tx: Tx, inbox_id: UUID, contact_id: UUID) -> asyncpg.Record | None:
    """Return the conversation of a contact that was resolved last."""
    return await tx.fetchrow(
        """SELECT * FROM desk_conversation WHERE inbox_id = $1 AND contact_id = $2 AND status = 'resolved'
        ORDER BY resolved_at DESC NULLS LAST, conversation_id DESC LIMIT 1""",
        inbox_id,
        contact_id,
    )


async def insert_desk_conversation(
    tx: Tx,
    *,
    workspace_id: UUID,
    conversation_id: UUID,
    inbox_id: UUID,
    contact_id: UUID,
    identity_id: UUID,
    at: dt.datetime,
) -> None:
    """Insert the desk's row of a conversation; one unfinished for each contact in an inbox."""
    await tx.execute(
        """INSERT INTO desk_conversation
            (workspace_id, conversation_id, inbox_id, contact_id, identity_id, active_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $6)""",
        workspace_id,
        conversation_id,
        inbox_id,
        contact_id,
        identity_id,
        at,
    )


async def find_group(tx: Tx, conversation_ids: Sequence[UUID], group_key: str) -> asyncpg.Record | None:
    """Return the message an album became. Index: message_group."""
    return await tx.fetchrow(
        "SELECT conversation_id, id FROM message WHERE conversation_id = ANY($1) AND group_key = $2",
        list(conversation_ids),
        group_key,
    )


async def list_contact_conversations(tx: Tx, inbox_id: UUID, contact_id: UUID, limit: int = 20) -> list[UUID]:
    """Return a contact's conversations in an inbox, newest first."""
    rows = await tx.fetch(
        """SELECT conversation_id FROM desk_conversation WHERE inbox_id = $1 AND contact_id = $2
        ORDER BY conversation_id DESC LIMIT $3""",
        inbox_id,
        contact_id,
        limit,
    )
    return [row["conversation_id"] for row in rows]

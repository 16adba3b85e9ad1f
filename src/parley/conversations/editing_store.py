"""SQL of what happens to a message after it was posted: texts, files, reactions, outward status, deletion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from parley.infra.db import Tx

_BLANK = """jsonb_set(data, '{message}', (data -> 'message')
    || '{"text": "", "entities": [], "attachments": [], "reactions": [], "reply_to": null,
        "forwarded_from": null, "extra": {}}')"""
_UNQUOTED = """jsonb_set(data, '{message,reply_to}', (data -> 'message' -> 'reply_to')
    || '{"text": "", "quote": null}')"""


async def replace_text(
    tx: Tx, message: asyncpg.Record, *, text: str, entities: list[Any] | None, by: UUID
) -> None:
    """Keep the present text as a version and set a new one."""
    await tx.execute(
        """INSERT INTO message_version
            (workspace_id, conversation_id, message_id, version, text, entities, replaced_at, replaced_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        message["workspace_id"],
        message["conversation_id"],
        message["id"],
        message["version"],
        message["text"],
        message["entities"],
        tx.now,
        by,
    )
    await tx.execute(
        """UPDATE message SET text = $3, entities = $4, version = version + 1, edited_at = $5
        WHERE conversation_id = $1 AND id = $2""",
        message["conversation_id"],
        message["id"],
        text,
        entities,
        tx.now,
    )


async def bury_message(tx: Tx, conversation_id: UUID, message_id: UUID) -> None:
    """Make a tombstone: the number stays, text, versions, files, reactions, mentions and its pin go."""
    for sql in (
        "DELETE FROM message_version WHERE conversation_id = $1 AND message_id = $2",
        "DELETE FROM attachment WHERE conversation_id = $1 AND message_id = $2",
        "DELETE FROM reaction WHERE conversation_id = $1 AND message_id = $2",
        "DELETE FROM mention WHERE conversation_id = $1 AND message_id = $2",
        "DELETE FROM pin WHERE conversation_id = $1 AND message_id = $2",
    ):
        await tx.execute(sql, conversation_id, message_id)
    await tx.execute(
        """UPDATE message SET text = '', entities = NULL, quote = NULL, extra = NULL, deleted_at = $3
        WHERE conversation_id = $1 AND id = $2""",
        conversation_id,
        message_id,
        tx.now,
    )


async def blank_events(tx: Tx, conversation_id: UUID, message_id: UUID, position: int, public: str) -> None:
    """Take a deleted message's words and files out of the events that told them; numbers and tags stay.

    Replies lose what they showed and quoted of it, in their rows and in their events. All of it is found by index,
    however long the stream is: the event that created a message has its position for a number (event's primary key),
    replies are few (message_reply, scheduled_message_quote), and what was announced of either later is looked for among such events only
    (event_changed).
    """
    await tx.execute(
        f"""UPDATE event SET data = {_BLANK}
        WHERE conversation_id = $1 AND number = $2 AND kind = 'message.created'""",
        conversation_id,
        position,
    )
    for table in ("message", "scheduled_message"):
        await tx.execute(
            f"UPDATE {table} SET quote = NULL WHERE conversation_id = $1 AND reply_to_id = $2 AND quote IS NOT NULL",
            conversation_id,
            message_id,
        )
    await tx.execute(
        f"""UPDATE event SET data = {_UNQUOTED}
        WHERE conversation_id = $1 AND kind = 'message.created' AND data -> 'message' -> 'reply_to' ->> 'id' = $3
            AND number = ANY (ARRAY (SELECT position FROM message WHERE conversation_id = $1 AND reply_to_id = $2))""",
        conversation_id,
        message_id,
        public,
    )
    await tx.execute(
        f"""UPDATE event SET data = CASE WHEN data -> 'message' ->> 'id' = $3 THEN {_BLANK} ELSE {_UNQUOTED} END
        WHERE conversation_id = $1 AND number > $2 AND kind IN ('message.updated', 'message.deleted')
            AND (data -> 'message' ->> 'id' = $3 OR data -> 'message' -> 'reply_to' ->> 'id' = $3)""",
        conversation_id,
        position,
        public,
    )


async def list_versions(tx: Tx, conversation_id: UUID, message_id: UUID) -> list[asyncpg.Record]:
    """Return the last 100 former texts, oldest first. Index: message_version's primary key."""
    rows = await tx.fetch(
        """SELECT * FROM message_version WHERE conversation_id = $1 AND message_id = $2
        ORDER BY version DESC LIMIT 100""",
        conversation_id,
        message_id,
    )
    return rows[::-1]


async def set_status(tx: Tx, conversation_id: UUID, message_id: UUID, status: dict[str, Any]) -> bool:
    """Set the outward face of a message; returns whether it changed."""
    return bool(
        await tx.execute(
            """UPDATE message SET status = $3
            WHERE conversation_id = $1 AND id = $2 AND status IS DISTINCT FROM $3""",
            conversation_id,
            message_id,
            status,
        )
    )


async def add_attachments(tx: Tx, message: asyncpg.Record, media_ids: Sequence[UUID]) -> None:
    """Attach further files behind those a message has."""
    await tx.execute(
        """INSERT INTO attachment (workspace_id, conversation_id, message_id, ordinal, media_id)
        SELECT $1, $2, $3, coalesce((SELECT max(ordinal) FROM attachment
            WHERE conversation_id = $2 AND message_id = $3), 0) + n, media_id
        FROM unnest($4::uuid[]) WITH ORDINALITY AS t(media_id, n)""",
        message["workspace_id"],
        message["conversation_id"],
        message["id"],
        list(media_ids),
    )


async def add_reaction(tx: Tx, message: asyncpg.Record, actor_id: UUID, emoji: str) -> bool:
    """Put a reaction; returns whether it is new.

    Its moment is the database's under the conversation's lock: they are shown by it, in the order of their events.
    """
    return bool(
        await tx.execute(
            """INSERT INTO reaction (workspace_id, conversation_id, message_id, actor_id, emoji, created_at)
            VALUES ($1, $2, $3, $4, $5, clock_timestamp()) ON CONFLICT DO NOTHING""",
            message["workspace_id"],
            message["conversation_id"],
            message["id"],
            actor_id,
            emoji,
        )
    )


async def count_reactions(tx: Tx, message: asyncpg.Record, actor_id: UUID) -> tuple[int, int]:
    """Return how many different reactions a message has from an actor, and from everybody. Index: reaction's key."""
    row = await tx.fetchrow(
        """SELECT count(*) FILTER (WHERE actor_id = $3) AS own, count(DISTINCT emoji) AS different
        FROM reaction WHERE conversation_id = $1 AND message_id = $2""",
        message["conversation_id"],
        message["id"],
        actor_id,
    )
    return (row["own"], row["different"]) if row else (0, 0)


async def remove_reaction(tx: Tx, message: asyncpg.Record, actor_id: UUID, emoji: str) -> bool:
    """Take a reaction away; returns whether it was there."""
    return bool(
        await tx.execute(
            """DELETE FROM reaction
            WHERE conversation_id = $1 AND message_id = $2 AND actor_id = $3 AND emoji = $4""",
            message["conversation_id"],
            message["id"],
            actor_id,
            emoji,
        )
    )

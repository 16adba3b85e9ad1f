"""SQL of scheduled messages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from parley.infra.db import Tx

_SCHEDULED = """
    SELECT s.*, (SELECT array_agg(f.media_id ORDER BY f.ordinal) FROM scheduled_media f
        WHERE f.workspace_id = s.workspace_id AND f.scheduled_id = s.id) AS media_ids
    FROM scheduled_message s
"""


async def insert_scheduled(
    tx: Tx,
    *,
    workspace_id: UUID,
    scheduled_id: UUID,
    conversation_id: UUID,
    actor_id: UUID,
    client_id: str,
    text: str,
    entities: list[Any] | None,
    reply_to_id: UUID | None,
    quote: str | None,
    send_at: dt.datetime,
) -> bool:
    """Add a scheduled message; False when the actor has one with this client id in the conversation."""
    return bool(
        await tx.execute(
            """INSERT INTO scheduled_message (workspace_id, id, conversation_id, actor_id, client_id, text, entities,
                reply_to_id, quote, send_at, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            ON CONFLICT (conversation_id, actor_id, client_id) DO NOTHING""",
            workspace_id,
            scheduled_id,
            conversation_id,
            actor_id,
            client_id,
            text,
            entities,
            reply_to_id,
            quote,
            send_at,
            tx.now,
        )
    )


async def set_media(tx: Tx, workspace_id: UUID, scheduled_id: UUID, media_ids: Sequence[UUID]) -> None:
    """Give a scheduled message these files, in this order, and no others."""
    await tx.execute(
        "DELETE FROM scheduled_media WHERE workspace_id = $1 AND scheduled_id = $2",
        workspace_id,
        scheduled_id,
    )
    await tx.execute(
        """INSERT INTO scheduled_media (workspace_id, scheduled_id, ordinal, media_id)
        SELECT $1, $2, n, media_id FROM unnest($3::uuid[]) WITH ORDINALITY AS f (media_id, n)""",
        workspace_id,
        scheduled_id,
        list(media_ids),
    )


async def find_scheduled(tx: Tx, workspace_id: UUID, scheduled_id: UUID) -> asyncpg.Record | None:
    """Return a scheduled message with the ids of its files."""
    return await tx.fetchrow(
        f"{_SCHEDULED} WHERE s.workspace_id = $1 AND s.id = $2", workspace_id, scheduled_id
    )


async def find_by_client_id(
    tx: Tx, conversation_id: UUID, actor_id: UUID, client_id: str
) -> asyncpg.Record | None:
    """As `find_scheduled`, by what its author calls it."""
    return await tx.fetchrow(
        f"{_SCHEDULED} WHERE s.conversation_id = $1 AND s.actor_id = $2 AND s.client_id = $3",
        conversation_id,
        actor_id,
        client_id,
    )


async def lock_scheduled(tx: Tx, workspace_id: UUID, scheduled_id: UUID) -> bool:
    """Lock a scheduled message until commit; False when there is none. Read it after that.

    Who posts it has locked its conversation before.
    """
    return bool(
        await tx.execute(
            "SELECT FROM scheduled_message WHERE workspace_id = $1 AND id = $2 FOR UPDATE",
            workspace_id,
            scheduled_id,
        )
    )


async def list_scheduled(
    tx: Tx, workspace_id: UUID, actor_id: UUID, conversation_id: UUID | None
) -> list[asyncpg.Record]:
    """Return what an actor has scheduled and was not posted, in one conversation or all, by time, 500 at the most.

    Index: scheduled_message_actor.
    """
    return await tx.fetch(
        f"""{_SCHEDULED} WHERE s.workspace_id = $1 AND s.actor_id = $2 AND s.posted_at IS NULL
            AND ($3::uuid IS NULL OR s.conversation_id = $3) ORDER BY s.send_at, s.id LIMIT 500""",
        workspace_id,
        actor_id,
        conversation_id,
    )


async def count_waiting(tx: Tx, conversation_id: UUID, actor_id: UUID) -> int:
    """Count an actor's messages that are not posted in a conversation. Index: the unique key of the client id."""
    count: int = await tx.fetchval(
        """SELECT count(*) FROM scheduled_message
        WHERE conversation_id = $1 AND actor_id = $2 AND posted_at IS NULL""",
        conversation_id,
        actor_id,
    )
    return count


_ABANDONED = """
    s.posted_at IS NULL AND s.error_code IS NULL AND s.send_at < $1 AND NOT EXISTS (
        SELECT FROM job j WHERE j.kind = 'conversations.post_scheduled' AND j.work IN ('ready', 'leased', 'held')
        AND j.payload ->> 'scheduled_id' = s.id::text AND (j.payload ->> 'version')::int = s.version)
"""


async def list_abandoned(tx: Tx, now: dt.datetime, limit: int) -> list[tuple[UUID, UUID]]:
    """Return workspace and id of messages that are due and have no job left that would post them, oldest first.

    Indexes: scheduled_message_waiting, job_scheduled.
    """
    rows = await tx.fetch(
        f"SELECT s.workspace_id, s.id FROM scheduled_message s WHERE {_ABANDONED} ORDER BY s.send_at LIMIT $2",
        now,
        limit,
    )
    return [(row["workspace_id"], row["id"]) for row in rows]


async def is_abandoned(tx: Tx, workspace_id: UUID, scheduled_id: UUID) -> bool:
    """Whether a locked message is one of `list_abandoned`."""
    found: bool = await tx.fetchval(
        f"SELECT EXISTS (SELECT FROM scheduled_message s WHERE {_ABANDONED} AND s.workspace_id = $2 AND s.id = $3)",
        tx.now,
        workspace_id,
        scheduled_id,
    )
    return found


async def has_message(tx: Tx, conversation_id: UUID, actor_id: UUID, client_id: str) -> bool:
    """Whether the actor has sent a message with this client id. Index: message_client."""
    found: bool = await tx.fetchval(
        """SELECT EXISTS (SELECT FROM message WHERE conversation_id = $1 AND sender_id = $2 AND client_id = $3)""",
        conversation_id,
        actor_id,
        client_id,
    )
    return found


async def change_scheduled(
    tx: Tx, row: asyncpg.Record, *, text: str, entities: list[Any] | None, send_at: dt.datetime
) -> None:
    """Change a locked message, which waits again whatever became of it before."""
    await tx.execute(
        """UPDATE scheduled_message SET text = $3, entities = $4, send_at = $5, version = version + 1,
            error_code = NULL, error_text = NULL
        WHERE workspace_id = $1 AND id = $2""",
        row["workspace_id"],
        row["id"],
        text,
        entities,
        send_at,
    )


async def mark_failed(tx: Tx, row: asyncpg.Record, code: str, text: str) -> None:
    """Say why a locked message was not posted."""
    await tx.execute(
        "UPDATE scheduled_message SET error_code = $3, error_text = $4 WHERE workspace_id = $1 AND id = $2",
        row["workspace_id"],
        row["id"],
        code,
        text,
    )


async def mark_posted(tx: Tx, row: asyncpg.Record, message_id: UUID) -> None:
    """Say where a locked message is; its words and files are the message's now."""
    await tx.execute(
        "DELETE FROM scheduled_media WHERE workspace_id = $1 AND scheduled_id = $2",
        row["workspace_id"],
        row["id"],
    )
    await tx.execute(
        """UPDATE scheduled_message SET text = '', entities = NULL, quote = NULL, error_code = NULL, error_text = NULL,
            message_id = $3, posted_at = $4 WHERE workspace_id = $1 AND id = $2""",
        row["workspace_id"],
        row["id"],
        message_id,
        tx.now,
    )


async def delete_scheduled(tx: Tx, workspace_id: UUID, scheduled_id: UUID) -> None:
    """Forget a scheduled message, with its hold on files."""
    await tx.execute(
        "DELETE FROM scheduled_message WHERE workspace_id = $1 AND id = $2", workspace_id, scheduled_id
    )


async def delete_posted_before(tx: Tx, moment: dt.datetime, limit: int) -> int:
    """Forget messages that were posted before a moment; returns how many."""
    return await tx.execute(
        """DELETE FROM scheduled_message WHERE (workspace_id, id) IN (
            SELECT workspace_id, id FROM scheduled_message WHERE posted_at < $1 LIMIT $2)""",
        moment,
        limit,
    )

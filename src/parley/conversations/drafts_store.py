"""SQL of drafts."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

import asyncpg

from parley.infra.db import Tx


async def hold_member(tx: Tx, conversation_id: UUID, actor_id: UUID) -> None:
    """Hold one's member row, if there is one, until the commit: whoever takes us out waits, and finds our draft."""
    await tx.execute(
        "SELECT FROM member WHERE conversation_id = $1 AND actor_id = $2 FOR KEY SHARE",
        conversation_id,
        actor_id,
    )


async def find_draft(tx: Tx, conversation_id: UUID, actor_id: UUID) -> asyncpg.Record | None:
    """Return one's draft in a conversation."""
    return await tx.fetchrow(
        "SELECT * FROM draft WHERE conversation_id = $1 AND actor_id = $2", conversation_id, actor_id
    )


async def list_drafts(tx: Tx, actor_id: UUID, after: UUID, limit: int) -> list[asyncpg.Record]:
    """Return one's drafts by conversation id. Index: draft_actor."""
    return await tx.fetch(
        """SELECT * FROM draft WHERE actor_id = $1 AND conversation_id > $2
        ORDER BY conversation_id LIMIT $3""",
        actor_id,
        after,
        limit,
    )


async def put_draft(
    tx: Tx,
    workspace_id: UUID,
    conversation_id: UUID,
    actor_id: UUID,
    *,
    text: str,
    entities: list[dict[str, Any]] | None,
    reply_to_id: UUID | None,
    event_number: int,
    changed_at: dt.datetime,
) -> None:
    """Store one's draft in place of the one before."""
    await tx.execute(
        """INSERT INTO draft (workspace_id, conversation_id, actor_id, text, entities, reply_to_id, event_number,
            changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (conversation_id, actor_id) DO UPDATE SET text = excluded.text, entities = excluded.entities,
            reply_to_id = excluded.reply_to_id, event_number = excluded.event_number,
            changed_at = excluded.changed_at""",
        workspace_id,
        conversation_id,
        actor_id,
        text,
        entities,
        reply_to_id,
        event_number,
        changed_at,
    )


async def blank_event(tx: Tx, actor_id: UUID, number: int) -> None:
    """Take the words out of the personal event that told a former draft. Harmless when it was swept."""
    await tx.execute(
        """UPDATE personal_event SET data = jsonb_set(data, '{draft}', 'null')
        WHERE actor_id = $1 AND number = $2 AND kind = 'draft.changed'""",
        actor_id,
        number,
    )


async def delete_draft(tx: Tx, conversation_id: UUID, actor_id: UUID) -> int | None:
    """Take one's draft away; return the number of the personal event that told it, None without a draft."""
    number: int | None = await tx.fetchval(
        "DELETE FROM draft WHERE conversation_id = $1 AND actor_id = $2 RETURNING event_number",
        conversation_id,
        actor_id,
    )
    return number

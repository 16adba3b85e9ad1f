"""SQL of bans. Those whose time is over count for nothing; the next ban of the same actor takes their row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from parley.infra.db import Tx

_IN_FORCE = "(b.until IS NULL OR b.until > $2)"


async def list_banned(tx: Tx, conversation_id: UUID, actor_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of the actors that are kept out now, by id. Bans change only under the conversation's lock."""
    rows = await tx.fetch(
        f"""SELECT b.actor_id FROM ban b WHERE b.conversation_id = $1 AND {_IN_FORCE} AND b.actor_id = ANY ($3)
        ORDER BY b.actor_id""",
        conversation_id,
        tx.now,
        list(actor_ids),
    )
    return [row["actor_id"] for row in rows]


async def list_bans(
    tx: Tx, conversation_id: UUID, after: UUID, limit: int, *, actor_id: UUID | None = None
) -> list[asyncpg.Record]:
    """Return bans in force with the names of both sides, by actor id, of all or of one. Index: ban's primary key."""
    return await tx.fetch(
        f"""SELECT b.*, a.kind, a.name, w.kind AS by_kind, w.name AS by_name
        FROM ban b JOIN actor a ON a.id = b.actor_id JOIN actor w ON w.id = b.banned_by
        WHERE b.conversation_id = $1 AND {_IN_FORCE} AND b.actor_id > $3
          AND ($4::uuid IS NULL OR b.actor_id = $4) ORDER BY b.actor_id LIMIT $5""",
        conversation_id,
        tx.now,
        after,
        actor_id,
        limit,
    )


async def put_ban(
    tx: Tx, workspace_id: UUID, conversation_id: UUID, actor_id: UUID, *, by: UUID, until: dt.datetime | None
) -> None:
    """Keep an actor out, from now on until then. The conversation's row is locked."""
    await tx.execute(
        """INSERT INTO ban (workspace_id, conversation_id, actor_id, banned_by, until, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (conversation_id, actor_id)
        DO UPDATE SET banned_by = excluded.banned_by, until = excluded.until, created_at = excluded.created_at""",
        workspace_id,
        conversation_id,
        actor_id,
        by,
        until,
        tx.now,
    )


async def delete_ban(tx: Tx, conversation_id: UUID, actor_id: UUID) -> None:
    """Keep an actor out no more. The conversation's row is locked."""
    await tx.execute(
        "DELETE FROM ban WHERE conversation_id = $1 AND actor_id = $2", conversation_id, actor_id
    )

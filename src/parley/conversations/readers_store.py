"""SQL of who read what when."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import asyncpg

from parley.conversations.sizes import SMALL_GROUP
from parley.infra.db import Tx


async def record_step(
    tx: Tx, workspace_id: UUID, conversation_id: UUID, actor_id: UUID, *, above: int, number: int
) -> None:
    """Keep when somebody's read position moved on, unless the group is large. Counts members no further than that."""
    await tx.execute(
        """INSERT INTO read_step (workspace_id, conversation_id, actor_id, above, number, at)
        SELECT $1, $2, $3, $4, $5, $6 WHERE (
            SELECT count(*) <= $7 FROM (SELECT FROM member WHERE conversation_id = $2 LIMIT $7::bigint + 1) m)
        ON CONFLICT DO NOTHING""",
        workspace_id,
        conversation_id,
        actor_id,
        above,
        number,
        tx.now,
        SMALL_GROUP,
    )


_OTHERS = "m.conversation_id = $1 AND m.actor_id <> $2"
"""Members but a message's sender."""
_THERE = "m.joined_at <= $3"
"""Those who were there at its moment; who came later began behind it. At the desk a row is made by reading."""
_HAS_READ = "m.read_number >= $4"
"""Who have read up to its number."""
REACHED = 100
"""Steps of `list_reached` at the most: what is left out tells of older messages alone."""


async def list_readers(tx: Tx, conversation_id: UUID, message: asyncpg.Record) -> list[asyncpg.Record]:
    """Return who has read a message and when, the first to read first; when is null where it is kept no more.

    Index: member's and read_step's primary keys.
    """
    return await tx.fetch(
        f"""SELECT m.actor_id, a.kind, a.name, s.at FROM member m JOIN actor a ON a.id = m.actor_id
        LEFT JOIN LATERAL (SELECT r.above, r.at FROM read_step r WHERE r.conversation_id = m.conversation_id
            AND r.actor_id = m.actor_id AND r.number >= $4 ORDER BY r.number LIMIT 1) s ON s.above < $4
        WHERE {_OTHERS} AND {_THERE} AND {_HAS_READ} ORDER BY s.at NULLS FIRST, m.actor_id""",
        conversation_id,
        message["sender_id"],
        message["created_at"],
        message["number"],
    )


async def count_readers(tx: Tx, conversation_id: UUID, message: asyncpg.Record, *, is_desk: bool) -> int:
    """Count those of `list_readers`; at the desk its staff."""
    count: int = await tx.fetchval(
        f"SELECT count(*) FROM member m WHERE {_OTHERS} AND {_HAS_READ} AND ({_THERE} OR $5)",
        conversation_id,
        message["sender_id"],
        message["created_at"],
        message["number"],
        is_desk,
    )
    return count


async def list_reached(tx: Tx, conversation_id: UUID, message: asyncpg.Record) -> list[asyncpg.Record]:
    """Return how far those have read who were there at a message's moment, the furthest first: of all who have read as
    far or less far than somebody who came no later than they did, none is told.

    What it reads grows with the members: a few milliseconds for ten thousand. Index: member's primary key.
    """
    return await tx.fetch(
        f"""SELECT joined_at, read_number FROM (
            SELECT m.read_number, min(m.joined_at) AS joined_at, min(min(m.joined_at)) OVER (
                ORDER BY m.read_number DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS came_first
            FROM member m WHERE {_OTHERS} AND {_THERE} GROUP BY m.read_number) reached
        WHERE came_first IS NULL OR joined_at < came_first ORDER BY read_number DESC LIMIT $4""",
        conversation_id,
        message["sender_id"],
        message["created_at"],
        REACHED,
    )


async def delete_steps_before(tx: Tx, moment: dt.datetime, limit: int) -> int:
    """Forget when was read what was read before a moment; returns how many rows went. Index: read_step_age."""
    return await tx.execute(
        """DELETE FROM read_step WHERE (conversation_id, actor_id, number) IN (
            SELECT conversation_id, actor_id, number FROM read_step WHERE at < $1 LIMIT $2)""",
        moment,
        limit,
    )

"""SQL of last seen, and of who may know."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from parley.infra.db import Tx


async def find_known(
    tx: Tx, workspace_id: UUID, viewers: Sequence[UUID], actors: Sequence[UUID]
) -> list[Record]:
    """Return of these pairs those where the viewer may know of the actor: the same, or both in one direct conversation
    or group, and the actor shows it. Columns: viewer_id, actor_id, at (last seen, or null)."""
    return await tx.fetch(
        """SELECT pair.v AS viewer_id, pair.a AS actor_id, seen.at
        FROM unnest($2::uuid[], $3::uuid[]) AS pair (v, a)
        JOIN actor ON actor.workspace_id = $1 AND actor.id = pair.a AND actor.kind = 'user'
        LEFT JOIN last_seen AS seen ON seen.workspace_id = $1 AND seen.actor_id = pair.a
        WHERE pair.v = pair.a OR (actor.shows_last_seen AND EXISTS (
            SELECT FROM member AS mine
            JOIN conversation ON conversation.workspace_id = $1 AND conversation.id = mine.conversation_id
                AND conversation.kind IN ('direct', 'group')
            JOIN member AS theirs ON theirs.conversation_id = mine.conversation_id AND theirs.actor_id = pair.a
            WHERE mine.workspace_id = $1 AND mine.actor_id = pair.v))""",
        workspace_id,
        list(viewers),
        list(actors),
    )


async def note_seen(tx: Tx, workspace_id: UUID, actors: Sequence[UUID], times: Sequence[dt.datetime]) -> None:
    """Move last seen on; never back. Rows are locked in order of the actor."""
    await tx.execute(
        """INSERT INTO last_seen (workspace_id, actor_id, at)
        SELECT $1, who.a, who.t FROM unnest($2::uuid[], $3::timestamptz[]) AS who (a, t) ORDER BY who.a
        ON CONFLICT (workspace_id, actor_id) DO UPDATE SET at = EXCLUDED.at WHERE last_seen.at < EXCLUDED.at""",
        workspace_id,
        list(actors),
        list(times),
    )

"""SQL of presence kept in the database. Under `Database.system`: every row is named by workspace and actor."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from parley.infra.db import Tx


async def hold(tx: Tx, node: UUID, actors: Sequence[tuple[UUID, UUID]], seconds: float) -> None:
    """Note whom a node holds, in the given order, and sweep what ran out long ago."""
    await tx.execute(
        """INSERT INTO online (workspace_id, actor_id, node, until)
        SELECT w, a, $1, now() + make_interval(secs => $4) FROM unnest($2::uuid[], $3::uuid[]) AS who (w, a)
        ON CONFLICT (workspace_id, actor_id, node) DO UPDATE SET until = EXCLUDED.until""",
        node,
        *_columns(actors),
        seconds,
    )
    await tx.execute(
        """DELETE FROM online WHERE (workspace_id, actor_id, node) IN (
            SELECT workspace_id, actor_id, node FROM online WHERE until < now() - interval '10 minutes'
            LIMIT 500 FOR UPDATE SKIP LOCKED)"""
    )


async def let_go(tx: Tx, node: UUID, actors: Sequence[tuple[UUID, UUID]]) -> None:
    """Take rows of a node away."""
    await tx.execute(
        """DELETE FROM online USING unnest($2::uuid[], $3::uuid[]) AS who (w, a)
        WHERE workspace_id = who.w AND actor_id = who.a AND node = $1""",
        node,
        *_columns(actors),
    )


async def find_online(tx: Tx, actors: Sequence[tuple[UUID, UUID]]) -> list[tuple[UUID, UUID]]:
    """Return those of the actors that some node holds."""
    rows = await tx.fetch(
        """SELECT DISTINCT workspace_id, actor_id FROM online
        JOIN unnest($1::uuid[], $2::uuid[]) AS who (w, a) ON workspace_id = who.w AND actor_id = who.a
        WHERE until > now()""",
        *_columns(actors),
    )
    return [(row["workspace_id"], row["actor_id"]) for row in rows]


def _columns(actors: Sequence[tuple[UUID, UUID]]) -> tuple[list[UUID], list[UUID]]:
    return [workspace for workspace, _ in actors], [actor for _, actor in actors]

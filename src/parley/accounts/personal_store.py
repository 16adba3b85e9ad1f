"""SQL of personal streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from parley.infra.db import Tx


async def append_personal(
    tx: Tx, workspace_id: UUID, actor_id: UUID, *, tag: int, kind: str, data: dict[str, Any]
) -> int | None:
    """Count the actor's personal stream on and write the event; return its number, None without such an actor.

    Locks the actor's row until the commit, so numbers are dense and commit in their order.
    """
    sql = """
        WITH counter AS (
            UPDATE actor SET head = head + 1, tag = $3,
                feed_transaction = greatest(feed_transaction, pg_current_xact_id())
            WHERE workspace_id = $1 AND id = $2 RETURNING head, tag, feed_transaction
        )
        INSERT INTO personal_event (workspace_id, actor_id, number, tag, kind, data, at, transaction)
        SELECT $1, $2, head, tag, $4, $5, $6, feed_transaction FROM counter RETURNING number"""
    number: int | None = await tx.fetchval(sql, workspace_id, actor_id, tag, kind, data, tx.now)
    return number


async def append_personal_to_many(
    tx: Tx,
    workspace_id: UUID,
    actor_ids: Sequence[UUID],
    *,
    tags: Sequence[int],
    kind: str,
    data: dict[str, Any],
) -> dict[UUID, int]:
    """As `append_personal` with the same event for each of several actors; return the numbers by actor.

    Locks the actors' rows in order of their ids; then, in a new statement, counts on.
    """
    await tx.execute(
        "SELECT FROM actor WHERE workspace_id = $1 AND id = ANY ($2) ORDER BY id FOR NO KEY UPDATE",
        workspace_id,
        list(actor_ids),
    )
    rows = await tx.fetch(
        """WITH counter AS (
            UPDATE actor a SET head = head + 1, tag = told.tag,
                feed_transaction = greatest(feed_transaction, pg_current_xact_id())
            FROM unnest($2::uuid[], $3::integer[]) AS told (id, tag)
            WHERE a.workspace_id = $1 AND a.id = told.id RETURNING a.id, a.head, a.tag, a.feed_transaction
        )
        INSERT INTO personal_event (workspace_id, actor_id, number, tag, kind, data, at, transaction)
        SELECT $1, id, head, tag, $4, $5::text::jsonb, $6, feed_transaction FROM counter RETURNING actor_id, number""",
        workspace_id,
        list(actor_ids),
        list(tags),
        kind,
        msgspec.json.encode(data).decode(),
        tx.now,
    )
    return {row["actor_id"]: row["number"] for row in rows}


async def lock_actors(tx: Tx, actor_ids: Sequence[UUID]) -> None:
    """Lock the counters of personal streams until commit, in order of their ids."""
    await tx.execute(
        "SELECT FROM actor WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE", list(actor_ids)
    )

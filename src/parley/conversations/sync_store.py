"""SQL of sync: what was missed in many conversations, in one statement."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from parley.conversations.store import make_event
from parley.infra.db import Tx
from parley.kit.events import Event


async def list_missed(tx: Tx, after: Mapping[UUID, int], limit: int) -> dict[UUID, list[Event]]:
    """Return each conversation's events from its number on, ascending, at most ``limit`` of each. Index: event's primary key."""
    rows = await tx.fetch(
        """SELECT e.* FROM unnest($1::uuid[], $2::bigint[]) AS w (id, number), LATERAL (
            SELECT workspace_id, conversation_id AS stream_id, number, tag, kind, audience, actor_id, data, at
            FROM event WHERE conversation_id = w.id AND number >= w.number ORDER BY number LIMIT $3) e""",
        list(after),
        list(after.values()),
        limit,
    )
    found: dict[UUID, list[Event]] = {}
    for row in rows:
        found.setdefault(row["stream_id"], []).append(make_event(row, "conversation"))
    return found

"""The feed: all events of the installation, read across streams by followers.

Events are ordered by the transaction that wrote them (never below that of the event before in the stream) and read
only below the oldest transaction still running (`pg_snapshot_xmin`), so none can appear behind a reader's position:
commit-safe without an extra row. At least once; in order within a stream. Read under `Database.system()`.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from parley.infra.db import Tx
from parley.kit.events import Event, StreamKind

REWRITE_SECONDS = 24 * 3600.0
"""Time that rewriting every event may take; the caller lifts the statement timeout."""

_NIL = UUID(int=0)


class FeedPosition(msgspec.Struct, frozen=True, order=True):
    """How far a follower has come: the last event it took."""

    transaction: int
    stream_id: UUID = _NIL
    number: int = 0


async def feed_end(tx: Tx) -> FeedPosition:
    """Return the position from which everything committed after this call is seen."""
    oldest: int = await tx.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    return FeedPosition(oldest)


async def read_feed(
    tx: Tx, position: FeedPosition, limit: int, *, stream: StreamKind = "conversation"
) -> tuple[list[Event], FeedPosition]:
    """Return up to ``limit`` events after the position, in feed order, and the new position.

    Index relied on: event_feed / personal_event_feed.
    """
    personal = stream == "personal"
    table, key = ("personal_event", "actor_id") if personal else ("event", "conversation_id")
    columns = "NULL::uuid AS by_id, 'all' AS audience" if personal else "actor_id AS by_id, audience"
    rows = await tx.fetch(
        f"""SELECT workspace_id, {key} AS stream_id, number, tag, kind, data, at, transaction, {columns}
        FROM {table}
        WHERE (transaction, {key}, number) > ($1, $2, $3)
          AND transaction < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY transaction, {key}, number LIMIT $4""",
        position.transaction,
        position.stream_id,
        position.number,
        limit,
    )
    events = [_event(row, stream) for row in rows]
    if rows:
        last = rows[-1]
        position = FeedPosition(last["transaction"], last["stream_id"], last["number"])
    return events, position


async def forget_transactions(tx: Tx) -> None:
    """Take the ids of another cluster's transactions out of the feed, whose own begin anew (a dump was loaded).

    What every follower had read comes first; the rest is as if written now, and all followers begin with it: at
    least once, in order within a stream. Takes time in proportion to all events.
    """
    first = await tx.fetchval("SELECT min(transaction) FROM follower")
    unread = "false" if first is None else f"transaction >= '{int(first)}'"
    for statement in (
        f"UPDATE event SET transaction = CASE WHEN {unread} THEN pg_current_xact_id() ELSE '0' END",
        f"UPDATE personal_event SET transaction = CASE WHEN {unread} THEN pg_current_xact_id() ELSE '0' END",
        "UPDATE conversation SET feed_transaction = '0'",
        "UPDATE actor SET feed_transaction = '0'",
        "UPDATE follower SET transaction = pg_current_xact_id(), position = '[]', updated_at = now()",
    ):
        await tx.connection.execute(statement, timeout=REWRITE_SECONDS)


def _event(row: asyncpg.Record | dict[str, Any], stream: StreamKind) -> Event:
    return Event(
        workspace_id=row["workspace_id"],
        stream=stream,
        stream_id=row["stream_id"],
        number=row["number"],
        tag=row["tag"],
        kind=row["kind"],
        at=row["at"],
        audience=row["audience"],
        actor_id=row["by_id"],
        data=row["data"],
    )

"""Keeping the index of search: a follower of the feed, so that a send pays nothing for it.

Any number of processes may run one: whoever holds the follower's row for a batch writes it, the others pass. A batch,
and how far it reached, are one transaction, so a kill costs nothing but time. A message is indexed as it is when its
event is read, whatever the event says, so edits and deletions need no order of their own.
"""

from __future__ import annotations

import asyncio
import time

import structlog

from parley.conversations import search_store
from parley.infra.db import Database
from parley.infra.failures import describe_failure
from parley.infra.feed import FeedPosition
from parley.infra.metrics import Metrics

LOOK_SECONDS = 0.4
"""How often the feed is read when it brings little: most of how late a message is found."""
BATCH = 1000
"""Events in one transaction, some 50 ms of work."""
REBUILD_BATCH = 500
REST = 1.0
"""After a full batch: rest as long as it took, times this. Sends go first."""
REBUILD_REST = 3.0
RETRY_SECONDS = 2.0

log = structlog.get_logger()


class SearchIndex:
    """Follows the feed, and rebuilds when asked, until `run` is cancelled."""

    def __init__(self, db: Database, metrics: Metrics) -> None:
        self._db = db
        self._metrics = metrics

    async def run(self) -> None:
        """Keep the index. What goes wrong is logged and tried again."""
        while True:
            try:
                pause = await self._step()
            except Exception as error:  # noqa: BLE001 - the database may be away; the next step tries again
                log.warning("search.indexing_failed", error=describe_failure(error))
                pause = RETRY_SECONDS
            await asyncio.sleep(pause)

    async def _step(self) -> float:
        """Index what is next and return how long to rest."""
        began = time.monotonic()
        count, lag_seconds = await follow(self._db)
        self._metrics.search_lag_seconds.set(lag_seconds)
        if count >= BATCH:
            return (time.monotonic() - began) * REST
        began = time.monotonic()
        if await rebuild(self._db):
            return (time.monotonic() - began) * REBUILD_REST
        return LOOK_SECONDS


async def follow(db: Database, *, limit: int = BATCH) -> tuple[int, float]:
    """Index what the next events changed; return how many events those were, and how old the first of them.

    (0, 0.0) when there is nothing new, or another process is at it.
    """
    async with db.system() as tx:
        position = await search_store.lock_follower(tx)
        if position is None:
            return 0, 0.0
        events = await search_store.list_changed(tx, position, limit)
        if not events:
            return 0, 0.0
        changed = [row for row in events if row["message_position"] is not None]
        if changed:
            await search_store.index_messages(
                tx,
                [row["conversation_id"] for row in changed],
                [row["message_position"] for row in changed],
            )
        last = events[-1]
        await search_store.save_follower(
            tx, FeedPosition(last["transaction"], last["conversation_id"], last["number"])
        )
        oldest = min(row["at"] for row in events)
        return len(events), max(0.0, (tx.now - oldest).total_seconds())


async def rebuild(db: Database, *, limit: int = REBUILD_BATCH, is_patient: bool = False) -> int:
    """Do the next step of a rebuild under way and return how many messages it took; 0 when there is none.

    Nothing else writes the index meanwhile, so a message deleted after it was read is taken out by its own event.
    ``is_patient``: wait for whoever is writing instead of passing.
    """
    async with db.system() as tx:
        if await search_store.lock_follower(tx, is_patient=is_patient) is None:
            return 0
        at = await search_store.find_rebuild(tx)
        if at is None:
            return 0
        rows = await search_store.list_next_messages(tx, at["conversation_id"], at["position"], limit)
        if rows:
            await search_store.index_messages(
                tx, [row["conversation_id"] for row in rows], [row["position"] for row in rows]
            )
        await search_store.save_rebuild(tx, rows[-1] if len(rows) == limit else None)
        return len(rows)


async def reindex(db: Database) -> int:
    """Index every message anew, also beside a running server; return how many there were.

    Search goes on meanwhile with what is there. Broken off, it is ended by whoever serves.
    """
    async with db.system() as tx:
        await search_store.begin_rebuild(tx)
    count = 0
    while done := await rebuild(db, is_patient=True):
        count += done
    return count

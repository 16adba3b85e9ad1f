"""Long polling: for accounts whose provider cannot reach us, such as a laptop behind NAT.

One poller an inbox over any number of processes, by a lease. What a poll brought is journalled together with the
cursor that confirms it, in one transaction: nothing is confirmed to the provider that is not stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from functools import partial
from uuid import UUID, uuid4

import asyncpg
import structlog

from parley.channels.contract import AccountBroken, SendError, Temporary
from parley.desk import inbox_store
from parley.desk.accounts import Channels
from parley.desk.inboxes import mark_broken
from parley.desk.journal import accept_parts
from parley.infra.db import Database
from parley.infra.failures import describe_failure
from parley.kit.errors import ParleyError, Unavailable

LEASE_SECONDS = 30.0
"""After this long without a heartbeat an inbox is another process's to poll."""
LOOK_SECONDS = 3.0
"""Between looks for inboxes that nobody polls."""
MAX_POLLED = 100
MIN_POLL_SECONDS = 0.2
"""A provider that answers at once, empty, is not asked more often."""

log = structlog.get_logger()


class Poller:
    """Polls the inboxes of this process until it is stopped."""

    def __init__(self, db: Database, channels: Channels, lease_seconds: float = LEASE_SECONDS) -> None:
        self._db = db
        self._channels = channels
        self._lease_seconds = lease_seconds
        self._token = uuid4()
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._look = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled; then give up all leases."""
        unlisten = self._db.wake.listen("polling", self._look.set)
        heart = asyncio.create_task(self._beat(), name="polling leases")
        try:
            while True:
                await self._claim()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._look.wait(), LOOK_SECONDS)
                self._look.clear()
        finally:
            unlisten()
            tasks = [heart, *self._tasks.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _beat(self) -> None:
        """Keep the leases while polls wait, which may take longer than a lease lasts."""
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            try:
                async with self._db.system() as tx:
                    await inbox_store.renew_polling(tx, list(self._tasks), self._token, self._lease_seconds)
            except Exception as error:  # noqa: BLE001 - the next beat renews; what ran out meanwhile, `_hold` notices
                log.warning("polling.leases_not_renewed", error=describe_failure(error))

    async def _claim(self) -> None:
        room = MAX_POLLED - len(self._tasks)
        if room <= 0:
            return
        try:
            async with self._db.system() as tx:
                rows = await inbox_store.claim_polling(tx, self._token, self._lease_seconds, room)
        except Exception as error:  # noqa: BLE001 - whatever ails the database, the next look tries again
            log.warning("polling.look_failed", error=describe_failure(error))
            return
        for row in rows:
            if row["id"] not in self._tasks:
                task = asyncio.create_task(self._poll_inbox(row))
                self._tasks[row["id"]] = task
                task.add_done_callback(partial(self._forget, row["id"]))

    def _forget(self, inbox_id: UUID, _: asyncio.Task[None]) -> None:
        self._tasks.pop(inbox_id, None)

    async def _poll_inbox(self, row: asyncpg.Record) -> None:
        inbox_id: UUID = row["id"]
        workspace_id: UUID = row["workspace_id"]
        try:
            adapter = self._channels.adapter(row["channel"])
            cursor, failures = row["poll_cursor"], 0
            while held := await self._hold(row):
                row = held  # with the credentials of a reconnect
                began = time.monotonic()
                try:
                    parts, following = await adapter.poll(self._channels.account(row), cursor)
                    async with self._db.transaction(workspace_id) as tx:
                        if not await inbox_store.move_polling(tx, inbox_id, self._token, following):
                            return
                        await accept_parts(tx, workspace_id, inbox_id, parts)
                    # only now: the next poll confirms to the provider what came before this cursor
                    cursor, failures = following, 0
                except AccountBroken as error:
                    await mark_broken(self._db, workspace_id, inbox_id, error.message)
                    return
                except (SendError, Unavailable) as error:
                    failures += 1
                    await asyncio.sleep(_pause(error, failures))
                if time.monotonic() - began < MIN_POLL_SECONDS:
                    await asyncio.sleep(MIN_POLL_SECONDS)
        except ParleyError as error:
            log.warning("polling.stopped", inbox=str(inbox_id), code=error.code)
        except Exception:
            log.exception("polling.failed", inbox=str(inbox_id))
        finally:
            with contextlib.suppress(Exception):
                async with self._db.system() as tx:
                    await inbox_store.release_polling(tx, inbox_id, self._token)

    async def _hold(self, row: asyncpg.Record) -> asyncpg.Record | None:
        """Return the inbox as it is now, or None when it is not ours to poll any more."""
        try:
            async with self._db.system() as tx:
                held = await inbox_store.renew_polling(tx, [row["id"]], self._token, self._lease_seconds)
            return held[0] if held else None
        except Unavailable:
            await asyncio.sleep(1)
            return row


def _pause(error: ParleyError, failures: int) -> float:
    if isinstance(error, Temporary) and error.retry_after_seconds:
        return min(error.retry_after_seconds, 60.0)
    return min(30.0, 0.5 * 2.0 ** min(failures, 6)) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter

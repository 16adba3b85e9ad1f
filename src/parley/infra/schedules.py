"""Schedules: jobs that come round. Any number of processes may look; each turn is enqueued by one of them."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Iterable

import structlog

from parley.infra import jobs_store
from parley.infra.db import Database, Tx
from parley.infra.failures import describe_failure
from parley.infra.jobs import enqueue

LOOK_SECONDS = 1.0
"""How often due schedules are looked for: one statement over a handful of rows."""

log = structlog.get_logger()


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """A job of ``kind`` every so many seconds. A turn that finds the last one's job unfinished is passed over."""

    name: str
    kind: str
    every_seconds: int

    def __post_init__(self) -> None:
        if self.every_seconds < 1:
            raise ValueError("a schedule comes round every second at the most")


class Scheduler:
    """Enqueues the jobs of schedules when they are due, until `stop`."""

    def __init__(
        self, db: Database, schedules: Iterable[Schedule], *, look_seconds: float = LOOK_SECONDS
    ) -> None:
        self._db = db
        self._schedules = {schedule.name: schedule for schedule in schedules}
        self._look_seconds = look_seconds
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Let `run` return."""
        self._stopped.set()

    async def run(self) -> None:
        """Look for due schedules until `stop`; outlives a database that is away."""
        is_known = False
        while not self._stopped.is_set():
            try:
                async with self._db.system() as tx:
                    if not is_known:
                        await register_schedules(tx, self._schedules.values())
                    await fire_due_schedules(tx, self._schedules.values())
                is_known = True
            except Exception as error:  # noqa: BLE001 - the next look tries again
                log.warning("schedules.look_failed", error=describe_failure(error))
            await self._pause()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._look_seconds * random.uniform(0.8, 1.2)):  # noqa: S311 - jitter
                await self._stopped.wait()
        except TimeoutError:
            return


async def register_schedules(tx: Tx, schedules: Iterable[Schedule]) -> None:
    """Make schedules known; a new one is due at once. Repeat: harmless. Needs `Database.system`."""
    listed = list(schedules)
    await jobs_store.upsert_schedules(tx, [s.name for s in listed], [s.every_seconds for s in listed])


async def fire_due_schedules(tx: Tx, schedules: Iterable[Schedule]) -> list[str]:
    """Enqueue the job of every due schedule and move it on, in this transaction; return the names, sorted."""
    by_name = {schedule.name: schedule for schedule in schedules}
    fired = await jobs_store.advance_due_schedules(tx, list(by_name))
    for name in fired:
        await enqueue(tx, by_name[name].kind, {}, workspace_id=None, unique_key=f"schedule {name}")
    return fired

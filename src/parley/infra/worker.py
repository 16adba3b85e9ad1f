"""The worker: claims the rows of one table, runs a handler over them, and sees that each gets its verdict.

Lanes run concurrently, the rows of a lane one after another. The loop outlives whatever a handler or the database
does; what it cannot finish is left to the lease and the sweep, never forgotten.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import structlog

from parley.infra.db import Database
from parley.infra.failures import describe_failure, is_transient
from parley.infra.leases import LeaseKeeper
from parley.infra.metrics import Metrics
from parley.infra.verdicts import BrokenHandler, VerdictWriter
from parley.infra.work import Claim, LaneWalk, LeaseLost, WorkTable, group_by_lane
from parley.kit.errors import ParleyError

Handler = Callable[[Claim], Awaitable[None]]
"""Does the work in transactions of its own. Returning without a verdict means done; raising means failed."""
RetryPolicy = Callable[[Claim, Exception], float | None]
"""Seconds after which work that raised is tried again, or None: it has failed."""

GATHER_SECONDS = 0.003
"""How long a busy worker waits for more free slots, so that a claim takes several rows instead of one."""
WALK_PAUSE_SECONDS = 0.02
"""Pause between two parts of a walk over very many lanes of which none is open."""
BACKOFF_LIMIT_SECONDS = 10.0
"""Longest pause between two tries to claim while the database is away."""
TRANSIENT_RETRIES = 10
"""How often work is tried again because the database was away or undid its transaction."""

log = structlog.get_logger()


class Limits(NamedTuple):
    """How a worker works. Seconds; ``concurrency`` counts lanes at work at the same time."""

    concurrency: int = 16
    rows_per_lane: int = 8
    lease_seconds: float = 60.0
    poll_seconds: float = 0.5
    grace_seconds: float = 20.0
    timeout_seconds: float = 600.0


class TookTooLong(ParleyError):
    """The work was broken off because it took too long."""

    code = "took_too_long"


def _never_again(_: Claim, __: Exception) -> float | None:
    return None


class Worker:
    """Runs one table's work in this process, until `stop`.

    A row whose holder went silent becomes ready again (failed after the table's ``max_attempts``), and one whose
    handler raised is judged by ``retry_policy``; the database being away is no failure, such work is tried again.
    With ``on_broken`` that callback alone decides in all these cases: for work that may have reached the outside.
    """

    def __init__(
        self,
        table: WorkTable,
        db: Database,
        handler: Handler,
        *,
        limits: Limits | None = None,
        retry_policy: RetryPolicy = _never_again,
        on_broken: BrokenHandler | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.table = table
        self._db = db
        self._handler = handler
        self._limits = limits or Limits()
        self._retry_policy = retry_policy
        self._on_broken = on_broken
        self._metrics = metrics or Metrics()
        self._writer = VerdictWriter(table, db)
        self._leases = LeaseKeeper(
            table, db, self._writer, self._metrics, self._limits.lease_seconds, on_broken
        )
        self._walk = LaneWalk()
        self._woken = asyncio.Event()
        self._is_stopping = False
        self._lanes: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Claim no more; `run` returns when what runs has ended, or after the grace."""
        self._is_stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Work until `stop`, then drain: finish the rows begun, give back the others.

        What outlasts the grace is cancelled and its lease ended, so that the next sweep treats it. The same happens
        to everything when this is cancelled.
        """
        stop_listening = self._db.wake.listen(self.table.name, self._woken.set)
        tender = asyncio.create_task(self._leases.run(), name=f"{self.table.name} leases")
        try:
            await self._claim_until_stopped()
            if self._lanes:
                await asyncio.wait(self._lanes, timeout=self._limits.grace_seconds)
        finally:
            stop_listening()
            tender.cancel()
            await asyncio.shield(self._break_off())
            await asyncio.gather(tender, return_exceptions=True)

    # ------------------------------------------------------------ claiming

    async def _claim_until_stopped(self) -> None:
        failures = 0
        while not self._is_stopping:
            room = self._limits.concurrency - len(self._lanes)
            if 0 < room < self._limits.concurrency // 4:
                await asyncio.sleep(GATHER_SECONDS)
                room = self._limits.concurrency - len(self._lanes)
            self._woken.clear()
            if room <= 0:
                await self._woken.wait()
                continue
            try:
                groups = await self._claim(room)
            except Exception as error:  # noqa: BLE001 - the loop outlives a database that is away, and bugs alike
                failures += 1
                await self._back_off(error, failures)
                continue
            failures = 0
            for group in groups:
                self._start(self._run_lane(group))
            if len(groups) < room:
                await self._rest(is_walking=not groups and bool(self._walk.after))

    async def _claim(self, room: int) -> list[list[Claim]]:
        async with self._db.system() as tx:
            claims = await self.table.claim(
                tx,
                limit=room,
                lease_seconds=self._limits.lease_seconds,
                rows_per_lane=self._limits.rows_per_lane,
                walk=self._walk,
            )
        self._leases.held.update(claims)
        self._metrics.work_claimed.labels(self.table.name).inc(len(claims))
        return group_by_lane(claims)

    async def _rest(self, *, is_walking: bool) -> None:
        seconds = WALK_PAUSE_SECONDS if is_walking else self._limits.poll_seconds * random.uniform(0.8, 1.2)  # noqa: S311
        await self._wait_for_wake(seconds)

    async def _back_off(self, error: Exception, failures: int) -> None:
        seconds = min(0.25 * 2 ** min(failures, 8), BACKOFF_LIMIT_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311
        log.warning(
            "work.claim_failed",
            table=self.table.name,
            error=describe_failure(error),
            retry_in_seconds=round(seconds, 2),
        )
        # a wake-up does not make the database come back sooner, only stopping cuts this short
        end = time.monotonic() + seconds
        while not self._is_stopping and (left := end - time.monotonic()) > 0:
            self._woken.clear()
            await self._wait_for_wake(left)

    async def _wait_for_wake(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    # ------------------------------------------------------------ running

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._lanes.add(task)
        task.add_done_callback(self._end_lane)

    def _end_lane(self, task: asyncio.Task[None]) -> None:
        self._lanes.discard(task)
        self._woken.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("work.lane_broke", table=self.table.name, error=describe_failure(error))

    async def _run_lane(self, group: Sequence[Claim]) -> None:
        rest = list(group)
        while rest and rest[0].is_good and not self._is_stopping:
            claim = rest[0]
            await self._run(claim)
            rest.pop(0)
            self._leases.held.discard(claim)
            if claim.verdict not in ("done", "failed"):
                break  # it goes first again, or another has it
        if rest:
            await self._writer.release(rest)
            self._leases.held.difference_update(rest)

    async def _run(self, claim: Claim) -> None:
        """Run the handler and see to the verdict. Promise: raises nothing but cancellation of the worker."""
        started = time.monotonic()
        try:
            await self._handle(claim)
            if claim.verdict is None:
                await self._writer.finish(claim)
        except LeaseLost:
            claim.is_lost = True
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            await self._judge_failure(
                claim, RuntimeError(f"The handler cancelled itself: {type(error).__name__}")
            )
        except Exception as error:  # noqa: BLE001 - whatever a handler raises is the row's failure, not the worker's
            await self._judge_failure(claim, error)
        self._count(claim, time.monotonic() - started)

    async def _handle(self, claim: Claim) -> None:
        limit = asyncio.timeout(self._limits.timeout_seconds)
        try:
            async with limit:
                await self._handler(claim)
        except TimeoutError as error:
            if limit.expired():
                raise TookTooLong from error
            raise

    async def _judge_failure(self, claim: Claim, error: Exception) -> None:
        text = describe_failure(error)
        if claim.verdict is not None:
            log.warning("work.failed_after_verdict", table=self.table.name, id=str(claim.id), error=text)
            return
        if self._on_broken is not None:
            log.warning("work.broken", table=self.table.name, id=str(claim.id), error=text)
            await self._writer.judge(claim, self._on_broken, text)
            return
        if is_transient(error):
            delay = min(2.0**claim.attempts / 2, 60.0) if claim.attempts <= TRANSIENT_RETRIES else None
        else:
            delay = self._retry_policy(claim, error)
        log.warning(
            "work.failed", table=self.table.name, id=str(claim.id), error=text, retry_in_seconds=delay
        )
        await (self._writer.fail(claim, text) if delay is None else self._writer.retry(claim, delay, text))

    def _count(self, claim: Claim, seconds: float) -> None:
        verdict = claim.verdict or "lost"
        if verdict == "lost":
            log.warning("work.lease_lost", table=self.table.name, id=str(claim.id))
        self._metrics.work_verdicts.labels(self.table.name, verdict).inc()
        self._metrics.work_seconds.labels(self.table.name).observe(seconds)

    async def _break_off(self) -> None:
        """Cancel what still runs and end its leases."""
        lanes = tuple(self._lanes)
        for task in lanes:
            task.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        left = [claim for claim in self._leases.held if claim.verdict is None and not claim.is_lost]
        self._leases.held.clear()
        if left:
            log.warning("work.broken_off", table=self.table.name, count=len(left))
            await self._writer.expire(left)

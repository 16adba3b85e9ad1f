"""Leases of one worker: renewed in batches while work runs, and those of workers that went silent taken over."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

import structlog

from parley.infra.db import Database
from parley.infra.failures import describe_failure
from parley.infra.metrics import Metrics
from parley.infra.verdicts import BrokenHandler, VerdictWriter
from parley.infra.work import Claim, WorkTable

TICK_SECONDS = 5.0
"""How often leases are renewed, silent workers looked for and gauges set, at the most."""
WENT_SILENT = "lease_expired: The worker stopped before it said how this went."
"""Reason given to a row whose lease ran out."""

log = structlog.get_logger()


class LeaseKeeper:
    """Keeps the leases of what stands in ``held``, and sweeps the whole table for expired ones.

    Without ``on_broken`` an expired row is ready again, or failed after the table's ``max_attempts``; with it the row
    is leased anew and the callback decides.
    """

    def __init__(
        self,
        table: WorkTable,
        db: Database,
        writer: VerdictWriter,
        metrics: Metrics,
        lease_seconds: float,
        on_broken: BrokenHandler | None,
    ) -> None:
        self.held: set[Claim] = set()
        self._table = table
        self._db = db
        self._writer = writer
        self._metrics = metrics
        self._lease_seconds = lease_seconds
        self._on_broken = on_broken
        self._judging: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Tend leases until cancelled; the first sweep is at once."""
        tick = min(TICK_SECONDS, self._lease_seconds / 4)
        try:
            while True:
                for step in (self._renew, self._sweep, self._measure):
                    try:
                        await step()
                    except Exception as error:  # noqa: BLE001 - the next tick tries again
                        log.warning(
                            "work.tending_failed", table=self._table.name, error=describe_failure(error)
                        )
                await asyncio.sleep(tick * random.uniform(0.8, 1.0))  # noqa: S311 - jitter
        finally:
            if self._judging is not None:
                self._judging.cancel()

    async def _renew(self) -> None:
        soon = time.monotonic() + self._lease_seconds * 2 / 3
        claims = [claim for claim in self.held if claim.good_until < soon and claim.verdict is None]
        if claims:
            async with self._db.system() as tx:
                await self._table.renew(tx, claims, lease_seconds=self._lease_seconds)

    async def _sweep(self) -> None:
        if self._on_broken is None:
            async with self._db.system() as tx:
                expired = len(await self._table.return_expired(tx))
        elif self._judging is None or self._judging.done():
            async with self._db.system() as tx:
                claims = await self._table.take_expired(tx, lease_seconds=self._lease_seconds)
            expired = len(claims)
            if claims:
                self.held.update(claims)
                self._judging = asyncio.create_task(self._judge(claims, self._on_broken))
        else:
            return
        if expired:
            log.warning("work.leases_expired", table=self._table.name, count=expired)
            self._metrics.work_verdicts.labels(self._table.name, "expired").inc(expired)
            self._db.wake.notify(self._table.name)

    async def _judge(self, claims: Sequence[Claim], on_broken: BrokenHandler) -> None:
        for claim in claims:
            await self._writer.judge(claim, on_broken, WENT_SILENT)
            self.held.discard(claim)
        self._db.wake.notify(self._table.name)

    async def _measure(self) -> None:
        async with self._db.system() as tx:
            lag_seconds, leased = await self._table.measure(tx)
        self._metrics.work_lag_seconds.labels(self._table.name).set(lag_seconds)
        self._metrics.work_leased.labels(self._table.name).set(leased)

"""Verdicts written by the worker itself: many rows done in one statement, tried again while the database is away."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

import structlog

from parley.infra.db import Database, Tx
from parley.infra.failures import describe_failure, is_transient
from parley.infra.work import Claim, LeaseLost, WorkTable

BrokenHandler = Callable[[Tx, Claim, str], Awaitable[None]]
"""Gives the verdict on a row whose holder went silent or whose handler raised, and gets the reason as text.

Runs in a transaction of the row's workspace (of the system when it has none), which may be tried again. What it
leaves without a verdict has failed.
"""

RETRY_LIMIT_SECONDS = 5.0
"""Longest pause between two tries to write a verdict."""

log = structlog.get_logger()


class _JudgementBroke(Exception):
    """The callback that was to decide raised."""


class VerdictWriter:
    """Writes verdicts for as long as the leases hold; after that the sweep decides. Raises nothing."""

    def __init__(self, table: WorkTable, db: Database) -> None:
        self._table = table
        self._db = db
        self._finished: list[tuple[Claim, asyncio.Future[None]]] = []
        self._flush: asyncio.Task[None] | None = None

    async def finish(self, claim: Claim) -> None:
        """Mark a row done; those that finish meanwhile share one statement and one commit."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._finished.append((claim, written))
        if self._flush is None:
            self._flush = asyncio.create_task(self._write_finished())
        await written

    async def fail(self, claim: Claim, error: str) -> None:
        """Mark a row failed."""
        await self._write([claim], lambda tx: self._table.fail(tx, claim, error))

    async def retry(self, claim: Claim, delay_seconds: float, error: str) -> None:
        """Make a row ready again after a delay."""
        delay = dt.timedelta(seconds=delay_seconds)
        await self._write([claim], lambda tx: self._table.retry_later(tx, claim, tx.now + delay, error))

    async def release(self, claims: Sequence[Claim]) -> None:
        """Give back rows that were not begun."""
        await self._write(claims, lambda tx: self._table.release_many(tx, claims))

    async def judge(self, claim: Claim, on_broken: BrokenHandler, reason: str) -> None:
        """Let the callback decide on a row; when it raises, the row has failed."""

        async def decide(tx: Tx) -> None:
            claim.written = None
            try:
                await on_broken(tx, claim, reason)
            except Exception as error:
                if is_transient(error) or isinstance(error, LeaseLost):
                    raise
                raise _JudgementBroke from error
            if claim.written is None:
                await self._table.fail(tx, claim, reason)

        def scope() -> AbstractAsyncContextManager[Tx]:
            return (
                self._db.system() if claim.workspace_id is None else self._db.transaction(claim.workspace_id)
            )

        try:
            await self._write([claim], decide, scope)
        except _JudgementBroke as broke:
            cause = broke.__cause__ or broke
            await self.fail(claim, f"{reason} Deciding on it broke: {describe_failure(cause)}")

    async def expire(self, claims: Sequence[Claim]) -> None:
        """End leases now. One try: where it fails they run out by themselves."""
        try:
            async with self._db.system() as tx:
                await self._table.expire_now(tx, claims)
        except Exception as error:  # noqa: BLE001 - the leases end a little later
            log.warning("work.leases_left", table=self._table.name, error=describe_failure(error))

    async def _write_finished(self) -> None:
        while self._finished:
            batch, self._finished = self._finished, []
            claims = [claim for claim, _ in batch]
            await self._write_done(claims)
            for claim, written in batch:
                claim.is_lost = claim.verdict is None
                if not written.done():
                    written.set_result(None)
        self._flush = None

    async def _write_done(self, claims: Sequence[Claim]) -> None:
        await self._write(claims, lambda tx: self._table.finish_many(tx, claims))

    async def _write(
        self,
        claims: Sequence[Claim],
        write: Callable[[Tx], Awaitable[object]],
        scope: Callable[[], AbstractAsyncContextManager[Tx]] | None = None,
    ) -> None:
        pause = 0.05
        while any(claim.is_good for claim in claims):
            try:
                async with (scope or self._db.system)() as tx:
                    await write(tx)
            except LeaseLost:
                return
            except _JudgementBroke:
                raise
            except Exception as error:  # noqa: BLE001 - what a lease no longer covers, the sweep decides
                log.warning("work.verdict_not_written", table=self._table.name, error=describe_failure(error))
                if not (is_transient(error) or isinstance(error, OSError)):
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, RETRY_LIMIT_SECONDS)
            else:
                return

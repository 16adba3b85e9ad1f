"""Ground for tests of claimed work: a database, rows in the job table, and what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import asyncpg

from parley.infra.bus import Bus
from parley.infra.db import Database, open_pool
from parley.infra.work import Claim, WorkTable
from parley.infra.worker import Limits, Worker
from parley.kit.ids import uuid7

TABLE = WorkTable("job", columns=("kind", "payload"), max_attempts=3)
QUICK = Limits(
    concurrency=4, rows_per_lane=3, lease_seconds=5, poll_seconds=0.02, grace_seconds=5, timeout_seconds=30
)


@contextlib.asynccontextmanager
async def open_database(dsn: str, *, size: int = 8) -> AsyncIterator[Database]:
    """A pool of its own, as another process would have."""
    pool = await open_pool(dsn, size=size)
    try:
        yield Database(pool, Bus())
    finally:
        await pool.close()


async def add_rows(db: Database, *lanes: str | None, delay_seconds: float = 0) -> list[UUID]:
    """Insert a row for each lane named, in this order, in one transaction."""
    async with db.system() as tx:
        due_at = tx.now + dt.timedelta(seconds=delay_seconds)
        ids = [uuid7() for _ in lanes]
        await tx.executemany(
            "INSERT INTO job (id, kind, lane, due_at) VALUES ($1, 'test', $2, least($3, now() + $4 * interval '1 s'))",
            [(id_, lane, due_at, delay_seconds) for id_, lane in zip(ids, lanes, strict=True)],
        )
    return ids


async def claim(
    db: Database, limit: int = 10, *, lease_seconds: float = 60, rows_per_lane: int = 1
) -> list[Claim]:
    """Claim and commit."""
    async with db.system() as tx:
        return await TABLE.claim(tx, limit=limit, lease_seconds=lease_seconds, rows_per_lane=rows_per_lane)


async def read_row(db: Database, id_: UUID) -> asyncpg.Record:
    """The row as it stands."""
    async with db.system() as tx:
        row = await tx.fetchrow("SELECT * FROM job WHERE id = $1", id_)
    assert row is not None
    return row


async def count_work(db: Database) -> dict[str, int]:
    """How many rows there are in each state."""
    async with db.system() as tx:
        return {row[0]: row[1] for row in await tx.fetch("SELECT work, count(*) FROM job GROUP BY work")}


async def run_out(db: Database, *ids: UUID) -> None:
    """Let the leases of rows end, as if their holder had been silent for long."""
    async with db.system() as tx:
        await tx.execute("UPDATE job SET lease_until = now() - interval '1 s' WHERE id = ANY ($1)", ids)


@contextlib.asynccontextmanager
async def running(*workers: Worker) -> AsyncIterator[None]:
    """Run workers, then stop and drain them."""
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*tasks)


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait until a check holds."""
    end = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < end, "it never came to hold"
        await asyncio.sleep(0.02)

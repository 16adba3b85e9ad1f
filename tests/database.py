"""The tests' PostgreSQL: one cluster for everybody who runs tests here, a fresh database for every test.

The cluster stands in the system's temporary directory and is kept from run to run; the first run in starts it, the
last one out stops it (`EmbeddedPostgres.join`), so workers of xdist and runs side by side share it. A database is a
copy of a template that was migrated once for this state of the migrations.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from parley.infra.db import Database
from parley.infra.postgres import EmbeddedPostgres
from parley.infra.postgres.locks import FileLock

ROOT = Path(__file__).resolve().parent.parent

UNSAFE_AND_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_min_duration_statement": "-1",
}
"""Allowed because a lost test cluster is made anew."""

_numbers = itertools.count(1)


class TestDatabases:
    """Makes and drops the databases of one process's tests."""

    __test__ = False

    def __init__(self) -> None:
        place = hashlib.sha256(f"{ROOT} {os.getuid()}".encode()).hexdigest()[:10]
        self._directory = Path(tempfile.gettempdir()) / f"parley-tests-{place}"
        self._postgres = EmbeddedPostgres(self._directory, settings=UNSAFE_AND_FAST)
        self._template = f"template_{_hash_of_migrations()}"
        self._loop = asyncio.new_event_loop()
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    def open(self) -> None:
        """Join the cluster and see to it that the template is there."""
        self._loop.run_until_complete(self._open())

    def close(self) -> None:
        """Leave the cluster; the last one out stops it."""
        self._loop.run_until_complete(self._close())
        self._loop.close()

    @contextlib.contextmanager
    def fresh(self, template: str | None = None) -> Iterator[str]:
        """Yield the DSN of a migrated database nobody else sees; it is dropped after, whoever is connected."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        # copying its files costs a tenth of writing every page of it to the log
        made = f"CREATE DATABASE {name} TEMPLATE {template or self._template} STRATEGY FILE_COPY"
        self._loop.run_until_complete(self._execute(made))
        try:
            yield self._postgres.dsn(name)
        finally:
            self._loop.run_until_complete(self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))

    async def _open(self) -> None:
        await self._postgres.join()
        lock = FileLock(self._directory / "template.lock")
        await asyncio.to_thread(lock.acquire)
        try:
            names = await self._database_names()
            await self._drop_leftovers(names)
            if self._template not in names:
                await self._make_template()
        except BaseException:
            await self._postgres.stop()
            raise
        finally:
            lock.release()

    async def _make_template(self) -> None:
        from parley.infra.migrate import migrate

        unfinished = f"{self._template}_new"
        await self._execute(f"DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")
        await self._execute(f"CREATE DATABASE {unfinished}")
        await migrate(self._postgres.dsn(unfinished))
        await self._execute(f"ALTER DATABASE {unfinished} RENAME TO {self._template}")

    async def _drop_leftovers(self, names: set[str]) -> None:
        """Drop the databases of killed runs, and the oldest templates."""
        templates = [name for name in names if name.startswith("template_") and name != self._template]
        stale = templates[:-3] if len(templates) > 3 else []
        for name in names:
            if name.startswith("test_") and not Path(f"/proc/{name.split('_')[1]}").exists():
                stale.append(name)
        for name in stale:
            with contextlib.suppress(asyncpg.ObjectInUseError, asyncpg.InvalidCatalogNameError):
                await self._execute(f"DROP DATABASE {name}")

    async def _database_names(self) -> set[str]:
        connection = await asyncpg.connect(self._postgres.dsn())
        rows = await connection.fetch("SELECT datname FROM pg_database WHERE datname ~ '^(test|template)_'")
        await connection.close()
        return {row["datname"] for row in rows}

    async def _execute(self, statement: str) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._postgres.dsn())
        await self._connection.execute(statement)

    async def _close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
        await self._postgres.stop()


async def somebody_waits(db: Database) -> None:
    """Wait until a transaction of this database waits for the lock of another."""
    async with asyncio.timeout(30):
        while True:
            async with db.system() as tx:
                if await tx.fetchval(
                    """SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
                        WHERE NOT granted AND datname = current_database())"""
                ):
                    return
            await asyncio.sleep(0.02)


def _hash_of_migrations() -> str:
    digest = hashlib.sha256()
    for path in sorted((ROOT / "src" / "parley" / "migrations").rglob("*")):
        if path.suffix in (".py", ".sql"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]

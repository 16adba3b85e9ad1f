"""Migrations: one history, harmless to repeat, safe when several processes start at once."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator

import asyncpg
import pytest

from parley.infra.migrate import HEAD, current_revision, migrate
from tests.database import TestDatabases

pytestmark = pytest.mark.anyio


@pytest.fixture
def empty_url(databases: TestDatabases) -> Iterator[str]:
    """The DSN of a database with nothing in it."""
    with databases.fresh("template0") as dsn:
        yield dsn


async def schema(dsn: str) -> list[tuple[str, ...]]:
    """Columns, policies and grants, as text."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            """SELECT table_name::text, column_name::text, data_type::text, column_default::text
            FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL SELECT tablename::text, policyname::text, roles::text, qual FROM pg_policies
            UNION ALL SELECT table_name::text, grantee::text, privilege_type::text, ''
            FROM information_schema.role_table_grants WHERE grantee ~ '^parley_'
            UNION ALL SELECT tablename::text, indexname::text, indexdef, '' FROM pg_indexes WHERE schemaname = 'public'
            ORDER BY 1, 2, 3, 4"""
        )
        return [tuple(row) for row in rows]
    finally:
        await connection.close()


def test_the_head_is_alembics_own() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "parley:migrations")
    script = ScriptDirectory.from_config(config)
    assert script.get_heads() == [HEAD]
    assert len(list(script.walk_revisions())) == len(script.get_revisions("heads")) or script.get_base()


async def test_migrating_twice_is_migrating_once(empty_url: str) -> None:
    assert await current_revision(empty_url) is None
    assert await migrate(empty_url) is True
    made = await schema(empty_url)
    assert await current_revision(empty_url) == HEAD
    assert await migrate(empty_url) is False
    assert await schema(empty_url) == made
    assert len(made) > 200


def _migrate(dsn: str) -> bool:
    return asyncio.run(migrate(dsn))


async def test_four_processes_that_migrate_at_once_make_one_schema(empty_url: str, database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        done = await asyncio.to_thread(pool.map, _migrate, [empty_url] * 4)
    assert any(done)
    assert await current_revision(empty_url) == HEAD
    assert await schema(empty_url) == await schema(database_url)

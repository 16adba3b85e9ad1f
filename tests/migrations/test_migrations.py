"""Migrations: one history, harmless to repeat, safe when several processes start at once."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Iterator

import asyncpg
import pytest
from sqlalchemy.engine import make_url

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


async def test_functions_with_their_owners_rights_search_temporary_tables_last(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            """SELECT proname, proconfig FROM pg_proc
            WHERE prosecdef AND pronamespace = 'public'::regnamespace ORDER BY proname"""
        )
    finally:
        await connection.close()
    assert "search_messages" in [row["proname"] for row in rows]
    for row in rows:
        [path] = [one for one in row["proconfig"] if one.startswith("search_path=")]
        assert path == "search_path=pg_catalog, public, pg_temp", row["proname"]


async def test_who_made_the_roles_and_is_no_superuser_may_become_them(empty_url: str) -> None:
    """Since PostgreSQL 16 whoever makes a role is a member that administers it, and may not become it."""
    owner = await asyncpg.connect(empty_url)
    if owner.get_server_version().major < 16:
        await owner.close()
        pytest.skip("whoever is a member may be it")
    name, database = f"maker_{os.getpid()}", await owner.fetchval("SELECT current_database()")
    try:
        await owner.execute(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD 'x'")
        await owner.execute(f"ALTER DATABASE {database} OWNER TO {name}")
        for role in ("parley_app", "parley_system"):
            await owner.execute(f"GRANT {role} TO {name} WITH ADMIN TRUE, SET FALSE, INHERIT FALSE")
        url = make_url(empty_url).set(username=name, password="x")
        dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        assert await migrate(dsn) is True
        maker = await asyncpg.connect(dsn)
        for role in ("parley_app", "parley_system"):
            await maker.execute(f"BEGIN; SET LOCAL ROLE {role}; COMMIT")
        await maker.close()
    finally:
        await owner.execute(f"ALTER DATABASE {database} OWNER TO CURRENT_USER")
        await owner.execute(
            f"REASSIGN OWNED BY {name} TO CURRENT_USER; DROP OWNED BY {name}; DROP ROLE {name}"
        )
        await owner.close()

"""Bring a database to the newest schema: one linear history, under an advisory lock.

Alembic and SQLAlchemy are imported only when there is something to do: they cost half a second of every start.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import asyncpg

HEAD = "0015"
"""Newest revision; `tests/migrations` holds it equal to Alembic's own head."""

_LOCK = 0x7061726C  # "parl"


def _read(name: str) -> str:
    return (resources.files("parley.migrations") / "sql" / name).read_text("utf-8")


def execute_file(name: str) -> None:
    """Run a file of statements in the migration's transaction. Only for revisions."""
    from alembic import op

    _execute_script(op.get_bind(), _read(name))


def _execute_script(connection: Any, script: str) -> None:
    adapted = connection.connection.dbapi_connection
    adapted.run_async(lambda driver: driver.execute(script))


def _upgrade(connection: Any) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "parley:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    _execute_script(connection, _read("after.sql"))


async def current_revision(dsn: str) -> str | None:
    """Return the revision a database is at, None when it is empty."""
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval("SELECT to_regclass('public.alembic_version')") is None:
            return None
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        return revision
    finally:
        await connection.close()


async def migrate(dsn: str) -> bool:
    """Bring the database to `HEAD`; return whether anything was done. Repeat: harmless.

    Several processes may start at once: the advisory lock lets one through, the others find it done.
    """
    if await current_revision(dsn) == HEAD:
        return False
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    engine = create_async_engine(
        "postgresql+asyncpg://", poolclass=NullPool, async_creator=lambda: asyncpg.connect(dsn)
    )
    try:
        async with engine.connect() as lock:
            await lock.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
            async with engine.begin() as connection:
                await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()
    return True

"""Backups of a PostgreSQL under test, by its own tools, and how they are put back."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from parley.infra.postgres import EmbeddedPostgres


def files_of(postgres: EmbeddedPostgres) -> Path:
    """PGDATA."""
    return postgres._cluster.data


async def run(program: Path | str, *arguments: object) -> str:
    """Run a tool; return what it printed. Raises: AssertionError with that when it fails."""
    process = await asyncio.create_subprocess_exec(
        str(program),
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode(errors="replace")
    assert process.returncode == 0, output
    return output


async def base_backup(postgres: EmbeddedPostgres, target: Path) -> None:
    """Copy a running PostgreSQL by `pg_basebackup`."""
    tool = postgres.binaries.tool("pg_basebackup")
    await run(tool, "-d", postgres.dsn(), "-D", target, "-X", "stream", "-c", "fast")


def put_back(postgres: EmbeddedPostgres, backup: Path) -> None:
    """Put a base backup in the place of a stopped PostgreSQL's files."""
    data = files_of(postgres)
    owner = data.stat()
    shutil.rmtree(data)
    shutil.copytree(backup, data)
    for path in (data, *data.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    data.chmod(0o700)


async def copy_directory(source: Path, target: Path) -> None:
    """Copy a directory as operators do, owners and modes with it."""
    await run("cp", "-a", source, target)


async def dump_and_load(source: EmbeddedPostgres, target: EmbeddedPostgres, folder: Path) -> None:
    """Carry a database to another cluster by `pg_dump` and `pg_restore`."""
    dump = folder / "parley.dump"
    await run(source.binaries.tool("pg_dump"), "-Fc", "-f", dump, "-d", source.dsn())
    roles = "CREATE ROLE parley_app NOLOGIN NOBYPASSRLS; CREATE ROLE parley_system NOLOGIN NOBYPASSRLS"
    await run(target.binaries.tool("psql"), "-q", "-c", roles, "-d", target.dsn())
    await run(target.binaries.tool("pg_restore"), "--exit-on-error", "-d", target.dsn(), dump)

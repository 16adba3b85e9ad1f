"""Node's Socket.IO as a peer: `bench/node/server.mjs`, run on the server's core."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from bench.machine import SERVER_CORE, pin
from bench.stage import Stage, free_port

FOLDER = Path(__file__).parent / "node"
_TABLES = """
CREATE TABLE IF NOT EXISTS node_room (id text PRIMARY KEY, head integer NOT NULL DEFAULT 0) WITH (fillfactor = 60);
CREATE TABLE IF NOT EXISTS node_message (room_id text NOT NULL REFERENCES node_room, number integer NOT NULL,
    client_id text NOT NULL, text text NOT NULL, created_at timestamptz NOT NULL, PRIMARY KEY (room_id, number));
"""


async def make_node_rooms(stage: Stage, names: list[str]) -> None:
    """Make the tables of the peer, if they are not there, and rows for these rooms."""
    connection = await stage.connect()
    try:
        await connection.execute(_TABLES)
        await connection.execute(
            "INSERT INTO node_room (id) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", names
        )
        await connection.execute("ANALYZE node_room")
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def node_server(
    event_bytes: int, *, dsn: str = "", redis_url: str = ""
) -> AsyncIterator[tuple[int, int]]:
    """Run one Node process; gives (port, process id). ``dsn``: a message is a durable row before it is told."""
    await _install()
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *("node", str(FOLDER / "server.mjs"), str(port), str(event_bytes)),
        env={**os.environ, "DATABASE_URL": dsn, "REDIS_URL": redis_url, "NODE_ENV": "production"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        if await process.stdout.readline() != b"ready\n":
            raise RuntimeError("node did not come up")
        pin(process.pid, SERVER_CORE)
        yield port, process.pid
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _install() -> None:
    if (FOLDER / "node_modules").exists():
        return
    if not shutil.which("npm"):
        raise RuntimeError("the Node peers need node and npm on PATH")
    process = await asyncio.create_subprocess_exec("npm", "ci", "--loglevel=error", cwd=FOLDER)
    if await process.wait():
        raise RuntimeError("npm ci failed")

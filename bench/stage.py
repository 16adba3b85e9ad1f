"""What a measurement needs: a durable PostgreSQL of its own, seeded, and a Parley on it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from bench.machine import OTHER_CORE, SERVER_CORE, pin
from parley.infra.crypto import hash_token
from parley.infra.migrate import migrate
from parley.infra.postgres import EmbeddedPostgres
from parley.kit.ids import public_id, uuid7

API_KEY = "pk_benchbenchbenchbenchbenchbenchbenchbench0"
WORKSPACE = "00000000-0000-7000-8000-000000000001"
SENDER = "00000000-0000-7000-8000-000000000002"
OTHER = "00000000-0000-7000-8000-000000000003"
CONVERSATIONS = 10_000
POSTGRES_SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "checkpoint_timeout": "30min"}


def conversation_uuid(number: int) -> str:
    """Return the id of the n-th seeded conversation, from 1."""
    return f"00000000-0000-7000-8001-{number:012x}"


@contextlib.asynccontextmanager
async def open_stage(*, is_on_tcp: bool = False) -> AsyncIterator[Stage]:
    """Start and seed everything; stop and delete it on leaving. ``is_on_tcp``: for peers that know no socket files."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        listen = {"listen_addresses": "127.0.0.1"} if is_on_tcp else {}
        postgres = EmbeddedPostgres(Path(folder) / "database", settings=POSTGRES_SETTINGS | listen)
        dsn = await postgres.start()
        try:
            await migrate(dsn)
            await _seed(dsn)
            stage = Stage(Path(folder), dsn, postgres)
            yield stage
        finally:
            await postgres.stop()


class Stage:
    """An open stage."""

    def __init__(self, folder: Path, dsn: str, postgres: EmbeddedPostgres) -> None:
        self.folder = folder
        self.dsn = dsn
        self.binaries = postgres.binaries
        self.port = free_port()

    @contextlib.asynccontextmanager
    async def parley(self, role: str = "serve", port: int | None = None, **more: str) -> AsyncIterator[int]:
        """Run a Parley process on the server's core, by default `parley serve`; gives its process id."""
        port = port or self.port
        environment = {
            **os.environ,
            "DATABASE_URL": self.dsn,
            "PARLEY_DATA_DIR": str(self.folder / "data"),
            "PARLEY_PORT": str(port),
            "PARLEY_SANDBOX": "0",
            "PARLEY_LOG_LEVEL": "warning",
            **more,
        }
        log = (self.folder / f"parley-{port}.log").open("wb")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "parley", role, env=environment, stdout=log, stderr=log
        )
        try:
            await self._until_ready(process, port)
            pin(process.pid, SERVER_CORE)
            await self.pin_database()
            yield process.pid
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            log.close()

    async def _until_ready(self, process: asyncio.subprocess.Process, port: int) -> None:
        for _ in range(600):
            if process.returncode is not None:
                raise RuntimeError((self.folder / f"parley-{port}.log").read_text())
            try:
                await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/readyz", timeout=2)
                return
            except OSError:
                await asyncio.sleep(0.05)
        raise TimeoutError("Parley did not become ready")

    async def pin_database(self) -> None:
        """Keep every process of PostgreSQL on its core."""
        connection = await asyncpg.connect(self.dsn)
        backend = await connection.fetchval("SELECT pg_backend_pid()")
        parent = int(Path(f"/proc/{backend}/stat").read_text().rsplit(")", 1)[1].split()[1])
        await connection.close()
        pin(parent, OTHER_CORE)

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        """Open a connection as the owner."""
        return await asyncpg.connect(self.dsn)

    async def execute_in(self, database: str, sql: str) -> None:
        """Run statements in another database of the cluster, as its owner."""
        connection = await asyncpg.connect(self.dsn, database=database)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def analyze(self) -> None:
        """Take statistics, as autovacuum does within a minute: a measurement begins with tables that are known."""
        connection = await self.connect()
        try:
            await connection.execute("ANALYZE")
        finally:
            await connection.close()

    async def make_group(self, members: int) -> tuple[str, list[str]]:
        """Make a group of so many actors besides the sender; return its public id and a token of each of them."""
        conversation = uuid7()
        people = [uuid7() for _ in range(members)]
        tokens = [f"pk_{person.hex}bench0000" for person in people]
        connection = await self.connect()
        try:
            await connection.execute(
                "INSERT INTO conversation (workspace_id, id, kind, title, member_count) VALUES ($1, $2, 'group', 'room', $3)",
                WORKSPACE,
                conversation,
                members + 1,
            )
            await connection.execute(
                """INSERT INTO actor (workspace_id, id, kind, name)
                SELECT $1, id, 'bot', 'Reader ' || n FROM unnest($2::uuid[]) WITH ORDINALITY AS p (id, n)""",
                WORKSPACE,
                people,
            )
            await connection.execute(
                """INSERT INTO api_key (workspace_id, id, actor_id, name, hash, hint, scopes)
                SELECT $1, id, id, 'bench', hash, 'room', '{chat}'
                FROM unnest($2::uuid[], $3::bytea[]) AS p (id, hash)""",
                WORKSPACE,
                people,
                [hash_token(token) for token in tokens],
            )
            await connection.execute(
                """INSERT INTO member (workspace_id, conversation_id, actor_id, role, is_chat)
                SELECT $1, $2, id, 'member', true FROM unnest($3::uuid[]) AS p (id)""",
                WORKSPACE,
                conversation,
                [SENDER, *people],
            )
            await connection.execute("ANALYZE actor, member, api_key")
        finally:
            await connection.close()
        return public_id("cnv", conversation), tokens


async def _seed(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            f"""INSERT INTO workspace (id, name) VALUES ('{WORKSPACE}', 'bench');
            INSERT INTO actor (workspace_id, id, kind, name, role) VALUES
                ('{WORKSPACE}', '{SENDER}', 'bot', 'sender', NULL), ('{WORKSPACE}', '{OTHER}', 'bot', 'other', NULL);
            INSERT INTO conversation (workspace_id, id, kind, title, member_count)
                SELECT '{WORKSPACE}', ('00000000-0000-7000-8001-' || lpad(to_hex(n), 12, '0'))::uuid, 'group', 'bench', 2
                FROM generate_series(1, {CONVERSATIONS}) n;
            INSERT INTO member (workspace_id, conversation_id, actor_id, role, is_chat)
                SELECT workspace_id, id, actor, 'member', true
                FROM conversation, unnest(ARRAY['{SENDER}'::uuid, '{OTHER}'::uuid]) AS actor;"""
        )
        await connection.execute(
            """INSERT INTO api_key (workspace_id, id, actor_id, name, hash, hint, scopes)
            VALUES ($1, $2, $2, 'bench', $3, 'nch0', '{chat}')""",
            WORKSPACE,
            SENDER,
            hash_token(API_KEY),
        )
        # not of empty tables: the planner would take them to stay so
        await connection.execute("VACUUM ANALYZE workspace, actor, api_key, conversation, member")
    finally:
        await connection.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

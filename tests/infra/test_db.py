"""Transactions: all or nothing, hints only of what was committed, and a database that went away is told apart."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import asyncpg
import pytest

from parley.infra.bus import Bus
from parley.infra.db import Database, Tx, hex_literal, open_pool
from parley.kit.errors import Unavailable
from parley.kit.events import Event, Hint, Touch
from parley.kit.ids import uuid7

pytestmark = pytest.mark.anyio

WORKSPACE = uuid7()


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """A database with one workspace."""
    pool = await open_pool(database_url, size=4)
    database = Database(pool, Bus())
    async with database.system() as tx:
        await tx.execute("INSERT INTO workspace (id, name) VALUES ($1, 'Acme')", WORKSPACE)
    yield database
    await pool.close()


def hint() -> Touch:
    return Touch(workspace_id=WORKSPACE, inbox_id=uuid7(), conversation_id=uuid7())


def event() -> Event:
    return Event(
        workspace_id=WORKSPACE, stream="personal", stream_id=uuid7(), number=1, tag=0, kind="rights.changed",
        at=dt.datetime.now(dt.UTC),
    )  # fmt: skip


async def rename(tx: Tx, name: str) -> None:
    await tx.execute("UPDATE workspace SET name = $1", name)


async def name_of(db: Database) -> str:
    async with db.transaction(WORKSPACE) as tx:
        return str(await tx.fetchval("SELECT name FROM workspace"))


async def test_what_was_committed_is_told_after_it_can_be_seen(db: Database) -> None:
    told: list[tuple[str, int]] = []
    names: list[asyncio.Task[str]] = []

    def subscriber(hints: Sequence[Hint]) -> None:
        told.append(("hints", len(hints)))
        names.append(asyncio.create_task(name_of(db)))

    db.bus.subscribe(subscriber)
    async with db.transaction(WORKSPACE) as tx:
        await rename(tx, "New")
        await tx.record([event()])
        tx.hints.append(hint())
        tx.after_commit.append(lambda: told.append(("callback", 0)))
        assert told == []
    assert told == [("callback", 0)]
    await turns(2)
    assert told == [("callback", 0), ("hints", 2)]
    assert await names[0] == "New"


async def turns(count: int) -> None:
    """Let the loop turn: what was published is told after two of them."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_nothing_is_told_of_what_was_rolled_back(db: Database) -> None:
    told: list[object] = []
    db.bus.subscribe(told.append)
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction is the statement
        async with db.transaction(WORKSPACE) as tx:
            await rename(tx, "New")
            tx.hints.append(hint())
            tx.after_commit.append(lambda: told.append("callback"))
            raise ZeroDivisionError
    await turns(3)
    assert told == []
    assert await name_of(db) == "Acme"


async def test_a_reaction_that_fails_undoes_the_event(db: Database) -> None:
    async def react(tx: Tx, events: Sequence[Event]) -> None:
        raise ZeroDivisionError

    db.reactions.append(react)
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the transaction is the statement
        async with db.transaction(WORKSPACE) as tx:
            await rename(tx, "New")
            await tx.record([event()])
    assert await name_of(db) == "Acme"


async def test_a_savepoint_undoes_its_inside_alone(db: Database) -> None:
    told: list[Sequence[Hint]] = []
    db.bus.subscribe(told.append)
    async with db.transaction(WORKSPACE) as tx:
        await rename(tx, "Outer")
        tx.hints.append(hint())
        with pytest.raises(asyncpg.UndefinedTableError):  # noqa: PT012 - the transaction is the statement
            async with tx.savepoint():
                await rename(tx, "Inner")
                tx.hints.append(hint())
                await tx.execute("SELECT FROM nothing_there")
        async with tx.savepoint():
            tx.hints.append(hint())
    assert await name_of(db) == "Outer"
    assert [len(hints) for hints in told] == [2]


async def test_a_transaction_has_one_moment(db: Database) -> None:
    async with db.transaction(WORKSPACE) as tx:
        first = tx.now
        await asyncio.sleep(0.01)
        assert tx.now is first
        assert first.tzinfo is dt.UTC


async def test_a_cancelled_request_leaves_nothing_and_no_connection_behind(db: Database) -> None:
    async def work() -> None:
        async with db.transaction(WORKSPACE) as tx:
            await rename(tx, "New")
            await tx.execute("SELECT pg_sleep(30)")

    for _ in range(6):  # more than the pool has
        task = asyncio.create_task(work())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await name_of(db) == "Acme"


async def test_who_is_cancelled_again_while_rolling_back_gives_the_connection_back_at_rest(
    db: Database,
) -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def work(error: type[Exception] | None) -> None:
        async with db.transaction(WORKSPACE) as tx:
            await rename(tx, "New")
            if error:
                raise error
            await tx.execute("SELECT pg_sleep(30)")

    for count in range(1, 12):
        for error in (None, ValueError):
            task = asyncio.create_task(work(error))
            await asyncio.sleep(0.02 if error is None else 0)
            for _ in range(4):
                task.cancel()
                await turns(count)
            with pytest.raises((asyncio.CancelledError, ValueError)):
                await task
    gc.collect()
    await turns(3)
    assert complaints == []
    assert await name_of(db) == "Acme"


async def test_a_connection_that_is_killed_is_unavailable_and_the_next_works(db: Database) -> None:
    with pytest.raises(Unavailable):  # noqa: PT012 - the transaction is the statement
        async with db.transaction(WORKSPACE) as tx:
            pid = await tx.fetchval("SELECT pg_backend_pid()")
            async with db.pool.acquire() as other:
                await other.execute("SELECT pg_terminate_backend($1)", pid)
            await rename(tx, "New")
    assert await name_of(db) == "Acme"


async def test_a_statement_that_takes_too_long_is_unavailable(db: Database) -> None:
    with pytest.raises(Unavailable, match="too long"):  # noqa: PT012 - the transaction is the statement
        async with db.transaction(WORKSPACE) as tx:
            await rename(tx, "New")
            await tx.connection.execute("SELECT pg_sleep(30)", timeout=0.05)
    assert await name_of(db) == "Acme"


async def test_an_error_of_ones_own_is_not_unavailable(db: Database) -> None:
    for error in (ValueError, asyncpg.DataError, ConnectionError):
        with pytest.raises(error):
            async with db.transaction(WORKSPACE):
                raise error("mine")
    with pytest.raises(asyncpg.DataError):
        async with db.transaction(WORKSPACE) as tx:
            await tx.fetchval("SELECT $1::integer", "x")


async def test_where_nothing_listens_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await open_pool("postgresql://nobody@127.0.0.1:9/none")


async def test_connections_are_opened_before_they_are_needed_and_are_free_then(database_url: str) -> None:
    for size, count, opened in ((5, 3, 3), (4, 9, 4)):
        pool = await open_pool(database_url, size=size)
        try:
            db = Database(pool, Bus())
            assert pool.get_size() == 2
            await db.open_connections(count)
            assert (pool.get_size(), pool.get_idle_size()) == (opened, opened)
            await db.open_connections(count)
            assert (pool.get_size(), pool.get_idle_size()) == (opened, opened)
        finally:
            await pool.close()


async def test_fewer_connections_than_wanted_stop_nobody(database_url: str) -> None:
    seen: list[object] = []

    async def refuse_the_fourth(connection: object) -> None:
        seen.append(connection)
        if len(seen) == 4:
            raise ConnectionError("no more just now")

    pool = await open_pool(database_url, size=5, inspect=refuse_the_fourth)
    try:
        db = Database(pool, Bus())
        await db.open_connections(5)
        assert len(seen) >= 4
        async with db.system() as first, db.system() as second:
            assert [await tx.fetchval("SELECT 1") for tx in (first, second)] == [1, 1]
        await db.open_connections(5)
        assert pool.get_idle_size() == 5
    finally:
        await pool.close()


async def test_a_snapshot_sees_one_moment_and_writes_nothing(db: Database) -> None:
    async with db.snapshot(WORKSPACE) as tx:
        assert await tx.fetchval("SELECT name FROM workspace") == "Acme"
        async with db.transaction(WORKSPACE) as other:
            await rename(other, "New")
        assert await tx.fetchval("SELECT name FROM workspace") == "Acme"
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with db.snapshot(WORKSPACE) as tx:
            await rename(tx, "Newer")


async def test_json_and_transaction_numbers_travel(db: Database) -> None:
    async with db.system() as tx:
        for value in ({"a": [1, "\U0001f600", None]}, [], "text", 1, None):
            assert await tx.fetchval("SELECT $1::jsonb", value) == value
        number = await tx.fetchval("SELECT pg_current_xact_id()")
        assert isinstance(number, int)
        assert await tx.fetchval("SELECT $1::xid8", number) == number


async def test_the_statement_timeout_is_set(db: Database) -> None:
    async with db.transaction(WORKSPACE) as tx:
        assert await tx.fetchval("SHOW statement_timeout") == "30s"
        assert await tx.fetchval("SHOW idle_in_transaction_session_timeout") == "1min"


async def test_execute_counts_rows(db: Database) -> None:
    async with db.transaction(WORKSPACE) as tx:
        assert await tx.execute("UPDATE workspace SET name = name") == 1
        assert await tx.execute("UPDATE workspace SET name = name WHERE id = $1", UUID(int=0)) == 0


async def test_what_is_written_at_once_is_whole_and_within_its_workspaces(db: Database) -> None:
    other = uuid7()
    async with db.system() as tx:
        await tx.execute("INSERT INTO workspace (id, name) VALUES ($1, 'Other')", other)

    def rows(*workspaces: UUID) -> str:
        listed = ", ".join(f"('{one}', '{uuid7()}', 'bot', 'made at once')" for one in workspaces)
        return f"INSERT INTO actor (workspace_id, id, kind, name) VALUES {listed}"

    await db.write_at_once([WORKSPACE], rows(WORKSPACE, WORKSPACE), wakes="journal")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.write_at_once([WORKSPACE], rows(WORKSPACE, other), wakes="journal")
    async with db.system() as tx:
        made = await tx.fetch("SELECT workspace_id FROM actor WHERE name = 'made at once'")
        assert [row["workspace_id"] for row in made] == [WORKSPACE] * 2
        # nothing of the setting outlives it
        assert not await tx.fetchval("SELECT current_setting('parley.workspaces', true)")


async def test_a_hex_literal_is_its_bytes_whatever_they_are(db: Database) -> None:
    value = bytes(range(256)) + b"'; DROP TABLE workspace; --"
    async with db.system() as tx:
        assert await tx.fetchval(f"SELECT {hex_literal(value)}") == value
        assert await tx.fetchval(f"SELECT {hex_literal(b'')}") == b""

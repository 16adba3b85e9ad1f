"""The database: one pool, and `Tx`, one request's or job's transaction.

A transaction begins with one simple query that sets the role and the workspaces, so that row-level security holds
whatever the SQL says; nothing of a session outlives the transaction, so connections need no reset and may pass
through pgbouncer. Hints go out after the commit and never from inside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import msgspec
import structlog

from parley.infra.bus import Bus
from parley.infra.wake import Wake
from parley.kit.clock import Clock, utc_now
from parley.kit.errors import Unavailable
from parley.kit.events import Event, Hint

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]

Reaction = Callable[["Tx", Sequence[Event]], Awaitable[None]]
"""What must happen in the same transaction as events: enqueue a delivery, touch a list. Gets a batch, in order."""

CLOCK_TOLERANCE = dt.timedelta(seconds=2)
"""Servers whose clocks are kept agree better than this; beyond it ours is corrected."""

STATEMENTS_KEPT = 100
"""Prepared statements of a connection (asyncpg's own default)."""
STATEMENT_TIMEOUT_SECONDS = 30
ACQUIRE_TIMEOUT_SECONDS = 10
ROLLBACK_TIMEOUT_SECONDS = 5

_SESSION = {
    "idle_in_transaction_session_timeout": "60000",
    "statement_timeout": str(STATEMENT_TIMEOUT_SECONDS * 1000),
    "jit": "off",
}
"""Set once for a connection of our own; behind a pooler, which knows no sessions, at the head of each transaction."""
_LIMITS = "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in _SESSION.items())

_UNAVAILABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    ConnectionError,
    TimeoutError,
)

_CLIENT_ERRORS = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What the driver raises, among others, when its connection is lost in the middle of an operation."""


log = structlog.get_logger()


class Tx:
    """An open transaction. Nothing else is ambient in a business function."""

    def __init__(self, connection: Connection, database: Database, clock: Clock) -> None:
        self.connection = connection
        self._database = database
        self._clock = clock
        self._now: dt.datetime | None = None
        self.hints: list[Hint] = []
        self.after_commit: list[Callable[[], None]] = []
        self.wakes: set[str] = set()

    @property
    def now(self) -> dt.datetime:
        """The transaction's moment: the same at every reading."""
        if self._now is None:
            self._now = self._clock()
        return self._now

    async def record(self, events: Sequence[Event]) -> None:
        """Run the reactions registered for these events now, and publish the events after the commit.

        The rows of the events are written by the caller, in the same transaction.
        """
        self.hints.extend(events)
        for reaction in self._database.reactions:
            await reaction(self, events)

    @property
    def restores(self) -> int:
        """How often the database was put back to an older state."""
        return self._database.restores

    def wake(self, name: str) -> None:
        """Tell the workers of a table, after the commit, that it has work. A hint: they also look by themselves."""
        self.wakes.add(name)

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Undo what happens inside when it raises, and let the transaction go on. Hints of it are dropped too."""
        hints, callbacks = len(self.hints), len(self.after_commit)
        await self.connection.execute("SAVEPOINT inner_step")
        try:
            yield
        except BaseException:
            del self.hints[hints:], self.after_commit[callbacks:]
            await self.connection.execute("ROLLBACK TO SAVEPOINT inner_step; RELEASE SAVEPOINT inner_step")
            raise
        await self.connection.execute("RELEASE SAVEPOINT inner_step")

    # The four calls of a store; SQL text only.

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """Return all rows."""
        rows: list[asyncpg.Record] = await self.connection.fetch(sql, *args)
        return rows

    async def fetchrow(self, sql: str, *args: Any) -> asyncpg.Record | None:
        """Return the first row or None."""
        return await self.connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: Any) -> Any:
        """Return the first column of the first row or None."""
        return await self.connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> int:
        """Run a statement; return how many rows it touched."""
        status: str = await self.connection.execute(sql, *args)
        tail = status.rsplit(" ", 1)[-1]
        return int(tail) if tail.isdigit() else 0

    async def executemany(self, sql: str, args: Iterable[Sequence[Any]]) -> None:
        """Run a statement for many rows, pipelined."""
        await self.connection.executemany(sql, args)


class Database:
    """The pool, the reactions and the bus: where transactions come from."""

    def __init__(self, pool: Pool, bus: Bus, clock: Clock = utc_now, *, is_pooled: bool = False) -> None:
        self.pool = pool
        self._limits = f"; {_LIMITS}" if is_pooled else ""
        self.bus = bus
        self.wake = Wake()
        self.reactions: list[Reaction] = []
        self.restores = 0
        """How often this database was put back: positions told before the last time mean nothing since."""
        self._clock = clock
        self._ahead = dt.timedelta(0)

    def now(self) -> dt.datetime:
        """The moment, by the database's clock as far as ours is known to be wrong."""
        return self._clock() - self._ahead

    async def compare_clock(self, tx: Tx) -> None:
        """Learn how far our clock is ahead of the database's, by which all servers agree on what is due or over."""
        before = self._clock()
        theirs = await tx.fetchval("SELECT clock_timestamp()")
        after = self._clock()
        ahead = before + (after - before) / 2 - theirs
        if abs(ahead) - (after - before) < CLOCK_TOLERANCE:
            ahead = dt.timedelta(0)
        if abs(ahead - self._ahead) > CLOCK_TOLERANCE:
            log.warning("database.clock_differs", ours_is_ahead_by_seconds=round(ahead.total_seconds(), 1))
            self._ahead = ahead

    async def open_connections(self, count: int) -> None:
        """Have so many connections open, as far as the pool allows, for those who come first and at once.

        Where the server gives fewer now, the rest are opened when they are needed, as ever.
        """
        count = min(count, self.pool.get_max_size())
        together = asyncio.Barrier(count)

        async def hold() -> None:
            async with self._connect():
                await together.wait()

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(count):
                    group.create_task(hold())
        except* Unavailable:
            log.info("database.fewer_connections", wanted=count, opened=self.pool.get_size())

    @contextlib.asynccontextmanager
    async def transaction(self, *workspaces: UUID) -> AsyncIterator[Tx]:
        """Open a transaction that sees exactly these workspaces.

        Commits on leaving, rolls back when it raises. Hints are published after the commit.
        Raises: Unavailable when the database cannot be reached.
        """
        listed = ",".join(str(UUID(bytes=workspace.bytes)) for workspace in workspaces)
        begin = (
            f"BEGIN; SET LOCAL ROLE parley_app; SET LOCAL parley.workspaces = '{{{listed}}}'{self._limits}"
        )
        async with self._open(begin) as tx:
            yield tx

    async def write_at_once(self, workspaces: Iterable[UUID], sql: str, *, wakes: str) -> None:
        """Carry out one statement without arguments in a transaction of its own: one round trip instead of four.

        The server takes several statements of one simple query as one transaction, so `SET LOCAL` holds for it and
        everything is committed or nothing is. Values are written by `hex_literal`. Wakes the workers of a table.
        Raises: as `transaction`.
        """
        listed = ",".join(str(UUID(bytes=workspace.bytes)) for workspace in workspaces)
        setting = f"SET LOCAL ROLE parley_app; SET LOCAL parley.workspaces = '{{{listed}}}'"
        async with self._connect() as connection:
            await connection.execute(f"{setting}{self._limits}; {sql}")
        self.wake.notify(wakes)

    @contextlib.asynccontextmanager
    async def system(self) -> AsyncIterator[Tx]:
        """Open a transaction that sees every workspace: for claims, login and the feed only (ADR 0004)."""
        async with self._open(f"BEGIN; SET LOCAL ROLE parley_system{self._limits}") as tx:
            yield tx

    @contextlib.asynccontextmanager
    async def snapshot(self, *workspaces: UUID) -> AsyncIterator[Tx]:
        """As `transaction`, read only, all statements seeing one moment (REPEATABLE READ)."""
        listed = ",".join(str(UUID(bytes=workspace.bytes)) for workspace in workspaces)
        begin = (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL ROLE parley_app; "
            f"SET LOCAL parley.workspaces = '{{{listed}}}'{self._limits}"
        )
        async with self._open(begin) as tx:
            yield tx

    @contextlib.asynccontextmanager
    async def _open(self, begin: str) -> AsyncIterator[Tx]:
        async with self._connect() as connection:
            tx = Tx(connection, self, self.now)
            await connection.execute(begin)
            yield tx
            await connection.execute("COMMIT")
        if tx.hints:
            self.bus.publish(tx.hints)
        for callback in tx.after_commit:
            callback()
        for name in tx.wakes:
            self.wake.notify(name)

    @contextlib.asynccontextmanager
    async def _connect(self) -> AsyncIterator[Connection]:
        """Lend a connection; roll back when something raises. Raises: Unavailable for what ails the database."""
        try:
            connection = await self.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS)
        except (*_UNAVAILABLE, OSError) as error:
            raise Unavailable("The database cannot be reached right now.") from error
        try:
            try:
                yield connection  # type: ignore[misc]  # pool proxy, same interface
            except BaseException as error:
                is_gone = not await _roll_back(connection)
                if is_gone and isinstance(error, _CLIENT_ERRORS):
                    raise Unavailable("The database went away; try again.") from error
                raise
        except (
            asyncpg.PostgresConnectionError,
            asyncpg.AdminShutdownError,
            asyncpg.CrashShutdownError,
        ) as error:
            raise Unavailable("The database went away; try again.") from error
        except TimeoutError as error:
            raise Unavailable("The database took too long; try again.") from error
        finally:
            await self.pool.release(connection)


def hex_literal(value: bytes) -> str:
    """Return bytes as an SQL literal of type bytea; nothing in it can end the literal."""
    return f"'\\x{value.hex()}'::bytea"


async def _roll_back(connection: Any) -> bool:
    """Undo the transaction; False when the connection was lost or thrown away (PostgreSQL rolls back by itself).

    Whoever is cancelled meanwhile, once more it may be, waits for the end: a connection goes back to the pool at rest.
    """
    rollback = asyncio.ensure_future(_try_roll_back(connection))
    interruption: asyncio.CancelledError | None = None
    while not rollback.done():
        try:
            await asyncio.wait([rollback])
        except asyncio.CancelledError as error:
            interruption = error
    if rollback.cancelled():
        connection.terminate()  # the loop is closing
    if interruption is not None:
        raise interruption
    return not rollback.cancelled() and rollback.result()


async def _try_roll_back(connection: Any) -> bool:
    try:
        if connection.is_closed():
            return False
        await connection.execute("ROLLBACK", timeout=ROLLBACK_TIMEOUT_SECONDS)
    except Exception:  # noqa: BLE001 - a connection in doubt is thrown away
        with contextlib.suppress(asyncpg.InterfaceError):  # the pool may have dropped it already
            connection.terminate()
        return False
    return True


async def _no_reset(_: Connection) -> None:
    """No session state is ever set, so there is nothing to reset: a whole round trip saved (measured 1.6x)."""


def _decode_json(text: str) -> Any:
    return msgspec.json.decode(text)


def _encode_json(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else msgspec.json.encode(value).decode()


async def _prepare(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_encode_json, decoder=_decode_json, format="text"
    )
    # xid8 travels as an integer
    await connection.set_type_codec("xid8", schema="pg_catalog", encoder=str, decoder=int, format="text")


async def open_pool(
    dsn: str,
    *,
    size: int = 12,
    inspect: Callable[[Any], Awaitable[None]] | None = None,
    is_pooled: bool = False,
    keeps_statements: bool = True,
) -> Pool:
    """Open the pool. ``size`` is connections at the most; they are opened as needed.

    ``is_pooled``: it leads through a pooler in transaction mode, where a connection is another server process in each
    transaction: nothing is set for the session. ``keeps_statements``: prepared statements outlive a transaction.

    ``inspect`` looks at every new connection first; one for which it raises ConnectionError is not used.

    Raises: Unavailable when the database does not answer.
    """

    async def prepare(connection: Connection) -> None:
        await connection.execute("BEGIN")  # behind a pooler: one server process for all questions
        await _prepare(connection)
        await connection.execute("COMMIT")
        if inspect is not None:
            await inspect(connection)

    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=min(2, size),
            max_size=size,
            init=prepare,
            reset=_no_reset,
            max_inactive_connection_lifetime=300,
            command_timeout=STATEMENT_TIMEOUT_SECONDS,
            server_settings={"application_name": "parley", **({} if is_pooled else _SESSION)},
            statement_cache_size=STATEMENTS_KEPT if keeps_statements else 0,
        )
    except (*_UNAVAILABLE, OSError) as error:
        raise Unavailable("The database cannot be reached.") from error

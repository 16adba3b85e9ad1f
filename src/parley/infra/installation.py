"""Whether the database under us is the one we knew: one that was put back must not send last week's messages again.

What the database cannot tell of itself is remembered beside it, in `installation.json` of the data directory: which
database it was, how far it had come, and how often it had been put back. A restore is noticed by any of these:

- the database's own row names another cluster or database: a dump was loaded;
- its log (flushed WAL position), its count of looks or of restores is behind what is remembered: an older state was
  put back, or a failover lost commits. A crash never looks so: what was flushed is there after it;
- the file of an embedded database's directory was made at another moment than it says: the directory is a copy.

docs/adr/0015-a-restore-is-noticed.md
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

import asyncpg
import msgspec
import structlog

from parley.infra.db import Database, Tx
from parley.infra.failures import describe_failure
from parley.infra.file_birth import birth_ns

FILE_NAME = "installation.json"
LOOK_SECONDS = 2.0
"""How often the position is remembered: what a failover loses within it may go unnoticed."""
LONG_SECONDS = 24 * 3600.0
"""Time that treating a restore may take: a dump's transaction ids are rewritten in every event."""

_NOT_TOLD = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.FeatureNotSupportedError,
    asyncpg.UndefinedFunctionError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)

_CLUSTER = "(SELECT system_identifier::text FROM pg_control_system())"
_POSITION = "pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')"

log = structlog.get_logger()


class Memory(msgspec.Struct, frozen=True):
    """What is remembered outside the database. ``born_ns``: when this file was made; None: not told here."""

    identity: str
    restores: int
    looks: int
    position: int
    born_ns: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class State:
    """What the database says: who it is, who it was when last looked at, restores and looks counted in it, and
    bytes of log flushed."""

    identity: str
    noted: str
    restores: int
    looks: int
    position: int

    def is_behind(self, known: Memory) -> bool:
        """Whether it has not come as far as is known."""
        return self.restores < known.restores or self.looks < known.looks or self.position < known.position

    @property
    def is_other_cluster(self) -> bool:
        """Whether the rows come from another cluster, so that its transaction ids mean nothing here."""
        return self.identity.partition("/")[0] != self.noted.partition("/")[0]


Reason = Literal["other_database", "older", "copy", "noticed_elsewhere"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restore:
    """A restore that was found. ``noticed_elsewhere``: another process has treated it."""

    reason: Reason
    is_other_cluster: bool = False


OnRestore = Callable[[Tx, Restore], Awaitable[None]]
"""What must be done about a restore, in the transaction that notes it."""


class MemoryFile:
    """`installation.json`, replaced as a whole, so that it is never half written."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE_NAME

    def read(self) -> Memory | None:
        """Return what is remembered; None when there is nothing, or nothing that can be read."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Memory)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            log.warning("installation.unreadable", path=str(self.path), error=describe_failure(error))
            return None

    def is_copy(self, memory: Memory) -> bool:
        """Whether the file was made at another moment than it says."""
        return None not in (memory.born_ns, born := birth_ns(self.path)) and memory.born_ns != born

    def write(self, memory: Memory) -> None:
        """Replace the file by a new one that knows its own birth."""
        # several processes may share the directory; in containers each is number 1
        new = self.path.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(msgspec.structs.replace(memory, born_ns=birth_ns(new))))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)


class RestoreWatch:
    """Compares the database with what is remembered: at the start, then for as long as the process runs.

    ``own``: a pool of one connection, which is let through where `inspect` refuses all others. ``is_embedded``:
    database and file lie in one directory, so a copy of the file is a copy of the database.
    """

    def __init__(self, own: Database, data_dir: Path, *, is_embedded: bool) -> None:
        self._own = own
        self._file = MemoryFile(data_dir)
        self._is_embedded = is_embedded
        self._known: Memory | None = None

    async def inspect(self, connection: Any) -> None:
        """Refuse a new connection to a database that is behind what is known, until `settle` has treated it.

        For the pool: no statement of ours runs there before. Raises: ConnectionError.
        """
        known = self._known
        if known is None:
            return
        await connection.execute("BEGIN; SET LOCAL ROLE parley_system")
        state = await _look(connection)
        await connection.execute("ROLLBACK")
        if not _is_same(state.identity, known.identity) or state.is_behind(known):
            raise ConnectionError("The database was put back; what it would send is being held.")

    async def settle(
        self, db: Database, on_restore: OnRestore, after: Callable[[], None] = lambda: None
    ) -> Restore | None:
        """Look, treat a restore by ``on_restore``, remember; return the restore, if there was one.

        ``after`` is called once one was treated, before any other connection is let through. Several processes at
        once: one treats it, the others find it done.
        """
        known = self._known or await asyncio.to_thread(self._file.read)
        is_start = self._known is None
        is_copy = (
            is_start
            and self._is_embedded
            and known is not None
            and await asyncio.to_thread(self._file.is_copy, known)
        )
        async with self._own.system() as tx:
            # on disk before it is remembered, however the operator has set commits; and a restore takes its time
            await tx.execute("SET LOCAL synchronous_commit = on; SET LOCAL statement_timeout = 0")
            await db.compare_clock(tx)
            state = await lock_state(tx)
            restore = judge(known, state, is_copy=is_copy)
            restores = state.restores
            if restore is not None and restore.reason != "noticed_elsewhere":
                restores = max(restores, known.restores if known else 0) + 1
                await on_restore(tx, restore)
            looks = await note_look(tx, state.identity, restores)
        self._known = Memory(state.identity, restores, looks, state.position)
        if restore is not None:
            after()
        await asyncio.to_thread(self._file.write, self._known)
        db.restores = restores
        return restore

    async def run(self, db: Database, on_restore: OnRestore, after: Callable[[], None]) -> None:
        """Look again and again until cancelled; ``after`` as in `settle`."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.settle(db, on_restore, after)
            except Exception as error:  # noqa: BLE001 - whatever ails the database, the next turn tries again
                log.warning("installation.not_looked", error=describe_failure(error))


def judge(known: Memory | None, state: State, *, is_copy: bool) -> Restore | None:
    """Tell whether a database that says this was put back since it was known. None known: only it can tell."""
    if not _is_same(state.identity, state.noted):
        return Restore(reason="other_database", is_other_cluster=state.is_other_cluster)
    if known is None or not _is_same(known.identity, state.identity):
        return None
    if state.restores > known.restores:
        return Restore(reason="noticed_elsewhere")
    if state.is_behind(known):
        return Restore(reason="older")
    return Restore(reason="copy") if is_copy else None


async def lock_state(tx: Tx) -> State:
    """Return what the database says of itself, its row locked until the commit. First call: it is noted as it is."""
    present = await _look(tx.connection)
    await tx.connection.execute(
        "INSERT INTO installation (id, system_identifier) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET id = 1",
        present.identity,
        timeout=LONG_SECONDS,
    )
    return await _look(tx.connection)


async def read_identity(tx: Tx) -> str:
    """Return which database of which cluster this is; `?` for a cluster that hides its name."""
    return (await _look(tx.connection)).identity


async def note_look(tx: Tx, identity: str, restores: int) -> int:
    """Note who the database is, how often it was put back, and one look more; return how many there were."""
    looks: int = await tx.fetchval(
        """UPDATE installation SET system_identifier = $1, restores = $2, looks = looks + 1 RETURNING looks""",
        identity,
        restores,
    )
    return looks


async def _look(connection: Any) -> State:
    """Read what the database says; `?` for a cluster that hides its name, 0 for a hidden position.

    Inside a transaction, as `parley_system`.
    """
    for cluster, position in ((_CLUSTER, _POSITION), ("'?'", _POSITION), (_CLUSTER, "0"), ("'?'", "0")):
        await connection.execute("SAVEPOINT look")
        try:
            row = await connection.fetchrow(
                f"""SELECT {cluster} || '/' || d.oid AS identity, {position}::bigint AS position,
                    i.system_identifier, i.restores, i.looks
                FROM pg_database d LEFT JOIN installation i ON true WHERE d.datname = current_database()"""
            )
        except _NOT_TOLD:
            await connection.execute("ROLLBACK TO SAVEPOINT look")
            continue
        await connection.execute("RELEASE SAVEPOINT look")
        return State(
            identity=row["identity"],
            noted=row["system_identifier"] or row["identity"],
            restores=row["restores"] or 0,
            looks=row["looks"] or 0,
            position=row["position"],
        )
    raise AssertionError("every database tells its oid")


def _is_same(one: str, other: str) -> bool:
    """Whether two identities may be one database; a cluster that does not tell its name may be any."""
    clusters = {one.partition("/")[0], other.partition("/")[0]}
    return one.partition("/")[2] == other.partition("/")[2] and (len(clusters) == 1 or "?" in clusters)

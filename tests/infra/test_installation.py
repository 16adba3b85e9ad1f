"""A database that was put back is noticed, once, by whichever process looks first; a crash is no restore."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from parley.infra.bus import Bus
from parley.infra.db import Database, Tx, open_pool
from parley.infra.feed import feed_end, forget_transactions
from parley.infra.file_birth import birth_ns
from parley.infra.installation import Memory, MemoryFile, Restore, RestoreWatch, State, judge
from parley.kit.errors import Unavailable

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """The database of this test, opened as a process does."""
    pool = await open_pool(database_url, size=4)
    yield Database(pool, Bus())
    await pool.close()


async def look(folder: Path, db: Database, *, is_embedded: bool = True) -> str | None:
    """Start a process on the folder; return why it took the database for one put back."""
    told: list[Restore] = []

    async def on_restore(_: Tx, restore: Restore) -> None:
        told.append(restore)

    found = await RestoreWatch(db, folder, is_embedded=is_embedded).settle(db, on_restore)
    assert told == ([found] if found and found.reason != "noticed_elsewhere" else [])
    return found.reason if found else None


def remember(folder: Path, **changes: object) -> None:
    """Change what a folder remembers."""
    file = MemoryFile(folder)
    known = file.read()
    assert known is not None
    file.write(msgspec.structs.replace(known, **changes))


async def test_a_start_after_a_start_is_no_restore(tmp_path: Path, db: Database) -> None:
    assert [await look(tmp_path, db) for _ in range(3)] == [None, None, None]
    assert db.restores == 0


async def test_a_database_behind_what_is_remembered_was_put_back(tmp_path: Path, db: Database) -> None:
    await look(tmp_path, db)
    remember(tmp_path, position=2**60)
    assert await look(tmp_path, db) == "older"
    assert await look(tmp_path, db) is None
    assert db.restores == 1


async def test_a_database_that_was_looked_at_less_often_was_put_back(tmp_path: Path, db: Database) -> None:
    await look(tmp_path, db)
    remember(tmp_path, looks=50)
    assert await look(tmp_path, db) == "older"
    assert await look(tmp_path, db) is None


async def test_a_database_that_knows_of_fewer_restores_was_put_back(tmp_path: Path, db: Database) -> None:
    await look(tmp_path, db)
    remember(tmp_path, restores=3)
    assert await look(tmp_path, db) == "older"
    assert db.restores == 4
    assert await look(tmp_path, db) is None


async def test_a_restore_is_treated_by_one_of_several_processes(tmp_path: Path, db: Database) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
        await look(folder, db)
        remember(folder, position=2**60)
    found = await asyncio.gather(*(look(folder, db) for folder in folders))
    assert sorted(map(str, found)) == ["noticed_elsewhere", "older"]
    assert [await look(folder, db) for folder in folders] == [None, None]


async def test_a_copied_directory_is_noticed_where_the_database_lies_in_it(
    tmp_path: Path, db: Database
) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    if birth_ns(original) is None:
        pytest.skip("this filesystem does not say when a file was made")
    await look(original, db)
    shutil.copytree(original, copy, copy_function=shutil.copy2)
    assert await look(original, db) is None
    assert await look(copy, db, is_embedded=False) is None
    shutil.rmtree(copy)
    shutil.copytree(original, copy, copy_function=shutil.copy2)
    assert await look(copy, db) == "copy"
    assert await look(copy, db) is None
    assert await look(original, db) == "noticed_elsewhere"


async def test_a_copy_over_the_directory_is_noticed(tmp_path: Path, db: Database) -> None:
    await look(tmp_path, db)
    if birth_ns(tmp_path) is None:
        pytest.skip("this filesystem does not say when a file was made")
    backup = MemoryFile(tmp_path).path.read_bytes()
    await look(tmp_path, db)
    MemoryFile(tmp_path).path.write_bytes(backup)  # as `cp` does: into the file that is there
    assert await look(tmp_path, db) == "copy"


async def test_chmod_and_renaming_are_no_copy(tmp_path: Path, db: Database) -> None:
    folder = tmp_path / "before"
    folder.mkdir()
    await look(folder, db)
    MemoryFile(folder).path.chmod(0o644)
    folder.rename(tmp_path / "after")
    assert await look(tmp_path / "after", db) is None


async def test_a_dump_loaded_elsewhere_is_noticed_by_the_databases_own_row(
    tmp_path: Path, db: Database
) -> None:
    await look(tmp_path, db)
    async with db.system() as tx:
        await tx.execute("UPDATE installation SET system_identifier = '1/2'")
    assert await look(tmp_path, db) == "other_database"
    assert await look(tmp_path, db) is None


async def test_an_unreadable_memory_is_no_restore(tmp_path: Path, db: Database) -> None:
    await look(tmp_path, db)
    MemoryFile(tmp_path).path.write_bytes(b"")
    assert await look(tmp_path, db) is None


async def test_no_statement_reaches_a_database_put_back_under_a_running_process(
    tmp_path: Path, database_url: str
) -> None:
    own = await open_pool(database_url, size=1)
    watch = RestoreWatch(Database(own, Bus()), tmp_path, is_embedded=False)
    pool = await open_pool(database_url, size=4, inspect=watch.inspect)
    db = Database(pool, Bus())
    treated: list[Restore] = []

    async def on_restore(_: Tx, restore: Restore) -> None:
        treated.append(restore)

    try:
        assert await watch.settle(db, on_restore) is None
        assert watch._known is not None
        watch._known = msgspec.structs.replace(watch._known, position=2**60)
        await pool.expire_connections()  # a database that was put back has none of the old ones
        with pytest.raises(Unavailable):
            async with db.system() as tx:
                await tx.fetchval("SELECT 1")
        await watch.settle(db, on_restore)
        assert [restore.reason for restore in treated] == ["older"]
        async with db.system() as tx:
            assert await tx.fetchval("SELECT 1") == 1
    finally:
        await pool.close()
        await own.close()


async def test_a_crash_never_takes_back_what_was_remembered(tmp_path: Path, db: Database) -> None:
    watch = RestoreWatch(db, tmp_path, is_embedded=True)

    async def on_restore(_: Tx, restore: Restore) -> None:
        raise AssertionError(restore)

    await watch.settle(db, on_restore)
    for _ in range(3):
        async with db.system() as tx:
            await tx.execute("INSERT INTO follower (name, transaction) VALUES (gen_random_uuid()::text, '1')")
        assert await watch.settle(db, on_restore) is None
    known = MemoryFile(tmp_path).read()
    assert known is not None
    assert (known.looks, known.position > 0) == (4, True)
    assert await look(tmp_path, db) is None


def test_what_cannot_be_told_is_not_held_against_a_database() -> None:
    silent = State(identity="?/5", noted="77/5", restores=0, looks=0, position=0)
    assert judge(Memory("77/5", 0, 0, 0), silent, is_copy=False) is None
    assert judge(None, silent, is_copy=False) is None
    other = State(identity="78/5", noted="77/5", restores=0, looks=0, position=9)
    found = judge(Memory("77/5", 0, 0, 0), other, is_copy=False)
    assert found == Restore(reason="other_database", is_other_cluster=True)
    # the directory was pointed at another installation: nothing was put back
    assert (
        judge(
            Memory("1/5", 7, 9, 99),
            State(identity="77/5", noted="77/5", restores=0, looks=0, position=1),
            is_copy=False,
        )
        is None
    )


async def test_the_feed_goes_on_after_a_dump_whose_transactions_lie_ahead(
    db: Database, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            """INSERT INTO workspace (id, name) VALUES (gen_random_uuid(), 'w');
            INSERT INTO conversation (workspace_id, id, kind, head, feed_transaction)
                SELECT id, gen_random_uuid(), 'group', 4, '900000000004' FROM workspace;
            INSERT INTO event (workspace_id, conversation_id, number, tag, kind, audience, data, at, transaction)
                SELECT workspace_id, id, n, n, 'message.created', 'all', '{}', now(),
                    (900000000000 + n)::text::xid8 FROM conversation, generate_series(1, 4) n;
            DELETE FROM follower;
            INSERT INTO follower (name, transaction) VALUES ('slow', '900000000003'), ('fast', '900000000005')"""
        )
        async with db.system() as tx:
            end = await feed_end(tx)
            await forget_transactions(tx)
        rows = await connection.fetch(
            "SELECT number, transaction::text::bigint AS at FROM event ORDER BY transaction, number"
        )
        assert [row["number"] for row in rows] == [1, 2, 3, 4]
        assert [row["at"] >= end.transaction for row in rows] == [False, False, True, True]
        assert {row["at"] for row in rows[:2]} == {0}
        followers = await connection.fetch("SELECT transaction::text::bigint AS at FROM follower")
        assert {row["at"] for row in followers} == {rows[2]["at"]}
        assert await connection.fetchval("SELECT feed_transaction::text FROM conversation") == "0"
    finally:
        await connection.close()

"""Jobs: enqueued with the transaction, isolated by workspace, run by kind, retried until done."""

import datetime as dt
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from parley.infra.db import Database
from parley.infra.jobs import JOBS, Job, Jobs, RetryLater, backoff, enqueue
from parley.infra.work import AlreadyQueued
from parley.kit.ids import uuid7
from tests.infra.claimed import QUICK, claim, count_work, eventually, open_database, read_row, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


@pytest.fixture
async def workspaces(db: Database) -> list[UUID]:
    ids = [uuid7(), uuid7()]
    async with db.system() as tx:
        await tx.executemany("INSERT INTO workspace (id, name) VALUES ($1, 'W')", [(id_,) for id_ in ids])
    return ids


async def add(
    db: Database, workspace_id: UUID | None, kind: str = "test.do", **options: object
) -> UUID | None:
    scope = db.system() if workspace_id is None else db.transaction(workspace_id)
    async with scope as tx:
        return await enqueue(tx, kind, {"n": 1}, workspace_id=workspace_id, **options)  # type: ignore[arg-type]


async def test_a_job_exists_only_when_its_transaction_commits(db: Database, workspaces: list[UUID]) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.transaction(workspaces[0]) as tx:
            await enqueue(tx, "test.do", {}, workspace_id=workspaces[0], lane=str(1 / 0))
    assert await count_work(db) == {}
    await add(db, workspaces[0])
    assert await count_work(db) == {"ready": 1}


async def test_a_request_adds_and_sees_jobs_of_its_own_workspace_only(
    db: Database, workspaces: list[UUID]
) -> None:
    await add(db, workspaces[0])
    async with db.transaction(workspaces[1]) as tx:
        assert await tx.fetch("SELECT * FROM job") == []
    for foreign in (workspaces[0], None):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction(workspaces[1]) as tx:
                await enqueue(tx, "test.do", {}, workspace_id=foreign)


async def test_a_key_admits_one_unfinished_job_of_a_kind_and_workspace(
    db: Database, workspaces: list[UUID]
) -> None:
    one, other = workspaces
    first = await add(db, one, unique_key="k")
    assert first is not None
    assert await add(db, one, unique_key="k") is None
    assert await add(db, other, unique_key="k") is not None
    assert await add(db, None, unique_key="k") is not None
    assert await add(db, None, unique_key="k") is None
    assert await add(db, one, "test.other", unique_key="k") is not None
    held = next(c for c in await claim(db) if c.id == first)
    assert await add(db, one, unique_key="k") is None
    async with db.transaction(one) as tx:
        await JOBS.fail(tx, held, "no")
    assert await add(db, one, unique_key="k") is not None
    with pytest.raises(AlreadyQueued):
        async with db.system() as tx:
            await JOBS.rerun(tx, [first])


async def test_jobs_are_run_by_kind_and_see_what_was_enqueued(db: Database, workspaces: list[UUID]) -> None:
    seen: list[Job] = []

    async def handle(job: Job) -> None:
        seen.append(job)
        async with db.transaction(workspaces[0]) as tx:
            await JOBS.finish(tx, job.claim)

    jobs = Jobs()
    jobs.on("test.do", handle)
    id_ = await add(db, workspaces[0])
    async with running(jobs.make_worker(db, limits=QUICK)):
        await eventually(lambda: _is_over(db))
    [job] = seen
    assert (job.id, job.kind, job.payload, job.workspace_id, job.attempts) == (
        id_,
        "test.do",
        {"n": 1},
        workspaces[0],
        1,
    )


async def test_a_job_is_retried_with_pauses_until_it_has_failed_for_good(db: Database) -> None:
    attempts = []

    async def handle(job: Job) -> None:
        attempts.append(job.attempts)
        raise ValueError("no")

    jobs = Jobs()
    jobs.on("test.do", handle, retries=2, backoff_seconds=0.01)
    id_ = await add(db, None)
    assert id_ is not None
    async with running(jobs.make_worker(db, limits=QUICK)):
        await eventually(lambda: _is_over(db))
    assert attempts == [1, 2, 3]
    row = await read_row(db, id_)
    assert row["work"] == "failed"
    assert row["last_error"].startswith("ValueError: no")


async def test_a_job_may_name_its_own_pause(db: Database) -> None:
    async def handle(_: Job) -> None:
        raise RetryLater(seconds=3600)

    jobs = Jobs()
    jobs.on("test.do", handle)
    id_ = await add(db, None)
    assert id_ is not None
    async with running(jobs.make_worker(db, limits=QUICK)):
        await eventually(lambda: _has_tried(db, id_))
    assert (await read_row(db, id_))["due_at"] > dt.datetime.now(dt.UTC) + dt.timedelta(minutes=59)


async def test_a_kind_that_nobody_knows_waits_for_a_newer_version(db: Database) -> None:
    id_ = await add(db, None, "test.unheard_of")
    assert id_ is not None
    async with running(Jobs().make_worker(db, limits=QUICK)):
        await eventually(lambda: _has_tried(db, id_))
    row = await read_row(db, id_)
    assert (row["work"], row["last_error"]) == ("ready", "job_unknown: Nothing here does jobs of this kind.")


async def test_a_job_waits_until_it_is_due(db: Database) -> None:
    await add(db, None, due_at=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    assert await claim(db) == []


def test_a_kind_has_one_handler() -> None:
    async def handle(_: Job) -> None: ...

    jobs = Jobs()
    jobs.on("test.do", handle)
    with pytest.raises(ValueError, match="two handlers"):
        jobs.on("test.do", handle)


def test_pauses_double_up_to_the_limit_and_are_spread() -> None:
    for attempts, longest in ((1, 2), (2, 4), (5, 32), (50, 100), (5000, 100)):
        pauses = {backoff(attempts, 2, 100) for _ in range(20)}
        assert all(longest / 2 <= pause <= longest for pause in pauses)
        assert len(pauses) > 1


async def _is_over(db: Database) -> bool:
    return not set(await count_work(db)) & {"ready", "leased"}


async def _has_tried(db: Database, id_: UUID) -> bool:
    row = await read_row(db, id_)
    return bool(row["work"] == "ready" and row["attempts"] == 1)

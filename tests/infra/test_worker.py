"""The worker: order, concurrency, failures, wake-ups, draining, and a database that goes away."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from parley.infra.db import Database, Tx
from parley.infra.metrics import Metrics, render_metrics
from parley.infra.work import Claim
from parley.infra.worker import Worker
from parley.kit.errors import Malformed, Unavailable
from tests.infra.claimed import (
    QUICK,
    TABLE,
    add_rows,
    claim,
    count_work,
    eventually,
    open_database,
    read_row,
    run_out,
    running,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


async def is_all_done(db: Database) -> bool:
    return set(await count_work(db)) <= {"done"}


async def test_lanes_run_beside_each_other_and_each_in_order(db: Database) -> None:
    at_work: set[str] = set()
    most, seen = 0, []

    async def handle(claim: Claim) -> None:
        nonlocal most
        assert claim.lane is not None
        assert claim.lane not in at_work
        at_work.add(claim.lane)
        most = max(most, len(at_work))
        await asyncio.sleep(0.001)
        seen.append((claim.lane, claim.seq))
        at_work.remove(claim.lane)

    await add_rows(db, *(f"lane {n % 5}" for n in range(60)))
    async with running(Worker(TABLE, db, handle, limits=QUICK)):
        await eventually(lambda: is_all_done(db))
    assert len(seen) == 60
    for lane in {lane for lane, _ in seen}:
        own = [seq for name, seq in seen if name == lane]
        assert own == sorted(own)
    assert 1 < most <= QUICK.concurrency


async def test_a_handler_that_raises_fails_its_row_and_the_lane_goes_on(db: Database) -> None:
    async def handle(claim: Claim) -> None:
        if claim.id == ids[0]:
            raise ValueError(
                "https://api.example.org/bot123:secret/send said no to 123456:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K"
            )
        if claim.id == ids[1]:
            raise Malformed("No such thing.")
        if claim.id == ids[2]:
            raise asyncio.CancelledError

    ids = await add_rows(db, "a", "a", "a", "a")
    async with running(Worker(TABLE, db, handle, limits=QUICK)):
        await eventually(lambda: _is(db, ids[3], "done"))
    errors = [(await read_row(db, id_))["last_error"] for id_ in ids]
    assert errors[0] == "ValueError: <url> said no to ***"
    assert errors[1] == "malformed: No such thing."
    assert "cancelled itself" in errors[2]


async def test_a_handler_that_hangs_is_cut_off(db: Database) -> None:
    async def handle(_: Claim) -> None:
        await asyncio.sleep(60)

    [id_] = await add_rows(db, "a")
    async with running(Worker(TABLE, db, handle, limits=QUICK._replace(timeout_seconds=0.05))):
        await eventually(lambda: _is(db, id_, "failed"))
    assert (await read_row(db, id_))["last_error"].startswith("took_too_long")


async def test_work_undone_by_the_database_is_tried_again_by_itself(db: Database) -> None:
    attempts = []

    async def handle(claim: Claim) -> None:
        attempts.append(claim.attempts)
        if claim.attempts == 1:
            raise Unavailable

    [id_] = await add_rows(db, "a")
    async with running(Worker(TABLE, db, handle, limits=QUICK)):
        await eventually(lambda: _is(db, id_, "ready"))
        async with db.system() as tx:
            await tx.execute("UPDATE job SET due_at = now()")
        await eventually(lambda: _is(db, id_, "done"))
    assert attempts == [1, 2]


async def test_a_retry_holds_up_the_rest_of_its_lane(db: Database) -> None:
    order = []

    async def handle(claim: Claim) -> None:
        order.append(claim.id)
        if claim.attempts == 1 and claim.id == ids[0]:
            raise ValueError

    ids = await add_rows(db, "a", "a", "a")
    async with running(Worker(TABLE, db, handle, limits=QUICK, retry_policy=lambda *_: 0.05)):
        await eventually(lambda: is_all_done(db))
    assert order == [ids[0], *ids]
    assert (await read_row(db, ids[1]))["attempts"] == 1


async def test_a_commit_wakes_the_worker_without_waiting_for_its_next_look(db: Database) -> None:
    done = asyncio.Event()

    async def handle(_: Claim) -> None:
        done.set()

    async with running(Worker(TABLE, db, handle, limits=QUICK._replace(poll_seconds=60))):
        await asyncio.sleep(0.1)
        async with db.system() as tx:
            await tx.execute("INSERT INTO job (id, kind) VALUES (gen_random_uuid(), 'x')")
            tx.wake("job")
        async with asyncio.timeout(30):
            await done.wait()


async def test_a_lane_that_got_work_while_busy_goes_on_at_once(db: Database) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handle(claim: Claim) -> None:
        begun.set()
        await go_on.wait()

    async with running(Worker(TABLE, db, handle, limits=QUICK._replace(poll_seconds=60))):
        await add_rows(db, "a")
        db.wake.notify("job")
        await begun.wait()
        await add_rows(db, "a")
        db.wake.notify("job")
        await asyncio.sleep(0.05)
        go_on.set()
        await eventually(lambda: is_all_done(db))


async def test_draining_finishes_what_runs_and_gives_back_the_rest(db: Database) -> None:
    begun, go_on, finished = asyncio.Event(), asyncio.Event(), []

    async def handle(claim: Claim) -> None:
        begun.set()
        await go_on.wait()
        finished.append(claim.id)

    ids = await add_rows(db, "a", "a", "a", "a")
    worker = Worker(TABLE, db, handle, limits=QUICK)
    run = asyncio.create_task(worker.run())
    await begun.wait()
    worker.stop()
    await asyncio.sleep(0.05)
    assert not run.done()
    go_on.set()
    await run
    assert finished == ids[:1]
    assert [(await read_row(db, id_))["work"] for id_ in ids] == ["done", "ready", "ready", "ready"]
    assert [(await read_row(db, id_))["attempts"] for id_ in ids] == [1, 0, 0, 0]


@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_what_outlasts_the_grace_is_broken_off_and_done_by_the_next(
    db: Database, is_cancelled: bool
) -> None:
    begun = asyncio.Event()

    async def hang(_: Claim) -> None:
        begun.set()
        await asyncio.sleep(60)

    async def handle(_: Claim) -> None:
        pass

    await add_rows(db, "a", "a", None)
    worker = Worker(TABLE, db, hang, limits=QUICK._replace(grace_seconds=0.05, lease_seconds=3600))
    run = asyncio.create_task(worker.run())
    await begun.wait()
    if is_cancelled:
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    else:
        worker.stop()
        await run
    async with running(Worker(TABLE, db, handle, limits=QUICK)):
        await eventually(lambda: is_all_done(db))


async def test_leases_are_renewed_while_a_handler_takes_long(db: Database) -> None:
    async def handle(_: Claim) -> None:
        await asyncio.sleep(2)

    [id_] = await add_rows(db, "a")
    limits = QUICK._replace(lease_seconds=1.5)
    async with running(Worker(TABLE, db, handle, limits=limits), Worker(TABLE, db, handle, limits=limits)):
        await eventually(lambda: _is(db, id_, "done"))
    assert (await read_row(db, id_))["attempts"] == 1


async def test_a_worker_that_lost_its_lease_writes_nothing(db: Database) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def handle(_: Claim) -> None:
        begun.set()
        await go_on.wait()

    [id_] = await add_rows(db, "a")
    async with running(Worker(TABLE, db, handle, limits=QUICK._replace(lease_seconds=3600))):
        await begun.wait()
        await run_out(db, id_)
        async with db.system() as tx:
            await TABLE.return_expired(tx)
        [other] = await claim(db)
        before = dict(await read_row(db, id_))
        go_on.set()
        await asyncio.sleep(0.1)
    assert dict(await read_row(db, id_)) == before
    assert other.id == id_


async def test_work_that_may_have_reached_the_outside_is_judged_by_its_callback(db: Database) -> None:
    reasons: dict[UUID, str] = {}

    async def handle(claim: Claim) -> None:
        if claim.id == raising:
            raise Unavailable

    async def judge(tx: Tx, claim: Claim, reason: str) -> None:
        reasons[claim.id] = reason
        if claim.id == broken:
            raise ValueError("judge")
        if claim.id == expired:
            await TABLE.finish(tx, claim, kind="unknown")

    expired, undecided, broken = await add_rows(db, "a", "b", "c")
    await claim(db)
    await run_out(db, expired, undecided, broken)
    [raising, after] = await add_rows(db, "d", "d")
    async with running(Worker(TABLE, db, handle, limits=QUICK, on_broken=judge)):
        await eventually(lambda: _is(db, after, "done"))
        await eventually(lambda: _is(db, broken, "failed"))
    rows = {id_: await read_row(db, id_) for id_ in (expired, undecided, broken, raising)}
    assert [row["work"] for row in rows.values()] == ["done", "failed", "failed", "failed"]
    assert rows[expired]["kind"] == "unknown"
    assert rows[undecided]["last_error"].startswith("lease_expired")
    assert "ValueError: judge" in rows[broken]["last_error"]
    assert reasons[raising].startswith("unavailable")


async def test_the_worker_outlives_the_loss_of_every_connection(database_url: str, db: Database) -> None:
    done = 0

    async def handle(claim: Claim) -> None:
        nonlocal done
        async with worker_db.system() as tx:
            await TABLE.finish(tx, claim)
        done += 1

    await add_rows(db, *(f"lane {n % 7}" for n in range(150)))
    async with (
        open_database(database_url) as worker_db,
        running(Worker(TABLE, worker_db, handle, limits=QUICK)),
    ):
        for _ in range(3):
            await asyncio.sleep(0.05)
            async with db.system() as tx:
                await tx.execute("RESET ROLE")
                await tx.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        async with db.system() as tx:
            await tx.execute("UPDATE job SET due_at = now() WHERE work = 'ready'")
        await eventually(lambda: is_all_done(db), 30)
    assert done <= 150


async def test_an_idle_worker_costs_next_to_nothing(db: Database) -> None:
    async def handle(_: Claim) -> None:
        pass

    async with running(Worker(TABLE, db, handle, limits=QUICK._replace(poll_seconds=0.5))):
        await asyncio.sleep(0.2)
        costs = []
        for _ in range(
            3
        ):  # of this whole process, which may have something else to do once, such as collecting garbage
            before = time.process_time()
            await asyncio.sleep(0.6)
            costs.append(time.process_time() - before)
        assert min(costs) < 0.06


async def test_counts_are_shown(db: Database) -> None:
    async def handle(claim: Claim) -> None:
        if claim.lane == "bad":
            raise ValueError

    metrics = Metrics()
    await add_rows(db, "good", "good", "bad")
    async with running(Worker(TABLE, db, handle, limits=QUICK, metrics=metrics)):
        await eventually(lambda: _is_idle(db))
    text = render_metrics(metrics).decode()
    assert 'parley_work_claimed_total{table="job"} 3.0' in text
    assert 'parley_work_verdicts_total{table="job",verdict="done"} 2.0' in text
    assert 'parley_work_verdicts_total{table="job",verdict="failed"} 1.0' in text
    assert 'parley_work_lag_seconds{table="job"}' in text
    assert 'parley_work_leased{table="job"}' in text


async def _is(db: Database, id_: UUID, work: str) -> bool:
    return bool((await read_row(db, id_))["work"] == work)


async def _is_idle(db: Database) -> bool:
    return not set(await count_work(db)) & {"ready", "leased"}

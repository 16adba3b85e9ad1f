"""Schedules: each turn is enqueued once, by whichever process looks first."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parley.infra.db import Database
from parley.infra.schedules import Schedule, Scheduler, fire_due_schedules, register_schedules
from tests.infra.claimed import TABLE, claim, eventually, open_database

pytestmark = pytest.mark.anyio

HOURLY = Schedule("clean", "test.clean", 3600)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


async def fire(db: Database, *schedules: Schedule) -> list[str]:
    async with db.system() as tx:
        return await fire_due_schedules(tx, schedules)


async def register(db: Database, *schedules: Schedule) -> None:
    async with db.system() as tx:
        await register_schedules(tx, schedules)


async def seconds_until_next(db: Database) -> float:
    async with db.system() as tx:
        return float(await tx.fetchval("SELECT extract(epoch FROM next_at - now()) FROM schedule"))


async def move(db: Database, seconds: float) -> None:
    async with db.system() as tx:
        await tx.execute("UPDATE schedule SET next_at = next_at + $1 * interval '1 s'", seconds)


async def test_a_new_schedule_is_due_at_once_and_then_after_its_interval(db: Database) -> None:
    await register(db, HOURLY)
    assert await fire(db, HOURLY) == ["clean"]
    assert await fire(db, HOURLY) == []
    await register(db, HOURLY)
    assert 3590 < await seconds_until_next(db) <= 3600
    assert [c.row["kind"] for c in await claim(db)] == ["test.clean"]


async def test_turns_missed_are_one_and_the_moments_stay_on_their_grid(db: Database) -> None:
    await register(db, HOURLY)
    await move(db, -3600 * 5 - 600)
    assert await fire(db, HOURLY) == ["clean"]
    assert 2990 < await seconds_until_next(db) <= 3000
    assert len(await claim(db)) == 1


async def test_a_schedule_that_became_more_frequent_comes_round_sooner(db: Database) -> None:
    await register(db, HOURLY)
    await fire(db, HOURLY)
    await register(db, Schedule("clean", "test.clean", 60))
    assert await seconds_until_next(db) <= 60


async def test_a_turn_that_finds_the_last_job_unfinished_is_passed_over(db: Database) -> None:
    await register(db, HOURLY)
    await fire(db, HOURLY)
    await move(db, -3600)
    await fire(db, HOURLY)
    [held] = await claim(db)
    async with db.system() as tx:
        await TABLE.finish(tx, held)
    await move(db, -3600)
    await fire(db, HOURLY)
    assert len(await claim(db)) == 1


async def test_schedulers_of_several_processes_fire_once(database_url: str, db: Database) -> None:
    async with open_database(database_url) as other:
        schedulers = [Scheduler(base, [HOURLY], look_seconds=0.01) for base in (db, other, db, other)]
        tasks = [asyncio.create_task(scheduler.run()) for scheduler in schedulers]

        async def has_job() -> bool:
            async with db.system() as tx:
                return bool(await tx.fetchval("SELECT count(*) FROM job"))

        await eventually(has_job)
        await asyncio.sleep(0.1)
        for scheduler in schedulers:
            scheduler.stop()
        await asyncio.gather(*tasks)
    assert len(await claim(db)) == 1


@given(turns=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3)), min_size=1, max_size=6))
@settings(
    max_examples=15, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_each_turn_is_enqueued_exactly_once(database_url: str, turns: list[tuple[int, int]]) -> None:
    """For each turn: how many look at once, and how many intervals have passed since."""
    asyncio.run(_take_turns(database_url, turns))


async def _take_turns(dsn: str, turns: list[tuple[int, int]]) -> None:
    async with open_database(dsn, size=6) as db:
        async with db.system() as tx:
            await tx.execute("DELETE FROM job")
            await tx.execute("DELETE FROM schedule")
        await register(db, HOURLY)
        due = 1
        for looking, passed in turns:
            await asyncio.gather(*(fire(db, HOURLY) for _ in range(looking)))
            claims = await claim(db)
            assert len(claims) == min(due, 1)
            async with db.system() as tx:
                await TABLE.finish_many(tx, claims)
            await move(db, -3600 * passed)
            due = passed

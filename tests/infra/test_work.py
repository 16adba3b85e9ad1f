"""Claims, leases and verdicts, one rule at a time."""

import asyncio
import contextlib
import datetime as dt
import json
import uuid
from collections.abc import AsyncIterator

import pytest

from parley.infra import work_store
from parley.infra.db import Database
from parley.infra.work import LaneWalk, LeaseLost, group_by_lane
from tests.infra.claimed import TABLE, add_rows, claim, count_work, open_database, read_row, run_out

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


async def test_only_the_head_of_each_lane_is_claimed(db: Database) -> None:
    ids = await add_rows(db, "a", "a", "b", None, None)
    claims = await claim(db)
    assert {c.id for c in claims} == {ids[0], ids[2], ids[3], ids[4]}
    assert await claim(db) == []


async def test_a_finished_head_makes_way_for_the_next(db: Database) -> None:
    ids = await add_rows(db, "a", "a")
    [head] = await claim(db)
    async with db.system() as tx:
        await TABLE.finish(tx, head)
    assert head.verdict == "done"
    assert [c.id for c in await claim(db)] == [ids[1]]


async def test_a_head_that_is_not_due_blocks_its_lane_and_no_other(db: Database) -> None:
    await add_rows(db, "a", delay_seconds=60)
    ids = await add_rows(db, "a", "b")
    assert [c.id for c in await claim(db)] == [ids[1]]


async def test_several_rows_of_a_lane_may_be_claimed_up_to_one_not_due(db: Database) -> None:
    ids = await add_rows(db, "a", "a")
    await add_rows(db, "a", delay_seconds=60)
    await add_rows(db, "a")
    groups = group_by_lane(await claim(db, rows_per_lane=10))
    assert [[c.id for c in group] for group in groups] == [ids]


async def test_a_row_locked_by_another_transaction_blocks_its_lane_for_the_moment(db: Database) -> None:
    ids = await add_rows(db, "a", "a")
    async with db.system() as tx:
        await tx.execute("SELECT FROM job WHERE id = $1 FOR UPDATE", ids[0])
        assert await claim(db, rows_per_lane=2) == []
    assert len(await claim(db, rows_per_lane=2)) == 2


async def test_an_older_row_that_commits_late_waits_for_the_lane_to_be_free(db: Database) -> None:
    async with db.system() as late:
        await late.execute("INSERT INTO job (id, kind, lane) VALUES (gen_random_uuid(), 'late', 'a')")
        [younger] = [await add_rows(db, "a")]
        [held] = await claim(db)
        assert held.id == younger[0]
    assert await claim(db) == []
    async with db.system() as tx:
        await TABLE.finish(tx, held)
    assert [c.row["kind"] for c in await claim(db)] == ["late"]


async def test_two_claimers_at_once_never_share_a_lane(db: Database) -> None:
    await add_rows(db, *(f"lane {n % 20}" for n in range(200)))
    answers = await asyncio.gather(*(claim(db, 6, rows_per_lane=2) for _ in range(6)))
    lanes = [{c.lane for c in claims} for claims in answers]
    assert sum(len(names) for names in lanes) == len(set().union(*lanes))


async def test_a_lane_taken_between_looking_and_locking_is_left_alone(db: Database) -> None:
    await add_rows(db, "a", "a")
    await claim(db)
    async with db.system() as tx:
        # what a claimer runs that saw the lane free, and got its lock when the other had committed
        assert await TABLE._store.claim_heads(tx, uuid.uuid4(), 60, ["a"], 1) == []


async def test_lanes_hidden_behind_a_deep_one_are_found(db: Database) -> None:
    deep = work_store.WINDOW + 10
    await add_rows(db, *["deep"] * deep)
    await add_rows(db, "other", "young")
    assert {c.lane for c in await claim(db, 3)} == {"deep", "other", "young"}


async def test_the_walk_over_many_blocked_lanes_goes_on_where_it_stopped(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_store, "WALK_STEPS", 10)
    monkeypatch.setattr(work_store, "WINDOW", 20)
    blocked = [f"blocked {n:02}" for n in range(35)]
    await add_rows(db, *blocked, delay_seconds=60)
    await add_rows(db, *blocked, "open")
    walk, found = LaneWalk(), []
    for _ in range(8):
        async with db.system() as tx:
            found += await TABLE.claim(tx, limit=4, lease_seconds=60, walk=walk)
    assert [c.lane for c in found] == ["open"]


async def test_a_claim_reads_no_more_of_a_deep_lane_than_of_a_shallow_one(db: Database) -> None:
    async def blocks_read() -> int:
        async with db.system() as tx:
            await tx.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            sql = work_store._sql(work_store._LOCK_OLDEST_LANES, "job", "id")
            answer = await tx.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", work_store.WINDOW, 16
            )
            plan = json.loads(answer)[0]["Plan"]
            return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

    await add_rows(db, *["a"] * 300)
    shallow = await blocks_read()
    async with db.system() as tx:
        await tx.execute(
            "INSERT INTO job (id, kind, lane) SELECT gen_random_uuid(), 'x', 'a' FROM generate_series(1, 10000)"
        )
    assert await blocks_read() <= shallow + 20


async def test_what_a_claim_reads_of_a_lane_does_not_grow_with_other_lanes_or_with_old_statistics(
    db: Database,
) -> None:
    async def blocks_read(lanes: list[str]) -> int:
        async with db.system() as tx:
            await TABLE._store.prepare_claim(tx)
            await tx.execute(
                "SET LOCAL plan_cache_mode = force_generic_plan"
            )  # as a worker has it before long
            sql = work_store._sql(work_store._CLAIM_HEADS, "job", "id")
            await tx.execute(f"PREPARE claim (uuid, float, text[], integer) AS {sql}")
            answer = await tx.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE claim ('{uuid.uuid4()}', 60, '{{{','.join(lanes)}}}', 8)"
            )
            await tx.execute("DEALLOCATE claim")
            plan = json.loads(answer)[0]["Plan"]
            await tx.execute("UPDATE job SET work = 'done' WHERE lane = ANY ($1)", lanes)
            return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

    await add_rows(db, "a")
    async with db.system() as tx:
        await tx.execute(
            "INSERT INTO job (id, kind, lane) SELECT gen_random_uuid(), 'x', repeat('long', 40) || n"
            " FROM generate_series(1, 5000) n"
        )
        await tx.execute(
            "UPDATE job SET work = 'done' WHERE lane <> 'a'"
        )  # the index by lane stays the largest
        await tx.execute("RESET ROLE")
        await tx.execute("ANALYZE job")  # from now on the planner thinks of one ready row
    assert await blocks_read(["a"]) < 60
    for work in ("ready", "leased"):
        async with db.system() as tx:
            await tx.execute(
                "INSERT INTO job (id, kind, lane, work) SELECT gen_random_uuid(), 'x', $1 || n % 100, $1"
                " FROM generate_series(1, 3000) n",
                work,
            )
    await add_rows(db, "b")
    assert await blocks_read(["b"]) < 60


async def test_a_verdict_commits_with_the_transaction_or_not_at_all(db: Database) -> None:
    [id_] = await add_rows(db, "a")
    [held] = await claim(db)
    with contextlib.suppress(RuntimeError):
        async with db.system() as tx:
            await TABLE.finish(tx, held)
            raise RuntimeError
    assert held.verdict is None
    assert (await read_row(db, id_))["work"] == "leased"
    async with db.system() as tx:
        await TABLE.finish(tx, held, kind="seen")
    row = await read_row(db, id_)
    assert (row["work"], row["kind"], row["lease_token"]) == ("done", "seen", None)
    assert row["finished_at"] is not None


async def test_a_verdict_undone_by_a_savepoint_does_not_count(db: Database) -> None:
    await add_rows(db, "a")
    [held] = await claim(db)
    async with db.system() as tx:
        with contextlib.suppress(RuntimeError):
            async with tx.savepoint():
                await TABLE.finish(tx, held)
                raise RuntimeError
    assert held.verdict is None


async def test_a_failed_row_is_kept_and_its_lane_goes_on(db: Database) -> None:
    ids = await add_rows(db, "a", "a")
    [held] = await claim(db)
    async with db.system() as tx:
        await TABLE.fail(tx, held, "ValueError: no")
    row = await read_row(db, ids[0])
    assert (row["work"], row["last_error"]) == ("failed", "ValueError: no")
    assert [c.id for c in await claim(db)] == [ids[1]]


async def test_a_row_to_be_retried_later_keeps_its_place(db: Database) -> None:
    ids = await add_rows(db, "a", "a")
    [held] = await claim(db)
    async with db.system() as tx:
        await TABLE.retry_later(tx, held, tx.now + dt.timedelta(hours=1), "later")
    assert await claim(db) == []
    async with db.system() as tx:
        await tx.execute("UPDATE job SET due_at = now() WHERE id = $1", ids[0])
    [again] = await claim(db)
    assert (again.id, again.attempts) == (ids[0], 2)


async def test_a_released_row_is_as_it_was(db: Database) -> None:
    [id_] = await add_rows(db, "a")
    before = dict(await read_row(db, id_))
    [held] = await claim(db)
    async with db.system() as tx:
        await TABLE.release(tx, held)
    assert dict(await read_row(db, id_)) == before


@pytest.mark.parametrize("verdict", ["finish", "fail", "retry_later", "release"])
async def test_a_late_verdict_of_the_old_holder_is_refused_and_changes_nothing(
    db: Database, verdict: str
) -> None:
    [id_] = await add_rows(db, "a")
    [old] = await claim(db)
    await run_out(db, id_)
    async with db.system() as tx:
        assert await TABLE.return_expired(tx) == ["ready"]
    [new] = await claim(db)
    before = dict(await read_row(db, id_))

    async def give_verdict() -> None:
        async with db.system() as tx:
            await tx.execute("INSERT INTO job (id, kind) VALUES (gen_random_uuid(), 'made by the work')")
            args = {"fail": ("late",), "retry_later": (tx.now, "late")}.get(verdict, ())
            await getattr(TABLE, verdict)(tx, old, *args)

    with pytest.raises(LeaseLost):
        await give_verdict()
    assert dict(await read_row(db, id_)) == before
    assert await count_work(db) == {"leased": 1}
    assert old.is_lost
    async with db.system() as tx:
        await TABLE.finish(tx, new)


async def test_a_row_whose_holders_always_go_silent_fails_in_the_end(db: Database) -> None:
    [id_] = await add_rows(db, "a")
    became = []
    for _ in range(3):
        await claim(db)
        await run_out(db, id_)
        async with db.system() as tx:
            became += await TABLE.return_expired(tx)
    assert became == ["ready", "ready", "failed"]
    assert (await read_row(db, id_))["last_error"].startswith("lease_expired")


async def test_expired_rows_taken_over_are_fenced_against_the_old_holder(db: Database) -> None:
    [id_] = await add_rows(db, "a")
    [old] = await claim(db)
    await run_out(db, id_)
    async with db.system() as tx:
        [taken] = await TABLE.take_expired(tx, lease_seconds=60)
    assert (taken.id, taken.attempts) == (id_, 1)
    with pytest.raises(LeaseLost):
        async with db.system() as tx:
            await TABLE.finish(tx, old)
    async with db.system() as tx:
        await TABLE.finish(tx, taken)


async def test_a_heartbeat_renews_what_is_held_and_marks_what_is_lost(db: Database) -> None:
    await add_rows(db, "a", "b", "c")
    held, lost, locked = await claim(db, lease_seconds=1)
    await run_out(db, lost.id)
    async with db.system() as tx:
        await TABLE.return_expired(tx)
    good_until = held.good_until
    async with db.system() as verdict:
        await TABLE.finish(verdict, locked)
        async with db.system() as tx:
            await TABLE.renew(tx, [held, lost, locked], lease_seconds=60)
    assert held.good_until > good_until + 30
    assert (held.is_lost, lost.is_lost, locked.is_lost) == (False, True, False)
    assert locked.verdict == "done"


async def test_operators_hold_rerun_and_prune(db: Database) -> None:
    ids = await add_rows(db, "a", "a", None)
    async with db.system() as tx:
        assert await TABLE.hold(tx, ids[:1]) == ids[:1]
    assert {c.id for c in await claim(db)} == set(ids[1:])
    async with db.system() as tx:
        assert await TABLE.rerun(tx, ids) == ids[:1]
    assert await claim(db) == []  # the lane is at work
    async with db.system() as tx:
        assert await TABLE.hold_all(tx) == 1
        await tx.execute(
            "UPDATE job SET work = 'done', finished_at = now() - interval '2 days' WHERE work = 'leased'"
        )
        assert await TABLE.prune(tx, before=tx.now + dt.timedelta(seconds=1)) == 2
    assert await count_work(db) == {"held": 1}


async def test_lag_is_the_age_of_the_oldest_due_row(db: Database) -> None:
    async with db.system() as tx:
        assert await TABLE.measure(tx) == (0.0, 0)
    await add_rows(db, "a", None, delay_seconds=-120)
    await claim(db, 1)
    async with db.system() as tx:
        lag_seconds, leased = await TABLE.measure(tx)
    assert 119 < lag_seconds < 180
    assert leased == 1

"""Claimed work under random schedules: a model beside the table, and many workers at once."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections import Counter, defaultdict
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from parley.infra.bus import Bus
from parley.infra.db import Database, open_pool
from parley.infra.work import Claim, LaneWalk, LeaseLost
from parley.infra.worker import Worker
from tests.infra.claimed import QUICK, TABLE, add_rows, count_work, eventually, open_database, running

LANES = st.sampled_from([None, "a", "b", "c"])


@dataclasses.dataclass
class Row:
    """What the model knows of a row."""

    id: Any
    seq: int
    lane: str | None
    work: str = "ready"
    is_due: bool = True
    attempts: int = 0
    holder: Claim | None = None
    done: int = 0


class WorkMachine(RuleBasedStateMachine):
    """Several claimers, verdicts in time and late, expiry, operators; every claim is compared with the model."""

    dsn = ""
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.db = self.run(self.open())
        self.rows: dict[Any, Row] = {}
        self.walk = LaneWalk()

    async def open(self) -> Database:
        db = Database(await open_pool(self.dsn, size=2), Bus())
        async with db.system() as tx:
            await tx.execute("DELETE FROM job")
        return db

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        try:
            self.run(self.finish_everything())
        finally:
            self.run(self.db.pool.close())
            self.runner.close()

    @rule(lane=LANES, is_due=st.booleans(), count=st.integers(1, 3))
    def enqueue(self, lane: str | None, is_due: bool, count: int) -> None:
        ids = self.run(add_rows(self.db, *[lane] * count, delay_seconds=0 if is_due else 3600))
        for id_, seq in self.run(self.read("SELECT id, seq FROM job WHERE id = ANY ($1) ORDER BY seq", ids)):
            self.rows[id_] = Row(id_, seq, lane, is_due=is_due)

    @rule(target=claims, limit=st.integers(1, 5), rows_per_lane=st.integers(1, 3))
    def claim(self, limit: int, rows_per_lane: int) -> Any:
        async def work() -> list[Claim]:
            async with self.db.system() as tx:
                return await TABLE.claim(
                    tx, limit=limit, lease_seconds=60, rows_per_lane=rows_per_lane, walk=self.walk
                )

        expected = self.claimable(rows_per_lane)
        got: dict[Any, list[Any]] = defaultdict(list)
        claims = self.run(work())
        for claim in claims:
            got[claim.lane or claim.id].append(claim.id)
        assert len(got) == min(limit, len(expected))
        for lane, ids in got.items():
            assert ids == expected[lane]
        for claim in claims:
            row = self.rows[claim.id]
            row.work, row.holder, row.attempts = "leased", claim, row.attempts + 1
            assert claim.attempts == row.attempts
        return multiple(*claims)

    def claimable(self, rows_per_lane: int) -> dict[Any, list[Any]]:
        lanes: dict[Any, list[Row]] = defaultdict(list)
        for row in sorted(self.rows.values(), key=lambda row: row.seq):
            if row.work in ("ready", "leased"):
                lanes[row.lane or row.id].append(row)
        found = {}
        for lane, rows in lanes.items():
            if any(row.work == "leased" for row in rows):
                continue
            first = rows[:rows_per_lane]
            due = next((n for n, row in enumerate(first) if not row.is_due), len(first))
            if due:
                found[lane] = [row.id for row in first[:due]]
        return found

    @rule(claim=claims, verdict=st.sampled_from(["finish", "fail", "retry now", "retry later", "release"]))
    def give_verdict(self, claim: Claim, verdict: str) -> None:
        """In time or late, once or twice: only the holder's word counts, and only once."""
        row = self.rows[claim.id]
        is_holder = row.holder is claim

        async def work() -> None:
            async with self.db.system() as tx:
                later = tx.now + dt.timedelta(seconds=3600 if verdict == "retry later" else -1)
                if verdict == "finish":
                    await TABLE.finish(tx, claim)
                elif verdict == "fail":
                    await TABLE.fail(tx, claim, "no")
                elif verdict == "release":
                    await TABLE.release(tx, claim)
                else:
                    await TABLE.retry_later(tx, claim, later, "not now")

        if not is_holder:
            with pytest.raises(LeaseLost):
                self.run(work())
            return
        self.run(work())
        row.holder = None
        row.work = {"finish": "done", "fail": "failed"}.get(verdict, "ready")
        row.done += verdict == "finish"
        row.attempts -= verdict == "release"
        row.is_due = row.is_due and verdict != "retry later"

    @rule(claim=claims)
    def expire(self, claim: Claim) -> None:
        row = self.rows[claim.id]
        if row.holder is not claim:
            return

        async def work() -> list[str]:
            async with self.db.system() as tx:
                await tx.execute(
                    "UPDATE job SET lease_until = now() - interval '1 s' WHERE id = $1", claim.id
                )
                return await TABLE.return_expired(tx)

        became = "failed" if row.attempts >= TABLE.max_attempts else "ready"
        assert self.run(work()) == [became]
        row.work, row.holder = became, None

    @rule()
    def let_time_pass(self) -> None:
        self.run(self.read("UPDATE job SET due_at = now() WHERE due_at > now() RETURNING id"))
        for row in self.rows.values():
            row.is_due = True

    @rule(data=st.data(), is_rerun=st.booleans())
    def operate(self, data: st.DataObject, is_rerun: bool) -> None:
        if not self.rows:
            return
        ids = data.draw(st.lists(st.sampled_from(list(self.rows)), max_size=3, unique=True))

        async def work() -> Any:
            async with self.db.system() as tx:
                return await (TABLE.rerun(tx, ids) if is_rerun else TABLE.hold(tx, ids))

        allowed = ("failed", "held") if is_rerun else ("ready",)
        expected = {id_ for id_ in ids if self.rows[id_].work in allowed}
        assert set(self.run(work())) == expected
        for id_ in expected:
            row = self.rows[id_]
            row.work = "ready" if is_rerun else "held"
            if is_rerun:
                row.attempts, row.is_due = 0, True

    @invariant()
    def table_and_model_agree(self) -> None:
        stored = {row["id"]: row for row in self.run(self.read("SELECT * FROM job"))}
        assert stored.keys() == self.rows.keys()
        for id_, row in self.rows.items():
            assert (stored[id_]["work"], stored[id_]["attempts"]) == (row.work, row.attempts)
            assert (stored[id_]["lease_token"] is None) == (row.holder is None)

    async def read(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        async with self.db.system() as tx:
            return await tx.fetch(sql, *args)

    async def finish_everything(self) -> None:
        """Whatever happened before, every row can still be brought to its end, each exactly once."""
        async with self.db.system() as tx:
            await tx.execute("UPDATE job SET lease_until = now() - interval '1 s' WHERE work = 'leased'")
            await TABLE.return_expired(tx)
            await tx.execute("UPDATE job SET due_at = now() WHERE work = 'ready'")
            await TABLE.rerun(tx, list(self.rows))
        while True:
            async with self.db.system() as tx:
                claims = await TABLE.claim(tx, limit=100, lease_seconds=60, rows_per_lane=5)
            if not claims:
                break
            async with self.db.system() as tx:
                for claim in claims:
                    await TABLE.finish(tx, claim)
                    self.rows[claim.id].done += 1
        assert all(row.done == 1 for row in self.rows.values())


def test_the_table_does_what_the_model_says(database_url: str) -> None:
    machine = type("Machine", (WorkMachine,), {"dsn": database_url})
    run_state_machine_as_test(
        machine, settings=settings(max_examples=60, stateful_step_count=30, deadline=None, database=None)
    )


@given(
    lanes=st.lists(LANES, min_size=1, max_size=40),
    faults=st.lists(
        st.sampled_from(["", "", "raise", "retry", "commit then raise", "slow"]), min_size=1, max_size=8
    ),
    worker_count=st.integers(1, 3),
    rows_per_lane=st.integers(1, 4),
    restarts=st.integers(0, 2),
)
@settings(
    max_examples=12, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_many_workers_keep_order_and_lose_and_double_nothing(
    database_url: str,
    lanes: list[str | None],
    faults: list[str],
    worker_count: int,
    rows_per_lane: int,
    restarts: int,
) -> None:
    asyncio.run(_work_on(database_url, lanes, faults, worker_count, rows_per_lane, restarts))


async def _work_on(
    dsn: str, lanes: list[str | None], faults: list[str], worker_count: int, rows_per_lane: int, restarts: int
) -> None:
    at_work: Counter[Any] = Counter()
    done: Counter[Any] = Counter()
    order: dict[str | None, list[int]] = defaultdict(list)

    async with open_database(dsn, size=8) as first, open_database(dsn, size=8) as second:

        async def handle(claim: Claim) -> None:
            fault = faults[claim.seq % len(faults)]
            lane = claim.lane or claim.id
            at_work[lane] += 1
            assert at_work[lane] == 1, "two at work in one lane"
            try:
                await asyncio.sleep(0.02 if fault == "slow" else 0)
                if fault == "raise" or (fault == "retry" and claim.attempts == 1):
                    raise ValueError(fault)
                async with first.system() as tx:
                    await TABLE.finish(tx, claim)
                done[claim.id] += 1
                order[claim.lane].append(claim.seq)
                if fault == "commit then raise":
                    raise ValueError(fault)
            finally:
                at_work[lane] -= 1

        def policy(_: Claim, error: Exception) -> float | None:
            return 0.01 if str(error) == "retry" else None

        def workers() -> list[Worker]:
            limits = QUICK._replace(rows_per_lane=rows_per_lane)
            return [
                Worker(TABLE, (first, second)[n % 2], handle, limits=limits, retry_policy=policy)
                for n in range(worker_count)
            ]

        async def is_over() -> bool:
            return not set(await count_work(first)) & {"ready", "leased"}

        async with first.system() as tx:
            await tx.execute("DELETE FROM job")
        await add_rows(first, *lanes)
        for _ in range(restarts):
            async with running(*workers()):
                await asyncio.sleep(0.02)
        async with running(*workers()):
            await eventually(is_over)
        async with first.system() as tx:
            rows = await tx.fetch("SELECT id, seq, work FROM job")

    assert len(rows) == len(lanes)
    for row in rows:
        has_failed = faults[row["seq"] % len(faults)] == "raise"
        assert (row["work"], done[row["id"]]) == (("failed", 0) if has_failed else ("done", 1))
    for lane, seqs in order.items():
        assert lane is None or seqs == sorted(seqs)

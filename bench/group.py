"""`group.10000`: what sending costs in a group of 10 000, 1 000 of them online, against a group of ten."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence

import asyncpg
import uvloop

from bench.crowd import Crowd, Order, open_crowd
from bench.figures import Figure, Round, make_figure
from bench.keeper import Keeper
from bench.machine import CpuWatch, go_first, pin_generator
from bench.open_loop import percentile
from bench.stage import API_KEY, Stage, open_stage
from bench.yardstick import TEXT

MEMBERS, ONLINE = 10_000, 1_000
SMALL = 10
A_SECOND = 5
MESSAGES = 100
"""Of a round, in each of both groups; they take turns, so that whatever else happens meets both."""
ROUNDS = 5
ROWS_BAR = 5
STATISTICS_SECONDS = 12
"""Idle sessions of PostgreSQL report what they wrote every ten seconds."""
IDLE_SECONDS = 60
"""In which rows are counted that are written without messages."""


class _Group:
    """A group, its readers, and when each of its messages was due."""

    def __init__(self, conversation: str, crowd: Crowd) -> None:
        self.crowd = crowd
        self.sent: dict[int, float] = {}
        self._conversation = conversation
        self._keys = itertools.count()

    async def send(self, keeper: Keeper) -> int:
        """Post a message; returns its number in the stream."""
        body = {"client_id": f"{self._conversation}-{next(self._keys)}", "text": TEXT}
        answer = await keeper.post(f"/v1/conversations/{self._conversation}/messages", body, API_KEY)
        position: int = answer["position"]
        return position


@contextlib.asynccontextmanager
async def _open_group(stage: Stage, members: int, online: int) -> AsyncIterator[_Group]:
    conversation, tokens = await stage.make_group(members)
    async with open_crowd(Order(stage.port, "ws", {conversation: tokens[:online]})) as crowd:
        yield _Group(conversation, crowd)


async def measure() -> dict[str, Figure]:
    """Count rows of messages of the large group, then send to both groups in turns, on a schedule."""
    rounds: list[Round] = []
    screens: list[float] = []
    async with open_stage() as stage, stage.parley() as process_id, Keeper("127.0.0.1", stage.port) as keeper:
        del process_id
        pin_generator()
        async with _open_group(stage, MEMBERS, ONLINE) as large, _open_group(stage, SMALL, SMALL) as small:
            groups = (large, small)
            go_first()
            await _turns(keeper, groups, 10)
            await asyncio.gather(*(group.crowd.look() for group in groups))
            rows, written = await _count_rows(stage, keeper, large)
            for number in range(ROUNDS):
                watch = CpuWatch(*(group.crowd.process_id for group in groups))
                waits = await _turns(keeper, groups, MESSAGES)
                steal, generator = watch.read()
                await asyncio.sleep(1)
                seen = [await group.crowd.look() for group in groups]
                shown = [(at - large.sent[n]) * 1000 for n, found in seen[0].arrivals.items() for at in found]
                screens.append(percentile(shown, 0.99))
                value, against = (percentile(found, 0.99) for found in waits)
                rounds.append(
                    Round(
                        value=value,
                        against_value=against,
                        steal=steal,
                        generator_cpu=generator,
                        lost=MESSAGES * (ONLINE + SMALL)
                        - sum(len(found) for one in seen for found in one.arrivals.values()),
                        doubled=sum(one.doubled for one in seen),
                        disordered=sum(one.lost for one in seen),
                        failed=sum(one.closed for one in seen),
                    )
                )
                print(
                    f"  round {number + 1}: {value:.1f} ms against {against:.1f} ms, screen {screens[-1]:.1f} ms, "
                    f"steal {steal:.0%}",
                    file=sys.stderr,
                )
    about = f"{A_SECOND} messages/s in each, {ONLINE} of {MEMBERS} online. "
    shown_after = f"p99 to a screen of the large group {statistics.median(screens):.1f} ms."
    small_group = f"the same in a group of {SMALL}"
    return {
        "group.10000": make_figure(
            "group.10000", "ms p99", small_group, "ratio <= 1.2", rounds, about + shown_after
        ),
        "group.10000.rows": make_figure("group.10000.rows", "rows", "the bar", "<= 5", written, about + rows),
    }


async def _turns(keeper: Keeper, groups: Sequence[_Group], count: int) -> list[list[float]]:
    """Send ``count`` messages to each group, equally spaced; returns the waits for the answers of each, in ms."""
    waits: list[list[float]] = [[] for _ in groups]
    step = 1 / A_SECOND / len(groups)
    start = time.perf_counter() + step

    async def send_at(moment: float, index: int) -> None:
        await asyncio.sleep(max(0.0, moment - time.perf_counter()))
        groups[index].sent[await groups[index].send(keeper)] = moment
        waits[index].append((time.perf_counter() - moment) * 1000)

    async with asyncio.TaskGroup() as tasks:
        for turn in range(count * len(groups)):
            tasks.create_task(send_at(start + turn * step, turn % len(groups)))
    return waits


async def _count_rows(stage: Stage, keeper: Keeper, group: _Group) -> tuple[str, list[Round]]:
    """Return rows written a message of one group: what they are, and rounds of their sum.

    A round is `MESSAGES` on schedule and the time until PostgreSQL has counted all; less what is written in such a
    time without messages, table by table. What anybody writes more often because of messages is theirs.
    """
    connection = await stage.connect()
    counts: list[dict[str, float]] = []
    rounds: list[Round] = []
    try:
        await asyncio.sleep(STATISTICS_SECONDS)
        before = await _written(connection)
        await asyncio.sleep(IDLE_SECONDS)
        after = await _written(connection)
        idle = {table: (count - before[table]) / IDLE_SECONDS for table, count in after.items()}
        for number in range(ROUNDS):
            before, began, watch = after, time.perf_counter(), CpuWatch(group.crowd.process_id)
            await _turns(keeper, [group], MESSAGES)
            steal, generator = watch.read()
            await asyncio.sleep(STATISTICS_SECONDS)
            after, elapsed = await _written(connection), time.perf_counter() - began
            counts.append(
                {
                    table: max(0.0, count - before[table] - idle[table] * elapsed) / MESSAGES
                    for table, count in after.items()
                }
            )
            seen = await group.crowd.look()
            rounds.append(
                Round(
                    value=sum(counts[-1].values()),
                    against_value=ROWS_BAR,
                    steal=steal,
                    generator_cpu=generator,
                    lost=MESSAGES * ONLINE - sum(map(len, seen.arrivals.values())),
                    doubled=seen.doubled,
                    disordered=seen.lost,
                    failed=seen.closed,
                )
            )
            print(f"  rows {number + 1}: {rounds[-1].value:.2f}; {_name(counts[-1])}", file=sys.stderr)
    finally:
        await connection.close()
    middle = {table: statistics.median(found[table] for found in counts) for table in after}
    return f"Rows a message: {_name(middle)}. Without messages, rows a second: {_name(idle)}.", rounds


def _name(rows: dict[str, float]) -> str:
    """Name the tables that were written to."""
    return ", ".join(f"{table} {count:.2f}" for table, count in sorted(rows.items()) if count >= 0.005)


async def _written(connection: asyncpg.Connection[asyncpg.Record]) -> dict[str, int]:
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    rows = await connection.fetch(
        "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del AS written FROM pg_stat_user_tables"
    )
    return {row["relname"]: row["written"] for row in rows}


def run(name: str) -> Figure:
    """Measure and return one of the figures; both come of one run."""
    if not _figures:
        _figures.update(uvloop.run(measure()))
    return _figures[name]


_figures: dict[str, Figure] = {}

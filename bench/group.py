"""`group.10000`: what sending costs in a group of 10 000, 1 000 of them online, against a group of ten."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time

import asyncpg
import uvloop

from bench.fanout import Room, Send, parley_room
from bench.figures import Figure, Round, make_figure
from bench.machine import OTHER_CORE, CpuWatch, pin
from bench.open_loop import percentile
from bench.stage import Stage, open_stage

MEMBERS, ONLINE = 10_000, 1_000
SMALL = 10
A_SECOND = 5
MESSAGES = 100
"""Of a round, in each of both groups; they take turns, so that whatever else happens meets both."""
ROUNDS = 7
ROWS_BAR = 5
STATISTICS_SECONDS = 12
"""Idle sessions of PostgreSQL report what they wrote every ten seconds."""
COUNTED = 100
"""Messages over which written rows are counted."""


async def measure() -> dict[str, Figure]:
    """Send to both groups in turns, on a schedule."""
    rounds: list[Round] = []
    screens: list[float] = []
    async with open_stage() as stage, stage.parley() as process_id:
        pin(os.getpid(), OTHER_CORE)
        async with (
            parley_room(stage, process_id, "ws", MEMBERS, ONLINE) as (large, send_large, _),
            parley_room(stage, process_id, "ws", SMALL, SMALL) as (small, send_small, _),
        ):
            rooms = [(large, send_large), (small, send_small)]
            await _turns(rooms, 10)
            rows = await _count_rows(stage, large, send_large)
            for number in range(ROUNDS):
                watch = CpuWatch()
                (large_waits, small_waits), shown = await _turns(rooms, MESSAGES)
                steal, generator = watch.read()
                value, against = percentile(large_waits, 0.99), percentile(small_waits, 0.99)
                screens.append(percentile(shown, 0.99))
                lost, doubled, closed = map(sum, zip(large.faults(), small.faults(), strict=True))
                rounds.append(
                    Round(
                        value=value,
                        against_value=against,
                        steal=steal,
                        generator_cpu=generator,
                        lost=lost,
                        doubled=doubled,
                        failed=closed,
                    )
                )
                print(
                    f"  round {number + 1}: {value:.1f} ms against {against:.1f} ms, screen {screens[-1]:.1f} ms, "
                    f"steal {steal:.0%}",
                    file=sys.stderr,
                )
    named = ", ".join(f"{table} {count:.2f}" for table, count in rows.items())
    notes = (
        f"{A_SECOND} messages/s in each, {ONLINE} of {MEMBERS} online. Rows written a message: {named}. "
        f"p99 to a screen of the large group {statistics.median(screens):.1f} ms."
    )
    written = [
        Round(
            value=sum(rows.values()),
            against_value=ROWS_BAR,
            steal=item.steal,
            generator_cpu=item.generator_cpu,
        )
        for item in rounds
    ]
    small_group = f"the same in a group of {SMALL}"
    return {
        "group.10000": make_figure("group.10000", "ms p99", small_group, "ratio <= 1.2", rounds, notes),
        "group.10000.rows": make_figure("group.10000.rows", "rows", "the bar", "<= 5", written, notes),
    }


async def _turns(rooms: list[tuple[Room, Send]], count: int) -> tuple[list[list[float]], list[float]]:
    """Send ``count`` messages to each room, equally spaced.

    Returns the waits for the answers, for each room, and for all screens of the first one; in ms.
    """
    answers: list[list[float]] = [[] for _ in rooms]
    screens: list[float] = []
    step = 1 / A_SECOND / len(rooms)
    start = time.perf_counter() + step

    async def send_at(moment: float, index: int) -> None:
        room, send = rooms[index]
        await asyncio.sleep(max(0.0, moment - time.perf_counter()))
        number = await send()
        answers[index].append((time.perf_counter() - moment) * 1000)
        await room.everywhere(number)
        arrived = room.arrivals.pop(number)
        if index == 0:
            screens.extend((at - moment) * 1000 for at in arrived)

    async with asyncio.TaskGroup() as tasks:
        for turn in range(count * len(rooms)):
            tasks.create_task(send_at(start + turn * step, turn % len(rooms)))
    return answers, screens


async def _count_rows(stage: Stage, room: Room, send: Send) -> dict[str, float]:
    """Return rows inserted, updated and deleted a message, by table, as PostgreSQL itself counts them."""
    connection = await stage.connect()
    try:
        await asyncio.sleep(STATISTICS_SECONDS)
        before = await _written(connection)
        for _ in range(COUNTED):
            await room.everywhere(await send())
        await asyncio.sleep(STATISTICS_SECONDS)
        after = await _written(connection)
    finally:
        await connection.close()
    return {
        table: (count - before.get(table, 0)) / COUNTED
        for table, count in sorted(after.items())
        if count - before.get(table, 0) > COUNTED / 20
    }


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

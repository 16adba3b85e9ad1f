"""`send.latency.api`, `send.latency.screen`: p99 of a send's answer, and of its way to another client's screen.

Open loop: sends come at Poisson-distributed moments, at half the rate that 16 in flight reach in the same run, and
latency counts from the moment a send was due. The screens are sockets of another actor in this process, so both
ends have one clock.
"""

from __future__ import annotations

import functools
import sys
from typing import Any
from uuid import UUID

import uvloop

from bench.figures import Figure, Round, make_figure
from bench.machine import CpuWatch, pin_generator
from bench.open_loop import Arrivals, percentile, run_open_loop
from bench.screens import Screens, open_screens, until_seen
from bench.send_rest import check_sends, make_sender, run_round
from bench.stage import OTHER, WORKSPACE, Stage, conversation_uuid, open_stage
from parley.infra.crypto import hash_token
from parley.kit.ids import public_id

ROUNDS = 5
SECONDS = 8
CLOSED_SECONDS = 3
IN_FLIGHT = 16
WATCHED = 880
"""Conversations of the 10 000 that are on a screen: eight sockets."""
READER_KEY = "pk_benchreaderbenchreaderbenchreaderbenchre0"
BARS = {"send.latency.api": 100.0, "send.latency.screen": 150.0}
"""Milliseconds."""


async def measure() -> dict[str, Figure]:
    """Alternate a closed loop, which finds the rate, and an open one at half of it."""
    rounds: dict[str, list[Round]] = {name: [] for name in BARS}
    rates: list[float] = []
    async with open_stage() as stage:
        await _seed_reader(stage)
        async with stage.parley():
            pin_generator()
            await run_round(stage, IN_FLIGHT, 2)
            watched = [public_id("cnv", UUID(conversation_uuid(n))) for n in range(1, WATCHED + 1)]
            async with open_screens(stage.port, READER_KEY, watched, _client_id) as screens:
                for number in range(ROUNDS):
                    rates.append(await _round(stage, screens, watched, rounds, number))
    notes = (
        f"Poisson at {min(rates):.0f}-{max(rates):.0f} sends/s; {WATCHED} of 10 000 conversations on screens"
    )
    return {
        name: make_figure(name, "ms p99", "bar", f"< {bar:.0f} ms", rounds[name], notes=notes)
        for name, bar in BARS.items()
    }


async def _round(
    stage: Stage, screens: Screens, watched: list[str], rounds: dict[str, list[Round]], number: int
) -> float:
    rate = (await run_round(stage, IN_FLIGHT, CLOSED_SECONDS))[0] / 2
    screens.clear()
    watch = CpuWatch()
    places: dict[str, str] = {}
    found = await run_open_loop(
        "127.0.0.1", stage.port, make_sender(places), rate=rate, seconds=SECONDS, seed=number
    )
    steal, generator = watch.read()
    missing = await until_seen(screens, _on_screen(found, places, watched), 5)
    shown = [at - found.scheduled[key] for key, at in screens.seen.items() if key in found.scheduled]
    lost, doubled, disordered = await check_sends(stage, found.acknowledged)
    failed = len(found.scheduled) - len(found.acknowledged)
    counts = {
        "send.latency.api": (found.latencies, lost, doubled, disordered),
        "send.latency.screen": (shown, len(missing), screens.doubled, screens.disordered + screens.resets),
    }
    for name, (latencies, lost, doubled, disordered) in counts.items():
        rounds[name].append(
            Round(
                value=percentile(latencies, 0.99) * 1000,
                against_value=BARS[name],
                steal=steal,
                generator_cpu=generator,
                lost=lost,
                doubled=doubled,
                disordered=disordered,
                failed=failed,
            )
        )
    print(
        f"  round {number + 1}: {rate:.0f} sends/s, {_describe('answer', found.latencies)}, "
        f"{_describe('screen', shown)}, generator {generator:.0%}, steal {steal:.0%}",
        file=sys.stderr,
    )
    return rate


def _describe(name: str, latencies: list[float]) -> str:
    p50, p99 = percentile(latencies, 0.5) * 1000, percentile(latencies, 0.99) * 1000
    return f"{name} p50 {p50:.1f} p99 {p99:.1f} ms of {len(latencies)}"


def _on_screen(found: Arrivals, places: dict[str, str], watched: list[str]) -> set[str]:
    shown = set(watched)
    return {key for key in found.acknowledged if places[key] in shown}


def _client_id(message: dict[str, Any]) -> str | None:
    key: str | None = message["client_id"]
    return key


async def _seed_reader(stage: Stage) -> None:
    connection = await stage.connect()
    try:
        await connection.execute(
            """INSERT INTO api_key (workspace_id, id, actor_id, name, hash, hint, scopes)
            VALUES ($1, $2, $2, 'reader', $3, 'nch0', '{chat}')""",
            WORKSPACE,
            OTHER,
            hash_token(READER_KEY),
        )
    finally:
        await connection.close()


@functools.cache
def _measured() -> dict[str, Figure]:
    return uvloop.run(measure())


def run(name: str) -> Figure:
    """Return one of the two figures; both come of one measurement."""
    return _measured()[name]

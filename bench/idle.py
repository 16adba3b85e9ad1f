"""`idle.5000`: what 5 000 sockets cost that watch a conversation in which nothing happens."""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import time

import uvloop

from bench.figures import Figure, Round, make_figure
from bench.machine import CpuWatch, cpu_seconds, pin_generator, resident_bytes
from bench.sockets import Reader, Transport, open_readers, watch_all
from bench.stage import Stage, open_stage

SOCKETS = 5000
GROUP = 10
"""Members of one conversation; all of them are there."""
ROUNDS = 5
WINDOW_SECONDS = 30.0
"""Longer than the 25 s between two pings of Socket.IO."""
BAR_KB = 60.0
BAR_CPU = 15.0


async def measure(kind: Transport, count: int) -> tuple[float, float, list[Round], list[Round]]:
    """Connect once, then watch the CPU; returns kB a socket, ms of CPU to connect one, rounds of both figures."""
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (20_000, max(20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    )
    async with open_stage() as stage, stage.parley() as process_id:
        pin_generator()
        await _connect(stage, kind, 100)  # what the first ones load is no cost of a socket
        before, cpu = resident_bytes(process_id), cpu_seconds(process_id)
        readers = await _connect(stage, kind, SOCKETS)
        connecting = (cpu_seconds(process_id) - cpu) / SOCKETS * 1000
        await asyncio.sleep(5)
        memory, shares = [], []
        for number in range(count):
            watch, cpu, began = CpuWatch(), cpu_seconds(process_id), time.perf_counter()
            await asyncio.sleep(WINDOW_SECONDS)
            share = (cpu_seconds(process_id) - cpu) / (time.perf_counter() - began) * 100
            size = (resident_bytes(process_id) - before) / SOCKETS / 1000
            steal, generator = watch.read()
            lost = sum(reader.is_closed for reader in readers)
            memory.append(
                Round(value=size, against_value=BAR_KB, steal=steal, generator_cpu=generator, failed=lost)
            )
            shares.append(
                Round(value=share, against_value=BAR_CPU, steal=steal, generator_cpu=generator, failed=lost)
            )
            print(
                f"  round {number + 1}: {size:.1f} kB, {share:.1f} % of a core, steal {steal:.0%}",
                file=sys.stderr,
            )
        for reader in readers:
            reader.close()
    return statistics.median(item.value for item in memory), connecting, memory, shares


async def _connect(stage: Stage, kind: Transport, count: int) -> list[Reader]:
    found: list[Reader] = []
    for _ in range(count // GROUP):
        conversation, tokens = await stage.make_group(GROUP)
        readers = await open_readers(stage.port, kind, tokens, lambda *_: None)
        await watch_all(readers, conversation)
        found += readers
    return found


def run(name: str) -> Figure:
    """Measure over Socket.IO, the dearer of both, with the plain WebSocket beside it; return one figure."""
    if not _figures:
        _, connecting, memory, shares = uvloop.run(measure("socketio", ROUNDS))
        plain, plain_connecting, _, plain_shares = uvloop.run(measure("ws", 1))
        plain_cpu = statistics.median(item.value for item in plain_shares)
        notes = (
            f"Socket.IO, each in a conversation of {GROUP}; CPU to connect and watch {connecting:.2f} ms. "
            f"Over /v1/ws {plain:.1f} kB, {plain_cpu:.1f} %, {plain_connecting:.2f} ms."
        )
        _figures["idle.5000"] = make_figure("idle.5000", "kB a socket", "the bar", "< 60 kB", memory, notes)
        _figures["idle.5000.cpu"] = make_figure(
            "idle.5000.cpu", "% of a core", "the bar", "< 15 %", shares, notes
        )
    return _figures[name]


_figures: dict[str, Figure] = {}
"""Both figures come of one run."""

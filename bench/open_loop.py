"""The generator for latencies: arrivals come on a schedule of their own and wait for no answer."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from bench.load import ClosedLoop, Request

TICK_SECONDS = 0.001
"""How often arrivals that are due are sent; what this adds is counted as latency."""
CONNECTIONS = 128
"""Requests under way at the most; further arrivals wait for a connection, and their latency counts that too."""
ANSWER_SECONDS = 15


@dataclasses.dataclass
class Arrivals:
    """What came of a schedule. Times are of `time.perf_counter`, latencies in seconds from the scheduled moment."""

    scheduled: dict[str, float] = dataclasses.field(default_factory=dict)
    acknowledged: list[str] = dataclasses.field(default_factory=list)
    failed: list[bytes] = dataclasses.field(default_factory=list)
    latencies: list[float] = dataclasses.field(default_factory=list)
    most_waiting: int = 0


class _Connection(ClosedLoop):
    """Takes the next arrival that waits, or waits itself for one."""

    def __init__(
        self, waiting: deque[tuple[float, bytes, str]], idle: deque[_Connection], found: Arrivals
    ) -> None:
        super().__init__(lambda: (b"", ""), found.acknowledged, found.failed)
        self._waiting = waiting
        self._idle = idle

    def _next(self) -> None:
        if self._waiting:
            self.take(*self._waiting.popleft())
        elif self.is_running:
            self._idle.append(self)
        else:
            self._transport.close()

    def take(self, at: float, body: bytes, key: str) -> None:
        """Send one request that was due at a moment."""
        self._key, self._sent_at = key, at
        self._transport.write(body)

    def stop(self) -> None:
        """Close when nothing is under way; else after the answer."""
        self.is_running = False
        if self in self._idle:
            self._transport.close()


async def run_open_loop(
    host: str, port: int, make_request: Request, *, rate: float, seconds: float, seed: int = 7
) -> Arrivals:
    """Send requests at Poisson-distributed moments, ``rate`` a second, and return when all are answered.

    What is not answered after `ANSWER_SECONDS` is in ``scheduled`` but not in ``acknowledged``.
    """
    loop = asyncio.get_running_loop()
    choose = random.Random(seed)
    found = Arrivals()
    waiting: deque[tuple[float, bytes, str]] = deque()
    idle: deque[_Connection] = deque()  # in turns: a server closes what is idle for seconds
    connections: list[_Connection] = []
    for _ in range(CONNECTIONS):
        _, one = await loop.create_connection(lambda: _Connection(waiting, idle, found), host, port)
        connections.append(one)
    due = time.perf_counter()
    end = due + seconds
    while due < end:
        while due <= time.perf_counter() and due < end:
            body, key = make_request()
            found.scheduled[key] = due
            if idle:
                idle.popleft().take(due, body, key)
            else:
                waiting.append((due, body, key))
                found.most_waiting = max(found.most_waiting, len(waiting))
            due += choose.expovariate(rate)
        await asyncio.sleep(TICK_SECONDS)
    for one in connections:
        one.stop()
    await asyncio.wait([one.done for one in connections], timeout=ANSWER_SECONDS)
    found.latencies = [item for one in connections for item in one.latencies]
    return found


async def keep_coming(
    one: Callable[[float], Coroutine[Any, Any, None]],
    rate: float,
    until: asyncio.Future[Any],
    *,
    seed: int = 7,
) -> None:
    """Start ``one``, told the moment it was due, at Poisson-distributed moments until a future is done; await them all."""
    choose = random.Random(seed)
    due = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        while not until.done():
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.create_task(one(due))
            due += choose.expovariate(rate)


def percentile(values: list[float], share: float) -> float:
    """Return the value below which so much lies (0.99: p99); infinite without any value."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("inf")

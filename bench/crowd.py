"""Readers in a process of their own, so that the sender's clock is not theirs: `python -m bench.crowd`.

Reads its order as a line of JSON, says "ready" when every socket watches, and answers each further line with what was
seen since the last one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator

import msgspec
import uvloop

from bench.sockets import Transport, open_readers, watch_all


class Order(msgspec.Struct):
    """Whom to connect to what."""

    port: int
    kind: Transport
    conversation: str
    tokens: list[str]


class Seen(msgspec.Struct):
    """Moments (`time.perf_counter`) at which each number came to each socket, and what went wrong since the start."""

    arrivals: dict[int, list[float]]
    lost: int
    doubled: int
    closed: int


class Crowd:
    """The other end of the pipe."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    async def look(self) -> Seen:
        """Return what was seen since the last look."""
        self._in.write(b"\n")
        return msgspec.json.decode(await self._out.readline(), type=Seen)


@contextlib.asynccontextmanager
async def open_crowd(order: Order) -> AsyncIterator[Crowd]:
    """Run a crowd until the block is left; it inherits the cores of this process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.crowd",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**28,
    )  # fmt: skip
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        if await process.stdout.readline() != b"ready\n":
            raise RuntimeError("the crowd did not come")
        yield Crowd(process)
    finally:
        process.kill()
        await process.wait()


async def _serve() -> None:
    # the crowd sits elsewhere: on the core it shares with the sender here, whoever sends goes first
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    lines = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    order = msgspec.json.decode(await lines.readline(), type=Order)
    arrivals: dict[int, list[float]] = {}

    def on_event(number: int, at: float) -> None:
        arrivals.setdefault(number, []).append(at)

    readers = await open_readers(order.port, order.kind, order.tokens, on_event)
    await watch_all(readers, order.conversation)
    print("ready", flush=True)
    while await lines.readline():
        seen = {
            "arrivals": arrivals,
            "lost": sum(reader.skipped for reader in readers),
            "doubled": sum(reader.repeated for reader in readers),
            "closed": sum(reader.is_closed for reader in readers),
        }
        print(json.dumps(seen), flush=True)
        arrivals.clear()


if __name__ == "__main__":
    uvloop.run(_serve())

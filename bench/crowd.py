"""Readers in a process of their own, so that the sender's clock is not theirs: `python -m bench.crowd`.

Reads its order as a line of JSON, says "ready" when every socket watches, and answers each further line: an empty one
with what was seen since the last, "leave" when all have hung up, "resume" when all are back and have what they missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator

import msgspec
import uvloop

from bench.sockets import OnEvent, Reader, Transport, open_reader, open_readers, watch_all


class Order(msgspec.Struct):
    """Whom to connect to what: the tokens of each conversation."""

    port: int
    kind: Transport
    tokens: dict[str, list[str]]


class Seen(msgspec.Struct):
    """Moments (`time.perf_counter`) at which each number came to each socket, and what went wrong since the start."""

    arrivals: dict[int, list[float]]
    lost: int
    doubled: int
    closed: int


class Resumed(msgspec.Struct):
    """Seconds until the last socket had resumed; events that were missed meanwhile, and what went wrong."""

    seconds: float
    events: int
    lost: int
    doubled: int
    failed: list[str]


class Crowd:
    """The other end of the pipe."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        self.process_id = process.pid

    async def look(self) -> Seen:
        """Return what was seen since the last look."""
        self._in.write(b"\n")
        return msgspec.json.decode(await self._out.readline(), type=Seen)

    async def leave(self) -> None:
        """Have every socket hang up."""
        self._in.write(b"leave\n")
        await self._out.readline()

    async def resume(self) -> Resumed:
        """Have everybody come back at the same moment, each with its cursor; return when all are live again."""
        self._in.write(b"resume\n")
        return msgspec.json.decode(await self._out.readline(), type=Resumed)


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

    readers = await _open(order, on_event)
    print("ready", flush=True)
    while line := await lines.readline():
        if line == b"leave\n":
            for _, reader in readers:
                reader.close()
            await asyncio.sleep(0.5)
            print("gone", flush=True)
        elif line == b"resume\n":
            before = sum(map(len, arrivals.values()))
            resumed = await _resume(order, readers, on_event)
            resumed.events = sum(map(len, arrivals.values())) - before
            print(msgspec.json.encode(resumed).decode(), flush=True)
        else:
            print(
                json.dumps({"arrivals": arrivals, **_faults([reader for _, reader in readers])}), flush=True
            )
            arrivals.clear()


async def _open(order: Order, on_event: OnEvent) -> list[tuple[str, Reader]]:
    found: list[tuple[str, Reader]] = []
    for conversation, tokens in order.tokens.items():
        readers = await open_readers(order.port, order.kind, tokens, on_event)
        await watch_all(readers, conversation)
        found += [(conversation, reader) for reader in readers]
    return found


async def _resume(order: Order, readers: list[tuple[str, Reader]], on_event: OnEvent) -> Resumed:
    """Replace every reader by one that goes on where it was."""
    tokens = [token for group in order.tokens.values() for token in group]
    failed: list[str] = []

    async def come_back(place: int) -> None:
        conversation, former = readers[place]
        try:
            reader = await open_reader(order.port, order.kind, tokens[place], on_event)
            reader.last = former.last
            await reader.watch(conversation, former.cursor)
        except Exception as error:  # noqa: BLE001 - it is told
            failed.append(repr(error))
        else:
            readers[place] = (conversation, reader)

    started = time.perf_counter()
    await asyncio.gather(*(come_back(place) for place in range(len(readers))))
    seconds = time.perf_counter() - started
    faults = _faults([reader for _, reader in readers])
    return Resumed(seconds, 0, faults["lost"], faults["doubled"], failed[:20])


def _faults(readers: list[Reader]) -> dict[str, int]:
    return {
        "lost": sum(reader.skipped for reader in readers),
        "doubled": sum(reader.repeated for reader in readers),
        "closed": sum(reader.is_closed for reader in readers),
    }


if __name__ == "__main__":
    uvloop.run(_serve())

"""`fanout.slow_reader`: how long 199 readers of a room wait while one more stops reading, against without it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
import urllib.request
from collections.abc import AsyncIterator

import uvloop

from bench.fanout import Room, Send, keeper_send
from bench.figures import Figure, Round, make_figure
from bench.keeper import Keeper
from bench.machine import CpuWatch, go_first, pin_generator
from bench.open_loop import percentile
from bench.sockets import Reader, open_reader, open_readers, watch_all
from bench.stage import API_KEY, open_stage

READERS = 199
"""Beside the one that stops."""
TEXT = "щ" * 15_000
"""30 kB a frame, so that a reader that stops is given up within a round."""
WINDOW_BYTES = 16_384
"""What the kernel takes for the reader that stops; the rest waits in the process."""
MESSAGES = 200
A_SECOND = 20
ROUNDS = 7


class _Scene:
    def __init__(self, port: int, room: Room, send: Send, conversation: str, token: str) -> None:
        self._port = port
        self._room = room
        self._send = send
        self._conversation = conversation
        self._token = token

    async def p99_ms(self) -> float:
        """Send a round on a schedule; return the 99th percentile of the ways to the readers that read."""
        waits: list[float] = []

        async def one(due: float) -> None:
            number = await self._send()
            await self._room.everywhere(number)
            waits.extend(at - due for at in self._room.arrivals.pop(number))

        begin = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for count in range(MESSAGES):
                due = begin + count / A_SECOND
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tasks.create_task(one(due))
        return percentile(waits, 0.99) * 1000

    async def stop_reading(self) -> Reader:
        """Connect one more reader, which watches the room and then takes nothing."""
        slow = await open_reader(
            self._port, "socketio", self._token, lambda *_: None, receive_buffer=WINDOW_BYTES
        )
        await slow.watch(self._conversation)
        slow.pause()
        return slow

    async def resyncs(self) -> int:
        """Return how many readers were given up."""
        with await asyncio.to_thread(
            urllib.request.urlopen, f"http://127.0.0.1:{self._port}/metrics"
        ) as page:
            found = re.search(r"^parley_realtime_resyncs_total (\d+)", page.read().decode(), re.MULTILINE)
        assert found is not None
        return int(found[1])

    async def messages_until_given_up(self) -> int:
        """Return how many messages it takes until a reader that stops is given up."""
        slow, count, before = await self.stop_reading(), 0, await self.resyncs()
        while await self.resyncs() == before:
            await self._room.everywhere(await self._send())
            count += 1
        slow.close()
        return count


@contextlib.asynccontextmanager
async def _open_scene() -> AsyncIterator[tuple[_Scene, Room]]:
    async with open_stage() as stage, stage.parley(), Keeper("127.0.0.1", stage.port) as keeper:
        pin_generator()
        conversation, (spare, *tokens) = await stage.make_group(READERS + 1)
        room = Room()
        room.readers = await open_readers(stage.port, "socketio", tokens, room.on_event)
        await watch_all(room.readers, conversation)
        go_first()
        send = keeper_send(keeper, conversation, API_KEY, TEXT)
        yield _Scene(stage.port, room, send, conversation, spare), room
        for reader in room.readers:
            reader.close()


async def measure() -> Figure:
    """Alternate rounds with one that stops, and is given up in the midst of them, and rounds without."""
    rounds: list[Round] = []
    async with _open_scene() as (scene, room):
        needed = await scene.messages_until_given_up()
        assert needed < MESSAGES, needed
        await scene.p99_ms()
        for number in range(ROUNDS):
            watch, found = CpuWatch(), {}
            # which of the two comes first changes, so that what drifts harms both
            for is_with in (False, True) if number % 2 else (True, False):
                before = await scene.resyncs()
                slow = await scene.stop_reading() if is_with else None
                found[is_with] = await scene.p99_ms()
                assert await scene.resyncs() == before + is_with
                if slow is not None:
                    slow.close()
            steal, generator = watch.read()
            lost, doubled, closed = room.faults()
            rounds.append(
                Round(
                    value=found[True],
                    against_value=found[False],
                    steal=steal,
                    generator_cpu=generator,
                    lost=lost,
                    doubled=doubled,
                    failed=closed,
                )
            )
            print(
                f"  round {number + 1}: {found[True]:.1f} ms with it, {found[False]:.1f} without, steal {steal:.0%}",
                file=sys.stderr,
            )
    return make_figure(
        "fanout.slow_reader",
        "ms p99",
        "without it",
        "ratio <= 1.1",
        rounds,
        notes=f"{READERS} readers over Socket.IO, {A_SECOND} messages of {len(TEXT.encode()) // 1000} kB a second; the one that "
        f"stops is given up after {needed} of {MESSAGES} messages of each round",
    )


def run() -> Figure:
    """Measure and return the figure."""
    return uvloop.run(measure())

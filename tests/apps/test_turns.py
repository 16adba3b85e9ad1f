"""What comes at once begins in order, one in each turn of the loop; so do the first requests of connections."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest
import uvicorn

from parley.apps.http_protocol import GuardedHttp
from parley.apps.server import Server
from parley.apps.turns import Turns
from parley.infra.settings import load_settings

pytestmark = pytest.mark.anyio

CROWD = 40


class Clock:
    """Counts the turns of the loop."""

    def __init__(self) -> None:
        self.turn = 0
        self._task = asyncio.create_task(self._count())

    async def _count(self) -> None:
        while True:
            self.turn += 1
            await asyncio.sleep(0)

    def stop(self) -> None:
        self._task.cancel()


async def test_each_begins_in_a_turn_of_its_own_in_order() -> None:
    turns, clock = Turns(), Clock()
    begun: list[tuple[int, int]] = []

    def begin(number: int) -> None:
        begun.append((number, clock.turn))
        if number < CROWD:
            turns.take(functools.partial(begin, number + CROWD))

    for number in range(CROWD):
        turns.take(functools.partial(begin, number))
    while len(begun) < 2 * CROWD:
        await asyncio.sleep(0)
    clock.stop()
    assert [number for number, _ in begun] == list(range(2 * CROWD))
    assert len({turn for _, turn in begun}) == 2 * CROWD


async def test_connections_that_ask_in_the_same_moment_are_heard_one_by_one() -> None:
    clock = Clock()
    heard: list[int] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        heard.append(clock.turn)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    server = Server(load_settings(), app)
    server.config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http=GuardedHttp, lifespan="off", log_config=None, timeout_graceful_shutdown=2
    )  # fmt: skip
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    host, port = server.servers[0].sockets[0].getsockname()
    try:
        pairs = [await asyncio.open_connection(host, port) for _ in range(CROWD)]
        for _, writer in pairs:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(30):
            answers = [await reader.readuntil(b"\r\n\r\n") for reader, _ in pairs]
        assert all(answer.startswith(b"HTTP/1.1 204") for answer in answers)
        assert len(set(heard)) == CROWD
        # what comes later on a connection is answered too
        pairs[0][1].write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        async with asyncio.timeout(30):
            for _ in range(2):
                assert (await pairs[0][0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
        for _, writer in pairs:
            writer.close()
    finally:
        clock.stop()
        server.should_exit = True
        await serving

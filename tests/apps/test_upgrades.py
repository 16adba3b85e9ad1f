"""WebSockets that come at once come in one by one, in order, all of them; few come in without waiting."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import connect

from parley.apps import upgrades
from parley.apps.http_protocol import GuardedHttp
from parley.apps.server import Server
from parley.apps.upgrades import AT_ONCE, CROWD, PACE_SECONDS, UpgradeGate
from parley.infra.settings import load_settings
from parley.realtime import Gateway

pytestmark = pytest.mark.anyio


async def come(gate: UpgradeGate, count: int) -> tuple[list[int], float]:
    """Have so many come at once; return in which order they came in, and the seconds until the last did."""
    came: list[int] = []
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(count):
        gate.enter(functools.partial(came.append, number))
    async with asyncio.timeout(60):
        while len(came) < count:
            await asyncio.sleep(0.001)
    return came, loop.time() - began


async def test_few_come_in_at_once_and_a_crowd_one_by_one_in_order() -> None:
    gate = UpgradeGate()
    came: list[int] = []
    for number in range(AT_ONCE):
        gate.enter(functools.partial(came.append, number))
    assert came == list(range(AT_ONCE))
    order, seconds = await come(gate, 3 * AT_ONCE)
    assert order == list(range(3 * AT_ONCE))
    assert seconds >= 2 * AT_ONCE * PACE_SECONDS


async def test_the_more_wait_the_more_come_in_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrades, "CROWD", 20)
    gate, turns = UpgradeGate(), 0
    let_in = gate._let_in

    def count_turns() -> None:
        nonlocal turns
        turns += 1
        let_in()

    monkeypatch.setattr(gate, "_let_in", count_turns)
    order, _ = await come(gate, 400)
    assert order == list(range(400))
    assert turns < 400 / 2  # a turn is PACE_SECONDS
    assert CROWD * PACE_SECONDS < 15  # clients of Socket.IO give up after 20 s


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    """Serve echoes behind the gate."""

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})

    server = Server(load_settings(), echo)
    server.config = uvicorn.Config(
        echo, host="127.0.0.1", port=0, http=GuardedHttp, ws=Gateway.protocol_class, lifespan="off",
        ws_per_message_deflate=False, log_config=None, timeout_graceful_shutdown=2,
    )  # fmt: skip
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield server
    finally:
        server.should_exit = True
        await task


async def test_a_crowd_of_sockets_is_served_whole_and_who_hung_up_meanwhile_harms_nobody() -> None:
    async with serving() as server:
        host, port = server.servers[0].sockets[0].getsockname()
        request = f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {'A' * 22}==\r\n"

        async def hang_up() -> None:
            _, writer = await asyncio.open_connection(host, port)
            writer.write((request + "Sec-WebSocket-Version: 13\r\n\r\n").encode())
            await writer.drain()
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

        async def talk(number: int) -> str:
            async with connect(f"ws://{host}:{port}/", compression=None, proxy=None) as socket:
                await socket.send(f"{number}")
                return str(await socket.recv())

        said = await asyncio.gather(
            *(talk(number) for number in range(3 * AT_ONCE)), *(hang_up() for _ in range(AT_ONCE))
        )
        assert said[: 3 * AT_ONCE] == [str(number) for number in range(3 * AT_ONCE)]

"""Both transports on a real server: slow readers, other WebSocket classes, and the stop."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.server import ServerProtocol

from parley.apps.http_protocol import GuardedHttp
from parley.infra.runtime import Runtime
from parley.kit.events import Signal
from parley.kit.ids import public_id
from parley.realtime.wire import FrameProtocol
from tests.programs import eventually
from tests.realtime.harness import House, Person, Served, serve

pytestmark = pytest.mark.anyio

BIG = "x" * 60_000


@pytest.fixture(params=["wire", "asgi"])
async def anyhow(request: pytest.FixtureRequest, runtime: Runtime, house: House) -> AsyncIterator[Served]:
    """The gateway under our WebSocket class, and under uvicorn's own."""
    options = {} if request.param == "wire" else {"ws": "websockets-sansio"}
    async with serve(runtime, house, **options) as served:
        yield served


async def test_either_websocket_class_delivers_in_order(anyhow: Served) -> None:
    house = anyhow.house
    async with anyhow.client(house.anna) as anna, anyhow.client(house.boris) as boris:
        await anna.watch(house.group)
        await boris.watch(house.group)
        for n in range(100):
            await house.append(house.group, str(n))
        assert await anna.reach(house.group, 100) == list(range(1, 101))
        assert await boris.reach(house.group, 100) == list(range(1, 101))
        await house.append(house.group, BIG)
        await anna.reach(house.group, 101)


async def test_either_websocket_class_closes_with_the_reason(anyhow: Served) -> None:
    async with anyhow.client() as client:
        await client.answer("hello", token="at_wrong")
        assert await client.closed() == 4001


async def _open_slow(served: Served, person: Person, conversation: Any) -> ClientConnection:
    url = f"ws://127.0.0.1:{served.port}/v1/ws"
    connection = await connect(url, compression=None, max_size=None, max_queue=1)
    await connection.send(json.dumps({"id": 1, "do": "hello", "token": person.token}))
    await connection.recv()
    name = public_id("cnv", conversation)
    await connection.send(json.dumps({"id": 2, "do": "watch", "conversation_id": name}))
    await connection.recv()
    return connection


async def _read_all(connection: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    frames: list[dict[str, Any]] = []
    try:
        async for text in connection:
            frames.append(json.loads(text))
    except ConnectionClosed:
        pass
    return frames, connection.close_code


async def test_a_slow_reader_loses_signals_and_then_its_socket_while_others_go_on(anyhow: Served) -> None:
    house, tally = anyhow.house, anyhow.gateway.fanout.tally
    slow = await _open_slow(anyhow, house.boris, house.group)
    typing = Signal(workspace_id=house.workspace_id, stream_id=house.group, kind="typing.started")
    async with anyhow.client(house.anna) as quick:
        await quick.watch(house.group)
        count = 0
        while not tally.resyncs and count < 400:
            count += 1
            await house.append(house.group, BIG)
            house.runtime.bus.publish([typing])
        assert tally.resyncs == 1
        assert tally.dropped_signals > 0
        assert await quick.reach(house.group, count) == list(range(1, count + 1))
        await house.append(house.group, "after")
        await quick.reach(house.group, count + 1)
    frames, code = await _read_all(slow)
    assert code == 4008
    assert frames[-1] == {"type": "resync"}
    numbers = [frame["number"] for frame in frames if frame["type"] == "event"]
    assert numbers == list(range(1, len(numbers) + 1))
    async with anyhow.client(house.boris) as again:
        last = [frame for frame in frames if frame["type"] == "event"][-1]
        await again.watch(house.group, {"number": last["number"], "tag": last["tag"]})
        assert again.numbers(house.group)[-1] == count + 1


async def test_a_socket_that_never_reads_is_cut(served: Served) -> None:
    house, tally = served.house, served.gateway.fanout.tally
    slow = await _open_slow(served, house.boris, house.group)
    while not tally.resyncs:
        await house.append(house.group, BIG)
    async with asyncio.timeout(30):
        while tally.sockets:
            await asyncio.sleep(0.05)
    async with asyncio.timeout(30):
        while served.server.server_state.connections:
            await asyncio.sleep(0.05)
    slow.transport.abort()
    await slow.wait_closed()


async def test_a_long_absence_is_caught_up_at_the_readers_pace(served: Served) -> None:
    house = served.house
    first = await house.append(house.group)
    for _ in range(150):
        await house.append(house.group, BIG)
    async with served.client(house.anna) as client:
        await client.watch(house.group, {"number": 1, "tag": first.tag})
        assert client.numbers(house.group) == list(range(2, 152))
        assert served.gateway.fanout.tally.resyncs == 0


async def test_stopping_closes_with_1012(runtime: Runtime, house: House) -> None:
    async with serve(runtime, house) as served, served.client(house.anna) as anna, served.client() as silent:
        await anna.watch(house.group)
        await served.gateway.stop()
        assert await anna.closed() == 1012
        assert await silent.closed() == 1012
        async with served.client() as late:
            assert await late.closed() == 1012


async def test_the_numbers_are_shown_to_prometheus(served: Served) -> None:
    registry = CollectorRegistry()
    served.gateway.register(registry)
    async with served.client(served.house.anna):
        shown = generate_latest(registry).decode()
    assert "parley_realtime_sockets 1.0" in shown
    assert "parley_realtime_frames_total 1.0" in shown


async def test_a_closed_connection_is_gone_without_the_garbage_collector(
    runtime: Runtime, house: House
) -> None:
    async with serve(runtime, house, http=GuardedHttp) as served:
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                async with served.client(house.anna) as client:
                    await client.watch(house.group)

            async def are_gone() -> bool:
                return not any(
                    isinstance(one, FrameProtocol | GuardedHttp | ServerProtocol) for one in gc.get_objects()
                )

            await eventually(are_gone)
        finally:
            gc.enable()

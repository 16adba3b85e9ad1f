"""Socket.IO: the Python client and the real JavaScript one, by ready frames and by the stock manager."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from parley.infra.runtime import Runtime
from parley.kit.ids import public_id
from parley.realtime.rawframes import find_idle_wire
from tests.realtime.harness import House, Served, serve
from tests.socketio_client import SocketIoClient, nothing_left_to_collect

__all__ = ["nothing_left_to_collect"]

pytestmark = [
    pytest.mark.anyio,
    # python-socketio's own client leaves its aiohttp connections to the garbage collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

JS = Path(__file__).parent / "js"


@pytest.fixture(params=["ready frames", "stock manager", "another WebSocket class"])
async def anyhow(request: pytest.FixtureRequest, runtime: Runtime, house: House) -> AsyncIterator[Served]:
    """The gateway with either fan-out of Socket.IO, and under uvicorn's own WebSocket class."""
    is_stock = request.param == "stock manager"
    runtime = dataclasses.replace(
        runtime, settings=dataclasses.replace(runtime.settings, stock_fanout=is_stock)
    )
    options = {"ws": "websockets-sansio"} if request.param == "another WebSocket class" else {}
    async with serve(runtime, house, **options) as served:
        yield served


async def test_javascript_clients_of_every_kind_get_everything_in_order(anyhow: Served) -> None:
    house = anyhow.house
    last = 120
    task = {
        "url": anyhow.http_url,
        "token": house.anna.token,
        "conversation_id": public_id("cnv", house.group),
        "modes": ["default", "websocket", "polling"],
        "each": 5,
        "last": last,
        "timeout_ms": 60_000,
    }
    async for line in _run_js(task):
        if isinstance(line, dict):
            assert line == {"ready": 15}
            for n in range(last):
                await house.append(house.group, f"Nr. {n} ёлка")
                await asyncio.sleep(0.003)
            continue
        results = line
    transports = {"default": "websocket", "websocket": "websocket", "polling": "polling"}
    assert len(results) == 15
    for result in results:
        assert result["error"] is None
        assert result["answer"]["ok"], result
        assert result["answer"]["data"]["head"]["number"] == 0
        assert result["numbers"] == list(range(1, last + 1)), result["mode"]
        assert result["transport"] == transports[result["mode"]]


async def _run_js(task: dict[str, Any]) -> AsyncIterator[Any]:
    node = shutil.which("node")
    assert node, "these tests need node: `make test` brings it"
    assert (JS / "node_modules").exists(), "these tests need the packages of tests/realtime/js: `make dev`"
    process = await asyncio.create_subprocess_exec(
        node, str(JS / "client.mjs"), json.dumps(task), stdout=asyncio.subprocess.PIPE, limit=2**22
    )
    assert process.stdout is not None
    async with asyncio.timeout(100):
        async for line in process.stdout:
            yield json.loads(line)
        assert await process.wait() == 0


class Pupil:
    """A Python Socket.IO client that keeps its frames."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.disconnected = asyncio.Event()
        self.client = SocketIoClient()
        self.client.on("frame", self.frames.append)
        self.client.on("disconnect", self._on_disconnect)

    def _on_disconnect(self, _reason: str) -> None:
        self.disconnected.set()

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(30):
            while not holds():
                await asyncio.sleep(0.005)

    def numbers(self, conversation: Any) -> list[int]:
        name = public_id("cnv", conversation)
        return [f["number"] for f in self.frames if f.get("stream") == name and f["type"] == "event"]


@pytest.fixture
async def pupil(anyhow: Served) -> AsyncIterator[Pupil]:
    """A client not yet connected."""
    pupil = Pupil()
    yield pupil
    await pupil.client.disconnect()
    await asyncio.sleep(0.05)  # aiohttp closes its connections in the next turns of the loop


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], None])
async def test_the_python_client_resumes_and_follows(
    anyhow: Served, pupil: Pupil, transports: list[str] | None
) -> None:
    house = anyhow.house
    first = await house.append(house.group)
    await house.append(house.group)
    await pupil.client.connect(anyhow.http_url, auth={"token": house.anna.token}, transports=transports)
    await pupil.until(lambda: pupil.frames)
    assert pupil.frames[0]["type"] == "answer"
    assert pupil.frames[0]["id"] == 0
    assert pupil.frames[0]["data"]["actor_id"] == house.anna.public
    command = {
        "id": 5, "do": "watch", "conversation_id": public_id("cnv", house.group),
        "cursor": {"number": 1, "tag": first.tag},
    }  # fmt: skip
    answer = await pupil.client.call("command", command)
    assert answer["ok"]
    await pupil.until(lambda: pupil.frames[-1] == answer)
    for _ in range(30):
        await house.append(house.group)
    await pupil.until(lambda: len(pupil.numbers(house.group)) >= 31)
    assert pupil.numbers(house.group) == list(range(2, 33))


@pytest.mark.parametrize("transports", [["websocket"], ["polling"]])
async def test_messages_that_come_together_arrive_in_order(
    anyhow: Served, runtime: Runtime, pupil: Pupil, transports: list[str]
) -> None:
    house = anyhow.house
    await pupil.client.connect(anyhow.http_url, auth={"token": house.anna.token}, transports=transports)
    command = {"id": 5, "do": "watch", "conversation_id": public_id("cnv", house.group)}
    assert (await pupil.client.call("command", command))["ok"]
    bus: Any = runtime.db.bus
    bus.is_lost = lambda _: True
    anyhow.gateway.fanout.on_hints([await house.append(house.group) for _ in range(40)])
    await pupil.until(lambda: len(pupil.numbers(house.group)) >= 40)
    assert pupil.numbers(house.group) == list(range(1, 41))


async def test_a_bad_token_is_refused_with_the_reason(anyhow: Served, pupil: Pupil) -> None:
    errors: list[Any] = []
    pupil.client.on("connect_error", errors.append)
    for auth in ({"token": "at_wrong"}, {"tokens": 1}, [1]):
        with pytest.raises(socketio.exceptions.ConnectionError):
            await pupil.client.connect(anyhow.http_url, auth=auth, transports=["websocket"])
    assert [error["data"]["code"] for error in errors] == ["unauthenticated", "malformed", "malformed"]
    assert anyhow.gateway.fanout.tally.sockets == 0


async def test_hello_may_come_as_a_command(anyhow: Served, pupil: Pupil) -> None:
    await pupil.client.connect(anyhow.http_url, transports=["websocket"])
    answer = await pupil.client.call("command", {"id": 1, "do": "hello", "token": anyhow.house.anna.token})
    assert answer["data"]["actor_id"] == anyhow.house.anna.public


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_an_ended_session_closes_the_transport(anyhow: Served, pupil: Pupil, transport: str) -> None:
    await pupil.client.connect(
        anyhow.http_url, auth={"token": anyhow.house.anna.token}, transports=[transport]
    )
    await pupil.client.emit("command", {"id": 9, "do": "renew", "token": "at_wrong"})
    await asyncio.wait_for(pupil.disconnected.wait(), 30)
    assert pupil.frames[-1]["error"]["code"] == "unauthenticated"
    await pupil.until(lambda: anyhow.gateway.fanout.tally.sockets == 0)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_more_than_120_commands_a_minute_close_the_connection(
    anyhow: Served, pupil: Pupil, transport: str
) -> None:
    await pupil.client.connect(
        anyhow.http_url, auth={"token": anyhow.house.anna.token}, transports=[transport]
    )
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(60):
        while not pupil.disconnected.is_set():
            for n in range(130):
                with contextlib.suppress(socketio.exceptions.BadNamespaceError):
                    await pupil.client.emit("command", {"id": n, "do": "ping"})
            await asyncio.sleep(0.2)
    earned = 2 * (loop.time() - began)
    answers = [frame for frame in pupil.frames if frame["type"] == "answer"]
    assert 119 <= sum(answer["ok"] for answer in answers) <= 121 + earned
    assert answers[-1]["error"]["code"] == "too_many_commands"
    await pupil.until(lambda: anyhow.gateway.fanout.tally.sockets == 0)


async def test_a_command_above_64_kb_closes_the_connection(anyhow: Served, pupil: Pupil) -> None:
    await pupil.client.connect(
        anyhow.http_url, auth={"token": anyhow.house.anna.token}, transports=["polling"]
    )
    large = {"id": 1, "do": "ping", "padding": "x" * 70_000}
    await pupil.client.emit("command", large)
    await asyncio.wait_for(pupil.disconnected.wait(), 30)
    async with _open_raw(anyhow) as raw:
        await raw.send("40" + json.dumps({"token": anyhow.house.anna.token}))
        await raw.send("42" + json.dumps(["command", large]))
        assert await _close_code(raw) == 1009
    await pupil.until(lambda: anyhow.gateway.fanout.tally.sockets == 0)


async def _close_code(raw: ClientConnection) -> int | None:
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(30):
            while True:
                await raw.recv()
    return raw.close_code


async def test_nonsense_is_survived(anyhow: Served, pupil: Pupil) -> None:
    house = anyhow.house
    await pupil.client.connect(anyhow.http_url, auth={"token": house.anna.token}, transports=["websocket"])
    for data in (
        None,
        1,
        "x",
        [1, 2],
        {"id": "x"},
        {"do": "watch"},
        b"bytes",
        ("a", "b"),
        {"id": 2**70, "do": "ping"},
    ):
        await pupil.client.emit("command", data)
    await pupil.client.emit("other", {"id": 1})
    answer = await pupil.client.call("command", {"id": 77, "do": "ping"})
    assert answer["ok"]
    async with aiohttp.ClientSession() as http:
        for method, path, body in (
            ("GET", "/socket.io/?EIO=4&transport=polling&sid=nobody", None),
            ("GET", "/socket.io/?EIO=3&transport=polling", None),
            ("POST", "/socket.io/?EIO=4&transport=polling&sid=nobody", b"4"),
            ("PUT", "/socket.io/", None),
        ):
            async with http.request(method, anyhow.http_url + path, data=body) as response:
                assert response.status in (400, 404, 405)
    for text in (
        "4",
        "",
        "9",
        "x",
        "2" + "[" * 5000,
        "4[[",
        "40{",
        "42",
        '42["command"',
        "451-[1]",
        "42" + "[" * 3000,
        b"\0",
    ):
        async with _open_raw(anyhow) as raw:
            await raw.send(text)
            await raw.send("40" + json.dumps({"token": house.boris.token}))
            try:
                while '"id":0' not in await raw.recv():
                    pass
            except ConnectionClosed:
                continue
    assert (await pupil.client.call("command", {"id": 78, "do": "ping"}))["ok"]


def _open_raw(served: Served, **options: Any) -> connect:
    url = f"ws://127.0.0.1:{served.port}/socket.io/?EIO=4&transport=websocket"
    return connect(url, compression=None, max_size=None, **options)


async def test_ready_frames_go_straight_to_the_wire_of_an_idle_websocket(
    runtime: Runtime, house: House
) -> None:
    for options, is_straight in (({}, True), ({"ws": "websockets-sansio"}, False)):
        async with serve(runtime, house, **options) as served:
            pupil = Pupil()
            await pupil.client.connect(served.http_url, auth={"token": house.anna.token})
            await pupil.client.call("command", {"id": 1, "do": "ping"})
            (engine_socket,) = served.gateway.asgi_socketio.server.eio.sockets.values()
            assert engine_socket.upgraded
            assert (find_idle_wire(engine_socket) is not None) is is_straight
            await pupil.client.disconnect()


async def test_a_foreign_page_is_refused(anyhow: Served) -> None:
    async with aiohttp.ClientSession() as http:
        headers = {"Origin": "https://evil.example"}
        url = f"{anyhow.http_url}/socket.io/?EIO=4&transport="
        async with http.get(url + "polling", headers=headers) as response:
            assert response.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(url + "websocket", headers=headers)


async def test_an_ordinary_emit_reaches_rooms_but_not_who_is_left_out(anyhow: Served) -> None:
    server = anyhow.gateway.asgi_socketio.server
    pupils = [Pupil() for _ in range(3)]
    heard: list[list[Any]] = [[], [], []]
    for pupil, said, transport in zip(pupils, heard, ("websocket", "websocket", "polling"), strict=True):
        pupil.client.on("news", lambda *arguments, said=said: said.append(arguments))
        await pupil.client.connect(
            anyhow.http_url, auth={"token": anyhow.house.anna.token}, transports=[transport]
        )
        await server.enter_room(pupil.client.get_sid(), "readers")
    for n in range(20):
        await server.emit("news", (n, "ёлка"), room="readers", skip_sid=pupils[0].client.get_sid())
    await server.emit("news", "last", room="readers")
    await pupils[0].until(lambda: all(said and said[-1] == ("last",) for said in heard))
    expected = [(n, "ёлка") for n in range(20)] + [("last",)]
    assert heard == [[("last",)], expected, expected]
    for pupil in pupils:
        await pupil.client.disconnect()
    await asyncio.sleep(0.05)


async def test_a_slow_reader_is_closed_while_others_go_on(anyhow: Served, pupil: Pupil) -> None:
    house, tally = anyhow.house, anyhow.gateway.fanout.tally
    name = public_id("cnv", house.group)
    await pupil.client.connect(anyhow.http_url, auth={"token": house.anna.token}, transports=["websocket"])
    await pupil.client.call("command", {"id": 1, "do": "watch", "conversation_id": name})
    async with _open_raw(anyhow, max_queue=1) as slow:
        await slow.send("40" + json.dumps({"token": house.boris.token}))
        await slow.send("42" + json.dumps(["command", {"id": 1, "do": "watch", "conversation_id": name}]))
        while '"is_live"' not in await slow.recv():
            pass
        count = 0
        while not tally.resyncs and count < 400:
            await house.append(house.group, "x" * 60_000)
            count += 1
        assert tally.resyncs == 1
        await pupil.until(lambda: len(pupil.numbers(house.group)) == count)
        assert pupil.numbers(house.group) == list(range(1, count + 1))
        async with asyncio.timeout(30):
            while tally.sockets > 1:
                await asyncio.sleep(0.05)
        await house.append(house.group)
        await pupil.until(lambda: len(pupil.numbers(house.group)) == count + 1)
        slow.transport.abort()


async def test_stopping_ends_polling_clients_too(runtime: Runtime, house: House) -> None:
    async with serve(runtime, house) as served:
        pupils = [Pupil(), Pupil()]
        for pupil, transport in zip(pupils, ("polling", "websocket"), strict=True):
            await pupil.client.connect(
                served.http_url, auth={"token": house.anna.token}, transports=[transport]
            )
        await served.gateway.stop()
        for pupil in pupils:
            await asyncio.wait_for(pupil.disconnected.wait(), 30)
        await asyncio.sleep(0.05)

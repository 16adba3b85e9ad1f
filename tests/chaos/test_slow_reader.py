"""One reader of a room stops reading: it alone is given up, and nobody else notices."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.sockets import Reader, Transport, open_readers, watch_all
from parley.realtime.session import RESYNC_BACKLOG_BYTES
from tests.hostile.wire import bounded
from tests.programs import Server, eventually, running

pytestmark = pytest.mark.anyio

READERS = 199
"""Beside the one that stops."""
TEXT = "щ" * 15_000
"""30 kB a frame."""
KERNEL_BYTES = 10 * 2**20
"""What the kernel's buffers of one socket on the loopback take at most, before anything waits in the process."""
GROWN_MB = 60
"""What the process may take while frames go to all: one backlog, and what an allocator keeps."""
KINDS: list[Transport] = ["ws", "socketio"]


class Room:
    """A group with readers."""

    def __init__(self, server: Server, place: str) -> None:
        self.server = server
        self.place = place
        self.readers: list[Reader] = []
        self.sent = 0

    async def send(self) -> int:
        """Send the next message; return its number."""
        self.sent += 1
        answer = await self.server.send(self.place, TEXT, f"{self.sent}")
        assert answer.status_code == 201, answer.text
        number: int = answer.json()["position"]
        return number

    async def require_all_seen(self, number: int) -> None:
        """Everybody comes to a number, with nothing missing, nothing twice."""

        async def is_everywhere() -> bool:
            return all(reader.last >= number for reader in self.readers)

        await eventually(is_everywhere)
        for reader in self.readers:
            assert (reader.skipped, reader.repeated, reader.is_closed) == (0, 0, False)

    async def resyncs(self) -> int:
        """Return how many readers the server has given up."""
        text = (await self.server.http.get("/metrics")).text
        found = re.search(r"^parley_realtime_resyncs_total (\d+)", text, re.MULTILINE)
        assert found is not None
        return int(found[1])


@contextlib.asynccontextmanager
async def open_room(folder: Path, dsn: str, kind: Transport) -> AsyncIterator[Room]:
    """Start a server with a group and its readers."""
    server = Server(folder, DATABASE_URL=dsn)
    async with running(server):
        await server.start()
        await server.set_up()
        made = await server.call("POST", "/v1/conversations", {"kind": "group", "title": "G", "members": []})
        room = Room(server, made["id"])
        room.readers = await open_readers(server.port, kind, [server.token] * READERS, lambda *_: None)
        await watch_all(room.readers, room.place)
        yield room
        for reader in room.readers:
            reader.close()
        await server.require_well()


async def open_slow(room: Room, kind: Transport) -> ClientConnection:
    """Connect a reader that watches the room and then takes nothing more."""
    # a small window, so that frames wait in the process and not in the kernel
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    door.connect(("127.0.0.1", room.server.port))
    door.setblocking(False)
    path = "/v1/ws" if kind == "ws" else "/socket.io/?EIO=4&transport=websocket"
    slow = await connect(
        f"ws://127.0.0.1:{room.server.port}{path}", sock=door, compression=None, max_size=None, max_queue=1,
        ping_interval=None,
    )  # fmt: skip
    watch = {"id": 2, "do": "watch", "conversation_id": room.place}
    if kind == "ws":
        await slow.send(json.dumps({"id": 1, "do": "hello", "token": room.server.token}))
        await slow.send(json.dumps(watch))
    else:
        await slow.send("40" + json.dumps({"token": room.server.token}))
        await slow.send("42" + json.dumps(["command", watch]))
    while '"is_live"' not in str(await slow.recv()):
        pass
    return slow


async def read_all(slow: ClientConnection) -> tuple[list[str], int | None]:
    """Take everything that was kept for it; return that and the close code."""
    texts = []
    with contextlib.suppress(ConnectionClosed):
        async for text in slow:
            texts.append(str(text))
    return texts, slow.close_code


@pytest.mark.parametrize("kind", KINDS)
async def test_of_two_hundred_readers_the_one_that_stops_is_given_up_and_the_others_miss_nothing(
    tmp_path: Path, database_url: str, kind: Transport
) -> None:
    async with open_room(tmp_path, database_url, kind) as room:
        slow = await open_slow(room, kind)
        number, unread = 0, 0
        with bounded(room.server, GROWN_MB):
            while not await room.resyncs():
                number = await room.send()
                unread += len(TEXT.encode())
                assert unread < RESYNC_BACKLOG_BYTES + KERNEL_BYTES
            texts, code = await read_all(slow)
            assert unread > RESYNC_BACKLOG_BYTES
            assert (code, '"resync"' in texts[-1]) == (4008, True)
            await room.require_all_seen(number)
        # it comes again and goes on, and so do the others
        again = await open_slow(room, kind)
        number = await room.send()
        assert '"message.created"' in str(await again.recv())
        await room.require_all_seen(number)
        assert await room.resyncs() == 1
        again.transport.abort()

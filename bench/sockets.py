"""Many raw WebSocket readers in one process, at about a microsecond a frame: no library stands between.

Frames are told apart by the ``"number":`` in them, which is how lost, doubled and disordered ones are counted.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

Transport = Literal["ws", "socketio", "bare"]
"""``/v1/ws``; ``/socket.io`` over WebSocket; a server that sends nothing but ready frames."""

OnEvent = Callable[[int, float], None]
"""Takes an event's number and the moment its bytes came."""

_UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_PATHS = {"ws": "/v1/ws", "socketio": "/socket.io/?EIO=4&transport=websocket", "bare": "/"}
_EVENT = b'"type":"event"'
_KEY = b'"number":'
_OPEN_AT_ONCE = 50


class Reader(asyncio.Protocol):
    """One socket. Frames of events go to ``on_event(number, moment)``; all others to `say`'s waiters."""

    def __init__(self, transport: Transport, path: str, on_event: OnEvent) -> None:
        self._kind = transport
        self._path = path
        self._on_event = on_event
        self._buffer = b""
        self._is_open = False
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()
        self.is_closed = False
        self.last = 0
        self.skipped = 0
        self.repeated = 0
        self.cursor: dict[str, int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # of TCP, it is one
        self._transport.write(_UPGRADE.format(path=self._path).encode())

    def connection_lost(self, _: Exception | None) -> None:
        """The other side has gone."""
        self.is_closed = True
        self._answers.put_nowait(b"")

    def data_received(self, data: bytes) -> None:
        """Cut frames out of the bytes: a server's are unmasked, ours here are never fragmented."""
        if self._buffer:
            data = self._buffer + data
        at = 0
        if not self._is_open:
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                self._buffer = data
                return
            self._is_open = True
            self._answers.put_nowait(data[:at])
        size = len(data)
        now = time.perf_counter()
        find = data.find
        while size - at >= 2:
            length, start = data[at + 1], at + 2
            if length == 126:
                length, start = int.from_bytes(data[at + 2 : at + 4]), at + 4
            elif length == 127:
                length, start = int.from_bytes(data[at + 2 : at + 10]), at + 10
            end = start + length
            if end > size or start > size:
                break
            if length > 40 and (found := find(_EVENT, start, start + 40)) >= 0:
                number_at = find(_KEY, found, end) + 9
                number = int(data[number_at : find(b",", number_at)])
                if number == self.last + 1:
                    self.last = number
                else:
                    self._amiss(number)
                self._on_event(number, now)
            else:
                self._take(data[at] & 15, data[start:end])
            at = end
        self._buffer = data[at:] if at < size else b""

    def _amiss(self, number: int) -> None:
        if number <= self.last:
            self.repeated += 1
        else:
            self.skipped += number - self.last - 1
            self.last = number

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == 1:
            if self._kind == "socketio" and payload == b"2":
                self.write("3")
            else:
                self._answers.put_nowait(payload)
        elif opcode == 9:
            self._transport.write(b"\x8a" + bytes((0x80 | len(payload),)) + bytes(4) + payload)
        elif opcode == 8:
            self._transport.close()

    # ------------------------------------------------------------ out

    def write(self, text: str) -> None:
        """Send a text frame, masked with zeros."""
        payload = text.encode()
        length = len(payload)
        head = bytes((0x81, 0x80 | length)) if length < 126 else b"\x81\xfe" + length.to_bytes(2)
        self._transport.write(head + bytes(4) + payload)

    async def answer(self) -> bytes:
        """Return the next thing that is no event. Raises: TimeoutError, ConnectionError."""
        said = await asyncio.wait_for(self._answers.get(), 60)
        if not said:
            raise ConnectionError("the socket was closed")
        return said

    async def ask(self, command_id: int, **command: object) -> dict[str, object]:
        """Give a command and return the data of its answer. Raises: RuntimeError when it is refused."""
        body = json.dumps({"id": command_id, **command})
        self.write(body if self._kind == "ws" else f'42["command",{body}]')
        while True:
            text = (await self.answer()).decode()
            if '"answer"' not in text:
                continue
            said = json.loads(text if self._kind == "ws" else text[2:])
            said = said[1] if isinstance(said, list) else said
            if said["id"] != command_id:
                continue
            if not said["ok"]:
                raise RuntimeError(f"{command} was refused: {said}")
            data: dict[str, object] = said["data"]
            return data

    async def watch(self, conversation_id: str, cursor: dict[str, int] | None = None) -> None:
        """Follow a conversation, from its head on or from a cursor; `cursor` is then where it is live."""
        more = {} if cursor is None else {"cursor": cursor}
        head = (await self.ask(2, do="watch", conversation_id=conversation_id, **more))["head"]
        assert isinstance(head, dict)
        self.cursor = head
        if cursor is None:
            self.last = head["number"]
        self.skipped += head["number"] - self.last  # what was missed comes before the answer

    def pause(self) -> None:
        """Take nothing more from the socket."""
        self._transport.pause_reading()

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


async def open_reader(
    port: int, transport: Transport, token: str, on_event: OnEvent, *, receive_buffer: int = 0
) -> Reader:
    """Connect one socket and say hello. ``receive_buffer``: bytes the kernel may keep for it."""
    loop = asyncio.get_running_loop()
    door = socket.socket()
    if receive_buffer:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    door.setblocking(False)
    await loop.sock_connect(door, ("127.0.0.1", port))
    _, reader = await loop.create_connection(
        lambda: Reader(transport, _PATHS[transport], on_event), sock=door
    )
    head = await reader.answer()
    if b" 101 " not in head.split(b"\r\n", 1)[0]:
        raise ConnectionError(head.decode("utf-8", "replace")[:300])
    if transport == "ws":
        await reader.ask(1, do="hello", token=token)
    elif transport == "socketio":
        await reader.answer()
        reader.write("40" + json.dumps({"token": token}))
        while b'"answer"' not in await reader.answer():
            continue
    return reader


async def open_readers(
    port: int, transport: Transport, tokens: Iterable[str], on_event: OnEvent
) -> list[Reader]:
    """Connect one socket for each token, some at a time."""
    gate = asyncio.Semaphore(_OPEN_AT_ONCE)

    async def open_one(token: str) -> Reader:
        async with gate:
            return await open_reader(port, transport, token, on_event)

    return list(await asyncio.gather(*(open_one(token) for token in tokens)))


async def watch_all(readers: Sequence[Reader], conversation_id: str) -> None:
    """Have every reader follow one conversation from its head on."""
    gate = asyncio.Semaphore(_OPEN_AT_ONCE)

    async def watch(reader: Reader) -> None:
        async with gate:
            await reader.watch(conversation_id)

    await asyncio.gather(*(watch(reader) for reader in readers))

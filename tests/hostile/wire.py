"""Raw connections to a program under test: whatever bytes a test likes, and what came back."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import struct
from collections.abc import Iterator
from typing import Any

import psutil

from bench.machine import cpu_seconds
from tests.programs import Server

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONT = 0
PATHS = {"ws": "/v1/ws", "socket.io": "/socket.io/?EIO=4&transport=websocket"}
ANSWER_SECONDS = 60.0
NOISE = re.compile(
    r'"level": "(error|critical)"|^(ERROR|CRITICAL) |Traceback|never retrieved|never awaited', re.MULTILINE
)
"""What the log of a server may not hold, whatever came over the wire."""

_opened: list[Raw] = []


class Raw:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> bool:
        """Send; False when the other side has closed."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except (ConnectionError, OSError):
            return False
        return True

    async def rest(self, seconds: float = ANSWER_SECONDS) -> bytes:
        """Return all that comes until the server closes. Raises: TimeoutError when it does not."""
        got = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(seconds):
                while part := await self.reader.read(65536):
                    got += part
        return got

    async def heads(self) -> bytes:
        """Return the head of an answer."""
        async with asyncio.timeout(ANSWER_SECONDS):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def frame(self) -> tuple[int, bytes]:
        """Return the next WebSocket frame of the server. Raises: IncompleteReadError at the end."""
        async with asyncio.timeout(ANSWER_SECONDS):
            head = await self.reader.readexactly(2)
            length = head[1] & 0x7F
            if length == 126:
                length = int.from_bytes(await self.reader.readexactly(2))
            elif length == 127:
                length = int.from_bytes(await self.reader.readexactly(8))
            return head[0] & 0x0F, await self.reader.readexactly(length)

    async def close_code(self) -> int | None:
        """Read on until the server closes; return the code it gave."""
        code = None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                opcode, payload = await self.frame()
                if opcode == CLOSE:
                    code = int.from_bytes(payload[:2])
                    self.writer.write(frame(CLOSE, payload[:2]))
        return code

    async def end(self) -> None:
        """Cut the connection."""
        self.writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def connect(server: Server) -> Raw:
    """Open a connection that says nothing yet."""
    raw = Raw(*await asyncio.open_connection("127.0.0.1", server.port))
    _opened.append(raw)
    return raw


async def end_all() -> None:
    """Cut every connection that a test has left open."""
    while _opened:
        await _opened.pop().end()


async def ask(server: Server, data: bytes, seconds: float = ANSWER_SECONDS) -> bytes:
    """Send some bytes on a connection of their own; return all that comes until the server closes it."""
    raw = await connect(server)
    await raw.send(data)
    try:
        return await raw.rest(seconds)
    finally:
        await raw.end()


async def upgrade(server: Server, path: str, **headers: str) -> Raw:
    """Open a WebSocket."""
    raw = await connect(server)
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    await raw.send(upgrade_request(server, path, more))
    head = await raw.heads()
    assert head.startswith(b"HTTP/1.1 101"), head
    return raw


def upgrade_request(server: Server, path: str, more: str = "") -> bytes:
    """Return the request that asks for a WebSocket."""
    key = base64.b64encode(b"0123456789abcdef").decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    ).encode("latin-1")


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    is_masked: bool = True,
    length: int | None = None,
    rsv: int = 0,
) -> bytes:
    """Return a client's frame; ``length`` may lie."""
    announced = len(payload) if length is None else length
    mask = 0x80 if is_masked else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if announced < 126:
        head += bytes([mask | announced])
    elif announced < 65536:
        head += struct.pack("!BH", mask | 126, announced)
    else:
        head += struct.pack("!BQ", mask | 127, announced)
    return head + (b"\0\0\0\0" if is_masked else b"") + payload


def command(number: int, do: str, **fields: Any) -> bytes:
    """Return a command's frame for ``/v1/ws``."""
    return frame(TEXT, json.dumps({"id": number, "do": do, **fields}).encode())


def megabytes(server: Server) -> float:
    """Return the resident memory of the server's own process."""
    return float(psutil.Process(server.pid).memory_info().rss) / 2**20


def require_calm(server: Server) -> None:
    """Fail when the server is gone or has logged an error."""
    assert not server.is_over()
    log = server.log()
    assert not NOISE.search(log), log[-4000:]


@contextlib.contextmanager
def bounded(server: Server, grown_megabytes: float) -> Iterator[None]:
    """Fail when the server's memory grows by more inside, or its log tells of an error."""
    before = megabytes(server)
    yield
    grown = megabytes(server) - before
    assert grown < grown_megabytes, f"{grown:.0f} MB more"
    require_calm(server)


@contextlib.asynccontextmanager
async def others_served(server: Server, slowest_seconds: float = 3.0) -> Any:
    """Ask for small things all the while; fail when somebody else's answer is slow or wrong.

    Slow: the server did something else for so long, by the CPU it used, as the machine may be busy with others.
    """
    slowest = 0.0

    async def go_on() -> None:
        nonlocal slowest
        while True:
            began = cpu_seconds(server.pid)
            answer = await server.http.get("/v1/me")
            assert answer.status_code == 200, answer.text
            slowest = max(slowest, cpu_seconds(server.pid) - began)
            await asyncio.sleep(0.05)

    task = asyncio.get_running_loop().create_task(go_on())
    try:
        yield
        await asyncio.sleep(0.1)
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert slowest < slowest_seconds, f"somebody waited for {slowest:.1f} s of work"

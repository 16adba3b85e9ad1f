"""A small HTTP client over kept connections: one request after another on each, JSON in and out."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections import deque
from types import TracebackType
from typing import Any, Self

import msgspec

IDLE_SECONDS = 2.0
"""Servers close what was idle for longer (Node: 5 s), maybe in the very moment in which it is asked again."""


class _Kept(asyncio.Protocol):
    """One connection; at most one request is under way on it."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[tuple[bytes, bytes]] | None = None
        self.is_closed = False
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # of TCP, it is one

    def connection_lost(self, error: Exception | None) -> None:
        """The server has closed it: while idle, or in the middle of an answer."""
        self.is_closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("closed before the answer"))

    def ask(self, request: bytes) -> asyncio.Future[tuple[bytes, bytes]]:
        """Send a request; the future gets the answer's head, in small letters, and its body."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        """Read head and body by Content-Length."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        head = self._buffer[:end].lower()
        at = head.index(b"content-length:") + 15
        wanted = end + int(head[at : head.index(b"\r", at)])
        if len(self._buffer) >= wanted and self._answer is not None and not self._answer.done():
            self._answer.set_result((head, self._buffer[end:wanted]))
            self._buffer = self._buffer[wanted:]

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


class Keeper:
    """Opens a connection when none is idle. ``wire_bytes``: length of the last answer's body as it came."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._idle: deque[_Kept] = deque()
        self.wire_bytes = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._idle:
            connection.close()

    async def post(self, path: str, body: object, token: str, **headers: str) -> Any:
        """Return the JSON of the answer. Raises: RuntimeError at another status than 200 or 201."""
        return await self._ask("POST", path, json.dumps(body).encode(), token, headers)

    async def get(self, path: str, token: str, **headers: str) -> Any:
        """As `post`."""
        return await self._ask("GET", path, b"", token, headers)

    async def _connection(self) -> _Kept:
        while self._idle:
            connection = self._idle.popleft()
            if not connection.is_closed and time.monotonic() - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.close()
        return (await asyncio.get_running_loop().create_connection(_Kept, *self._address))[1]

    async def _ask(self, method: str, path: str, body: bytes, token: str, headers: dict[str, str]) -> Any:
        connection = await self._connection()
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head, answer = await connection.ask(
            f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n{more}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        connection.idle_since = time.monotonic()
        self._idle.append(connection)
        self.wire_bytes = len(answer)
        if b"content-encoding: gzip" in head:
            answer = zlib.decompress(answer, wbits=31)
        if head[9:12] not in (b"200", b"201"):
            raise RuntimeError(answer.decode("utf-8", "replace")[:500])
        return msgspec.json.decode(answer)

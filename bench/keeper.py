"""A small HTTP client over kept connections: one request after another on each, JSON in and out."""

from __future__ import annotations

import asyncio
import json
import zlib
from types import TracebackType
from typing import Any, Self


class Keeper:
    """Opens a connection when none is idle. ``wire_bytes``: length of the last answer's body as it came."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.wire_bytes = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, writer in self._idle:
            writer.close()

    async def post(self, path: str, body: object, token: str, **headers: str) -> Any:
        """Return the JSON of the answer. Raises: RuntimeError at another status than 200 or 201."""
        return await self._ask("POST", path, json.dumps(body).encode(), token, headers)

    async def get(self, path: str, token: str, **headers: str) -> Any:
        """As `post`."""
        return await self._ask("GET", path, b"", token, headers)

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():  # servers close connections that were idle for seconds
                return reader, writer
            writer.close()
        return await asyncio.open_connection(*self._address, limit=2**24)

    async def _ask(self, method: str, path: str, body: bytes, token: str, headers: dict[str, str]) -> Any:
        reader, writer = await self._connection()
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n{more}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        answer = await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n", 1)[0]))
        self._idle.append((reader, writer))
        self.wire_bytes = len(answer)
        if b"content-encoding: gzip" in head:
            answer = zlib.decompress(answer, wbits=31)
        if head[9:12] not in (b"200", b"201"):
            raise RuntimeError(answer.decode("utf-8", "replace")[:500])
        return json.loads(answer)

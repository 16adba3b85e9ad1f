"""The generator: many requests in flight over keep-alive connections, at little cost of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

Request = Callable[[], tuple[bytes, str]]
"""Returns the bytes of the next request and the key it is remembered by."""


class ClosedLoop(asyncio.Protocol):
    """One connection: sends a request, waits for its answer, sends the next, until told to stop."""

    def __init__(self, make_request: Request, acknowledged: list[str], failed: list[bytes]) -> None:
        self._make_request = make_request
        self._acknowledged = acknowledged
        self._failed = failed
        self._buffer = b""
        self._key = ""
        self._wanted = -1
        self.is_running = True
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.latencies: list[float] = []
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # of TCP, it is one
        self._next()

    def connection_lost(self, _: Exception | None) -> None:
        """End."""
        if not self.done.done():
            self.done.set_result(None)

    def _next(self) -> None:
        if not self.is_running:
            self._transport.close()
            return
        body, self._key = self._make_request()
        self._sent_at = time.perf_counter()
        self._transport.write(body)

    def data_received(self, data: bytes) -> None:
        """Read one answer: status line, Content-Length, body."""
        self._buffer += data
        if self._wanted < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            self._wanted = end + 4 + length
        if len(self._buffer) < self._wanted:
            return
        status = self._buffer[9:12]
        if status in (b"200", b"201"):
            self._acknowledged.append(self._key)
            self.latencies.append(time.perf_counter() - self._sent_at)
        else:
            self._failed.append(self._buffer[: self._wanted])
        self._buffer = self._buffer[self._wanted :]
        self._wanted = -1
        self._next()


async def run_closed_loop(
    host: str, port: int, make_request: Request, *, in_flight: int, seconds: float
) -> tuple[float, list[str], list[bytes], list[float]]:
    """Keep ``in_flight`` requests under way for so long.

    Returns answers a second, the keys acknowledged, the answers that were failures, and latencies in seconds.
    """
    loop = asyncio.get_running_loop()
    acknowledged: list[str] = []
    failed: list[bytes] = []
    started = time.perf_counter()
    clients: list[ClosedLoop] = []
    for _ in range(in_flight):
        _, client = await loop.create_connection(
            lambda: ClosedLoop(make_request, acknowledged, failed), host, port
        )
        clients.append(client)
    await asyncio.sleep(seconds)
    count, elapsed = len(acknowledged), time.perf_counter() - started
    for client in clients:
        client.is_running = False
    await asyncio.wait([client.done for client in clients], timeout=10)
    return count / elapsed, acknowledged, failed, [item for client in clients for item in client.latencies]

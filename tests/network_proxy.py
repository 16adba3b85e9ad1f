"""A bad network in front of a server: a TCP proxy that delays, slows down, resets and goes silent."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import socket
from typing import Self

CHUNK_BYTES = 1400
"""About what one packet carries."""


@dataclasses.dataclass(kw_only=True)
class Weather:
    """How bad it is; may be changed at any time.

    ``latency_seconds`` one way, ``bytes_per_second`` for each connection and direction, ``reset_share`` of all chunks.
    """

    latency_seconds: float = 0.0
    bytes_per_second: float | None = None
    reset_share: float = 0.0


class NetworkProxy:
    """`async with NetworkProxy(port) as proxy`: what connects to `proxy.port` reaches the server through the weather."""

    def __init__(self, target_port: int, weather: Weather | None = None, *, seed: int = 1) -> None:
        self.weather = weather or Weather()
        self.port = 0
        self.connections = 0
        self.resets = 0
        self.swallowed = 0
        self._target_port = target_port
        self._random = random.Random(seed)
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where clients go."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=CHUNK_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for link in list(self._links):
            link.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def go_silent(self) -> list[_Link]:
        """Swallow from now on all that passes on the open connections, both ways, without a FIN or RST: they are half
        open. New connections are not concerned. Returns them."""
        links = [link for link in self._links if not link.is_silent]
        for link in links:
            link.is_silent = True
        self.swallowed += len(links)
        return links

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port, limit=CHUNK_BYTES)
        except OSError:
            writer.transport.abort()
            self._tasks.discard(task)
            return
        self.connections += 1
        link = _Link(writer, back)
        self._links.add(link)
        try:
            await asyncio.gather(self._carry(link, reader, back), self._carry(link, there, writer))
            link.close()
        except OSError:
            link.reset()
        except asyncio.CancelledError:
            link.reset()
        finally:
            self._links.discard(link)
            self._tasks.discard(task)

    async def _carry(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one direction on, each chunk after its delay, in order, with the end last."""
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(4096)
        arriving = asyncio.create_task(_deliver(link, under_way, writer, self.weather))
        try:
            while True:
                chunk = await reader.read(CHUNK_BYTES)
                if not chunk and writer is link.client:
                    link.server_ended_at = loop.time()
                if self._random.random() < self.weather.reset_share and not link.is_silent:
                    self.resets += 1
                    raise ConnectionResetError
                await under_way.put((loop.time() + self.weather.latency_seconds, chunk))
                if not chunk:
                    break
            await arriving
        except OSError:
            if writer is link.client:
                link.server_ended_at = loop.time()
            if link.is_silent:
                await asyncio.Event().wait()  # neither side is told
            raise
        finally:
            arriving.cancel()
            await asyncio.gather(arriving, return_exceptions=True)


class _Link:
    """One connection through the proxy. ``server_ended_at``: when the server let go of it, in the loop's time."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.is_silent = False
        self.server_ended_at: float | None = None

    def reset(self) -> None:
        """Break both sides with RST."""
        for writer in (self.client, self.server):
            sock = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.transport.abort()

    def close(self) -> None:
        """Both sides have ended."""
        self.client.close()
        self.server.close()


async def _deliver(
    link: _Link, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, weather: Weather
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due, chunk = await under_way.get()
        await asyncio.sleep(due - loop.time())
        if link.is_silent:
            continue
        if not chunk:
            with contextlib.suppress(OSError):
                writer.write_eof()
            return
        writer.write(chunk)
        await writer.drain()
        if weather.bytes_per_second:
            await asyncio.sleep(len(chunk) / weather.bytes_per_second)

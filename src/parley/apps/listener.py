"""Listening sockets whose connections are accepted one in each turn of the event loop.

asyncio's servers accept all that wait at once: two thousand clients that come back in the same moment stopped the loop for
as long as it takes to accept and greet every one of them, and whoever was connected waited. Here they come in between
what else there is to do, however long that takes.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import structlog

from parley.infra.failures import describe_failure

ACCEPTS_A_TURN = 1
"""With the request that follows, a quarter of a millisecond of a turn."""
RETRY_SECONDS = 0.2
"""After there was no file left for a connection."""

log = structlog.get_logger()


class Listener:
    """Has the shape uvicorn expects of an asyncio server: `sockets`, `close`, `wait_closed`."""

    def __init__(self, make_protocol: Callable[[], asyncio.Protocol], sockets: list[socket.socket]) -> None:
        self.sockets = sockets
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._greeted: set[asyncio.Task[None]] = set()
        for one in sockets:
            self._loop.add_reader(one, self._accept, one)

    def close(self) -> None:
        """Listen no longer; connections that were accepted stay."""
        for one in self.sockets:
            self._loop.remove_reader(one)
            one.close()
        self.sockets = []

    async def wait_closed(self) -> None:
        """Return when nothing is being accepted any more."""
        if self._greeted:
            await asyncio.wait(self._greeted)

    def _accept(self, door: socket.socket) -> None:
        for _ in range(ACCEPTS_A_TURN):
            try:
                connection, _address = door.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # out of files or memory: those who wait keep waiting, which beats spinning
                log.warning("listener.not_accepting", error=describe_failure(error))
                self._loop.remove_reader(door)
                self._loop.call_later(RETRY_SECONDS, self._listen_again, door)
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._greet(connection))
            self._greeted.add(task)
            task.add_done_callback(self._greeted.discard)

    def _listen_again(self, door: socket.socket) -> None:
        if door in self.sockets:
            self._loop.add_reader(door, self._accept, door)

    async def _greet(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, connection)
        except OSError as error:  # it has gone already
            log.debug("listener.connection_lost", error=describe_failure(error))
            connection.close()


async def listen(
    make_protocol: Callable[[], asyncio.Protocol], host: str, port: int, *, backlog: int
) -> Listener:
    """Listen at every address of a host. Raises: OSError when one is in use or is not ours."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            if family == socket.AF_INET6 and not _has_ipv6():
                continue
            one = socket.socket(family, kind, protocol)
            sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.setblocking(False)
            one.bind(address)
            one.listen(backlog)
    except OSError:
        for one in sockets:
            one.close()
        raise
    return Listener(make_protocol, sockets)


def _has_ipv6() -> bool:
    """Whether the kernel knows IPv6 at all."""
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True

"""Connections come in a few at a time, all of them, and an address that is taken is said in words."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import resource
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import pytest

from parley.apps.listener import ACCEPTS_A_TURN, Listener, listen
from parley.apps.server import Server
from parley.infra.settings import BadSetting, load_settings

pytestmark = pytest.mark.anyio
BACKLOG = 512


class Greeter(asyncio.Protocol):
    """Says one byte to whoever comes."""

    greeted: ClassVar[list[asyncio.BaseTransport]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.greeted.append(transport)
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"!")


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    Greeter.greeted.clear()
    listener = await listen(Greeter, "127.0.0.1", 0, backlog=BACKLOG)
    yield listener
    listener.close()
    await listener.wait_closed()
    for transport in Greeter.greeted:
        transport.close()


async def greeted(listener: Listener) -> bytes:
    reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
    try:
        async with asyncio.timeout(30):
            return await reader.readexactly(1)
    finally:
        writer.close()


async def test_a_crowd_comes_in_whole() -> None:
    async with listening() as listener:
        assert await asyncio.gather(*(greeted(listener) for _ in range(BACKLOG))) == [b"!"] * BACKLOG


async def test_what_else_waits_comes_between_connections() -> None:
    async with listening() as listener:
        count = 10 * ACCEPTS_A_TURN
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                stack.enter_context(socket.create_connection(listener.sockets[0].getsockname()))
            came = [len(Greeter.greeted)]
            while came[-1] < count:
                await asyncio.sleep(0)
                came.append(len(Greeter.greeted))
        assert max(after - before for before, after in itertools.pairwise(came)) <= ACCEPTS_A_TURN


async def test_without_files_left_those_who_wait_are_taken_later() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with listening() as listener:
        with socket.create_connection(listener.sockets[0].getsockname()) as waiting:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            try:
                await asyncio.sleep(0.05)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert not Greeter.greeted
            waiting.settimeout(30)
            assert await asyncio.to_thread(waiting.recv, 1) == b"!"


async def test_nobody_comes_in_after_the_close() -> None:
    async with listening() as listener:
        address = listener.sockets[0].getsockname()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


async def test_an_address_that_is_taken_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("PARLEY_DATA_DIR", str(tmp_path))
        monkeypatch.setenv("PARLEY_HOST", "127.0.0.1")
        monkeypatch.setenv("PARLEY_PORT", str(taken.getsockname()[1]))
        with pytest.raises(BadSetting, match=r"already in use.*PARLEY_PORT"):
            await Server(load_settings(), None).startup()

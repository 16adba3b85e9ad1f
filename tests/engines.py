"""Servers under test, each on a private port with a folder of its own: Debian's Redis, and one that speaks S3."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
from redis.asyncio import Redis

from tests.ports import free_port
from tests.programs import Program, eventually


def find_program(name: str) -> str:
    """Return where a program of Debian's lies. Raises: AssertionError, naming what installs it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    assert found, f"{name} is missing: run scripts/system_packages.py"
    return found


class PortProgram(Program):
    """A program that is ready when its port answers."""

    port: int

    async def start(self) -> None:
        """Start and wait until it answers."""
        await self.launch()

        async def answers() -> bool:
            assert not self.is_over(), self.log()
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return True
            return False

        await eventually(answers)


class S3Server(PortProgram):
    """A stand-in of S3 that speaks its protocol, with a bucket; both are gone with the process."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://key:se%2Fcret@127.0.0.1:{self.port}/files?region=eu-central-1"
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        super().__init__("s3", command, folder, {})

    async def start(self) -> None:
        """Start, wait until it answers, make the bucket."""
        await super().start()
        async with httpx2.AsyncClient(trust_env=False) as http:
            made = await http.put(f"http://127.0.0.1:{self.port}/files")
        assert made.status_code == 200, made.text


class RedisServer(PortProgram):
    """A Redis that keeps nothing, to be killed and started again on its port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": folder}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        super().__init__(f"redis-{self.port}", [find_program("redis-server"), *words], folder, {})

    async def flush(self) -> None:
        """Empty it, and cut everybody off."""
        client = Redis.from_url(self.url)
        await client.flushall()
        await client.client_kill_filter(_type="pubsub", skipme=True)
        await client.aclose()


@contextlib.asynccontextmanager
async def running_redis(folder: Path) -> AsyncIterator[RedisServer]:
    """A Redis for the length of a test."""
    server = RedisServer(folder)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()
        server.show()

"""A PostgreSQL of the operator's own, by DATABASE_URL and a role that is no superuser."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.programs import Provider, Server, Site, running

pytestmark = pytest.mark.anyio

INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


@pytest.fixture
def foreign_url() -> Iterator[str]:
    """A server of the system's PostgreSQL, with a database and a role that may make roles."""
    if not INSTALLED:
        pytest.skip("the system has no PostgreSQL of its own")
    folder = Path(tempfile.mkdtemp(prefix="parley-foreign-"))
    port = free_port()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    tools = INSTALLED[-1].parent
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    try:
        run(tools / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8")
        run(tools / "pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start")
        for statement in ("CREATE ROLE desk LOGIN CREATEROLE", "CREATE DATABASE desk OWNER desk"):
            run(tools / "psql", "-h", folder, "-p", port, "-U", "postgres", "-c", statement)
        yield f"postgresql://desk@127.0.0.1:{port}/desk"
    finally:
        run(tools / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
        shutil.rmtree(folder)


def run(program: Path, *arguments: object) -> None:
    """Run a tool as an account that PostgreSQL accepts."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    command = [*prefix, str(program), *map(str, arguments)]
    # a daemon it starts must not hold our pipes
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def test_a_foreign_database_carries_the_main_job(tmp_path: Path, foreign_url: str) -> None:
    provider = Provider(tmp_path)
    server = Server(tmp_path, DATABASE_URL=foreign_url, PARLEY_TELEGRAM_API_URL=provider.api_url)
    async with running(server, provider):
        await provider.start()
        await server.start()
        await server.set_up()
        bot = await provider.make_bot()
        request = {"channel": "telegram", "secrets": {"token": bot.token}}
        site = Site(server, provider, bot, await server.call("POST", "/v1/inboxes", request))
        [(chat, place)] = await site.open_conversations(1)
        await site.send_all(place, ["hello"])
        assert await site.until_settled(place) == {"hello": "sent"}
        assert await chat.accepted() == ["hello"]
        assert await server.stop() == 0
        await server.start()
        assert len(await server.messages(place)) == 2
        assert not (server.data_dir / "postgres").exists()

"""The embedded PostgreSQL is killed under load: the server recovers by itself and nothing acknowledged is missing."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from parley.infra.postgres import EmbeddedPostgres
from tests.programs import Json, Provider, Server, Site, eventually, running

pytestmark = pytest.mark.anyio


async def test_the_server_outlives_its_database(tmp_path: Path) -> None:
    await _kill_under_load(tmp_path, kills=2, more=50)


@pytest.mark.long
async def test_the_server_outlives_its_database_killed_again_and_again(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    count = await _kill_under_load(tmp_path, kills=25, more=300)
    # a client waits for its answer, so what it sent was acknowledged in the end
    figures(
        acknowledged=count,
        lost=0,
        doubled=0,
        disordered=0,
        faults="25 x kill -9 of PostgreSQL, 1 of the server",
    )


async def _kill_under_load(tmp_path: Path, *, kills: int, more: int) -> int:
    """Kill PostgreSQL so often, each time after so many messages more; return how many notes were acknowledged."""
    provider = Provider(tmp_path)
    server = Server(tmp_path, PARLEY_TELEGRAM_API_URL=provider.api_url)
    async with running(server, provider):
        await asyncio.gather(provider.start(), server.start())
        await server.set_up()
        bot = await provider.make_bot()
        request = {"channel": "telegram", "secrets": {"token": bot.token}}
        site = Site(server, provider, bot, await server.call("POST", "/v1/inboxes", request))
        places = await site.open_conversations(4)
        acknowledged: list[Json] = []
        is_over = False

        async def client(number: int) -> None:
            n = 0
            while not is_over:
                place = places[number % len(places)][1]
                answer = await server.send_until_taken(place, f"{number}/{n}", f"{number}/{n}", kind="note")
                acknowledged.append(answer.json())
                n += 1

        async with asyncio.TaskGroup() as tasks:
            for number in range(8):
                tasks.create_task(client(number))
            for _ in range(kills):
                before = len(acknowledged)
                os.kill(_postmaster(server), signal.SIGKILL)
                for chat, _ in places:
                    await chat.write("are you there?")

                async def goes_on(before: int = before) -> bool:
                    return len(acknowledged) > before + more

                await eventually(goes_on, seconds=60)
            is_over = True

        async def heard() -> bool:
            rows = await server.conversations()
            return all(row["last_number"] == kills + 1 for row in rows)

        await eventually(heard, seconds=60)
        stored = {
            message["id"]: message
            for _, place in places
            for message in await site.require_dense(EmbeddedPostgres(server.data_dir).dsn(), place)
        }
        for answer in acknowledged:
            assert stored[answer["id"]]["position"] == answer["position"]
        assert len([m for m in stored.values() if m["kind"] == "note"]) == len(acknowledged)

        # the server dies too: the next one takes over the database that was left running
        left = _postmaster(server)
        await server.restart()
        assert _postmaster(server) == left
        assert await heard()
        await server.require_well()
        assert await server.stop() == 0
        assert not list(server.data_dir.rglob("postmaster.pid"))
        return len(acknowledged)


def _postmaster(server: Server) -> int:
    [path] = server.data_dir.rglob("postmaster.pid")
    return int(path.read_text().splitlines()[0])

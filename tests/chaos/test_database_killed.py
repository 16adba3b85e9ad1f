"""The embedded PostgreSQL is killed under load: the server recovers by itself and nothing acknowledged is missing.

Clients follow all along, and in the end each of them equals the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from parley.infra.postgres import EmbeddedPostgres
from tests.programs import Chat, Json, Provider, Server, Site, eventually, running
from tests.replica import Replica, until_equal
from tests.senders import Sender, count_seen, require_as_told, shown_by

pytestmark = pytest.mark.anyio


SENDERS = 8
READERS = 2


async def test_the_server_outlives_its_database(tmp_path: Path) -> None:
    await _kill_under_load(tmp_path, kills=2, more=50)


@pytest.mark.long
async def test_the_server_outlives_its_database_killed_again_and_again(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    counted = await _kill_under_load(tmp_path, kills=25, more=300)
    figures(**counted, faults="25 x kill -9 of PostgreSQL, 1 of the server")


async def _kill_under_load(tmp_path: Path, *, kills: int, more: int) -> Json:
    """Kill PostgreSQL so often, each time after so many messages more; return what was counted."""
    provider = Provider(tmp_path)
    server = Server(tmp_path, PARLEY_TELEGRAM_API_URL=provider.api_url)
    async with running(server, provider):
        await asyncio.gather(provider.start(), server.start())
        await server.set_up()
        bot = await provider.make_bot()
        request = {"channel": "telegram", "secrets": {"token": bot.token}}
        site = Site(server, provider, bot, await server.call("POST", "/v1/inboxes", request))
        places = await site.open_conversations(4)
        streams = [place for _, place in places]
        senders = [Sender(server.http, streams[n % 4], f"{n}") for n in range(SENDERS)]
        async with _reading(server, streams) as readers:
            await _send_through_kills(server, [chat for chat, _ in places], senders, kills=kills, more=more)
            dsn = EmbeddedPostgres(server.data_dir).dsn()
            stored = {place: await site.require_dense(dsn, place) for place in streams}
            wrong = Counter(require_as_told(senders, stored))
            notes = [one for found in stored.values() for one in found if one["kind"] == "note"]
            assert len(notes) == sum(len(sender.answers) for sender in senders)
            await _require_read(readers, streams, senders, wrong)

            # the server dies too: the next one takes over the database that was left running
            left = _postmaster(server)
            await server.restart()
            assert _postmaster(server) == left
            assert await _is_heard(server, kills + 1)
            await _require_read(readers, streams, senders, wrong)
            seen = count_seen(readers)
            # they followed all along: what came after their first look came to them as events
            assert seen == READERS * (len(notes) + kills * len(places))
        await server.require_well()
        assert await server.stop() == 0
        assert not server.postmaster_file.exists()
        sent = sum(sender.attempts for sender in senders)
        return {"sent": sent, "acknowledged": len(notes), "seen": seen, **wrong}


async def _send_through_kills(
    server: Server, chats: list[Chat], senders: list[Sender], *, kills: int, more: int
) -> None:
    """Send all the while; return when what customers wrote at each kill was heard."""
    is_over = False

    def acknowledged() -> int:
        return sum(len(sender.answers) for sender in senders)

    async with asyncio.TaskGroup() as tasks:
        for sender in senders:
            tasks.create_task(sender.send_until(lambda: is_over))
        for _ in range(kills):
            before = acknowledged()
            os.kill(_postmaster(server), signal.SIGKILL)
            for chat in chats:
                await chat.write("are you there?")

            async def goes_on(before: int = before) -> bool:
                return acknowledged() > before + more

            await eventually(goes_on, seconds=60)
        is_over = True
    await eventually(lambda: _is_heard(server, kills + 1), seconds=60)


async def _is_heard(server: Server, count: int) -> bool:
    """Whether each customer was heard so often."""
    return all(row["last_number"] == count for row in await server.conversations())


@contextlib.asynccontextmanager
async def _reading(server: Server, places: list[str]) -> AsyncIterator[list[Replica]]:
    """Clients that follow the places from now on."""
    async with contextlib.AsyncExitStack() as stack:
        readers = [
            await stack.enter_async_context(Replica(server.url, server.token, name=f"reader {n}"))
            for n in range(READERS)
        ]
        await asyncio.gather(*(reader.follow(place) for reader in readers for place in places))
        yield readers


async def _require_read(
    readers: list[Replica], places: list[str], senders: list[Sender], wrong: Counter[str]
) -> None:
    """Each reader equals the database and was told nothing twice, too late or not at all."""
    await until_equal(readers, places, seconds=60)
    for reader in readers:
        assert reader.faults() == []
        wrong.update(require_as_told(senders, shown_by(reader, places)))


def _postmaster(server: Server) -> int:
    return int(server.postmaster_file.read_text().splitlines()[0])

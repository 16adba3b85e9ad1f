"""The server is killed while customers write: what the provider was told is taken becomes one message, in order."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs import Chat, Json, Site, eventually, open_site

pytestmark = pytest.mark.anyio

CUSTOMERS = 8


@pytest.mark.parametrize("is_webhook", [True, False], ids=["webhook", "polling"])
async def test_every_update_taken_is_one_message_in_order_when_the_server_is_killed(
    tmp_path: Path, database_url: str, is_webhook: bool
) -> None:
    async with open_site(tmp_path, is_webhook=is_webhook, DATABASE_URL=database_url) as site:
        await _write_through_kills(site, database_url, kills=3, seconds=0.6)


@pytest.mark.long
@pytest.mark.parametrize("is_webhook", [True, False], ids=["webhook", "polling"])
async def test_every_update_taken_is_one_message_after_many_kills(
    tmp_path: Path, database_url: str, is_webhook: bool, figures: Callable[..., None]
) -> None:
    async with open_site(tmp_path, is_webhook=is_webhook, DATABASE_URL=database_url) as site:
        count = await _write_through_kills(site, database_url, kills=20, seconds=3.0)
        way = "webhook" if is_webhook else "polling"
        done = f"20 x kill -9 of the server, updates by {way}"
        figures(sent=count, seen=count, lost=0, doubled=0, disordered=0, faults=done)


async def _write_through_kills(site: Site, dsn: str, *, kills: int, seconds: float) -> int:
    """Kill the server so often, each time while customers write; they say no more in a life of it however long it is."""
    chats = [await site.bot.make_chat(f"Customer {n}") for n in range(CUSTOMERS)]
    said: dict[str, list[str]] = defaultdict(list)
    is_over = False
    allowed = most = int(25 * seconds)

    async def customer(chat: Chat) -> None:
        while not is_over:
            count = len(said[str(chat.customer_id)])
            if count >= allowed:
                await asyncio.sleep(0.02)
                continue
            text = f"{chat.customer_id}/{count}"
            if count % 6 == 5:
                await chat.send_files("document", [(f"{count}.txt", b"words", "text/plain")], caption=text)
            else:
                await chat.write(text)
            said[str(chat.customer_id)].append(text)
            await asyncio.sleep(random.uniform(0.0, 0.08))

    async with asyncio.TaskGroup() as tasks:
        for chat in chats:
            tasks.create_task(customer(chat))
        for _ in range(kills):
            await asyncio.sleep(random.uniform(seconds / 2, seconds))
            await site.server.restart()
            allowed += most
        await asyncio.sleep(0.2)
        is_over = True

    heard = await eventually(lambda: _all_heard(site, said), seconds=120)
    assert heard == said
    for row in await site.server.conversations():
        await site.require_dense(dsn, row["id"])

    async def all_confirmed() -> bool:
        return await site.bot.pending() == []

    # a poll confirms what the poll before it brought
    await eventually(all_confirmed)
    await eventually(lambda: _all_fetched(site))
    return sum(map(len, said.values()))


async def _all_fetched(site: Site) -> int:
    """Return how many files were fetched, once none is on its way."""
    files = [
        file
        for row in await site.server.conversations()
        for message in await site.server.messages(row["id"])
        for file in message["attachments"]
    ]
    return len(files) if all(file["state"] == "ready" for file in files) else 0


async def _all_heard(site: Site, said: dict[str, list[str]]) -> dict[str, list[str]] | None:
    """Return the texts of each customer in the order of the desk, once there are as many as were said."""
    heard = {}
    rows = await site.server.conversations()
    if sum(row["last_number"] for row in rows) < sum(map(len, said.values())):
        return None
    assert len(rows) == len({row["contact"]["address"] for row in rows})
    for row in rows:
        stored = await site.server.messages(row["id"])
        heard[row["contact"]["address"]] = [message["text"] for message in stored]
    return heard


async def test_the_same_update_five_times_in_parallel_is_one_message(
    tmp_path: Path, database_url: str
) -> None:
    async with open_site(tmp_path, is_webhook=True, DATABASE_URL=database_url) as site:
        await site.provider.fault("duplicate_updates", copies=5, times=None)
        chat = await site.bot.make_chat()
        await chat.write("first")
        await chat.write("second")
        await eventually(lambda: _taken(site, at_least=10))
        await site.provider.heal()
        first = min(attempt["update_id"] for attempt in await site.bot.attempts())
        repeated = await site.provider.call(
            "POST", f"bots/{site.bot.id}/repeat", {"update_id": first, "copies": 5}
        )
        assert repeated["statuses"] == [200] * 5
        await eventually(lambda: _journal_is_done(site, at_least=15))
        [row] = await site.server.conversations()
        stored = await site.require_dense(database_url, row["id"])
        assert [message["text"] for message in stored] == ["first", "second"]
        contacts = await site.server.call("GET", "/v1/contacts")
        assert len(contacts["items"]) == 1


@pytest.mark.parametrize("fault", ["", "reorder_updates", "duplicate_updates"])
async def test_an_album_of_ten_is_one_message(tmp_path: Path, database_url: str, fault: str) -> None:
    async with open_site(tmp_path, is_webhook=True, DATABASE_URL=database_url) as site:
        if fault == "reorder_updates":
            await site.provider.fault(fault, count=10, seconds=2)
        elif fault:
            await site.provider.fault(fault, copies=3, times=None)
        chat = await site.bot.make_chat()
        files = [(f"{n}.txt", f"page {n}".encode(), "text/plain") for n in range(10)]
        await chat.send_files("document", files, caption="the pages")

        async def is_whole() -> Json:
            rows = await site.server.conversations()
            stored = await site.server.messages(rows[0]["id"]) if rows else []
            attachments = [file for message in stored for file in message["attachments"]]
            is_ready = len(attachments) >= 10 and all(file["state"] == "ready" for file in attachments)
            return stored if is_ready else None

        stored = await eventually(is_whole)
        assert len(stored) == 1
        [message] = stored
        assert message["text"] == "the pages"
        names = [file["name"] for file in message["attachments"]]
        assert sorted(names) == [f"{n}.txt" for n in range(10)]
        [row] = await site.server.conversations()
        await site.require_dense(database_url, row["id"])


async def _taken(site: Site, *, at_least: int) -> bool:
    return len([one for one in await site.bot.attempts() if one["status"] == 200]) >= at_least


async def _journal_is_done(site: Site, *, at_least: int) -> bool:
    page = await site.server.call("GET", "/v1/desk/journal?limit=100")
    return len(page["items"]) >= at_least and all(item["state"] == "done" for item in page["items"])

"""Killed while the provider is being asked: at most one message there, and what is not certain says so."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs import Chat, Json, Site, eventually, open_site

pytestmark = pytest.mark.anyio


async def test_a_call_under_way_at_the_kill_is_unknown_until_a_person_decides(
    tmp_path: Path, database_url: str
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        (marked, first), (again, second) = await site.open_conversations(2)
        for chat in (marked, again):
            await site.provider.fault("hang_after", chat_id=chat.customer_id, seconds=20)
        ids = {place: await site.send_all(place, ["one", "two", "three"]) for place in (first, second)}

        async def both_arrived() -> bool:
            return await marked.accepted() == await again.accepted() == ["one"]

        await eventually(both_arrived)
        assert await site.states(first) == {"one": "sending", "two": "queued", "three": "queued"}
        await site.server.restart()
        for chat, place in ((marked, first), (again, second)):
            expected = {"one": "unknown", "two": "sent", "three": "sent"}
            assert await site.until_settled(place) == expected
            assert await chat.accepted() == ["one", "two", "three"]

        answer = await site.act(first, ids[first]["one"], "mark_sent")
        assert answer["status"] == {"state": "sent", "error": None}
        answer = await site.act(second, ids[second]["one"], "send_again")
        assert answer["status"]["state"] == "queued"
        assert await site.until_settled(second) == dict.fromkeys(["one", "two", "three"], "sent")
        assert await again.accepted() == ["one", "two", "three", "one"]
        assert await marked.accepted() == ["one", "two", "three"]
        for place in (first, second):
            await site.require_dense(database_url, place)


async def test_every_message_is_at_the_provider_at_most_once_and_in_order_after_kills(
    tmp_path: Path, database_url: str
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        await _deliver_through_kills(site, kills=3, chats=6, each=4)


@pytest.mark.long
async def test_every_message_is_at_the_provider_at_most_once_after_many_kills(
    tmp_path: Path, database_url: str, figures: Callable[..., None]
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        figures(**await _deliver_through_kills(site, kills=20, chats=16, each=60))


async def _deliver_through_kills(site: Site, *, kills: int, chats: int, each: int) -> Json:
    places = await site.open_conversations(chats)
    # the provider works on although its caller died, and answers late: nearly always somebody is being asked
    await site.provider.fault("slow", method="sendMessage", seconds=0.9, times=None)
    texts = [f"{n}" for n in range(each)]
    async with asyncio.TaskGroup() as tasks:
        for _, place in places:
            tasks.create_task(site.send_all(place, texts))
        for _ in range(kills):
            await eventually(lambda: _is_asking(site, places))
            await asyncio.sleep(random.uniform(0.0, 0.2))
            await site.server.restart()
    unknown = seen = 0
    for chat, place in places:
        found = await site.until_settled(place, seconds=120 + 2 * each)
        unknown += list(found.values()).count("unknown")
        assert set(found.values()) <= {"sent", "unknown"}, found
        seen += await _require_once_in_order(chat, texts, found)
    assert unknown > 0  # else no kill came while the provider was asked
    done = f"{kills} x kill -9 of the server while the provider was asked, {unknown} messages not certain"
    certain = chats * each - unknown
    right = {"lost": 0, "doubled": 0, "disordered": 0}
    return {"sent": chats * each, "acknowledged": certain, "seen": seen, **right, "faults": done}


async def _is_asking(site: Site, places: list[tuple[Chat, str]]) -> bool:
    """Whether the provider is asked right now; true at the end as well, when nothing is left to ask."""
    found = [state for _, place in places for state in (await site.states(place)).values()]
    return "sending" in found or not {"queued", "sending"} & set(found)


async def _require_once_in_order(chat: Chat, texts: list[str], found: dict[str, str]) -> int:
    """Check what arrived; return how many did."""
    arrived = await chat.accepted()
    assert len(arrived) == len(set(arrived))
    assert arrived == [text for text in texts if text in arrived]
    assert {text for text, state in found.items() if state == "sent"} <= set(arrived)
    return len(arrived)

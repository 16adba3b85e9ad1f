"""The provider misbehaves: its answer alone decides what becomes of a message."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.network_proxy import NetworkProxy, Weather
from tests.programs import Chat, Json, Site, eventually, open_site
from tests.report import compare

pytestmark = pytest.mark.anyio


async def _status(site: Site, conversation_id: str, text: str) -> Json:
    stored = await site.server.messages(conversation_id)
    return next(message["status"] for message in stored if message["text"] == text)


async def _calls(site: Site, chat: Chat, method: str = "sendMessage") -> list[Json]:
    found = await site.provider.call("GET", f"calls?bot_id={site.bot.id}&limit=1000")
    mine = [call for call in found["calls"] if call["chat_id"] == chat.customer_id]
    return [call for call in reversed(mine) if call["method"].lower() == method.lower()]


async def test_answers_of_the_provider_become_states(tmp_path: Path, database_url: str) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        places = await site.open_conversations(5)
        faults: list[Json] = [
            {"action": "answer", "status": 429, "retry_after": 2},
            {"action": "answer", "status": 502},
            {"action": "reset_before"},
            {"action": "reset_after"},
            {"action": "answer", "status": 400, "description": "Bad Request: message is too strange"},
        ]
        for (chat, place), fault in zip(places, faults, strict=True):
            await site.provider.fault(chat_id=chat.customer_id, method="sendMessage", **fault)
            await site.send_all(place, ["one", "two"])
        limited, broken, unheard, unanswered, refused = places

        for chat, place in (limited, broken):
            assert await site.until_settled(place) == {"one": "sent", "two": "sent"}
            assert await chat.accepted() == ["one", "two"]
        first, second = (await _calls(site, limited[0]))[:2]
        assert second["at"] - first["at"] >= 2.0

        for _, place in (unheard, unanswered):
            assert await site.until_settled(place) == {"one": "unknown", "two": "sent"}
            assert (await _status(site, place, "one"))["error"]["code"] == "uncertain"
        assert await unheard[0].accepted() == ["two"]
        assert await unanswered[0].accepted() == ["one", "two"]

        chat, place = refused
        assert await site.until_settled(place) == {"one": "failed", "two": "sent"}
        error = (await _status(site, place, "one"))["error"]
        assert error == {"code": "rejected:400", "text": "Bad Request: message is too strange"}
        assert await chat.accepted() == ["two"]


async def test_a_provider_that_answers_too_late_leaves_one_doubt_and_keeps_the_order(
    tmp_path: Path, database_url: str
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url, PARLEY_PROVIDER_TIMEOUT_SECONDS="2") as site:
        await _answer_too_late(site, seconds=4)


@pytest.mark.long
async def test_a_provider_that_answers_later_than_anybody_waits(
    tmp_path: Path, database_url: str, figures: Callable[..., None]
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        await _answer_too_late(site, seconds=34)
        figures(sent=9, acknowledged=9, faults="answers held back for 34 s, before and after the work")


async def _answer_too_late(site: Site, *, seconds: float) -> None:
    """Hold back the first answer of two chats longer than the server waits, of a third one shorter."""
    places = await site.open_conversations(3)
    faults = ("hang_before", seconds), ("hang_after", seconds), ("slow", 1.0)
    for (chat, place), (action, hang) in zip(places, faults, strict=True):
        await site.provider.fault(action, chat_id=chat.customer_id, method="sendMessage", seconds=hang)
        await site.send_all(place, ["one", "two", "three"])
    unheard, unanswered, slow = places
    for _, place in (unheard, unanswered):
        found = await site.until_settled(place, seconds=seconds + 20)
        assert found == {"one": "unknown", "two": "sent", "three": "sent"}
    assert set((await site.until_settled(slow[1])).values()) == {"sent"}
    assert await unheard[0].accepted() == ["two", "three"]
    assert await unanswered[0].accepted() == await slow[0].accepted() == ["one", "two", "three"]


async def test_resets_on_the_line_to_the_provider_double_nothing(tmp_path: Path, database_url: str) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        await _deliver_over_a_bad_line(site, Weather(latency_seconds=0.01, reset_share=0.08), chats=4, each=8)


@pytest.mark.long
async def test_everything_that_ails_a_provider_at_once(
    tmp_path: Path, database_url: str, figures: Callable[..., None]
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url, PARLEY_PROVIDER_TIMEOUT_SECONDS="4") as site:
        for action, more in (
            ("answer", {"status": 429, "retry_after": 2}),
            ("answer", {"status": 500}),
            ("hang_before", {"seconds": 6}),
            ("hang_after", {"seconds": 6}),
            ("reset_before", {}),
            ("reset_after", {}),
        ):
            await site.provider.fault(action, method="sendMessage", times=6, **more)
        weather = Weather(latency_seconds=0.05, reset_share=0.02)
        counted = await _deliver_over_a_bad_line(site, weather, chats=12, each=30)
        counted["faults"] += ", 6 each of 429, 500, hanging and reset before and after the work"
        figures(**counted)


async def _deliver_over_a_bad_line(site: Site, weather: Weather, *, chats: int, each: int) -> Json:
    """Deliver through a proxy that resets; what is certain is there once, what is not at most once, all in order."""
    places = await site.open_conversations(chats)
    texts = [f"{n}" for n in range(each)]
    wrong = Counter(lost=0, doubled=0, disordered=0)
    unknown = seen = 0
    async with NetworkProxy(site.provider.port, weather) as proxy:
        site.server.set(PARLEY_TELEGRAM_API_URL=f"{proxy.url}/telegram")
        await site.server.restart()
        await asyncio.gather(*(site.send_all(place, texts) for _, place in places))
        for chat, place in places:
            found = await site.until_settled(place, seconds=60 + 3 * each)
            assert set(found.values()) <= {"sent", "unknown"}
            certain = [text for text in texts if found[text] == "sent"]
            arrived = await chat.accepted()
            unknown += each - len(certain)
            seen += len(arrived)
            wrong.update(compare(texts, arrived))
            wrong["lost"] += compare(certain, arrived)["lost"] - compare(texts, arrived)["lost"]
        assert wrong == Counter(lost=0, doubled=0, disordered=0)
        assert proxy.resets > 0
        return {
            "sent": chats * each,
            "acknowledged": chats * each - unknown,
            "seen": seen,
            **wrong,
            "faults": f"{proxy.resets} resets on the provider's line, {unknown} messages not certain",
        }


async def test_a_customer_who_blocked_us_is_unreachable_until_they_write(
    tmp_path: Path, database_url: str
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        [(chat, place)] = await site.open_conversations(1)
        # the update that tells of the block is lost, so that only the answer can tell
        await site.provider.fault("answer", status=403, method="sendMessage")
        ids = await site.send_all(place, ["one"])
        assert await site.until_settled(place) == {"one": "failed"}
        assert (await _status(site, place, "one"))["error"]["code"] == "recipient_gone"
        assert not (await _row(site, place))["contact"]["is_reachable"]
        await chat.write("here I am")

        async def is_back() -> bool:
            return (await _row(site, place))["contact"]["is_reachable"] is True

        await eventually(is_back)
        await site.act(place, ids["one"], "retry")
        assert await site.until_settled(place) == {"one": "sent"}
        assert await chat.accepted() == ["one"]
        await chat.block()

        async def is_gone() -> bool:
            return not await is_back()

        await eventually(is_gone)
        await chat.unblock()
        await eventually(is_back)


@pytest.mark.parametrize("is_webhook", [True, False], ids=["webhook", "polling"])
async def test_a_revoked_token_breaks_the_inbox_and_fails_its_deliveries(
    tmp_path: Path, database_url: str, is_webhook: bool
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url, is_webhook=is_webhook) as site:
        [(_, place)] = await site.open_conversations(1)
        site.server.ailments.add("desk.inboxes")
        await site.provider.call("DELETE", f"bots/{site.bot.id}")
        await site.send_all(place, ["one"])
        assert await site.until_settled(place) == {"one": "failed"}
        error = (await _status(site, place, "one"))["error"]
        assert error["code"] == "account_broken"
        inbox = await site.server.call("GET", f"/v1/inboxes/{site.inbox['id']}")
        assert (inbox["state"], inbox["state_reason"]) == ("broken", error["text"])


async def _row(site: Site, conversation_id: str) -> Json:
    return await site.server.call("GET", f"/v1/desk/conversations/{conversation_id}")

"""The provider misbehaves: its answer alone decides what becomes of a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs import Chat, Json, Site, eventually, open_site

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
        await site.provider.call("DELETE", f"bots/{site.bot.id}")
        await site.send_all(place, ["one"])
        assert await site.until_settled(place) == {"one": "failed"}
        error = (await _status(site, place, "one"))["error"]
        assert error["code"] == "account_broken"
        inbox = await site.server.call("GET", f"/v1/inboxes/{site.inbox['id']}")
        assert (inbox["state"], inbox["state_reason"]) == ("broken", error["text"])


async def _row(site: Site, conversation_id: str) -> Json:
    return await site.server.call("GET", f"/v1/desk/conversations/{conversation_id}")

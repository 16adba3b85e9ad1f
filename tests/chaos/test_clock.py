"""Clocks that are an hour wrong: order, leases, retries and sessions go by the database's clock on every server."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from tests.programs import PASSWORD, Chat, Json, Server, Site, eventually, open_site, running
from tests.replica import Replica, until_equal
from tests.report import compare, short_and_long

pytestmark = pytest.mark.anyio

SHIFTED = Path(__file__).resolve().parent.parent / "shifted_parley.py"
HOUR = 3600


@contextlib.asynccontextmanager
async def beside(site: Site, folder: Path, dsn: str, seconds: int) -> AsyncIterator[Server]:
    """Run a second server on the same database, whose clock is so far ahead."""
    second = Server(folder, DATABASE_URL=dsn, PARLEY_TELEGRAM_API_URL=site.provider.api_url)
    second._command = [sys.executable, str(SHIFTED), f"{seconds:+d}", "serve"]
    async with running(second):
        await second.start()
        second.sign(site.server.token)
        yield second
        if not second.is_over():
            await second.require_well()


@short_and_long("chats, each", (3, 12), (12, 20))
@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["ahead", "behind"])
async def test_two_servers_an_hour_apart_keep_order_and_double_nothing(
    tmp_path: Path, database_url: str, figures: Callable[..., None], seconds: int, chats: int, each: int
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        places = await site.open_conversations(chats)
        async with (
            beside(site, tmp_path, database_url, seconds) as second,
            Replica(site.server.url, site.server.token, name="right") as right,
            Replica(second.url, second.token, name="wrong") as wrong,
        ):
            servers = (site.server, second)
            texts = [f"{n}" for n in range(each)]
            await asyncio.gather(*(one.follow(place) for one in (right, wrong) for _, place in places))
            await asyncio.gather(*(_answer_by_turns(servers, place, texts) for _, place in places))
            counted: Counter[str] = Counter()
            for chat, place in places:
                found = await site.until_settled(place, seconds=30 + 2 * each)
                assert set(found.values()) == {"sent"}
                accepted = await chat.accepted()
                assert accepted == texts
                counted.update(compare(texts, accepted), sent=each, acknowledged=each, seen=len(accepted))
                stored = await site.require_dense(database_url, place)
                assert [message["text"] for message in stored[1:]] == texts
                _require_times_in_order(stored)
            await until_equal([right, wrong], [place for _, place in places])
            assert right.faults() == wrong.faults() == []
            how = "ahead" if seconds > 0 else "behind"
            figures(**counted, faults=f"one of two servers an hour {how}; sends by turns over both")


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["ahead", "behind"])
async def test_a_pause_asked_for_by_the_provider_is_kept_by_a_wrong_clock(
    tmp_path: Path, database_url: str, seconds: int
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        [(chat, place)] = await site.open_conversations(1)
        async with beside(site, tmp_path, database_url, seconds) as second:
            await site.server.kill()
            site.server.http.base_url = second.http.base_url
            await site.provider.fault("answer", status=429, retry_after=4, method="sendMessage")
            await site.send_all(place, ["one"])
            assert await site.until_settled(place) == {"one": "sent"}
            first, again = await _calls(site, chat)
            assert 4.0 <= again["at"] - first["at"] < 60.0


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["ahead", "behind"])
async def test_sessions_of_one_server_are_good_at_another_for_as_long_as_they_say(
    tmp_path: Path, database_url: str, seconds: int
) -> None:
    async with (
        open_site(tmp_path, DATABASE_URL=database_url) as site,
        beside(site, tmp_path, database_url, seconds) as second,
    ):
        assert (await second.http.get("/v1/me")).status_code == 200
        signed_in = await second.call(
            "POST", "/v1/auth/sign-in", {"email": "olga@example.org", "password": PASSWORD}
        )
        bearer = {"authorization": f"Bearer {signed_in['access_token']}"}
        assert (await site.server.http.get("/v1/me", headers=bearer)).status_code == 200
        connection = await asyncpg.connect(database_url)
        try:
            [shortest, longest] = await connection.fetchrow(
                "SELECT min(access_expires_at) - now(), max(access_expires_at) - now() FROM session"
            )
        finally:
            await connection.close()
        assert dt.timedelta(minutes=13) < shortest <= longest < dt.timedelta(minutes=16)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["ahead", "behind"])
async def test_a_lease_is_neither_stolen_nor_kept_for_ever_by_a_wrong_clock(
    tmp_path: Path, database_url: str, seconds: int
) -> None:
    async with open_site(tmp_path, DATABASE_URL=database_url) as site:
        [(chat, place)] = await site.open_conversations(1)
        await site.provider.fault("hang_after", chat_id=chat.customer_id, method="sendMessage", seconds=6)
        async with beside(site, tmp_path, database_url, seconds) as second:
            # twice as long as a lease: whoever holds it renews it, and the other leaves it alone
            await site.send_all(place, ["slow"])
            assert await site.until_settled(place) == {"slow": "sent"}
            assert await chat.accepted() == ["slow"]
            await site.provider.fault(
                "hang_after", chat_id=chat.customer_id, method="sendMessage", seconds=20
            )
            await site.send_all(place, ["left", "next"])

            async def is_sending() -> bool:
                return await chat.accepted() == ["slow", "left"]

            await eventually(is_sending)
            await asyncio.gather(site.server.kill(), second.kill())
            await second.start()
            site.server.http.base_url = second.http.base_url
            assert await site.until_settled(place) == {"slow": "sent", "left": "unknown", "next": "sent"}
            assert await chat.accepted() == ["slow", "left", "next"]


async def _answer_by_turns(servers: tuple[Server, Server], place: str, texts: list[str]) -> None:
    for n, text in enumerate(texts):
        answer = await servers[n % 2].send(place, text, f"{place}/{n}")
        assert answer.status_code == 201


def _require_times_in_order(stored: list[Json]) -> None:
    """What people read as the time of a message differs by less than what a kept clock does."""
    times = [dt.datetime.fromisoformat(message["created_at"]) for message in stored]
    assert max(times) - min(times) < dt.timedelta(minutes=5)


async def _calls(site: Site, chat: Chat) -> list[Json]:
    found = await site.provider.call("GET", f"calls?bot_id={site.bot.id}&limit=1000")
    return [
        call
        for call in reversed(found["calls"])
        if call["chat_id"] == chat.customer_id and call["method"].lower() == "sendmessage"
    ]

"""Calls that go wrong on demand, and what the provider has accepted after each."""

import asyncio
import time

import pytest
from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)

from tests.sandbox.conftest import Stand, eventually

pytestmark = pytest.mark.anyio


async def test_the_next_calls_are_answered_as_told(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    await stand.fault(action="answer", status=429, retry_after=7, method="sendMessage")
    await stand.fault(action="answer", status=502)
    await stand.fault(action="answer", status=403)
    await stand.fault(action="answer", status=400)
    await stand.fault(action="answer", status=400, migrate_to_chat_id=-1001)
    with pytest.raises(TelegramRetryAfter) as caught:
        await bot.send_message(stand.customer_id, "x")
    assert caught.value.retry_after == 7
    for kind in (TelegramServerError, TelegramForbiddenError, TelegramBadRequest, TelegramMigrateToChat):
        with pytest.raises(kind):
            await bot.send_message(stand.customer_id, "x")
    assert await stand.accepted() == []
    await bot.send_message(stand.customer_id, "x")
    assert len(await stand.accepted()) == 1
    counts = (await stand.call("GET", "calls"))["counts"]
    assert counts["sendMessage"] == {"arrived": 6, "accepted": 1}


async def test_retry_after_stands_in_the_header_too(stand: Stand) -> None:
    await stand.fault(action="answer", status=429, retry_after=7)
    answer = await stand.control.get(stand.method("getMe"))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json()["description"] == "Too Many Requests: retry after 7"


async def test_a_rule_may_concern_one_chat_only(stand: Stand, bot: Bot) -> None:
    other = await stand.call("POST", "customers", {"first_name": "Oleg"})
    await stand.write("hi")
    await stand.write("hi", customer_id=other["id"])
    await stand.fault(action="answer", status=500, chat_id=other["id"], times=None)
    await bot.send_message(stand.customer_id, "passes")
    for _ in range(2):
        with pytest.raises(TelegramServerError):
            await bot.send_message(other["id"], "does not")
    assert (await stand.call("DELETE", "faults"))["faults"] == []
    await bot.send_message(other["id"], "passes")


async def test_hanging_after_the_work_leaves_the_message_sent(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    await stand.fault(action="hang_after", seconds=5)
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(stand.customer_id, "arrived", request_timeout=1)

    async def is_sent() -> bool:
        return [one["text"] for one in await stand.accepted()] == ["arrived"]

    await eventually(is_sent)


async def test_hanging_before_the_work_leaves_nothing_sent(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    await stand.fault(action="hang_before", seconds=2)
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(stand.customer_id, "never", request_timeout=1)
    await asyncio.sleep(1.3)
    assert await stand.accepted() == []


async def test_a_slow_answer_does_its_work_though_nobody_waits(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    await stand.fault(action="slow", seconds=0.3)
    started = time.monotonic()
    await bot.send_message(stand.customer_id, "late")
    assert time.monotonic() - started >= 0.3
    await stand.fault(action="slow", seconds=1.5)
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(stand.customer_id, "later", request_timeout=1)

    async def is_sent() -> bool:
        return [one["text"] for one in await stand.accepted()] == ["late", "later"]

    await eventually(is_sent)


async def test_connections_break_before_or_after_the_work(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    await stand.fault(action="reset_before", method="sendMessage")
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(stand.customer_id, "before")
    assert await stand.accepted() == []
    await stand.fault(action="reset_after", method="sendMessage")
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(stand.customer_id, "after")
    assert [one["text"] for one in await stand.accepted()] == ["after"]


async def test_a_rate_limit_holds_per_chat(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    await stand.fault(action="limit", count=2, seconds=30)
    await bot.send_message(stand.customer_id, "1")
    await bot.send_message(stand.customer_id, "2")
    with pytest.raises(TelegramRetryAfter) as caught:
        await bot.send_message(stand.customer_id, "3")
    assert 15 <= caught.value.retry_after <= 30


async def test_polled_updates_may_repeat_and_change_places(stand: Stand, bot: Bot) -> None:
    for text in ("one", "two"):
        await stand.write(text)
    await stand.fault(action="duplicate_updates", copies=2)
    assert [u.message and u.message.text for u in await bot.get_updates()] == ["one", "one", "two"]
    await stand.fault(action="reorder_updates", count=2)
    assert [u.message and u.message.text for u in await bot.get_updates()] == ["two", "one"]


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"action": "explode"},
        {"action": "answer", "status": 200},
        {"action": "slow", "seconds": 1e9},
        {"action": "slow", "times": 0},
    ],
)
async def test_a_malformed_rule_is_refused(stand: Stand, rule: dict[str, object]) -> None:
    answer = await stand.control.post("/control/faults", json=rule)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "malformed"

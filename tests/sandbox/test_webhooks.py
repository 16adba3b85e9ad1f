"""Updates sent to a webhook: secret, order, repeats, answers that are calls, and misbehaviour on demand."""

import asyncio

import pytest
from aiogram import Bot, Dispatcher
from aiogram.exceptions import TelegramBadRequest, TelegramRetryAfter
from aiogram.types import Message

from tests.sandbox.conftest import Receiver, Stand, eventually

pytestmark = pytest.mark.anyio
Hook = tuple[Receiver, str]


async def test_aiogram_s_dispatcher_answers_by_polling_and_by_webhook(
    stand: Stand, bot: Bot, receiver: Hook
) -> None:
    app, url = receiver
    dispatcher = Dispatcher()

    @dispatcher.message()
    async def echo(message: Message) -> None:
        await message.answer(f"you said {message.text}")

    async def answers() -> list[str]:
        return [one["text"] for one in await stand.accepted()]

    async def has_one() -> bool:
        return await answers() == ["you said one"]

    polling = asyncio.create_task(
        dispatcher.start_polling(bot, handle_signals=False, close_bot_session=False)
    )
    await stand.write("one")
    await eventually(has_one)
    await dispatcher.stop_polling()
    await polling
    await bot.set_webhook(url)
    await stand.write("two")
    await eventually(lambda: len(app.requests) == 1)
    await dispatcher.feed_webhook_update(bot, app.requests[0])
    assert await answers() == ["you said one", "you said two"]


async def test_updates_are_posted_with_the_secret(stand: Stand, bot: Bot, receiver: Hook) -> None:
    app, url = receiver
    assert await bot.set_webhook(url, secret_token="s3cret_-")
    await stand.write("hello")
    await eventually(lambda: app.texts() == ["hello"])
    assert app.headers[0]["x-telegram-bot-api-secret-token"] == "s3cret_-"
    assert app.headers[0]["content-type"] == "application/json"
    info = await bot.get_webhook_info()
    assert (info.url, info.max_connections) == (url, 40)
    await eventually(lambda: _is_drained(stand))


async def _is_drained(stand: Stand) -> bool:
    return not await stand.updates()


async def test_a_refused_update_comes_again_before_the_next_of_its_chat(
    stand: Stand, bot: Bot, receiver: Hook
) -> None:
    app, url = receiver
    app.answers = [(500, {}, b"")] * 2
    await bot.set_webhook(url)
    for text in ("one", "two", "three"):
        await stand.write(text)
    await eventually(lambda: _is_drained(stand))
    assert app.texts() == ["one", "one", "one", "two", "three"]
    info = await bot.get_webhook_info()
    assert info.last_error_message == "Wrong response from the webhook: 500 Internal Server Error"
    attempts = (await stand.call("GET", "attempts"))["attempts"]
    assert sorted(one["status"] for one in attempts) == [200, 200, 200, 500, 500]


async def test_another_chat_does_not_wait_for_a_refused_one(stand: Stand, bot: Bot, receiver: Hook) -> None:
    app, url = receiver
    app.answers = [(503, {"retry-after": "3600"}, b"")]
    other = await stand.call("POST", "customers", {"first_name": "Oleg"})
    await bot.set_webhook(url)
    await stand.write("stuck")
    await eventually(lambda: app.texts() == ["stuck"])
    await stand.write("free", customer_id=other["id"])
    await eventually(lambda: app.texts() == ["stuck", "free"])
    await eventually(lambda: _waits_an_hour(stand))


async def _waits_an_hour(stand: Stand) -> bool:
    pending = await stand.updates()
    return len(pending) == 1 and pending[0]["due_at"] - pending[0]["message"]["date"] > 3500


async def test_an_answer_may_be_a_call(stand: Stand, bot: Bot, receiver: Hook) -> None:
    app, url = receiver
    call = b'{"method":"sendMessage","chat_id":%d,"text":"from the answer"}' % stand.customer_id
    app.answers = [(200, {"content-type": "application/json"}, call)]
    await bot.set_webhook(url)
    await stand.write("hello")

    async def is_accepted() -> bool:
        return [one["text"] for one in await stand.accepted()] == ["from the answer"]

    await eventually(is_accepted)


async def test_setting_a_webhook_twice_a_second_is_too_much(stand: Stand, bot: Bot, receiver: Hook) -> None:
    _, url = receiver
    await bot.set_webhook(url)
    assert await bot.set_webhook(url), "the same again is no change"
    with pytest.raises(TelegramRetryAfter) as caught:
        await bot.set_webhook(url + "/other")
    assert caught.value.retry_after == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/hook",
        "https://example.org/hook",
        "ftp://127.0.0.1/",
        "http://[::1",
        "http://169.254.169.254/",
    ],
)
async def test_only_this_machine_is_reached(stand: Stand, bot: Bot, url: str) -> None:
    with pytest.raises(TelegramBadRequest, match="bad webhook"):
        await bot.set_webhook(url)


async def test_duplicates_arrive_at_once(stand: Stand, bot: Bot, receiver: Hook) -> None:
    app, url = receiver
    app.seconds = 0.2
    await bot.set_webhook(url)
    await stand.fault(action="duplicate_updates", copies=5)
    await stand.write("five times")
    await eventually(lambda: app.texts() == ["five times"] * 5)
    assert app.most_at_once == 5
    assert len({request["update_id"] for request in app.requests}) == 1
    await stand.write("once")
    await eventually(lambda: app.texts()[5:] == ["once"])


async def test_a_known_update_can_be_sent_again(stand: Stand, bot: Bot, receiver: Hook) -> None:
    app, url = receiver
    await bot.set_webhook(url)
    await stand.write("hello")
    await eventually(lambda: _is_drained(stand))
    body = {"update_id": app.requests[0]["update_id"], "copies": 3}
    answer = await stand.call("POST", f"bots/{stand.bot_id}/repeat", body)
    assert answer == {"statuses": [200, 200, 200]}
    assert app.texts() == ["hello"] * 4


async def test_updates_can_change_places(stand: Stand, bot: Bot, receiver: Hook) -> None:
    app, url = receiver
    await bot.set_webhook(url)
    await stand.fault(action="reorder_updates", count=3)
    for text in ("one", "two", "three", "four"):
        await stand.write(text)
    await eventually(lambda: len(app.requests) == 4)
    assert app.texts() == ["three", "two", "one", "four"]

"""What the customer does becomes updates, as Telegram would send them."""

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramForbiddenError

from tests.sandbox.conftest import Stand
from tests.sandbox.test_bot_api import picture

pytestmark = pytest.mark.anyio


async def test_an_album_is_one_update_an_item_with_one_group_id(stand: Stand, bot: Bot) -> None:
    files = [("files", (f"{n}.png", picture().data, "image/png")) for n in range(10)]
    path = f"/control/bots/{stand.bot_id}/chats/{stand.customer_id}/media"
    answer = await stand.control.post(path, data={"kind": "photo", "caption": "scratched"}, files=files)
    assert answer.status_code == 200, answer.text
    messages = [update.message for update in await bot.get_updates()]
    assert len(messages) == 10
    assert len({message.media_group_id for message in messages if message}) == 1
    assert [message.caption for message in messages if message] == ["scratched"] + [None] * 9
    assert messages[0]
    assert messages[0].photo
    assert await bot.download(messages[0].photo[-1])


async def test_a_voice_message_and_a_place_arrive(stand: Stand, bot: Bot) -> None:
    path = f"/control/bots/{stand.bot_id}/chats/{stand.customer_id}/media"
    voice = {"files": ("voice.ogg", b"OggS", "audio/ogg")}
    assert (
        await stand.control.post(path, data={"kind": "voice", "duration": "4"}, files=voice)
    ).status_code == 200
    await stand.act("location", {"latitude": 55.75, "longitude": 37.61})
    await stand.act("contact", {"phone_number": "+79001234567"})
    spoken, place, contact = [update.message for update in await bot.get_updates()]
    assert spoken
    assert spoken.voice
    assert spoken.voice.duration == 4
    assert place
    assert place.location
    assert place.location.latitude == 55.75
    assert contact
    assert contact.contact
    assert contact.contact.user_id == stand.customer_id


async def test_an_edit_is_an_edited_message_and_a_deletion_is_nothing(stand: Stand, bot: Bot) -> None:
    written = await stand.write("helo")
    await stand.act(f"messages/{written['message_id']}/edit", {"text": "hello"})
    await stand.call(
        "DELETE", f"bots/{stand.bot_id}/chats/{stand.customer_id}/messages/{written['message_id']}"
    )
    first, second = await bot.get_updates()
    assert first.message
    assert first.message.text == "helo"
    assert second.edited_message
    assert second.edited_message.text == "hello"
    assert second.edited_message.edit_date


async def test_a_reply_carries_the_original_and_the_quote(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    sent = await bot.send_message(stand.customer_id, "How can we help you?")
    await stand.write("with this", reply_to=sent.message_id, quote="help")
    message = (await bot.get_updates())[-1].message
    assert message
    assert message.reply_to_message
    assert message.quote
    assert message.reply_to_message.message_id == sent.message_id
    assert (message.quote.text, message.quote.position) == ("help", 11)


async def test_blocking_is_told_and_refuses_the_bot_until_unblocked(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    await stand.act("block")
    change = (await bot.get_updates())[-1].my_chat_member
    assert change
    assert change.new_chat_member.status == "kicked"
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await bot.send_message(stand.customer_id, "are you there?")
    await stand.act("unblock")
    assert (await bot.send_message(stand.customer_id, "welcome back")).text == "welcome back"


async def test_reactions_come_only_when_the_bot_asked_for_them(stand: Stand, bot: Bot) -> None:
    written = await stand.write("hi")
    reaction = f"messages/{written['message_id']}/reaction"
    await stand.act(reaction, {"emoji": "👍"})
    assert len(await bot.get_updates(allowed_updates=["message", "message_reaction"])) == 1
    await stand.act(reaction, {"emoji": "🔥"})
    change = (await bot.get_updates())[-1].message_reaction
    assert change
    assert [one.emoji for one in change.old_reaction] == ["👍"]  # type: ignore[union-attr]  # all are emoji here
    assert [one.emoji for one in change.new_reaction] == ["🔥"]  # type: ignore[union-attr]


async def test_message_numbers_are_each_chat_s_own_and_update_numbers_are_not(stand: Stand, bot: Bot) -> None:
    other = await stand.call("POST", "customers", {"first_name": "Oleg"})
    first = await stand.write("one")
    second = await stand.write("two", customer_id=other["id"])
    assert first["message_id"] == second["message_id"] == 1
    numbers = [update.update_id for update in await bot.get_updates()]
    assert numbers == [numbers[0], numbers[0] + 1]

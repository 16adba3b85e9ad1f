"""aiogram, unchanged, against the stand-in: the judge of its fidelity."""

import asyncio
import io

import pytest
from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    MessageEntity,
    ReactionTypeEmoji,
    ReplyParameters,
)
from PIL import Image

from parley.sandbox.telegram.errors import NOT_MODIFIED
from tests.sandbox.conftest import Stand, a_moment, eventually

pytestmark = pytest.mark.anyio


def picture(width: int = 1600, height: int = 900) -> BufferedInputFile:
    target = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(target, "PNG")
    return BufferedInputFile(target.getvalue(), "box.png")


async def refusal(awaitable: object) -> str:
    """The text of the 400 that this call gets."""
    with pytest.raises(TelegramBadRequest) as caught:
        await awaitable  # type: ignore[misc]  # any call of aiogram
    return caught.value.message.removeprefix("Telegram server says - ")


async def test_get_me_names_the_bot(stand: Stand, bot: Bot) -> None:
    me = await bot.get_me()
    assert (me.id, me.is_bot, me.first_name) == (stand.bot_id, True, "Desk")


async def test_a_long_poll_is_answered_when_the_customer_writes(stand: Stand, bot: Bot) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=10))
    await a_moment()
    assert not poll.done()
    await stand.write("Привет 👋 /start")
    (update,) = await asyncio.wait_for(poll, 9)
    assert update.message
    assert update.message.from_user
    assert update.message.text == "Привет 👋 /start"
    assert update.message.from_user.username == "ira_k"
    assert [(e.type, e.offset, e.length) for e in update.message.entities or []] == [("bot_command", 10, 6)]


async def test_updates_come_again_until_an_offset_confirms_them(stand: Stand, bot: Bot) -> None:
    for text in ("one", "two", "three"):
        await stand.write(text)
    first = await bot.get_updates(limit=2)
    assert [u.message and u.message.text for u in first] == ["one", "two"]
    assert await bot.get_updates(limit=2) == first
    (last,) = await bot.get_updates(offset=first[-1].update_id + 1)
    assert last.update_id == first[-1].update_id + 1
    assert await bot.get_updates(offset=last.update_id + 1) == []


async def test_a_negative_offset_drops_all_but_the_last(stand: Stand, bot: Bot) -> None:
    for text in ("one", "two", "three"):
        await stand.write(text)
    assert [u.message and u.message.text for u in await bot.get_updates(offset=-1)] == ["three"]
    assert len(await bot.get_updates()) == 1


async def test_a_second_poller_ends_the_first(stand: Stand, bot: Bot) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=10))
    await a_moment()
    second = asyncio.create_task(bot.get_updates(timeout=10))
    with pytest.raises(TelegramConflictError, match="terminated by other getUpdates request"):
        await asyncio.wait_for(first, 9)
    await stand.write("hello")
    assert len(await asyncio.wait_for(second, 9)) == 1


async def test_polling_is_refused_while_a_webhook_is_set(stand: Stand, bot: Bot) -> None:
    await bot.set_webhook("http://127.0.0.1:9/nobody")
    with pytest.raises(TelegramConflictError, match="can't use getUpdates method while webhook is active"):
        await bot.get_updates()
    await bot.delete_webhook()
    assert await bot.get_updates() == []


async def test_html_becomes_entities_counted_in_utf16(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    sent = await bot.send_message(
        stand.customer_id,
        "👋 <b>bold <i>both</i></b> <a href='http://x.org/a'>link</a> &lt;3",
        parse_mode="HTML",
    )
    assert sent.text == "👋 bold both link <3"
    found = [(e.type, e.extract_from(sent.text)) for e in sent.entities or []]
    assert found == [("bold", "bold both"), ("italic", "both"), ("text_link", "link")]
    assert sent.html_text == '👋 <b>bold <i>both</i></b> <a href="http://x.org/a">link</a> &lt;3'


async def test_given_entities_are_kept(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    entities = [MessageEntity(type="code", offset=3, length=4)]
    sent = await bot.send_message(stand.customer_id, "👋 code", entities=entities)
    assert sent.entities
    assert sent.entities[0].model_dump() == entities[0].model_dump()


async def test_a_reply_shows_the_message_and_the_quoted_words(stand: Stand, bot: Bot) -> None:
    asked = await stand.write("the box is broken, what now?")
    reply = ReplyParameters(message_id=asked["message_id"], quote="broken")
    sent = await bot.send_message(stand.customer_id, "Sorry!", reply_parameters=reply)
    assert sent.reply_to_message
    assert sent.quote
    assert sent.reply_to_message.text == "the box is broken, what now?"
    assert (sent.quote.text, sent.quote.position) == ("broken", 11)


async def test_a_photo_comes_in_sizes_with_the_largest_last_and_downloads(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    sent = await bot.send_photo(stand.customer_id, picture(), caption="<b>box</b>", parse_mode="HTML")
    assert sent.photo
    assert sent.caption_entities
    assert [(s.width, s.height) for s in sent.photo] == [(90, 51), (320, 180), (800, 450), (1280, 720)]
    data = await bot.download(sent.photo[-1].file_id)
    assert data
    assert Image.open(data).size == (1280, 720)
    again = await bot.send_photo(stand.customer_id, sent.photo[0].file_id)
    assert again.photo
    assert [s.file_id for s in again.photo] == [s.file_id for s in sent.photo]


async def test_a_document_keeps_its_name_type_and_bytes(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    sent = await bot.send_document(stand.customer_id, BufferedInputFile(b"hello", "отчёт.txt"))
    assert sent.document
    assert (sent.document.file_name, sent.document.mime_type, sent.document.file_size) == (
        "отчёт.txt",
        "text/plain",
        5,
    )
    data = await bot.download(sent.document.file_id)
    assert data
    assert data.read() == b"hello"
    text = await refusal(bot.send_photo(stand.customer_id, sent.document.file_id))
    assert text == "Bad Request: can't use file of type Document as Photo"


async def test_an_album_is_several_messages_of_one_group(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    media = [InputMediaPhoto(media=picture(), caption="first"), InputMediaPhoto(media=picture(300, 300))]
    sent = await bot.send_media_group(stand.customer_id, media)
    assert len({m.media_group_id for m in sent}) == 1
    assert [m.message_id for m in sent] == [2, 3]
    assert [m.caption for m in sent] == ["first", None]


async def test_an_album_does_not_mix_documents_with_photos_and_leaves_nothing(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    media = [InputMediaPhoto(media=picture()), InputMediaDocument(media=BufferedInputFile(b"x", "x.txt"))]
    assert "document can't be mixed" in await refusal(bot.send_media_group(stand.customer_id, media))
    assert await stand.accepted() == []


async def test_voice_video_sticker_and_location_have_their_shapes(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    file = BufferedInputFile(b"sound", "a.ogg")
    assert (voice := (await bot.send_voice(stand.customer_id, file, duration=3)).voice)
    assert voice.duration == 3
    video = (await bot.send_video(stand.customer_id, file, width=4, height=3, duration=1)).video
    assert video
    assert (video.width, video.height) == (4, 3)
    assert (await bot.send_audio(stand.customer_id, file, title="Song")).audio
    animated = await bot.send_animation(stand.customer_id, file)
    assert animated.animation
    assert animated.document
    assert (await bot.send_sticker(stand.customer_id, file)).sticker
    place = (await bot.send_location(stand.customer_id, 55.5, 37.5)).location
    assert place
    assert (place.latitude, place.longitude) == (55.5, 37.5)


async def test_edits_change_text_caption_and_media(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    chat = stand.customer_id
    text = await bot.send_message(chat, "one")
    edited = await bot.edit_message_text("two", chat_id=chat, message_id=text.message_id)
    assert not isinstance(edited, bool)
    assert edited.text == "two"
    assert edited.edit_date
    same = bot.edit_message_text("two", chat_id=chat, message_id=text.message_id)
    assert await refusal(same) == f"Bad Request: {NOT_MODIFIED}"
    photo = await bot.send_photo(chat, picture())
    captioned = await bot.edit_message_caption(chat_id=chat, message_id=photo.message_id, caption="new")
    assert not isinstance(captioned, bool)
    assert captioned.caption == "new"
    assert captioned.photo == photo.photo
    media = InputMediaDocument(media=BufferedInputFile(b"x", "x.txt"))
    changed = await bot.edit_message_media(media, chat_id=chat, message_id=photo.message_id)
    assert not isinstance(changed, bool)
    assert changed.document
    assert not changed.photo
    assert not changed.caption


async def test_deleting_a_message_takes_it_off_the_phone(stand: Stand, bot: Bot) -> None:
    incoming = await stand.write("hi")
    sent = await bot.send_message(stand.customer_id, "oops")
    assert await bot.delete_message(stand.customer_id, sent.message_id)
    assert await bot.delete_messages(stand.customer_id, [incoming["message_id"], 99])
    chat = await stand.call("GET", f"bots/{stand.bot_id}/chats/{stand.customer_id}")
    assert chat["messages"] == []
    again = bot.delete_message(stand.customer_id, sent.message_id)
    assert await refusal(again) == "Bad Request: message to delete not found"


async def test_a_reaction_shows_on_the_phone(stand: Stand, bot: Bot) -> None:
    incoming = await stand.write("hi")
    await bot.set_message_reaction(stand.customer_id, incoming["message_id"], [ReactionTypeEmoji(emoji="👍")])
    chat = await stand.call("GET", f"bots/{stand.bot_id}/chats/{stand.customer_id}")
    assert chat["messages"][0]["reactions"] == {"bot": "👍"}
    wrong = bot.set_message_reaction(
        stand.customer_id, incoming["message_id"], [ReactionTypeEmoji(emoji="🧮")]
    )
    assert await refusal(wrong) == "Bad Request: REACTION_INVALID"


async def test_typing_edits_and_answers_stream_to_the_phone(stand: Stand, bot: Bot) -> None:
    heard: list[str] = []

    async def listen() -> None:
        path = f"/control/events?bot_id={stand.bot_id}&chat_id={stand.customer_id}"
        async with stand.control.stream("GET", path) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    heard.append(line.split('"')[3])

    listening = asyncio.create_task(listen())
    await eventually(lambda: heard == ["open"])
    await stand.write("hi")
    await bot.send_chat_action(stand.customer_id, "typing")
    sent = await bot.send_message(stand.customer_id, "answer")
    await bot.edit_message_text("better", chat_id=stand.customer_id, message_id=sent.message_id)
    await eventually(
        lambda: [h for h in heard if h != "call"][-4:] == ["message", "action", "message", "edited"]
    )
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_a_pressed_button_is_a_query_that_is_answered_once(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    keys = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="OK", callback_data="rate:5")]])
    sent = await bot.send_message(stand.customer_id, "Rate us", reply_markup=keys)
    assert sent.reply_markup
    assert sent.reply_markup.model_dump() == keys.model_dump()
    await stand.act(f"messages/{sent.message_id}/press", {"data": "rate:5"})
    query = (await bot.get_updates())[-1].callback_query
    assert query
    assert query.data == "rate:5"
    assert query.message
    assert query.message.message_id == sent.message_id
    assert await bot.answer_callback_query(query.id, text="Thanks")
    assert "query is too old" in await refusal(bot.answer_callback_query(query.id))


async def test_forward_and_copy_carry_the_content(stand: Stand, bot: Bot) -> None:
    incoming = await stand.write("hi there")
    forwarded = await bot.forward_message(stand.customer_id, stand.customer_id, incoming["message_id"])
    assert forwarded.text == "hi there"
    assert forwarded.forward_origin
    copied = await bot.copy_message(stand.customer_id, stand.customer_id, incoming["message_id"])
    assert copied.message_id == forwarded.message_id + 1


async def test_errors_have_the_provider_s_words(stand: Stand, bot: Bot) -> None:
    with pytest.raises(TelegramForbiddenError, match="bot can't initiate conversation with a user"):
        await bot.send_message(stand.customer_id, "first")
    await stand.write("hi")
    chat = stand.customer_id
    assert await refusal(bot.send_message(1, "x")) == "Bad Request: chat not found"
    assert await refusal(bot.send_message(chat, " \n ")) == "Bad Request: message text is empty"
    assert await refusal(bot.send_message(chat, "x" * 4097)) == "Bad Request: message is too long"
    assert await refusal(bot.send_message(chat, "👋" * 2049)) == "Bad Request: message is too long"
    assert (await bot.send_message(chat, "👋" * 2048)).text == "👋" * 2048
    too_long = bot.send_photo(chat, picture(), caption="x" * 1025)
    assert await refusal(too_long) == "Bad Request: message caption is too long"
    unclosed = bot.send_message(chat, "<b>x", parse_mode="HTML")
    assert (
        await refusal(unclosed)
        == "Bad Request: can't parse entities: Can't find end tag corresponding to start tag \"b\""
    )
    reply = bot.send_message(chat, "x", reply_parameters=ReplyParameters(message_id=99))
    assert await refusal(reply) == "Bad Request: message to be replied not found"
    edit = bot.edit_message_text("x", chat_id=chat, message_id=99)
    assert await refusal(edit) == "Bad Request: message to edit not found"
    assert "wrong file_id" in await refusal(bot.get_file("nonsense"))
    broken = bot.send_photo(chat, BufferedInputFile(b"no picture", "x.png"))
    assert await refusal(broken) == "Bad Request: IMAGE_PROCESS_FAILED"


async def test_a_file_above_20_mb_is_not_downloadable(stand: Stand, bot: Bot) -> None:
    await stand.write("hi")
    big = BufferedInputFile(bytes(20 * 1024 * 1024 + 1), "big.bin")
    sent = await bot.send_document(stand.customer_id, big)
    assert sent.document
    assert await refusal(bot.get_file(sent.document.file_id)) == "Bad Request: file is too big"


async def test_an_unknown_or_revoked_token_is_unauthorized(stand: Stand, bot: Bot) -> None:
    await bot.get_me()
    await stand.call("DELETE", f"bots/{stand.bot_id}")
    with pytest.raises(TelegramUnauthorizedError):
        await bot.get_me()

"""Methods by which a bot changes what was said: edits, deletions, reactions, answers to buttons."""

from typing import Any

from parley.sandbox.telegram.call import Call
from parley.sandbox.telegram.errors import NOT_MODIFIED, bad_request
from parley.sandbox.telegram.posting import (
    Content,
    read_caption,
    read_keyboard,
    read_text,
    require_chat_id,
    show,
)
from parley.sandbox.telegram.rows import Stored
from parley.sandbox.telegram.sending import input_media
from parley.sandbox.telegram.world import message_object, require_chat

DELETE_SECONDS = 48 * 3600
CALLBACK_SECONDS = 15 * 60
MEDIA_KINDS = ("photo", "document", "video", "audio", "animation", "voice")
REACTIONS = frozenset(
    [
        "❤",
        "👍",
        "👎",
        "🔥",
        "🥰",
        "👏",
        "😁",
        "🤔",
        "🤯",
        "😱",
        "🤬",
        "😢",
        "🎉",
        "🤩",
        "🤮",
        "💩",
        "🙏",
        "👌",
        "🕊",
        "🤡",
        "🥱",
        "🥴",
        "😍",
        "🐳",
        "❤\u200d🔥",
        "🌚",
        "🌭",
        "💯",
        "🤣",
        "⚡",
        "🍌",
        "🏆",
        "💔",
        "🤨",
        "😐",
        "🍓",
        "🍾",
        "💋",
        "🖕",
        "😈",
        "😴",
        "😭",
        "🤓",
        "👻",
        "👨\u200d💻",
        "👀",
        "🎃",
        "🙈",
        "😇",
        "😨",
        "🤝",
        "✍",
        "🤗",
        "🫡",
        "🎅",
        "🎄",
        "☃",
        "💅",
        "🤪",
        "🗿",
        "🆒",
        "💘",
        "🙉",
        "🦄",
        "😘",
        "💊",
        "🙊",
        "😎",
        "👾",
        "🤷\u200d♂",
        "🤷",
        "🤷\u200d♀",
        "😡",
    ]
)


async def edit_text(call: Call) -> dict[str, Any]:
    """editMessageText"""
    stored = _require_own(call)
    if "text" not in stored.body:
        raise bad_request("there is no text in the message to edit")
    return _edit(call, stored, read_text(call), ("text", "entities", "link_preview_options"))


async def edit_caption(call: Call) -> dict[str, Any]:
    """editMessageCaption"""
    stored = _require_own(call)
    if not any(kind in stored.body for kind in MEDIA_KINDS):
        raise bad_request("there is no caption in the message to edit")
    return _edit(call, stored, read_caption(call), ("caption", "caption_entities"))


async def edit_media(call: Call) -> dict[str, Any]:
    """editMessageMedia"""
    stored = _require_own(call)
    item = call.json("media", dict)
    if not item:
        raise bad_request("input media is empty")
    content = await input_media(call, item)
    replaced = (*MEDIA_KINDS, "text", "entities", "caption", "caption_entities", "has_media_spoiler")
    return _edit(call, stored, content, replaced)


async def edit_markup(call: Call) -> dict[str, Any]:
    """editMessageReplyMarkup"""
    return _edit(call, _require_own(call), {}, ())


def _require_own(call: Call) -> Stored:
    customer = require_chat(call.world, call.bot, require_chat_id(call))
    stored = call.world.store.find_message(call.bot.id, customer["id"], call.integer("message_id"))
    if stored is None:
        raise bad_request("message to edit not found")
    if not stored.is_outgoing:
        raise bad_request("message can't be edited")
    return stored


def _edit(call: Call, stored: Stored, content: Content, replaced: tuple[str, ...]) -> dict[str, Any]:
    """Put `content` in the place of the fields `replaced`; the keyboard goes unless it is given again."""
    markup = read_keyboard(call)
    gone = (*replaced, "reply_markup", "edit_date")
    kept = {name: value for name, value in stored.body.items() if name not in gone}
    body = {**kept, **content, **({"reply_markup": markup} if markup else {})}
    if body == {name: value for name, value in stored.body.items() if name != "edit_date"}:
        raise bad_request(NOT_MODIFIED)
    body["edit_date"] = int(call.world.clock())
    chat_id: int = body["chat"]["id"]
    call.world.store.set_body(call.bot.id, chat_id, body)
    show(call.world, call.bot.id, chat_id, [stored.message_id], "edited")
    changed = call.world.store.find_message(call.bot.id, chat_id, stored.message_id)
    return message_object(call.world, call.bot.id, chat_id, changed or stored)


async def delete_message(call: Call) -> bool:
    """deleteMessage"""
    customer = require_chat(call.world, call.bot, require_chat_id(call))
    stored = call.world.store.find_message(call.bot.id, customer["id"], call.integer("message_id"))
    if stored is None:
        raise bad_request("message to delete not found")
    if call.world.clock() - stored.body["date"] > DELETE_SECONDS:
        raise bad_request("message can't be deleted for everyone")
    _delete(call, customer["id"], stored.message_id)
    return True


async def delete_messages(call: Call) -> bool:
    """deleteMessages: what is not there is passed over."""
    customer = require_chat(call.world, call.bot, require_chat_id(call))
    message_ids = call.json("message_ids", list)
    if not message_ids or len(message_ids) > 100:
        raise bad_request(
            "message identifiers are not specified" if not message_ids else "too many message identifiers"
        )
    for message_id in message_ids:
        if type(message_id) is int and 0 < message_id < 2**53:
            _delete(call, customer["id"], message_id)
    return True


def _delete(call: Call, chat_id: int, message_id: int) -> None:
    call.world.store.delete_message(call.bot.id, chat_id, message_id)
    call.world.watchers.tell("deleted", call.bot.id, chat_id, message_id=message_id)


async def set_reaction(call: Call) -> bool:
    """setMessageReaction: a bot has one; an empty list takes it off."""
    customer = require_chat(call.world, call.bot, require_chat_id(call))
    stored = call.world.store.find_message(call.bot.id, customer["id"], call.integer("message_id"))
    if stored is None:
        raise bad_request("message to react not found")
    given = call.json("reaction", list) or []
    if len(given) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    reactions = {side: emoji for side, emoji in stored.reactions.items() if side != "bot"}
    if given:
        emoji = given[0].get("emoji") if isinstance(given[0], dict) else None
        if not isinstance(emoji, str) or emoji.replace("\ufe0f", "") not in REACTIONS:
            raise bad_request("REACTION_INVALID")
        reactions["bot"] = emoji
    call.world.store.set_reactions(call.bot.id, customer["id"], stored.message_id, reactions)
    show(call.world, call.bot.id, customer["id"], [stored.message_id], "edited")
    return True


async def answer_callback(call: Call) -> bool:
    """answerCallbackQuery: once, within a quarter of an hour."""
    after = call.world.clock() - CALLBACK_SECONDS
    chat_id = call.world.store.answer_callback(call.bot.id, call.integer("callback_query_id"), after)
    if chat_id is None:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    if len(call.text("text")) > 200:
        raise bad_request("MESSAGE_TOO_LONG")
    shown = {"text": call.text("text"), "is_alert": call.is_set("show_alert")}
    call.world.watchers.tell("callback_answer", call.bot.id, chat_id, **shown)
    return True

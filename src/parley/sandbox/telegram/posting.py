"""How a message comes into being: numbered in its chat, stored, shown on the phone. Both sides post here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from parley.sandbox.telegram.call import Call
from parley.sandbox.telegram.entities import (
    CAPTION_LIMIT,
    TEXT_LIMIT,
    Entity,
    format_text,
    utf16_length,
    utf16_slice,
)
from parley.sandbox.telegram.errors import bad_request
from parley.sandbox.telegram.rows import Stored
from parley.sandbox.telegram.world import (
    World,
    bot_user,
    message_object,
    phone_message,
    private_chat,
    require_chat,
)

CALLBACK_DATA_LIMIT_BYTES = 64
Content = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """The message that a new one answers, and the words of it that are quoted."""

    message_id: int | None = None
    quote: dict[str, Any] | None = None


def post(
    world: World,
    bot_id: int,
    chat: dict[str, Any],
    sender: dict[str, Any],
    contents: Sequence[Content],
    reply: Reply,
) -> list[dict[str, Any]]:
    """Store messages in order within one transaction and return their Message objects.

    Each content holds what is special to it (text, photo ...). Nothing is enqueued for the bot: that is the
    customer's side's affair. Call `show` after the transaction.
    """
    chat_id: int = chat["id"]
    with world.store.transaction():
        return [_post_one(world, bot_id, chat_id, chat, sender, content, reply) for content in contents]


def _post_one(
    world: World,
    bot_id: int,
    chat_id: int,
    chat: dict[str, Any],
    sender: dict[str, Any],
    content: Content,
    reply: Reply,
) -> dict[str, Any]:
    body = {
        "message_id": world.store.next_message_id(bot_id, chat_id),
        "from": sender,
        "chat": chat,
        "date": int(world.clock()),
        **({"quote": reply.quote} if reply.quote else {}),
        **content,
    }
    is_outgoing: bool = sender["is_bot"]
    world.store.add_message(bot_id, chat_id, body, is_outgoing=is_outgoing, reply_to=reply.message_id)
    return message_object(
        world, bot_id, chat_id, Stored(body["message_id"], is_outgoing, False, reply.message_id, body, {})
    )


def show(world: World, bot_id: int, chat_id: int, message_ids: Sequence[int], kind: str = "message") -> None:
    """Tell the open phones of new or changed messages."""
    for message_id in message_ids:
        if stored := world.store.find_message(bot_id, chat_id, message_id):
            world.watchers.tell(kind, bot_id, chat_id, message=phone_message(world, bot_id, chat_id, stored))


def send(call: Call, contents: Sequence[Content]) -> list[dict[str, Any]]:
    """Post as the bot to the chat that the call names, with its reply and keyboard. Raises: BotApiError."""
    customer = require_chat(call.world, call.bot, require_chat_id(call))
    reply = read_reply(call, customer["id"])
    markup = read_keyboard(call)
    extra: Content = {"reply_markup": markup} if markup else {}
    if call.is_set("protect_content"):
        extra["has_protected_content"] = True
    sender = bot_user(call.bot)
    chat = private_chat(customer)
    messages = post(
        call.world, call.bot.id, chat, sender, [{**content, **extra} for content in contents], reply
    )
    show(call.world, call.bot.id, chat["id"], [message["message_id"] for message in messages])
    return messages


def require_chat_id(call: Call) -> int | None:
    """Raises: BotApiError when the call names no chat at all."""
    if not call.text("chat_id").strip():
        raise bad_request("chat_id is empty")
    return call.chat_id


def read_text(call: Call, name: str = "text", entities: str = "entities") -> Content:
    """The text of a call and its entities. Raises: BotApiError for an empty or too long one."""
    text, found = format_text(
        call.text(name), call.json(entities, list), call.text("parse_mode"), TEXT_LIMIT, "message is too long"
    )
    if not text:
        raise bad_request("message text is empty")
    options = call.json("link_preview_options", dict)
    content: Content = {"text": text, **({"entities": found} if found else {})}
    return {**content, "link_preview_options": options} if options else content


def read_caption(call: Call) -> Content:
    """The caption of a call; empty when there is none. Raises: BotApiError."""
    return format_caption(call.text("caption"), call.json("caption_entities", list), call.text("parse_mode"))


def format_caption(caption: str, entities: list[Any] | None, parse_mode: str) -> Content:
    """A caption as stored. Raises: BotApiError."""
    text, found = format_text(caption, entities, parse_mode, CAPTION_LIMIT, "message caption is too long")
    if not text:
        return {}
    return {"caption": text, **({"caption_entities": found} if found else {})}


def read_reply(call: Call, chat_id: int) -> Reply:
    """`reply_parameters`, or the older `reply_to_message_id`. Raises: BotApiError."""
    given: dict[str, Any] | None = call.json("reply_parameters", dict)
    if given is None:
        if not call.integer("reply_to_message_id"):
            return Reply()
        lenient = call.is_set("allow_sending_without_reply")
        given = {"message_id": call.integer("reply_to_message_id")}
        given["allow_sending_without_reply"] = lenient
    message_id = given.get("message_id")
    if not isinstance(message_id, int) or abs(message_id) >= 2**53:
        raise bad_request("message to be replied not found")
    stored = call.world.store.find_message(call.bot.id, chat_id, message_id)
    if stored is None:
        if given.get("allow_sending_without_reply"):
            return Reply()
        raise bad_request("message to be replied not found")
    quote = given.get("quote")
    if not quote:
        return Reply(message_id)
    entities = given.get("quote_entities")
    text, found = format_text(
        str(quote),
        entities if isinstance(entities, list) else None,
        str(given.get("quote_parse_mode") or ""),
        CAPTION_LIMIT,
        "QUOTE_TEXT_INVALID",
    )
    return Reply(message_id, make_quote(stored.body, text, found, given.get("quote_position")))


def make_quote(body: dict[str, Any], text: str, entities: list[Entity], position: Any) -> dict[str, Any]:
    """A TextQuote of that message, near `position`. Raises: BotApiError when it does not say these words."""
    whole: str = body.get("text", body.get("caption", ""))
    wanted = position if type(position) is int and 0 <= position <= TEXT_LIMIT else 0
    if not text or text not in whole:
        raise bad_request("QUOTE_TEXT_INVALID")
    if utf16_slice(whole, wanted, utf16_length(text)) != text:
        starts = [at for at in range(len(whole)) if whole.startswith(text, at)]
        offsets = [utf16_length(whole[:at]) for at in starts]
        wanted = min(offsets, key=lambda offset: abs(offset - wanted))
    quote = {"text": text, "position": wanted, "is_manual": True}
    kept = [
        entity
        for entity in entities
        if entity["type"] not in ("url", "mention", "hashtag", "bot_command", "email")
    ]
    return {**quote, "entities": kept} if kept else quote


def read_keyboard(call: Call) -> dict[str, Any] | None:
    """The inline keyboard to store with a message; other kinds are checked and shown nowhere.

    Raises: BotApiError for a malformed one.
    """
    markup = call.json("reply_markup", dict)
    if not markup:
        return None
    rows = markup.get("inline_keyboard")
    if rows is None:
        if not any(markup.get(name) is not None for name in ("keyboard", "remove_keyboard", "force_reply")):
            raise bad_request("object expected as reply markup")
        return None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request("can't parse inline keyboard: expected an Array of Arrays")
    for button in (button for row in rows for button in row):
        _check_button(button)
    return {"inline_keyboard": rows} if any(rows) else None


def _check_button(button: Any) -> None:
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        raise bad_request("can't parse inline keyboard button: can't find field \"text\"")
    if not button["text"].strip():
        raise bad_request("can't parse inline keyboard button: text is empty")
    if len(button) < 2:
        raise bad_request(
            "can't parse inline keyboard button: text buttons are unallowed in the inline keyboard"
        )
    data = button.get("callback_data")
    if data is not None and (
        not isinstance(data, str) or not 0 < len(data.encode()) <= CALLBACK_DATA_LIMIT_BYTES
    ):
        raise bad_request("BUTTON_DATA_INVALID")

"""The customer's side: what a person does on the phone, and the updates that the bot gets of it."""

from collections.abc import Sequence
from typing import Any

from parley.sandbox.forms import Upload
from parley.sandbox.telegram.entities import TEXT_LIMIT, format_text
from parley.sandbox.telegram.errors import bad_request
from parley.sandbox.telegram.media import keep_media
from parley.sandbox.telegram.posting import Content, Reply, format_caption, make_quote, post, show
from parley.sandbox.telegram.rows import Bot, Stored
from parley.sandbox.telegram.updates import enqueue
from parley.sandbox.telegram.world import (
    World,
    bot_user,
    customer_user,
    find_chat,
    message_object,
    private_chat,
)

ALBUM_LIMIT = 10


def add_customer(
    world: World, first_name: str, last_name: str, username: str, language_code: str
) -> dict[str, Any]:
    """A new person with a phone; they write to a bot before it may write to them."""
    with world.store.transaction():
        customer = {
            "id": world.store.next_number("customer"),
            "first_name": first_name,
            "last_name": last_name,
            "username": username,
            "language_code": language_code,
        }
        world.store.add_customer(customer)
    return customer


def say(
    world: World, bot: Bot, customer_id: int, contents: Sequence[Content], reply: Reply
) -> list[dict[str, Any]]:
    """Post messages as the customer: each is an update of its own. Raises: BotApiError in an unknown chat."""
    customer = find_chat(world, bot, customer_id)
    with world.store.transaction():
        world.store.ensure_chat(bot.id, customer_id)
        if world.store.find_blocked(bot.id, customer_id):
            raise bad_request("the customer blocked this bot")
        messages = post(world, bot.id, private_chat(customer), customer_user(customer), contents, reply)
        for message in messages:
            enqueue(world, bot.id, customer_id, "message", message)
    world.wake()
    show(world, bot.id, customer_id, [message["message_id"] for message in messages])
    return messages


def text_content(text: str, entities: list[dict[str, Any]] | None) -> Content:
    """What a person typed. Raises: BotApiError for an empty or too long text."""
    clean, found = format_text(text, entities, "", TEXT_LIMIT, "message is too long")
    if not clean:
        raise bad_request("message text is empty")
    return {"text": clean, **({"entities": found} if found else {})}


async def media_contents(
    world: World, bot: Bot, kind: str, uploads: Sequence[Upload], caption: str, facts: dict[str, str]
) -> list[Content]:
    """One message for each file, an album when there are several; the caption stands on the first."""
    if not 1 <= len(uploads) <= ALBUM_LIMIT:
        raise bad_request(f"send 1 to {ALBUM_LIMIT} files")
    if not all(upload.size_bytes for upload in uploads):
        raise bad_request("file must be non-empty")
    words = format_caption(caption, None, "")
    contents = [await keep_media(world, bot.id, kind, upload, facts) for upload in uploads]
    if len(contents) > 1:
        group = {"media_group_id": str(world.store.next_number("album"))}
        contents = [{**group, **content} for content in contents]
    return [{**contents[0], **words}, *contents[1:]]


def reply_to(
    world: World, bot: Bot, customer_id: int, message_id: int | None, quote: str, position: int
) -> Reply:
    """An answer to a message, maybe to some words of it. Raises: BotApiError."""
    if message_id is None:
        return Reply()
    stored = require_message(world, bot, customer_id, message_id)
    if not quote:
        return Reply(message_id)
    return Reply(message_id, make_quote(stored.body, quote[:1024], [], position))


def edit(world: World, bot: Bot, customer_id: int, message_id: int, text: str) -> dict[str, Any]:
    """Change the words of an own message, text or caption. Raises: BotApiError."""
    stored = require_message(world, bot, customer_id, message_id)
    if stored.is_outgoing:
        raise bad_request("message can't be edited")
    names = ("text", "entities") if "text" in stored.body else ("caption", "caption_entities")
    words = text_content(text, None) if "text" in stored.body else format_caption(text, None, "")
    kept = {name: value for name, value in stored.body.items() if name not in (*names, "quote")}
    quote = {"quote": stored.body["quote"]} if "quote" in stored.body else {}
    body = {**kept, **quote, **words, "edit_date": int(world.clock())}
    with world.store.transaction():
        world.store.set_body(bot.id, customer_id, body)
        changed = require_message(world, bot, customer_id, message_id)
        message = message_object(world, bot.id, customer_id, changed)
        enqueue(world, bot.id, customer_id, "edited_message", message)
    world.wake()
    show(world, bot.id, customer_id, [message_id], "edited")
    return message


def delete(world: World, bot: Bot, customer_id: int, message_id: int) -> None:
    """Delete a message for both sides; bots hear nothing of it. Raises: BotApiError."""
    require_message(world, bot, customer_id, message_id)
    world.store.delete_message(bot.id, customer_id, message_id)
    world.watchers.tell("deleted", bot.id, customer_id, message_id=message_id)


def react(world: World, bot: Bot, customer_id: int, message_id: int, emoji: str) -> None:
    """Set the customer's one reaction; an empty string takes it off. Raises: BotApiError."""
    customer = find_chat(world, bot, customer_id)
    stored = require_message(world, bot, customer_id, message_id)
    before = stored.reactions.get("customer", "")
    if before == emoji:
        return
    after = {side: one for side, one in stored.reactions.items() if side != "customer"}
    change = {
        "chat": private_chat(customer),
        "message_id": message_id,
        "date": int(world.clock()),
        "user": customer_user(customer),
        "old_reaction": [{"type": "emoji", "emoji": before}] if before else [],
        "new_reaction": [{"type": "emoji", "emoji": emoji}] if emoji else [],
    }
    with world.store.transaction():
        world.store.set_reactions(
            bot.id, customer_id, message_id, {**after, **({"customer": emoji} if emoji else {})}
        )
        enqueue(world, bot.id, customer_id, "message_reaction", change)
    world.wake()
    show(world, bot.id, customer_id, [message_id], "edited")


def press(world: World, bot: Bot, customer_id: int, message_id: int, data: str) -> int:
    """Press a button below a message of the bot; the number of the query. Raises: BotApiError."""
    customer = find_chat(world, bot, customer_id)
    stored = require_message(world, bot, customer_id, message_id)
    rows = stored.body.get("reply_markup", {}).get("inline_keyboard", [])
    if not any(button.get("callback_data") == data for row in rows for button in row):
        raise bad_request("BUTTON_DATA_INVALID")
    with world.store.transaction():
        callback_id = world.store.add_callback(bot.id, customer_id, world.clock())
        query = {
            "id": str(callback_id),
            "from": customer_user(customer),
            "chat_instance": str(-(bot.id * 1000 + customer_id % 1000)),
            "message": message_object(world, bot.id, customer_id, stored),
            "data": data,
        }
        enqueue(world, bot.id, customer_id, "callback_query", query)
    world.wake()
    return callback_id


def set_blocked(world: World, bot: Bot, customer_id: int, blocked: bool) -> None:
    """Block or unblock the bot; it hears of it once. Raises: BotApiError in an unknown chat."""
    customer = find_chat(world, bot, customer_id)
    world.store.ensure_chat(bot.id, customer_id)
    if world.store.find_blocked(bot.id, customer_id) == blocked:
        return
    states = [
        {"user": bot_user(bot), "status": "member"},
        {"user": bot_user(bot), "status": "kicked", "until_date": 0},
    ]
    change = {
        "chat": private_chat(customer),
        "from": customer_user(customer),
        "date": int(world.clock()),
        "old_chat_member": states[not blocked],
        "new_chat_member": states[blocked],
    }
    with world.store.transaction():
        world.store.set_blocked(bot.id, customer_id, blocked)
        enqueue(world, bot.id, customer_id, "my_chat_member", change)
    world.wake()
    world.watchers.tell("chat", bot.id, customer_id, is_blocked=blocked)


def require_message(world: World, bot: Bot, customer_id: int, message_id: int) -> Stored:
    """Raises: BotApiError when the chat has no such message."""
    stored = world.store.find_message(bot.id, customer_id, message_id)
    if stored is None:
        raise bad_request("message not found")
    return stored

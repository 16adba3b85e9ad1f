"""Methods by which a bot says something: sendMessage, sendPhoto ... sendMediaGroup, forward and copy."""

from typing import Any

from parley.sandbox.telegram.call import Call
from parley.sandbox.telegram.errors import bad_request
from parley.sandbox.telegram.media import take_media
from parley.sandbox.telegram.posting import (
    Content,
    format_caption,
    read_caption,
    read_text,
    require_chat_id,
    send,
)
from parley.sandbox.telegram.rows import Stored
from parley.sandbox.telegram.world import find_chat, require_chat

ALBUM_LIMIT = 10
ACTIONS = frozenset(
    [
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "record_audio",
        "upload_voice",
        "upload_audio",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    ]
)
_WITHOUT_CAPTION = ("sticker", "video_note")


async def send_message(call: Call) -> dict[str, Any]:
    """sendMessage"""
    return send(call, [read_text(call)])[0]


async def send_media(call: Call) -> dict[str, Any]:
    """sendPhoto, sendDocument, sendVideo, sendAudio, sendVoice, sendAnimation, sendSticker, sendVideoNote"""
    kind = {"videonote": "video_note"}.get(call.method.removeprefix("send"), call.method.removeprefix("send"))
    require_chat(call.world, call.bot, require_chat_id(call))
    content = {} if kind in _WITHOUT_CAPTION else read_caption(call)
    media = await take_media(call, kind, call.text(kind), kind, call.form.values)
    return send(call, [{**media, **content, **_look(call.form.values)}])[0]


async def send_media_group(call: Call) -> list[dict[str, Any]]:
    """sendMediaGroup: all of the album or nothing."""
    items = call.json("media", list)
    require_chat(call.world, call.bot, require_chat_id(call))
    if not items:
        raise bad_request("there are no messages to send")
    if not 2 <= len(items) <= ALBUM_LIMIT:
        raise bad_request(f"media group must include 2-{ALBUM_LIMIT} items, got {len(items)}")
    kinds = {_item_kind(item) for item in items}
    for kind in ("document", "audio"):
        if kind in kinds and len(kinds) > 1:
            raise bad_request(f"{kind} can't be mixed with other media types")
    contents = [await input_media(call, item) for item in items]
    group_id = str(call.world.store.next_number("album"))
    return send(call, [{"media_group_id": group_id, **content} for content in contents])


async def input_media(call: Call, item: dict[str, Any]) -> Content:
    """An InputMedia object as the content of a message. Raises: BotApiError."""
    kind = _item_kind(item)
    entities = item.get("caption_entities")
    caption = format_caption(
        str(item.get("caption") or ""),
        entities if isinstance(entities, list) else None,
        str(item.get("parse_mode") or ""),
    )
    media = await take_media(call, kind, str(item.get("media") or ""), "\0", item)
    return {**media, **caption, **_look(item)}


def _item_kind(item: Any) -> str:
    kind = item.get("type") if isinstance(item, dict) else None
    if kind not in ("photo", "video", "document", "audio", "animation"):
        raise bad_request("can't parse InputMedia: invalid type specified")
    return str(kind)


def _look(given: dict[str, Any]) -> Content:
    """The two marks of a picture that a Message repeats."""
    marks = {"has_spoiler": "has_media_spoiler", "show_caption_above_media": "show_caption_above_media"}
    return {shown: True for name, shown in marks.items() if str(given.get(name, "")).lower() in ("true", "1")}


async def send_location(call: Call) -> dict[str, Any]:
    """sendLocation"""
    return send(call, [{"location": read_location(call)}])[0]


async def send_venue(call: Call) -> dict[str, Any]:
    """sendVenue: the location stands in the message twice."""
    location = read_location(call)
    venue = {"location": location, "title": call.text("title"), "address": call.text("address")}
    return send(call, [{"venue": venue, "location": location}])[0]


async def send_contact(call: Call) -> dict[str, Any]:
    """sendContact"""
    contact = {
        name: call.text(name) for name in ("phone_number", "first_name", "last_name") if call.text(name)
    }
    if "phone_number" not in contact or "first_name" not in contact:
        raise bad_request("contact phone number or first name is empty")
    return send(call, [{"contact": contact}])[0]


def read_location(call: Call) -> dict[str, float]:
    """Raises: BotApiError when it is not on Earth."""
    latitude, longitude = call.number("latitude"), call.number("longitude")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        raise bad_request("wrong latitude or longitude specified")
    return {"latitude": latitude, "longitude": longitude}


async def send_chat_action(call: Call) -> bool:
    """sendChatAction: shown on the phone for five seconds, stored nowhere."""
    customer = require_chat(call.world, call.bot, require_chat_id(call))
    action = call.text("action").lower()
    if action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    call.world.watchers.tell("action", call.bot.id, customer["id"], action=action)
    return True


async def forward_message(call: Call) -> dict[str, Any]:
    """forwardMessage"""
    source = _source(call, "forward")
    content = _content(source.body)
    sender = source.body["from"]
    origin = {"type": "user", "sender_user": sender, "date": source.body["date"]}
    return send(call, [{**content, "forward_origin": source.body.get("forward_origin", origin)}])[0]


async def copy_message(call: Call) -> dict[str, Any]:
    """copyMessage: only the new number comes back."""
    content = _content(_source(call, "copy").body)
    if call.has("caption") and "text" not in content:
        content = {name: value for name, value in content.items() if not name.startswith("caption")}
        content |= read_caption(call)
    return {"message_id": send(call, [content])[0]["message_id"]}


def _source(call: Call, verb: str) -> Stored:
    chat = find_chat(call.world, call.bot, call.integer("from_chat_id") or None)
    stored = call.world.store.find_message(call.bot.id, chat["id"], call.integer("message_id"))
    if stored is None:
        raise bad_request(f"message to {verb} not found")
    return stored


def _content(body: dict[str, Any]) -> Content:
    own = ("message_id", "from", "chat", "date", "edit_date", "reply_markup", "quote", "media_group_id")
    return {name: value for name, value in body.items() if name not in own}

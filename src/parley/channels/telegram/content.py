"""What a Telegram message says and carries: text, file, or a line that tells what else it is. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from parley.channels.contract import AttachmentKind, Entity, IncomingAttachment
from parley.channels.telegram.entities import parse_text
from parley.channels.telegram.updates import File, Message, MessageEntity, SharedContact, User
from parley.kit.text import clean_name, clean_text

FILE_ID_LIMIT = 1000
"""Characters of a file's id that are kept: real ones have about a hundred, and none of ours needs more."""

_MIME = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,100}")


class Content(msgspec.Struct, frozen=True):
    """The content of a message, in our words."""

    text: str
    entities: list[Entity] = []
    attachments: list[IncomingAttachment] = []
    extra: dict[str, Any] = {}


def parse_content(message: Message) -> Content | None:
    """Return what the message says and carries; None for service messages and kinds we do not read."""
    attachment = _attachment(message)
    if attachment is not None:
        text, entities = _text(message.caption or "", message.caption_entities)
        return Content(text, entities, [attachment], _file_extra(message))
    if message.text:
        text, entities = _text(message.text, message.entities)
        return Content(text, entities) if text.strip() else None
    return _told(message)


def _text(text: str, entities: Sequence[MessageEntity]) -> tuple[str, list[Entity]]:
    return parse_text(text, ((one.type, one.offset, one.length, one.url, one.language) for one in entities))


def _attachment(message: Message) -> IncomingAttachment | None:
    """Return the file of a message, one at most. An animation also fills ``document``, so it goes first."""
    if message.photo:
        largest = max(message.photo, key=lambda size: (size.width or 0) * (size.height or 0))
        return _file("image", largest, "image/jpeg")
    if message.animation:
        return _file("animation", message.animation, "video/mp4")
    if message.video:
        return _file("video", message.video, "video/mp4")
    if message.video_note:
        return _file("video", message.video_note, "video/mp4")
    if message.voice:
        return _file("voice", message.voice, "audio/ogg")
    if message.audio:
        return _file("audio", message.audio, "audio/mpeg")
    if message.sticker:
        return _file("sticker", message.sticker, _sticker_type(message.sticker))
    if message.document:
        return _file("file", message.document, "application/octet-stream")
    return None


def _sticker_type(sticker: File) -> str:
    if sticker.is_animated:
        return "application/x-tgsticker"
    return "video/webm" if sticker.is_video else "image/webp"


def _file(kind: AttachmentKind, file: File, content_type: str) -> IncomingAttachment:
    told = (file.mime_type or "").lower()
    # cleaned: a NUL or lone surrogate, which no id of Telegram's has, cannot be stored
    reference: dict[str, Any] = {
        "file_id": clean_text(file.file_id)[:FILE_ID_LIMIT],
        "file_unique_id": clean_text(file.file_unique_id)[:FILE_ID_LIMIT],
    }
    if file.file_size is not None:
        reference["file_size"] = file.file_size
    return IncomingAttachment(
        kind=kind,
        reference=reference,
        name=clean_name(re.split(r"[/\\]", file.file_name)[-1]) or None if file.file_name else None,
        content_type=told if _MIME.fullmatch(told) else content_type,
        size_bytes=file.file_size,
        width=file.width or file.length,
        height=file.height or file.length,
        duration_seconds=file.duration,
    )


def _file_extra(message: Message) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if message.has_media_spoiler:
        extra["is_spoiler"] = True
    if message.video_note:
        extra["is_video_note"] = True
    if message.sticker and message.sticker.emoji:
        extra["emoji"] = clean_name(message.sticker.emoji, limit=20)
    if message.audio:
        for name in ("title", "performer"):
            value = getattr(message.audio, name)
            if value:
                extra[name] = clean_name(value)
    return extra


def _told(message: Message) -> Content | None:
    """Return content without words of its own as a readable line, and its fields in ``extra``."""
    if message.venue:
        place = message.venue.location
        name = ", ".join(filter(None, (clean_name(message.venue.title), clean_name(message.venue.address))))
        venue = {"title": clean_name(message.venue.title), "address": clean_name(message.venue.address)}
        point = {"latitude": place.latitude, "longitude": place.longitude}
        text = f"📍 {name} ({_point(place.latitude, place.longitude)})"
        return Content(text, extra={"venue": venue, "location": point})
    if message.location:
        place = message.location
        point = {"latitude": place.latitude, "longitude": place.longitude}
        extra: dict[str, Any] = {"location": point}
        if place.live_period:
            extra["is_live"] = True
        return Content(f"📍 {_point(place.latitude, place.longitude)}", extra=extra)
    if message.contact:
        return _told_contact(message.contact, message.from_)
    if message.dice:
        emoji = clean_name(message.dice.emoji, limit=20)
        return Content(
            f"{emoji} {message.dice.value}", extra={"dice": {"emoji": emoji, "value": message.dice.value}}
        )
    if message.poll:
        question = clean_name(message.poll.question, limit=300)
        options = [clean_name(option.text, limit=100) for option in message.poll.options[:20]]
        text = "\n".join([f"📊 {question}", *(f"- {option}" for option in options)])
        return Content(text, extra={"poll": {"question": question, "options": options}})
    return None


def _told_contact(contact: SharedContact, sender: User | None) -> Content:
    name = full_name(contact.first_name, contact.last_name)
    phone = clean_name(contact.phone_number, limit=40)
    shared = {"name": name, "phone": phone, "is_own": is_own(contact, sender)}
    return Content(f"👤 {name} {phone}".replace("  ", " "), extra={"contact": shared})


def _point(latitude: float, longitude: float) -> str:
    return f"{latitude:.6f}, {longitude:.6f}"


def fingerprint(content: Content) -> str:
    """Return 64 bits of what was said: Telegram counts edits in whole seconds, and two may share one."""
    parts = (
        content.text,
        content.entities,
        [one.reference.get("file_unique_id") for one in content.attachments],
    )
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


def full_name(first: str, last: str | None) -> str:
    """Return a person's name on one line; empty when nothing of it can be shown."""
    return clean_name(f"{first} {last or ''}")


def is_own(contact: SharedContact, sender: User | None) -> bool:
    """Whether a shared contact is the sender's own; Telegram then vouches for the number."""
    return sender is not None and contact.user_id == sender.id

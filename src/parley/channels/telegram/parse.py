"""Telegram's updates in our words. Pure: bytes in, typed events out, and BadUpdate for everything misshapen.

Only private chats become messages; what comes from groups, channels, bots and Telegram itself is Ignored with
its reason. Limits and shapes: core.telegram.org/bots/api#update.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from parley.channels.contract import (
    AttachmentKind,
    BadUpdate,
    Entity,
    Ignored,
    IncomingAttachment,
    IncomingEdit,
    IncomingMessage,
    IncomingReach,
    JournalPart,
    Parsed,
    Person,
    Quote,
)
from parley.channels.telegram.entities import parse_text
from parley.channels.telegram.updates import (
    Chat,
    ChatMemberUpdated,
    File,
    ForwardOrigin,
    Lane,
    Message,
    MessageEntity,
    Numbered,
    SharedContact,
    User,
)
from parley.kit.text import clean_name, clean_text

_T = TypeVar("_T")
_MIME = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,100}")
_LANGUAGE = re.compile(r"[A-Za-z0-9-]{1,20}")
_USERNAME = re.compile(r"\w{1,64}")
_PATH = re.compile(r"at `\$([^`]*)`")


def split_update(body: bytes) -> list[JournalPart]:
    """Return the one item of a webhook body (Telegram sends exactly one) with its lane, the chat's id.

    An update without a chat goes to the lane "". Raises BadUpdate.
    """
    return [JournalPart(lane=_lane(_decode(body, Lane)), body=body)]


def split_batch(updates: Sequence[bytes]) -> tuple[list[JournalPart], int | None]:
    """Return the items of a poll and the offset that confirms them: the highest number + 1, None without one.

    An update whose chat cannot be read is kept, in the lane "": the journal is to show it, not the poller.
    """
    parts: list[JournalPart] = []
    offset: int | None = None
    for body in updates:
        try:
            lane = _decode(body, Lane)
        except BadUpdate:
            parts.append(JournalPart(lane="", body=body))
            number = _number(body)
        else:
            parts.append(JournalPart(lane=_lane(lane), body=body))
            number = lane.update_id
        if number is not None:
            offset = max(offset or 0, number + 1)
    return parts, offset


def parse_update(body: bytes) -> list[Parsed]:
    """Return what one update means. Raises BadUpdate with ``path``, the place of what is wrong."""
    fields = _decode(body, dict[str, msgspec.Raw])
    if "update_id" not in fields:
        raise BadUpdate("The update has no number.", path="update_id")
    if "message" in fields:
        return [_parse_message(_decode(fields["message"], Message, "message"), fields["message"])]
    if "edited_message" in fields:
        return [_parse_edit(_decode(fields["edited_message"], Message, "edited_message"))]
    if "my_chat_member" in fields:
        return [_parse_reach(_decode(fields["my_chat_member"], ChatMemberUpdated, "my_chat_member"))]
    return [Ignored(f"update of kind {_key_names(fields, 'update_id')}")]


# ---------------------------------------------------------------- kinds of update


def _parse_message(message: Message, raw: msgspec.Raw) -> Parsed:
    reason = _reason_to_ignore(message.chat, message.from_)
    if reason:
        return Ignored(reason)
    content = _content(message)
    if content is None:
        known = _decode(raw, dict[str, msgspec.Raw], "message")
        return Ignored(f"message without words or files: {_key_names(known, *_FRAME)}")
    return IncomingMessage(
        chat=str(message.chat.id),
        person=_person(message.chat, message.from_, message.contact),
        at=_time(message.date),
        provider_id=str(message.message_id),
        text=content.text,
        entities=content.entities,
        attachments=content.attachments,
        reply_to=_reply(message),
        group_id=clean_name(message.media_group_id) or None if message.media_group_id else None,
        forwarded_from=_origin(message.forward_origin),
        extra=content.extra | _foreign_quote(message),
    )


def _parse_edit(message: Message) -> Parsed:
    reason = _reason_to_ignore(message.chat, message.from_)
    if reason:
        return Ignored(reason)
    content = _content(message)
    if content is None:
        return Ignored("edit without words or files")
    edited = message.date if message.edit_date is None else message.edit_date
    return IncomingEdit(
        chat=str(message.chat.id),
        person=_person(message.chat, message.from_, message.contact),
        at=_time(edited),
        provider_id=str(message.message_id),
        revision=f"{edited}-{_fingerprint(content)}",
        text=content.text,
        entities=content.entities,
    )


def _parse_reach(update: ChatMemberUpdated) -> Parsed:
    """In a private chat "kicked" says that the person blocked the bot, "member" that they let it in again."""
    reason = _reason_to_ignore(update.chat, update.from_)
    if reason:
        return Ignored(reason)
    status = update.new_chat_member.status
    if status not in ("kicked", "member"):
        return Ignored(f"membership {clean_name(status, limit=40)}")
    return IncomingReach(
        chat=str(update.chat.id),
        person=_person(update.chat, update.from_, None),
        at=_time(update.date),
        is_reachable=status == "member",
    )


def _reason_to_ignore(chat: Chat, sender: User | None) -> str | None:
    if chat.type != "private":
        return f"chat of type {clean_name(chat.type, limit=40)}"
    if sender is not None and sender.is_bot:
        return "sent by a bot"
    return None


# ---------------------------------------------------------------- content


class _Content(msgspec.Struct):
    text: str
    entities: list[Entity] = []
    attachments: list[IncomingAttachment] = []
    extra: dict[str, Any] = {}


# Fields that every message may have; what remains names its content in the reason of an Ignored.
_FRAME = (
    "message_id",
    "date",
    "chat",
    "from",
    "edit_date",
    "reply_to_message",
    "message_thread_id",
    "is_topic_message",
    "via_bot",
    "has_protected_content",
)


def _content(message: Message) -> _Content | None:
    """Return what the message says and carries; None for service messages and kinds we do not read."""
    attachment = _attachment(message)
    if attachment is not None:
        text, entities = _text(message.caption or "", message.caption_entities)
        return _Content(text, entities, [attachment], _file_extra(message))
    if message.text:
        text, entities = _text(message.text, message.entities)
        return _Content(text, entities) if text.strip() else None
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
    reference: dict[str, Any] = {"file_id": file.file_id, "file_unique_id": file.file_unique_id}
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


def _told(message: Message) -> _Content | None:
    """Return content without words of its own as a readable line, and its fields in ``extra``."""
    if message.venue:
        place = message.venue.location
        name = ", ".join(filter(None, (clean_name(message.venue.title), clean_name(message.venue.address))))
        venue = {"title": clean_name(message.venue.title), "address": clean_name(message.venue.address)}
        point = {"latitude": place.latitude, "longitude": place.longitude}
        text = f"📍 {name} ({_point(place.latitude, place.longitude)})"
        return _Content(text, extra={"venue": venue, "location": point})
    if message.location:
        place = message.location
        point = {"latitude": place.latitude, "longitude": place.longitude}
        extra: dict[str, Any] = {"location": point}
        if place.live_period:
            extra["is_live"] = True
        return _Content(f"📍 {_point(place.latitude, place.longitude)}", extra=extra)
    if message.contact:
        return _told_contact(message.contact, message.from_)
    if message.dice:
        emoji = clean_name(message.dice.emoji, limit=20)
        return _Content(
            f"{emoji} {message.dice.value}", extra={"dice": {"emoji": emoji, "value": message.dice.value}}
        )
    if message.poll:
        question = clean_name(message.poll.question, limit=300)
        options = [clean_name(option.text, limit=100) for option in message.poll.options[:20]]
        text = "\n".join([f"📊 {question}", *(f"- {option}" for option in options)])
        return _Content(text, extra={"poll": {"question": question, "options": options}})
    return None


def _told_contact(contact: SharedContact, sender: User | None) -> _Content:
    name = _full_name(contact.first_name, contact.last_name)
    phone = clean_name(contact.phone_number, limit=40)
    shared = {"name": name, "phone": phone, "is_own": _is_own(contact, sender)}
    return _Content(f"👤 {name} {phone}".replace("  ", " "), extra={"contact": shared})


def _point(latitude: float, longitude: float) -> str:
    return f"{latitude:.6f}, {longitude:.6f}"


def _fingerprint(content: _Content) -> str:
    """Return 64 bits of what was said: Telegram counts edits in whole seconds, and two may share one."""
    parts = (
        content.text,
        content.entities,
        [one.reference.get("file_unique_id") for one in content.attachments],
    )
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


# ---------------------------------------------------------------- who and when


def _person(chat: Chat, sender: User | None, contact: SharedContact | None) -> Person:
    """Return the contact. In a private chat the chat's id is the person's; it is what we answer to."""
    username = (sender.username if sender else None) or chat.username
    username = username if username and _USERNAME.fullmatch(username) else None
    name = _full_name(sender.first_name, sender.last_name) if sender else ""
    name = name or _full_name(chat.first_name or "", chat.last_name) or username or f"Telegram {chat.id}"
    language = sender.language_code if sender else None
    own = contact is not None and _is_own(contact, sender)
    return Person(
        address=str(chat.id),
        name=name,
        username=username,
        language=language if language and _LANGUAGE.fullmatch(language) else None,
        phone=clean_name(contact.phone_number, limit=40) or None if contact and own else None,
    )


def _is_own(contact: SharedContact, sender: User | None) -> bool:
    """Whether a shared contact is the sender's own; Telegram then vouches for the number."""
    return sender is not None and contact.user_id == sender.id


def _full_name(first: str, last: str | None) -> str:
    return clean_name(f"{first} {last or ''}")


def _reply(message: Message) -> Quote | None:
    if message.reply_to_message is None:
        return None
    quoted = clean_text(message.quote.text) if message.quote else None
    return Quote(provider_id=str(message.reply_to_message.message_id), text=quoted or None)


def _foreign_quote(message: Message) -> dict[str, Any]:
    """Return the words quoted from another chat: the reply has no message of ours to point at."""
    if message.quote is None or message.reply_to_message is not None:
        return {}
    return {"quote": clean_text(message.quote.text)}


def _origin(origin: ForwardOrigin | None) -> str | None:
    """Return the name a forwarded message came from."""
    if origin is None:
        return None
    chat = origin.chat or origin.sender_chat
    if origin.sender_user:
        user = origin.sender_user
        name = _full_name(user.first_name, user.last_name) or clean_name(user.username or "")
    elif chat:
        name = clean_name(chat.title or "") or _full_name(chat.first_name or "", chat.last_name)
    else:
        name = clean_name(origin.sender_user_name or "")
    return name or clean_name(origin.type, limit=40) or None


def _time(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


# ---------------------------------------------------------------- decoding


def _decode(body: bytes | msgspec.Raw, shape: type[_T], where: str = "") -> _T:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        found = _PATH.search(str(error))
        path = (where + (found.group(1) if found else "")).lstrip(".")
        raise BadUpdate(f"The update cannot be read: {_reason(error)}", path=path) from None


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error).split(" - at `")[0]


def _number(body: bytes) -> int | None:
    try:
        return _decode(body, Numbered).update_id
    except BadUpdate:
        return None


def _lane(update: Lane) -> str:
    callback = update.callback_query.message if update.callback_query else None
    for where in (
        update.message,
        update.edited_message,
        update.my_chat_member,
        callback,
        update.channel_post,
        update.edited_channel_post,
        update.business_message,
        update.edited_business_message,
        update.deleted_business_messages,
        update.message_reaction,
        update.message_reaction_count,
        update.chat_member,
        update.chat_join_request,
    ):
        if where is not None and where.chat is not None:
            return str(where.chat.id)
    return ""


def _key_names(fields: dict[str, msgspec.Raw], *without: str) -> str:
    names = sorted(name for name in fields if name not in without)
    return clean_name(", ".join(names[:5]), limit=200) or "unknown"

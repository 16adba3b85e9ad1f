"""Telegram's updates in our words. Pure: bytes in, typed events out, and BadUpdate for everything misshapen.

Only private chats become messages; what comes from groups, channels, bots and Telegram itself is Ignored with
its reason. Limits and shapes: core.telegram.org/bots/api#update.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from parley.channels.contract import (
    BadUpdate,
    Ignored,
    IncomingEdit,
    IncomingMessage,
    IncomingReach,
    JournalPart,
    Parsed,
    Person,
    Quote,
)
from parley.channels.telegram.content import fingerprint, full_name, is_own, parse_content
from parley.channels.telegram.updates import (
    Chat,
    ChatMemberUpdated,
    ForwardOrigin,
    Id,
    Lane,
    Message,
    Numbered,
    SharedContact,
    User,
)
from parley.kit.text import clean_name, clean_text

QUOTE_LIMIT = 1024
"""Characters of a quote that are kept; Telegram's own limit (core.telegram.org/bots/api#replyparameters)."""

_T = TypeVar("_T")
_LANGUAGE = re.compile(r"[A-Za-z0-9-]{1,20}")
_USERNAME = re.compile(r"\w{1,64}")
_PATH = re.compile(r"at `\$([^`]*)`")
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
    _decode(fields["update_id"], Id, "update_id")
    return [Ignored(f"update of kind {_key_names(fields, 'update_id')}")]


# ---------------------------------------------------------------- kinds of update


def _parse_message(message: Message, raw: msgspec.Raw) -> Parsed:
    reason = _reason_to_ignore(message.chat, message.from_)
    if reason:
        return Ignored(reason)
    content = parse_content(message)
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
    content = parse_content(message)
    if content is None:
        return Ignored("edit without words or files")
    edited = message.date if message.edit_date is None else message.edit_date
    return IncomingEdit(
        chat=str(message.chat.id),
        person=_person(message.chat, message.from_, message.contact),
        at=_time(edited),
        provider_id=str(message.message_id),
        revision=f"{edited}-{fingerprint(content)}",
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


# ---------------------------------------------------------------- who and when


def _person(chat: Chat, sender: User | None, contact: SharedContact | None) -> Person:
    """Return the contact. In a private chat the chat's id is the person's; it is what we answer to."""
    username = (sender.username if sender else None) or chat.username
    username = username if username and _USERNAME.fullmatch(username) else None
    name = full_name(sender.first_name, sender.last_name) if sender else ""
    name = name or full_name(chat.first_name or "", chat.last_name) or username or f"Telegram {chat.id}"
    language = sender.language_code if sender else None
    own = contact is not None and is_own(contact, sender)
    return Person(
        address=str(chat.id),
        name=name,
        username=username,
        language=language if language and _LANGUAGE.fullmatch(language) else None,
        phone=clean_name(contact.phone_number, limit=40) or None if contact and own else None,
    )


def _reply(message: Message) -> Quote | None:
    if message.reply_to_message is None:
        return None
    quoted = clean_text(message.quote.text)[:QUOTE_LIMIT] if message.quote else None
    return Quote(provider_id=str(message.reply_to_message.message_id), text=quoted or None)


def _foreign_quote(message: Message) -> dict[str, Any]:
    """Return the words quoted from another chat: the reply has no message of ours to point at."""
    if message.quote is None or message.reply_to_message is not None:
        return {}
    return {"quote": clean_text(message.quote.text)[:QUOTE_LIMIT]}


def _origin(origin: ForwardOrigin | None) -> str | None:
    """Return the name a forwarded message came from."""
    if origin is None:
        return None
    chat = origin.chat or origin.sender_chat
    if origin.sender_user:
        user = origin.sender_user
        name = full_name(user.first_name, user.last_name) or clean_name(user.username or "")
    elif chat:
        name = clean_name(chat.title or "") or full_name(chat.first_name or "", chat.last_name)
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

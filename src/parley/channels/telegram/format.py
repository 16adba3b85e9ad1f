"""Our messages as Bot API calls. Pure; a message Telegram would refuse is refused here, before anything is
sent.

The order on the contact's screen: attachments in the order given, then the text. A text that fits a caption
goes under the first attachment instead; a longer one follows as messages of its own, the last of which is
what the notification shows. Neighbouring attachments that Telegram can show together become an album.

Limits: core.telegram.org/bots/api#sendmessage, #sendphoto, #sendmediagroup, #sending-files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parley.channels.contract import (
    Call,
    Entity,
    OutgoingAttachment,
    OutgoingMessage,
    Quote,
    Rejected,
    Unsupported,
)
from parley.channels.telegram.entities import entities_within, format_entities, sendable_entities
from parley.kit.text import split_text, utf16_length, utf16_slice

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
QUOTE_LIMIT = 1024
ALBUM_LIMIT = 10
UPLOAD_LIMIT_BYTES = 50 * 1024 * 1024
PHOTO_LIMIT_BYTES = 10 * 1024 * 1024
PHOTO_LIMIT_SIDES = 10_000
"""Width and height together."""
PHOTO_LIMIT_RATIO = 20

# The content types that Telegram shows in a kind's own form; all else goes as a document, which takes
# anything.
_TYPES = {
    "image": frozenset({"image/jpeg", "image/png", "image/webp"}),
    "video": frozenset({"video/mp4"}),
    "animation": frozenset({"image/gif", "video/mp4"}),
    "audio": frozenset({"audio/mpeg", "audio/mp4", "audio/x-m4a"}),
    "voice": frozenset({"audio/ogg", "audio/mpeg", "audio/mp4", "audio/x-m4a"}),
    "sticker": frozenset({"image/webp", "video/webm", "application/x-tgsticker"}),
}
# The method for a file by itself; the keys are also the name of its field, and of its type in an album.
_METHODS = {
    "photo": "sendPhoto",
    "video": "sendVideo",
    "animation": "sendAnimation",
    "audio": "sendAudio",
    "voice": "sendVoice",
    "sticker": "sendSticker",
    "document": "sendDocument",
}
# What stands together in one album: pictures with videos, documents alone, audios alone.
_ALBUMS = {"photo": "visual", "video": "visual", "document": "document", "audio": "audio"}
_UPLOAD = "file"


def plan_message(message: OutgoingMessage) -> list[Call]:
    """Return the calls that send a message, in order; only the first one replies.

    Raises: Rejected for an empty message, an unknown chat, a file that is empty or over 50 MB.
    """
    frame = {"chat_id": _chat_id(message.chat)}
    text, entities = _sound_text(message)
    for attachment in message.attachments:
        _require_sendable(attachment)
    groups = _groups(message.attachments)
    if not groups and not text.strip():
        raise Rejected("The message is empty.", provider_code="empty_message")
    caption: dict[str, Any] = {}
    if groups and _fits_caption(groups[0][0], text):
        caption = _caption(text, entities)
        text = ""
    calls = [_send_files(frame, group, caption if index == 0 else {}) for index, group in enumerate(groups)]
    calls += [
        Call(method="sendMessage", params={**frame, **_words(piece, inner)})
        for piece, inner in _pieces(text, entities)
    ]
    reply = _reply(message.reply_to)
    if reply:
        calls[0].params["reply_parameters"] = reply
    return calls


def plan_edit(message: OutgoingMessage, provider_ids: Sequence[str]) -> list[Call]:
    """Return the calls that give a sent message its new text; files stay as they are.

    ``provider_ids``: one for each attachment, then one for each piece of text that followed. Pieces that the
    new text needs no more are deleted. Raises: Unsupported when it needs more messages than were sent.
    """
    frame = {"chat_id": _chat_id(message.chat)}
    text, entities = _sound_text(message)
    ids = [_message_id(one) for one in provider_ids]
    files = len(message.attachments)
    if not ids or len(ids) < files:
        raise Unsupported("Only a message that was sent whole can be changed.", feature="edit")
    text_ids = ids[files:]
    if files and not text_ids:
        if not _fits_caption(message.attachments[0], text):
            raise Unsupported("The new text does not fit under the attachment.", feature="edit")
        params = {**frame, "message_id": ids[0], **(_caption(text, entities) or {"caption": ""})}
        return [Call(method="editMessageCaption", params=params)]
    pieces = _pieces(text, entities)
    if not pieces and not files:
        raise Rejected("The message is empty.", provider_code="empty_message")
    if len(pieces) > len(text_ids):
        raise Unsupported("The new text needs more messages than were sent.", feature="edit")
    calls = [
        Call(method="editMessageText", params={**frame, "message_id": one, **_words(piece, inner)})
        for one, (piece, inner) in zip(text_ids, pieces, strict=False)
    ]
    return calls + [_delete(frame, one) for one in text_ids[len(pieces) :]]


def plan_delete(chat: str, provider_ids: Sequence[str]) -> list[Call]:
    """Return the calls that take every part of a message back (Telegram: within 48 hours)."""
    frame = {"chat_id": _chat_id(chat)}
    return [_delete(frame, _message_id(one)) for one in provider_ids]


# ---------------------------------------------------------------- text


def _sound_text(message: OutgoingMessage) -> tuple[str, list[Entity]]:
    """Return the text without lone surrogates, which no encoding carries, and the formatting that fits it."""
    text = message.text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text, sendable_entities(text, message.entities)


def _pieces(text: str, entities: Sequence[Entity]) -> list[tuple[str, list[Entity]]]:
    """Cut a text at Telegram's limit; each piece takes along the formatting that falls on it."""
    result = []
    position = 0
    for piece in split_text(text, TEXT_LIMIT):
        position = text.index(piece, position)
        inner = entities_within(entities, utf16_length(text[:position]), utf16_length(piece))
        result.append((piece, inner))
        position += len(piece)
    return result


def _words(text: str, entities: Sequence[Entity]) -> dict[str, Any]:
    return _with_entities({"text": text}, "entities", format_entities(entities))


def _caption(text: str, entities: Sequence[Entity]) -> dict[str, Any]:
    if not text.strip():
        return {}
    return _with_entities({"caption": text}, "caption_entities", format_entities(entities))


def _with_entities(params: dict[str, Any], name: str, entities: list[dict[str, Any]]) -> dict[str, Any]:
    return {**params, name: entities} if entities else params


def _reply(quote: Quote | None) -> dict[str, Any] | None:
    """Return what a call replies to. A reply to something we cannot name is sent as a plain message."""
    if quote is None or not quote.provider_id.isascii() or not quote.provider_id.isdigit():
        return None
    reply: dict[str, Any] = {"message_id": int(quote.provider_id), "allow_sending_without_reply": True}
    if quote.text and quote.text.strip():
        reply["quote"] = utf16_slice(quote.text, 0, QUOTE_LIMIT).rstrip("\ufffd")
    return reply


# ---------------------------------------------------------------- files


def _kind(attachment: OutgoingAttachment) -> str:
    """Return how Telegram is to show a file: what it would refuse in its own form goes as a document."""
    if attachment.content_type not in _TYPES.get(attachment.kind, ()):
        return "document"
    if attachment.kind == "image":
        return "photo" if _is_photo(attachment) else "document"
    return attachment.kind


def _is_photo(attachment: OutgoingAttachment) -> bool:
    width, height = attachment.width, attachment.height
    if attachment.size_bytes > PHOTO_LIMIT_BYTES:
        return False
    if not width or not height:
        return True
    ratio = max(width, height) / min(width, height)
    return width + height <= PHOTO_LIMIT_SIDES and ratio <= PHOTO_LIMIT_RATIO


def _groups(attachments: Sequence[OutgoingAttachment]) -> list[list[OutgoingAttachment]]:
    """Gather neighbours that may stand in one album, at most ten; all others stay alone."""
    groups: list[list[OutgoingAttachment]] = []
    for attachment in attachments:
        album = _ALBUMS.get(_kind(attachment))
        last = groups[-1] if groups else None
        if last and album and _ALBUMS.get(_kind(last[0])) == album and len(last) < ALBUM_LIMIT:
            last.append(attachment)
        else:
            groups.append([attachment])
    return groups


def _send_files(frame: dict[str, Any], group: Sequence[OutgoingAttachment], caption: dict[str, Any]) -> Call:
    if len(group) == 1:
        kind = _kind(group[0])
        params = {**frame, kind: f"attach://{_UPLOAD}0", **_dimensions(kind, group[0]), **caption}
        return Call(method=_METHODS[kind], params=params, files={f"{_UPLOAD}0": group[0]})
    media = []
    for index, attachment in enumerate(group):
        kind = _kind(attachment)
        item = {"type": kind, "media": f"attach://{_UPLOAD}{index}", **_dimensions(kind, attachment)}
        media.append({**item, **caption} if index == 0 else item)
    files = {f"{_UPLOAD}{index}": attachment for index, attachment in enumerate(group)}
    return Call(method="sendMediaGroup", params={**frame, "media": media}, files=files, weight=len(group))


def _dimensions(kind: str, attachment: OutgoingAttachment) -> dict[str, Any]:
    if kind not in ("video", "animation") or not attachment.width or not attachment.height:
        return {}
    return {"width": attachment.width, "height": attachment.height}


def _fits_caption(attachment: OutgoingAttachment, text: str) -> bool:
    kind = _kind(attachment)
    return not text.strip() or (kind != "sticker" and utf16_length(text) <= CAPTION_LIMIT)


def _require_sendable(attachment: OutgoingAttachment) -> None:
    if attachment.size_bytes <= 0:
        raise Rejected("The file is empty.", provider_code="file_empty", name=attachment.name)
    if attachment.size_bytes > UPLOAD_LIMIT_BYTES:
        raise Rejected(
            "The file is larger than the 50 MB a Telegram bot may send.",
            provider_code="file_too_big",
            name=attachment.name,
            limit_bytes=UPLOAD_LIMIT_BYTES,
        )


# ---------------------------------------------------------------- numbers


def _delete(frame: dict[str, Any], message_id: int) -> Call:
    return Call(method="deleteMessage", params={**frame, "message_id": message_id})


def _chat_id(chat: str) -> int:
    digits = chat.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 16:
        raise Rejected("This is not a chat of Telegram.", provider_code="chat_invalid")
    return int(chat)


def _message_id(provider_id: str) -> int:
    if not provider_id.isascii() or not provider_id.isdigit() or len(provider_id) > 16:
        raise Rejected("This is not a message of Telegram.", provider_code="message_invalid")
    return int(provider_id)

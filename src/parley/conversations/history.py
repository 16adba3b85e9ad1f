"""History: messages as rows become messages as clients see them, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from parley.accounts import Caller
from parley.conversations import editing_store, members_store, store
from parley.conversations.errors import MessageNotFound
from parley.conversations.schemas import (
    ActorRef,
    Attachment,
    EntityJson,
    ForwardRef,
    Message,
    MessagePage,
    Reaction,
    ReplyRef,
    Snippet,
    Status,
    VersionJson,
)
from parley.conversations.visibility import View, require_view
from parley.infra.db import Tx
from parley.kit.errors import Malformed
from parley.kit.ids import public_id
from parley.media import attachment_json, get_media

SNIPPET_LENGTH = 200
PAGE_LIMIT = 100
_FORWARD = "forward"
"""Where a stored message keeps its `ForwardRef`."""


async def read_page(
    tx: Tx,
    caller: Caller,
    conversation_id: UUID,
    *,
    before: int | None = None,
    after: int | None = None,
    around: int | None = None,
    limit: int = 50,
) -> MessagePage:
    """Return a stretch of history beside a position, ascending; the newest when none is given.

    The head is read first, so that following the stream from it misses nothing.
    Raises: ConversationNotFound, Malformed.
    """
    if sum(place is not None for place in (before, after, around)) > 1:
        raise Malformed("Of before, after and around, one may be given.")
    view = await require_view(tx, caller, conversation_id)
    reader = caller.actor_id
    head = await store.get_head(tx, conversation_id)
    limit = max(1, min(limit, PAGE_LIMIT))
    if around is not None:
        older, has_before = await _older(tx, conversation_id, around + 1, view, reader, limit - limit // 2)
        newer, has_after = await _newer(tx, conversation_id, around, view, reader, limit // 2)
        rows = older + newer
    elif after is not None:
        rows, has_after = await _newer(tx, conversation_id, after, view, reader, limit)
        has_before = await store.has_messages(
            tx, conversation_id, up_to=after, reader=reader, notes=view == "staff"
        )
    else:
        rows, has_before = await _older(tx, conversation_id, before, view, reader, limit)
        has_after = before is not None and await store.has_messages(
            tx, conversation_id, since=before, reader=reader, notes=view == "staff"
        )
    member = await members_store.find_member(tx, conversation_id, caller.actor_id)
    messages = await to_messages(tx, rows)
    return MessagePage(
        items=messages if view == "staff" else [without_status(message) for message in messages],
        has_before=has_before,
        has_after=has_after,
        head=head,
        read_number=member["read_number"] if member else 0,
        own_since=member["own_since"] if member else 0,
    )


async def _older(
    tx: Tx, conversation_id: UUID, before: int | None, view: View, reader: UUID, limit: int
) -> tuple[list[asyncpg.Record], bool]:
    rows = await store.list_messages(
        tx, conversation_id, before=before, after=None, reader=reader, notes=view == "staff", limit=limit + 1
    )
    return rows[:limit][::-1], len(rows) > limit


async def _newer(
    tx: Tx, conversation_id: UUID, after: int, view: View, reader: UUID, limit: int
) -> tuple[list[asyncpg.Record], bool]:
    rows = await store.list_messages(
        tx, conversation_id, before=None, after=after, reader=reader, notes=view == "staff", limit=limit + 1
    )
    return rows[:limit], len(rows) > limit


async def get_message(tx: Tx, conversation_id: UUID, message_id: UUID) -> Message:
    """Return one message. Raises: MessageNotFound. The caller's view is checked before."""
    found = await get_messages(tx, [(conversation_id, message_id)])
    if not found:
        raise MessageNotFound
    return found[message_id]


async def get_messages(tx: Tx, keys: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Message]:
    """Return messages by (conversation, message), keyed by message; what is not there is left out."""
    if not keys:
        return {}
    rows = await store.get_messages(tx, [key[0] for key in keys], [key[1] for key in keys])
    messages = await to_messages(tx, rows)
    return {row["id"]: message for row, message in zip(rows, messages, strict=True)}


async def get_snippets(tx: Tx, keys: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Snippet]:
    """Return messages as lists show them, keyed by message."""
    return {key: to_snippet(message) for key, message in (await get_messages(tx, keys)).items()}


async def list_versions(tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID) -> list[VersionJson]:
    """Return the last former texts of a message, oldest first. Raises: ConversationNotFound, MessageNotFound."""
    view = await require_view(tx, caller, conversation_id)
    message = await get_message(tx, conversation_id, message_id)
    if message.kind == "note" and view != "staff":
        raise MessageNotFound
    return [
        VersionJson(
            version=row["version"],
            text=row["text"],
            entities=_entities(row["entities"]),
            replaced_at=row["replaced_at"],
        )
        for row in await editing_store.list_versions(tx, conversation_id, message_id)
    ]


async def to_messages(tx: Tx, rows: Sequence[asyncpg.Record]) -> list[Message]:
    """Turn rows of `store.list_messages` into messages, files included, in the same order."""
    wanted = {media_id for row in rows for media_id in row["media_ids"] or ()}
    media = await get_media(tx, list(wanted)) if wanted else {}
    return [_message(row, media) for row in rows]


def without_status(message: Message) -> Message:
    """Return a message as everybody but staff sees it: what became of it at the provider is theirs to know."""
    return message if message.status is None else msgspec.structs.replace(message, status=None)


def _message(row: asyncpg.Record, media: dict[UUID, Any]) -> Message:
    reply = None
    if row["reply_to_id"] is not None:
        quote = None if row["reply_deleted_at"] else row["quote"]
        reply = make_reply(row["reply_to_id"], row["reply_sender_name"], row["reply_text"], quote)
    extra: dict[str, Any] = row["extra"] or {}
    return Message(
        id=public_id("msg", row["id"]),
        conversation_id=public_id("cnv", row["conversation_id"]),
        position=row["position"],
        number=row["number"],
        kind=row["kind"],
        sender=ActorRef(public_id("act", row["sender_id"]), row["sender_kind"], row["sender_name"]),
        text=row["text"],
        entities=_entities(row["entities"]),
        attachments=[to_attachment(media[key]) for key in row["media_ids"] or () if key in media],
        reply_to=reply,
        forwarded_from=find_origin(extra),
        client_id=row["client_id"],
        version=row["version"],
        created_at=row["created_at"],
        edited_at=row["edited_at"],
        deleted_at=row["deleted_at"],
        reactions=_reactions(row["reaction_list"]),
        status=msgspec.convert(row["status"], Status) if row["status"] else None,
        extra={key: extra[key] for key in extra if key != _FORWARD},
    )


def to_attachment(media: Any) -> Attachment:
    """Return a file in the shape messages carry it."""
    return msgspec.convert(attachment_json(media), Attachment)


def make_reply(message_id: UUID, sender_name: str | None, text: str | None, quote: str | None) -> ReplyRef:
    """Return what a reply shows of the message it answers."""
    return ReplyRef(
        id=public_id("msg", message_id),
        sender_name=sender_name or "",
        text=(text or "")[:SNIPPET_LENGTH],
        quote=quote,
    )


def find_origin(extra: dict[str, Any] | None) -> ForwardRef | None:
    """Return who said first what was forwarded, here or by a provider (whose word for it is a name)."""
    if not extra:
        return None
    if known := extra.get(_FORWARD):
        return msgspec.convert(known, ForwardRef)
    name = extra.get("forwarded_from")
    return ForwardRef(sender_name=name) if isinstance(name, str) else None


def extra_of(extra: dict[str, Any] | None, origin: ForwardRef | None) -> dict[str, Any] | None:
    """Return what is stored beside a message's text: its fields, and where it was forwarded from."""
    return extra if origin is None else {**(extra or {}), _FORWARD: msgspec.to_builtins(origin)}


def _entities(value: list[dict[str, Any]] | None) -> list[EntityJson]:
    return msgspec.convert(value or [], list[EntityJson])


def _reactions(pairs: list[tuple[str, str]] | None) -> list[Reaction]:
    by_emoji: dict[str, list[str]] = {}
    for emoji, actor_id in pairs or ():
        by_emoji.setdefault(emoji, []).append(public_id("act", UUID(actor_id)))
    return [Reaction(emoji, actors) for emoji, actors in by_emoji.items()]


def to_snippet(message: Message) -> Snippet:
    """Return a message as lists show it."""
    return Snippet(
        id=message.id,
        kind=message.kind,
        sender=message.sender,
        text=message.text[:SNIPPET_LENGTH],
        attachment_count=len(message.attachments),
        attachment_kind=message.attachments[0].kind if message.attachments else None,
        status=message.status,
        created_at=message.created_at,
        is_deleted=message.deleted_at is not None,
    )

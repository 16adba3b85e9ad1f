"""A customer's message in the words of the core."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import msgspec

from parley.channels.contract import IncomingEdit, IncomingMessage
from parley.conversations import Draft
from parley.conversations.schemas import TEXT_LIMIT, EntityJson

QUOTE_LIMIT = 1024
ENTITY_LIMIT = 500


def make_draft(
    inbox: asyncpg.Record,
    item: IncomingMessage,
    *,
    conversation_id: UUID,
    contact_id: UUID,
    reply_to_id: UUID | None,
    media_ids: Sequence[UUID] = (),
) -> Draft:
    """Return what is to be posted; ``reply_to_id`` is a message of the same conversation."""
    extra = dict(item.extra)
    if item.forwarded_from:
        extra["forwarded_from"] = item.forwarded_from[:200]
    return Draft(
        workspace_id=inbox["workspace_id"],
        conversation_id=conversation_id,
        sender_id=contact_id,
        text=item.text[:TEXT_LIMIT],
        entities=make_entities(item),
        media_ids=list(media_ids),
        reply_to_id=reply_to_id,
        quote=item.reply_to.text[:QUOTE_LIMIT] if item.reply_to and item.reply_to.text else None,
        group_key=make_group_key(inbox, item.group_id) if item.group_id else None,
        extra=extra or None,
    )


def make_entities(item: IncomingMessage | IncomingEdit) -> list[EntityJson]:
    """Return the entities of a message as the core keeps them."""
    return [
        msgspec.convert(msgspec.to_builtins(entity), EntityJson) for entity in item.entities[:ENTITY_LIMIT]
    ]


def make_group_key(inbox: asyncpg.Record, group_id: str) -> str:
    """Return the key by which an album is one message."""
    return f"{inbox['id'].hex}:{group_id[:100]}"

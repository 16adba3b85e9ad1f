"""A stored message in the words of the channel contract, with where its files lie and what it replies to there."""

from __future__ import annotations

from uuid import UUID

import msgspec

from parley.channels.contract import Entity, OutgoingAttachment, OutgoingMessage, Quote
from parley.conversations.schemas import Message
from parley.desk import intake_store
from parley.infra.db import Tx
from parley.kit.ids import parse_id
from parley.media import get_media, object_key


async def make_outgoing(tx: Tx, inbox_id: UUID, message: Message, chat: str) -> OutgoingMessage:
    """Return what an adapter formats. A file that is not ready is left out; the ledger's text says what was sent."""
    return OutgoingMessage(
        chat=chat,
        text=message.text,
        entities=[msgspec.convert(msgspec.to_builtins(entity), Entity) for entity in message.entities],
        attachments=await _attachments(tx, message),
        reply_to=await _quote(tx, inbox_id, message),
    )


async def _attachments(tx: Tx, message: Message) -> list[OutgoingAttachment]:
    ids = [parse_id("med", attachment.media_id) for attachment in message.attachments]
    known = await get_media(tx, ids)
    return [
        OutgoingAttachment(
            kind=media.kind,
            key=object_key(media),
            name=media.name or "file",
            content_type=media.content_type,
            size_bytes=media.size_bytes or 0,
            width=media.width,
            height=media.height,
        )
        for media in (known[media_id] for media_id in ids if media_id in known)
        if media.state == "ready"
    ]


async def _quote(tx: Tx, inbox_id: UUID, message: Message) -> Quote | None:
    if message.reply_to is None:
        return None
    provider_id = await intake_store.find_provider_id(
        tx, inbox_id, parse_id("cnv", message.conversation_id), parse_id("msg", message.reply_to.id)
    )
    return Quote(provider_id=provider_id, text=message.reply_to.quote) if provider_id else None

"""Forwarding: somebody else's words, said again elsewhere by who may read them.

The new message holds the text and shares the files; whoever sees it may fetch them, and it stays when the first one is
deleted. It names who spoke first and when, never where: what the source is called is known to its members alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from parley.accounts import Caller
from parley.conversations import hiding_store, history
from parley.conversations.errors import BadForward, MessageDeleted, MessageNotFound
from parley.conversations.mentions import without_calls
from parley.conversations.schemas import ForwardRef, Message
from parley.conversations.sending import Draft
from parley.conversations.visibility import require_view
from parley.infra.db import Database, Tx
from parley.kit.ids import parse_id

Kind = Literal["text", "note"]


async def draft_forwards(
    db: Database,
    caller: Caller,
    conversation_id: UUID,
    *,
    source_id: UUID,
    message_ids: Sequence[UUID],
    client_ids: Sequence[str],
    kind: Kind = "text",
) -> list[Draft]:
    """Return drafts that say messages of the source again, in their order; whether they may be posted the door decides.

    Raises: ConversationNotFound, MessageNotFound, MessageDeleted, BadForward (about the source).
    """
    async with db.transaction(caller.workspace_id) as tx:
        messages = await _read(tx, caller, source_id, message_ids, kind)
    return [
        Draft(
            workspace_id=caller.workspace_id,
            conversation_id=conversation_id,
            sender_id=caller.actor_id,
            kind=kind,
            text=message.text,
            entities=without_calls(message.entities),
            media_ids=[parse_id("med", one.media_id) for one in message.attachments],
            forwarded_from=_origin(message),
            source=(source_id, parse_id("msg", message.id)),
            client_id=client_id,
            is_admin=caller.is_admin or (caller.kind == "bot" and caller.is_staff),
            may_chat=caller.may_chat,
            may_desk=caller.by_id is None or caller.is_staff,
        )
        for message, client_id in zip(messages, client_ids, strict=True)
    ]


async def _read(
    tx: Tx, caller: Caller, source_id: UUID, message_ids: Sequence[UUID], kind: Kind
) -> list[Message]:
    view = await require_view(tx, caller, source_id)
    found = await history.get_messages(tx, [(source_id, message_id) for message_id in set(message_ids)])
    hidden = await hiding_store.list_hidden(tx, caller.actor_id, [source_id], message_ids)
    messages = []
    for message_id in message_ids:
        message = found.get(message_id)
        if message is None or message_id in hidden or (message.kind == "note" and view != "staff"):
            raise MessageNotFound
        if message.deleted_at:
            raise MessageDeleted
        if message.kind == "system" or (message.kind == "note" and kind != "note"):
            raise BadForward
        if any(one.state != "ready" for one in message.attachments):
            raise BadForward
        messages.append(message)
    return messages


def _origin(message: Message) -> ForwardRef:
    """Who said it first: of what was forwarded itself, whoever is named there."""
    if message.forwarded_from is not None:
        return message.forwarded_from
    return ForwardRef(
        sender_name=message.sender.name, sender_id=message.sender.id, sent_at=message.created_at
    )

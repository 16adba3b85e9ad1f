"""Deleting a message for oneself: it is gone from everything its actor reads, on all their devices, and only there.

History, lists and the events of a resume leave it out; the personal event says so to devices that have it already.
Events that are live when it happens may still name it: a client ignores what it was told to hide.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import msgspec

from parley.accounts import Caller, record_personal
from parley.conversations import hiding_store, members_store, mentions_store, store
from parley.conversations.errors import ConversationNotFound, MessageNotFound
from parley.conversations.visibility import require_view
from parley.infra.db import Tx
from parley.kit.errors import Forbidden
from parley.kit.events import Event
from parley.kit.ids import parse_id, public_id

_CHANGES = ("message.updated", "message.deleted")
NOBODY = "nobody"
"""Audience of an event that one reader is not shown."""


async def hide_message(tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID) -> None:
    """Delete a message for the caller alone. What was unread of it counts no more. Repeat: harmless.

    Raises: ConversationNotFound, MessageNotFound, Forbidden (the desk keeps one record for all).
    """
    conversation = await store.lock_conversation(tx, caller.workspace_id, conversation_id)
    if conversation is None:
        raise ConversationNotFound
    await require_view(tx, caller, conversation_id)
    if conversation["kind"] == "desk":
        raise Forbidden("What was said at the desk is there for everyone who works there.")
    message = await store.lock_message(tx, conversation_id, message_id)
    if message is None:
        raise MessageNotFound
    if not await hiding_store.hide(tx, caller.workspace_id, conversation_id, caller.actor_id, message_id):
        return
    if message["number"] is not None and message["sender_id"] != caller.actor_id:
        await hiding_store.count_as_own(tx, conversation_id, caller.actor_id, message["number"])
    await _tell(tx, caller, conversation, message)


async def _tell(tx: Tx, caller: Caller, conversation: asyncpg.Record, message: asyncpg.Record) -> None:
    key = conversation["id"]
    member = await members_store.find_member(tx, key, caller.actor_id)
    mentions = await mentions_store.count_unread(tx, caller.actor_id, key)
    await record_personal(
        tx,
        caller.workspace_id,
        caller.actor_id,
        "message.hidden",
        {
            "conversation_id": public_id("cnv", key),
            "message_id": public_id("msg", message["id"]),
            "position": message["position"],
            "own_since": member["own_since"] if member else 0,
            "mentions": mentions,
        },
    )


async def mask_hidden(
    tx: Tx, actor_id: UUID, conversation_ids: Sequence[UUID], events: Sequence[Event]
) -> list[Event]:
    """Return events for this reader: those about messages they hid are for nobody, and so skipped; dense as before.

    What changed such a message is told when there are replies to it, which show it as it reads now.
    """
    about = [_message_of(event) for event in events]
    named = {message_id for message_id in about if message_id}
    hidden = await hiding_store.list_hidden(tx, actor_id, conversation_ids, named) if named else set()
    if not hidden:
        return list(events)
    answered = await hiding_store.list_answered(tx, conversation_ids, hidden)
    return [
        msgspec.structs.replace(event, audience=NOBODY)
        if message_id in hidden and not (message_id in answered and event.kind in _CHANGES)
        else event
        for event, message_id in zip(events, about, strict=True)
    ]


def _message_of(event: Event) -> UUID | None:
    """Return the message that an event is about."""
    found = (event.data.get("message") or {}).get("id") or event.data.get("message_id")
    return parse_id("msg", found) if found else None

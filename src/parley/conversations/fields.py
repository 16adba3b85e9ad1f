"""What an embedding application keeps beside a conversation and a message: its own values, which Parley only carries."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from parley.accounts import Caller
from parley.conversations import editing, fields_store, history, members_store, store, streams
from parley.conversations.errors import ConversationNotFound, MessageDeleted
from parley.conversations.schemas import Message
from parley.conversations.visibility import require_view
from parley.infra.db import Tx
from parley.kit.errors import Forbidden
from parley.kit.events import ALL, STAFF
from parley.kit.fields import require_fields

MESSAGE_KEY = "fields"
"""Where a message's `extra` holds its fields."""


async def get_fields(tx: Tx, caller: Caller, conversation_id: UUID) -> dict[str, Any]:
    """Return a conversation's fields; none to a customer at the desk. Raises: ConversationNotFound."""
    view = await require_view(tx, caller, conversation_id)
    if view != "staff" and await fields_store.is_desk(tx, caller.workspace_id, conversation_id):
        return {}
    return await fields_store.get_fields(tx, caller.workspace_id, conversation_id)


async def set_fields(tx: Tx, caller: Caller, conversation_id: UUID, fields: dict[str, Any]) -> dict[str, Any]:
    """Replace a conversation's fields. Owners and moderators may, either side of a direct one, staff at the desk.

    Repeat: the same fields again change nothing. Raises: ConversationNotFound, Forbidden, Malformed, TooLarge.
    """
    fields = require_fields(fields)
    conversation = await store.lock_conversation(tx, caller.workspace_id, conversation_id)
    if conversation is None:
        raise ConversationNotFound
    view = await require_view(tx, caller, conversation_id)
    is_desk = conversation["kind"] == "desk"
    member = await members_store.find_member(tx, conversation_id, caller.actor_id)
    role = member["role"] if member else None
    if not (
        view == "staff" if is_desk else conversation["kind"] == "direct" or role in ("owner", "moderator")
    ):
        raise Forbidden
    if await fields_store.get_fields(tx, caller.workspace_id, conversation_id) != fields:
        await fields_store.set_fields(tx, caller.workspace_id, conversation_id, fields)
        await streams.append(
            tx,
            workspace_id=caller.workspace_id,
            conversation_id=conversation_id,
            kind="conversation.fields_changed",
            data={"fields": fields},
            actor_id=caller.actor_id,
            audience=STAFF if is_desk else ALL,
        )
    return fields


async def set_message_fields(
    tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID, fields: dict[str, Any]
) -> Message:
    """Replace the fields of one's own message, or of anyone's for a moderator.

    Repeat: the same fields again change nothing. Raises: as `editing.delete_message`, MessageDeleted, Malformed, TooLarge.
    """
    fields = require_fields(fields)
    conversation, message = await editing.lock_own(tx, caller, conversation_id, message_id, or_moderator=True)
    if message["deleted_at"]:
        raise MessageDeleted
    former = message["extra"] or {}
    if former.get(MESSAGE_KEY, {}) == fields:
        return await history.get_message(tx, conversation_id, message_id)
    rest = {key: value for key, value in former.items() if key != MESSAGE_KEY}
    await fields_store.set_extra(tx, conversation_id, message_id, {**rest, MESSAGE_KEY: fields})
    return await editing.announce(
        tx, conversation, message, "message.updated", caller.actor_id, change="fields"
    )

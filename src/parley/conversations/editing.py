"""What happens to a message after it was posted: edits, deletion, growing albums, reactions, outward status.

Every change is one event and, where the provider must hear of it, whatever the reactions enqueue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from parley.accounts import Caller
from parley.conversations import editing_store, history, members_store, store, streams
from parley.conversations.errors import (
    ConversationNotFound,
    EmptyMessage,
    MayNotMentionAll,
    MaySpeakNot,
    MessageDeleted,
    MessageNotFound,
    NotYourMessage,
    TooManyReactions,
)
from parley.conversations.mentions import find_objection, has_all, replace_mentions
from parley.conversations.schemas import EntityJson, Message, Status
from parley.conversations.visibility import View, require_view
from parley.infra.db import Tx
from parley.kit.errors import Malformed
from parley.kit.events import ALL, STAFF
from parley.kit.ids import public_id
from parley.kit.text import clean_text

OWN_REACTIONS_LIMIT = 20
"""Different reactions of one actor to one message."""
REACTIONS_LIMIT = 100
"""Different reactions to one message, whoever put them: every reader of it gets them all."""


async def edit_message(
    tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID, *, text: str, entities: list[EntityJson]
) -> Message:
    """Give one's own message another text; the former one is kept as a version.

    Repeat: the same text again changes nothing. Raises: ConversationNotFound, MessageNotFound, NotYourMessage,
    MessageDeleted, EmptyMessage, TooManyMentions, MayNotMentionAll.
    """
    conversation, message = await lock_own(tx, caller, conversation_id, message_id)
    await _require_calls(tx, caller, conversation, message, entities)
    return await apply_edit(tx, conversation, message, text=text, entities=entities, by=caller.actor_id)


async def apply_edit(
    tx: Tx,
    conversation: asyncpg.Record,
    message: asyncpg.Record,
    *,
    text: str,
    entities: list[EntityJson],
    by: UUID,
) -> Message:
    """Set a new text on a locked message: the second half of `edit_message`, and the contact's own edits."""
    key = (message["conversation_id"], message["id"])
    text = clean_text(text)
    raw = msgspec.to_builtins(entities) or None
    if message["deleted_at"]:
        raise MessageDeleted
    if text == message["text"] and raw == message["entities"]:
        return await history.get_message(tx, *key)
    if not text.strip() and not (await history.get_message(tx, *key)).attachments:
        raise EmptyMessage
    await editing_store.replace_text(tx, message, text=text, entities=raw, by=by)
    edited = await announce(tx, conversation, message, "message.updated", by, change="text")
    await replace_mentions(tx, conversation, message, _former_entities(message), entities)
    return edited


def _former_entities(message: asyncpg.Record) -> list[EntityJson]:
    return msgspec.convert(message["entities"] or [], list[EntityJson])


async def _require_calls(
    tx: Tx, caller: Caller, conversation: asyncpg.Record, message: asyncpg.Record, entities: list[EntityJson]
) -> None:
    """Raises: TooManyMentions; MayNotMentionAll, unless the text called everybody before."""
    member = await members_store.find_member(tx, conversation["id"], caller.actor_id) if entities else None
    objection = await find_objection(
        tx, conversation["id"], conversation["kind"], member["role"] if member else None, entities
    )
    if objection and not (isinstance(objection, MayNotMentionAll) and has_all(_former_entities(message))):
        raise objection


async def delete_message(tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID) -> Message:
    """Delete for everyone: a tombstone stays, its number too. One's own message, or anyone's for a moderator.

    Repeat: the tombstone is returned. Raises: as `edit_message`.
    """
    conversation, message = await lock_own(tx, caller, conversation_id, message_id, or_moderator=True)
    if message["deleted_at"]:
        return await history.get_message(tx, conversation_id, message_id)
    await editing_store.bury_message(tx, conversation_id, message_id)
    await editing_store.blank_events(
        tx, conversation_id, message_id, message["position"], public_id("msg", message_id)
    )
    return await announce(tx, conversation, message, "message.deleted", caller.actor_id, change="deleted")


async def attach_more(
    tx: Tx, conversation: asyncpg.Record, message: asyncpg.Record, media_ids: Sequence[UUID]
) -> None:
    """Attach further files to a locked message: later items of an album."""
    await editing_store.add_attachments(tx, message, media_ids)
    await announce(tx, conversation, message, "message.updated", message["sender_id"], change="attachments")


async def announce_update(tx: Tx, workspace_id: UUID, conversation_id: UUID, message_id: UUID) -> None:
    """Tell readers that a message looks different now (a file arrived). Harmless when it is gone."""
    conversation = await store.lock_conversation(tx, workspace_id, conversation_id)
    message = await store.lock_message(tx, conversation_id, message_id)
    if conversation and message and not message["deleted_at"]:
        await announce(
            tx, conversation, message, "message.updated", message["sender_id"], change="attachments"
        )


async def set_status(
    tx: Tx, *, workspace_id: UUID, conversation_id: UUID, message_id: UUID, status: Status, inbox_id: UUID
) -> None:
    """Show what became of an outward message at the provider; staff see it. Repeat: nothing happens."""
    value = msgspec.to_builtins(status)
    if not await editing_store.set_status(tx, conversation_id, message_id, value):
        return
    await streams.append(
        tx,
        workspace_id=workspace_id,
        conversation_id=conversation_id,
        kind="message.status_changed",
        data={"message_id": public_id("msg", message_id), "status": value},
        actor_id=None,
        audience=STAFF,
        context={"conversation_kind": "desk", "inbox_id": inbox_id, "message_id": message_id},
    )


async def add_reaction(tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID, emoji: str) -> None:
    """Put a reaction. Repeat: harmless.

    Raises: ConversationNotFound, MessageNotFound, MessageDeleted, TooManyReactions.
    """
    await _react(tx, caller, conversation_id, message_id, emoji, is_added=True)


async def remove_reaction(
    tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID, emoji: str
) -> None:
    """Take one's reaction away. Repeat: harmless."""
    await _react(tx, caller, conversation_id, message_id, emoji, is_added=False)


async def _react(
    tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID, emoji: str, *, is_added: bool
) -> None:
    emoji = clean_text(emoji).strip()
    if not 1 <= len(emoji) <= 32:
        raise Malformed("An emoji is expected.", emoji=emoji[:32])
    conversation, message, _ = await lock_seen(tx, caller, conversation_id, message_id)
    if message["deleted_at"]:
        raise MessageDeleted
    change = editing_store.add_reaction if is_added else editing_store.remove_reaction
    if not await change(tx, message, caller.actor_id, emoji):
        return
    if is_added:
        own, different = await editing_store.count_reactions(tx, message, caller.actor_id)
        if own > OWN_REACTIONS_LIMIT or different > REACTIONS_LIMIT:
            raise TooManyReactions
    await streams.append(
        tx,
        workspace_id=caller.workspace_id,
        conversation_id=conversation_id,
        kind="reaction.added" if is_added else "reaction.removed",
        data={
            "message_id": public_id("msg", message_id),
            "emoji": emoji,
            "actor_id": public_id("act", caller.actor_id),
        },
        actor_id=caller.actor_id,
        audience=STAFF if message["kind"] == "note" else ALL,
        context={"conversation_kind": conversation["kind"], "inbox_id": conversation["inbox_id"]},
    )


async def lock_seen(
    tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID
) -> tuple[asyncpg.Record, asyncpg.Record, View]:
    """Lock conversation and message, in this order; the message must be one that the caller sees."""
    await store.lock_access(tx, conversation_id, caller.actor_id)
    conversation = await store.lock_conversation(tx, caller.workspace_id, conversation_id)
    if conversation is None:
        raise ConversationNotFound
    view = await require_view(tx, caller, conversation_id)
    message = await store.lock_message(tx, conversation_id, message_id)
    if message is None or (message["kind"] == "note" and view != "staff"):
        raise MessageNotFound
    return conversation, message, view


async def lock_own(
    tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID, *, or_moderator: bool = False
) -> tuple[asyncpg.Record, asyncpg.Record]:
    """Return conversation and message, locked: the caller's own, or anyone's for a moderator.

    Raises: ConversationNotFound, MessageNotFound, NotYourMessage, MaySpeakNot.
    """
    conversation, message, _ = await lock_seen(tx, caller, conversation_id, message_id)
    if message["kind"] == "system":
        raise NotYourMessage
    member = await members_store.find_member(tx, conversation_id, caller.actor_id)
    if message["sender_id"] != caller.actor_id:
        moderates = member and member["role"] in ("owner", "moderator") and conversation["kind"] != "desk"
        if not (or_moderator and moderates):
            raise NotYourMessage
    elif conversation["kind"] != "desk" and member and member["role"] == "reader":
        raise MaySpeakNot
    return conversation, message


async def announce(
    tx: Tx, conversation: asyncpg.Record, message: asyncpg.Record, kind: str, by: UUID, *, change: str
) -> Message:
    """Record how a locked message looks now; return it."""
    fresh = await history.get_message(tx, message["conversation_id"], message["id"])
    context: dict[str, Any] = {
        "conversation_kind": conversation["kind"],
        "inbox_id": conversation["inbox_id"],
        "message_id": message["id"],
        "message_kind": message["kind"],
        "sender_kind": fresh.sender.kind,
        "is_outward": message["status"] is not None,
        "change": change,
        "version": fresh.version,
    }
    await streams.append(
        tx,
        workspace_id=message["workspace_id"],
        conversation_id=message["conversation_id"],
        kind=kind,
        data={"message": msgspec.to_builtins(fresh)},
        actor_id=by,
        audience=STAFF if message["kind"] == "note" else ALL,
        context=context,
    )
    return fresh

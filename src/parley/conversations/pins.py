"""Pinned messages: what a conversation keeps in sight."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from parley.accounts import Caller
from parley.conversations import editing, history, members_store, pins_store, streams
from parley.conversations.errors import MaySpeakNot, MessageDeleted, TooManyPins
from parley.conversations.rights import may
from parley.conversations.schemas import ActorRef, Pin
from parley.conversations.visibility import View, require_view
from parley.infra.db import Tx
from parley.kit.events import ALL, STAFF
from parley.kit.ids import public_id

PIN_LIMIT = 100
"""Pinned messages of one conversation: a list of them is one answer."""


async def pin_message(tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID) -> None:
    """Pin a message for everybody. Owners and moderators may; in a direct conversation both; at the desk its staff.

    Repeat: harmless. Raises: ConversationNotFound, MessageNotFound, MessageDeleted, MaySpeakNot, TooManyPins.
    """
    conversation, message = await _lock(tx, caller, conversation_id, message_id)
    if message["deleted_at"]:
        raise MessageDeleted
    if not await pins_store.insert_pin(tx, message, caller.actor_id):
        return
    if await pins_store.count_pins(tx, conversation_id) > PIN_LIMIT:
        raise TooManyPins(limit=PIN_LIMIT)
    pinned_by = ActorRef(public_id("act", caller.actor_id), caller.kind, caller.name)
    data = {"pinned_by": msgspec.to_builtins(pinned_by), "pinned_at": msgspec.to_builtins(tx.now)}
    await _tell(tx, caller, conversation, message, "message.pinned", data)


async def unpin_message(tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID) -> None:
    """Take a pin off. Who and repeat: as `pin_message`. Raises: ConversationNotFound, MessageNotFound, MaySpeakNot."""
    conversation, message = await _lock(tx, caller, conversation_id, message_id)
    if await pins_store.delete_pin(tx, conversation_id, message_id):
        await _tell(tx, caller, conversation, message, "message.unpinned", {})


async def list_pins(tx: Tx, caller: Caller, conversation_id: UUID) -> list[Pin]:
    """Return what is pinned, newest first, at most `PIN_LIMIT`. Raises: ConversationNotFound."""
    view = await require_view(tx, caller, conversation_id)
    rows = await pins_store.list_pins(tx, conversation_id, caller.actor_id, notes=view == "staff")
    messages = await history.get_messages(tx, [(conversation_id, row["message_id"]) for row in rows])
    return [
        Pin(
            message=messages[row["message_id"]]
            if view == "staff"
            else history.without_status(messages[row["message_id"]]),
            pinned_by=ActorRef(public_id("act", row["pinned_by"]), row["actor_kind"], row["actor_name"]),
            pinned_at=row["pinned_at"],
        )
        for row in rows
    ]


async def _lock(
    tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID
) -> tuple[asyncpg.Record, asyncpg.Record]:
    conversation, message, view = await editing.lock_seen(tx, caller, conversation_id, message_id)
    member = await members_store.find_member(tx, conversation_id, caller.actor_id)
    if not _may_pin(conversation["kind"], member["role"] if member else None, view):
        raise MaySpeakNot("Only owners and moderators pin messages.")
    return conversation, message


def _may_pin(kind: str, role: str | None, view: View) -> bool:
    return view == "staff" if kind == "desk" else may(kind, role, "pin")


async def _tell(
    tx: Tx,
    caller: Caller,
    conversation: asyncpg.Record,
    message: asyncpg.Record,
    kind: str,
    data: dict[str, Any],
) -> None:
    await streams.append(
        tx,
        workspace_id=caller.workspace_id,
        conversation_id=conversation["id"],
        kind=kind,
        data={"message_id": public_id("msg", message["id"]), **data},
        actor_id=caller.actor_id,
        audience=STAFF if message["kind"] == "note" else ALL,
        context={"conversation_kind": conversation["kind"], "inbox_id": conversation["inbox_id"]},
    )

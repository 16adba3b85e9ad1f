"""Who has read a message, and when: named in pairs and small groups, counted in larger ones and broadcasts."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import msgspec

from parley.accounts import Caller
from parley.conversations import hiding_store, readers_store, store
from parley.conversations.errors import MessageNotFound
from parley.conversations.schemas import ActorRef
from parley.conversations.sizes import is_small
from parley.conversations.visibility import require_view
from parley.infra.db import Tx
from parley.kit.errors import Forbidden
from parley.kit.ids import public_id

NAMED_KINDS = frozenset({"direct", "group"})
"""Where readers know one another; who follows a broadcast is its owners' to know."""


class Reader(msgspec.Struct, frozen=True):
    """Somebody who has read a message; ``read_at`` is null where it is kept no more."""

    actor: ActorRef
    read_at: dt.datetime | None


class Reached(msgspec.Struct, frozen=True):
    """Whatever was said since ``joined_at`` is read up to ``read_number``, by somebody who was there."""

    joined_at: dt.datetime
    read_number: int


class Readers(msgspec.Struct, frozen=True, kw_only=True):
    """How many others have read a message; ``readers`` is null where they are counted alone. ``reached`` tells the one who
    said it how far others have read it and what they said before, the furthest first; at the desk nothing.
    """

    count: int
    reached: list[Reached]
    readers: list[Reader] | None


async def get_readers(tx: Tx, caller: Caller, conversation_id: UUID, message_id: UUID) -> Readers:
    """Return who has read a message, beside its sender, the first to read first. Members alone may know.

    Raises: ConversationNotFound, MessageNotFound, Forbidden (who of the desk reads is not the customer's to know).
    """
    view = await require_view(tx, caller, conversation_id)
    [access] = await store.list_access(tx, caller.workspace_id, [conversation_id], caller.actor_id)
    if access["kind"] == "desk" and view != "staff":
        raise Forbidden
    found = await store.get_messages(tx, [conversation_id], [message_id])
    if not found or await hiding_store.list_hidden(tx, caller.actor_id, [conversation_id], [message_id]):
        raise MessageNotFound
    message = found[0]
    is_named = access["kind"] in NAMED_KINDS and await is_small(tx, conversation_id)
    if message["number"] is None:
        return Readers(count=0, reached=[], readers=[] if is_named else None)
    is_desk = access["kind"] == "desk"
    reached = []
    if message["sender_id"] == caller.actor_id and not is_desk:
        steps = await readers_store.list_reached(tx, conversation_id, message)
        reached = [Reached(step["joined_at"], step["read_number"]) for step in steps]
    if not is_named:
        count = await readers_store.count_readers(tx, conversation_id, message, is_desk=is_desk)
        return Readers(count=count, reached=reached, readers=None)
    rows = await readers_store.list_readers(tx, conversation_id, message)
    return Readers(
        count=len(rows),
        reached=reached,
        readers=[
            Reader(ActorRef(public_id("act", row["actor_id"]), row["kind"], row["name"]), row["at"])
            for row in rows
        ],
    )

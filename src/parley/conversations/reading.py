"""How far somebody has read. Two integers and a subtraction: nothing can stick.

unread = last number - read number - own sent since.
"""

from __future__ import annotations

from uuid import UUID

from parley.accounts import Caller, record_personal
from parley.conversations import members_store, mentions_store, readers_store, store
from parley.conversations.errors import ConversationNotFound
from parley.conversations.readers import NAMED_KINDS
from parley.conversations.schemas import ReadState
from parley.conversations.visibility import require_view
from parley.infra.db import Tx
from parley.kit.events import ALL, NOT_READERS, STAFF, Signal
from parley.kit.ids import public_id

_AUDIENCES = {"desk": STAFF, "broadcast": NOT_READERS}
"""Who is told live that somebody has read, by kind of conversation; elsewhere everybody."""


async def mark_read(tx: Tx, caller: Caller, conversation_id: UUID, number: int) -> ReadState:
    """Move the caller's read position on to a number; never back, never past the last message.

    The caller's other devices learn it by the personal stream. Repeat: harmless.
    Raises: ConversationNotFound.
    """
    conversation = await store.lock_conversation(tx, caller.workspace_id, conversation_id)
    if conversation is None:
        raise ConversationNotFound
    await require_view(tx, caller, conversation_id)
    member = await members_store.find_member(tx, conversation_id, caller.actor_id)
    read, own = (member["read_number"], member["own_since"]) if member else (0, 0)
    last = conversation["last_number"]
    number = min(number, last)
    is_further = number > read
    if is_further:
        if conversation["kind"] in NAMED_KINDS:
            await readers_store.record_step(
                tx, caller.workspace_id, conversation_id, caller.actor_id, above=read, number=number
            )
        read = number
        own = (
            await members_store.count_own(tx, conversation_id, caller.actor_id, number)
            if number < last
            else 0
        )
        await members_store.move_read(
            tx, caller.workspace_id, conversation_id, caller.actor_id, number=read, own_since=own
        )
    mentions = await mentions_store.count_unread(tx, caller.actor_id, conversation_id)
    state = ReadState(read_number=read, own_since=own, unread=max(0, last - read - own), mentions=mentions)
    if is_further:
        audience = _AUDIENCES.get(conversation["kind"], ALL)
        await _tell(tx, caller, conversation_id, state, audience=audience)
    return state


async def _tell(tx: Tx, caller: Caller, conversation_id: UUID, state: ReadState, *, audience: str) -> None:
    conversation = public_id("cnv", conversation_id)
    await record_personal(
        tx,
        caller.workspace_id,
        caller.actor_id,
        "read.moved",
        {
            "conversation_id": conversation,
            "read_number": state.read_number,
            "own_since": state.own_since,
            "mentions": state.mentions,
        },
    )
    tx.hints.append(
        Signal(
            workspace_id=caller.workspace_id,
            stream_id=conversation_id,
            kind="member.read",
            audience=audience,
            actor_id=caller.actor_id,
            data={"read_number": state.read_number},
        )
    )

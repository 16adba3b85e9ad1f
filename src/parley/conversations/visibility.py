"""Who sees what: one function. Members; and for desk conversations the inbox's staff and admins.

A user's member row in a desk conversation holds only how far they have read; the right to see it comes from the
inbox alone, so that taking the inbox away takes everything away.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import asyncpg

from parley.accounts import Caller
from parley.conversations import profile_store, store
from parley.conversations.errors import ConversationNotFound
from parley.conversations.rights import may
from parley.infra.db import Tx

View = Literal["staff", "all", "reader"]
"""With whose eyes somebody sees a conversation: those of the inbox's staff; of a member, or the contact; of the reader of
a broadcast, who does not learn who else reads it."""


async def find_view(tx: Tx, caller: Caller, conversation_id: UUID) -> View | None:
    """Return with whose eyes the caller sees the conversation; None: not at all."""
    rows = await store.list_access(tx, caller.workspace_id, [conversation_id], caller.actor_id)
    return view_of(caller, rows[0]) if rows else None


def view_of(caller: Caller, row: asyncpg.Record) -> View | None:
    """As `find_view`, of a row of `store.list_access`."""
    if row["kind"] == "desk":
        if caller.kind == "user" or caller.is_staff:
            return "staff" if _is_desk_staff(caller, is_inbox_member=row["is_inbox_member"]) else None
        return "all" if row["role"] else None
    if not row["role"] or not caller.may_chat:
        return None
    return "all" if may(row["kind"], row["role"], "list") else "reader"


def _is_desk_staff(caller: Caller, *, is_inbox_member: bool) -> bool:
    if caller.kind == "bot":
        return caller.is_staff
    return caller.is_admin or (caller.is_staff and is_inbox_member)


async def require_view(tx: Tx, caller: Caller, conversation_id: UUID) -> View:
    """As `find_view`. Raises: ConversationNotFound, which does not tell whether it exists."""
    view = await find_view(tx, caller, conversation_id)
    if view is None:
        raise ConversationNotFound
    return view


async def list_visible_inboxes(tx: Tx, caller: Caller) -> list[UUID]:
    """Return the inboxes whose conversations the caller sees: all for admins, their own for agents."""
    if not caller.is_staff:
        return []
    sees_all = caller.is_admin or caller.kind == "bot"
    return await store.list_inboxes(tx, caller.workspace_id, None if sees_all else caller.actor_id)


async def may_see_media(tx: Tx, caller: Caller, media_id: UUID) -> bool:
    """Whether a conversation that the caller sees shows this file, in a message or as its picture.

    A note's is only for staff.
    """
    inboxes = await list_visible_inboxes(tx, caller)
    uses = await store.list_media_uses(tx, caller.workspace_id, media_id, caller.actor_id, inboxes)
    for conversation_id, kind in uses:
        view = await find_view(tx, caller, conversation_id)
        if view == "staff" or (view is not None and kind != "note"):
            return True
    for conversation_id in await profile_store.list_shown_by(
        tx, caller.workspace_id, media_id, caller.actor_id
    ):
        if await find_view(tx, caller, conversation_id):
            return True
    return False

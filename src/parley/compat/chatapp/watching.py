"""What a client of this dialect is live in: its dialogs, the people there, and since when it is in a new one."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from parley.compat.chatapp import store
from parley.compat.chatapp.tokens import ChatUser
from parley.conversations import Cursor, read_events, read_head
from parley.infra.db import Database
from parley.kit.ids import public_id
from parley.realtime.session import PRESENCE_LIMIT, WATCH_LIMIT

CROWD = 100
"""Members of a dialog above which nobody is told who of it comes and goes, as with typing."""
JOIN_SEARCHED = 200
"""Events of a dialog among which the coming of a new member is looked for."""


async def list_dialogs(db: Database, user: ChatUser) -> list[UUID]:
    """Return what a client watches: the dialogs spoken in last."""
    caller = user.caller
    async with db.transaction(caller.workspace_id) as tx:
        return await store.list_own_dialogs(tx, caller.workspace_id, caller.actor_id, WATCH_LIMIT)


async def list_companions(db: Database, user: ChatUser, dialogs: Collection[UUID]) -> list[UUID]:
    """Return whose coming and going a client of these dialogs is told."""
    caller = user.caller
    async with db.transaction(caller.workspace_id) as tx:
        return await store.list_companions(
            tx, caller.workspace_id, list(dialogs), but=caller.actor_id, crowd=CROWD, limit=PRESENCE_LIMIT
        )


async def find_join(db: Database, user: ChatUser, conversation_id: UUID) -> Cursor | None:
    """Return the cursor of the event by which somebody came into a conversation, if it is among the last."""
    own = public_id("act", user.caller.actor_id)
    async with db.transaction(user.caller.workspace_id) as tx:
        head = await read_head(tx, conversation_id)
        events = await read_events(
            tx, conversation_id, after=max(0, head.number - JOIN_SEARCHED), limit=JOIN_SEARCHED
        )
    for event in reversed(events):
        if event.kind == "member.joined" and event.data["member"]["actor"]["id"] == own:
            return Cursor(event.number, event.tag)
    return None

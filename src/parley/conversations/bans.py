"""Keeping somebody out of a group or broadcast, for good or for a time.

Who is banned is taken out and can be neither added nor join by a link. Bans are no events: those who may not ban never
learn of them, and those who may ask for the list. That somebody was taken out is told as ever (`member.left`).
"""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import asyncpg

from parley.accounts import Caller, find_actors
from parley.conversations import bans_store
from parley.conversations.group_schemas import BanJson
from parley.conversations.members import expel, lock_group, require_group
from parley.conversations.preferences import require_moment
from parley.conversations.schemas import ActorRef
from parley.infra.db import Tx
from parley.kit.errors import Malformed, NotFound
from parley.kit.ids import public_id
from parley.kit.pages import Page, decode_cursor, encode_cursor

_NOBODY = UUID(int=0)


async def list_bans(
    tx: Tx, caller: Caller, conversation_id: UUID, cursor: str | None, limit: int
) -> Page[BanJson]:
    """Return the bans in force by actor. Raises: ConversationNotFound, Forbidden."""
    await require_group(tx, caller, conversation_id, "ban")
    after = decode_cursor(cursor, UUID)[0] if cursor else _NOBODY
    rows = await bans_store.list_bans(tx, conversation_id, after, limit + 1)
    following = encode_cursor(rows[limit - 1]["actor_id"]) if len(rows) > limit else None
    return Page([_format(row) for row in rows[:limit]], following)


async def ban(
    tx: Tx, caller: Caller, conversation_id: UUID, actor_id: UUID, until: dt.datetime | None
) -> BanJson:
    """Keep an actor of the workspace out, a member or not, until a time to come or for good. Repeat: the last counts.

    Raises: ConversationNotFound, Forbidden, NotFound, Malformed, Conflict (the last owner).
    """
    _, mine = await lock_group(tx, caller, conversation_id, "ban")
    if actor_id == caller.actor_id:
        raise Malformed("Nobody bans themselves; leave instead.", actor_id="")
    if until is not None:
        until = require_moment(until, "until")
        if until <= tx.now:
            raise Malformed("A ban ends at a time to come.", until="")
    known = await find_actors(tx, [actor_id])
    if actor_id not in known or known[actor_id].kind == "contact":
        raise NotFound("This actor is not in this workspace.")
    await expel(tx, caller, conversation_id, actor_id, mine["role"])
    await bans_store.put_ban(
        tx, caller.workspace_id, conversation_id, actor_id, by=caller.actor_id, until=until
    )
    [row] = await bans_store.list_bans(tx, conversation_id, _NOBODY, 1, actor_id=actor_id)
    return _format(row)


async def lift_ban(tx: Tx, caller: Caller, conversation_id: UUID, actor_id: UUID) -> None:
    """Keep an actor out no more; they are no member by that. Repeat: harmless. Raises: ConversationNotFound, Forbidden."""
    await lock_group(tx, caller, conversation_id, "ban")
    await bans_store.delete_ban(tx, conversation_id, actor_id)


def _format(row: asyncpg.Record) -> BanJson:
    return BanJson(
        actor=ActorRef(public_id("act", row["actor_id"]), row["kind"], row["name"]),
        banned_by=ActorRef(public_id("act", row["banned_by"]), row["by_kind"], row["by_name"]),
        until=row["until"],
        created_at=row["created_at"],
    )

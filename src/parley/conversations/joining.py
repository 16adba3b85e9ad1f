"""Coming into a conversation and going out of it: rows, count, events and what those concerned are told.

Whether it may be is asked before. The same statements for one and for a thousand, and one personal event for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from parley.accounts import Caller, record_personal, record_personal_to_many
from parley.conversations import bans_store, drafts_store, members_store, streams
from parley.conversations.errors import Banned
from parley.conversations.schemas import ActorRef, MemberJson
from parley.infra.db import Tx
from parley.kit.ids import public_id


async def join(tx: Tx, caller: Caller, conversation_id: UUID, roles: Mapping[UUID, str]) -> list[MemberJson]:
    """Make actors members who start at the head; return those that were none before, by id.

    The conversation's row is locked, the actors are known to be of the workspace.
    Raises: Banned when one of them is kept out.
    """
    if banned := await bans_store.list_banned(tx, conversation_id, list(roles)):
        raise Banned(actor_ids=[public_id("act", actor_id) for actor_id in banned])
    joined = await members_store.add_members(tx, caller.workspace_id, conversation_id, roles)
    if not joined:
        return []
    rows = await members_store.get_members(tx, conversation_id, list(joined))
    members = [format_member(row) for row in rows]
    count = await members_store.count_members(tx, caller.workspace_id, conversation_id, len(joined))
    await streams.append_many(
        tx,
        workspace_id=caller.workspace_id,
        conversation_id=conversation_id,
        kind="member.joined",
        data=[member_data(member, number) for number, member in enumerate(members, count - len(members) + 1)],
        actor_id=caller.actor_id,
    )
    told = {"conversation_id": public_id("cnv", conversation_id)}
    await record_personal_to_many(tx, caller.workspace_id, list(joined), "conversation.added", told)
    return members


async def part(tx: Tx, caller: Caller, conversation_id: UUID, member: asyncpg.Record) -> None:
    """Take a member out, with what it kept for itself. The conversation's row is locked.

    Its live sockets leave the room at the event itself, before any later one.
    """
    actor_id = member["actor_id"]
    if not await members_store.remove_member(tx, conversation_id, actor_id):
        return
    draft_event = await drafts_store.delete_draft(tx, conversation_id, actor_id)
    if draft_event is not None:
        await drafts_store.blank_event(tx, actor_id, draft_event)
    count = await members_store.count_members(tx, caller.workspace_id, conversation_id, -1)
    await streams.append(
        tx,
        workspace_id=caller.workspace_id,
        conversation_id=conversation_id,
        kind="member.left",
        data=member_data(format_member(member), count),
        actor_id=caller.actor_id,
    )
    told = {"conversation_id": public_id("cnv", conversation_id)}
    await record_personal(tx, caller.workspace_id, actor_id, "conversation.removed", told)


def member_data(member: MemberJson, count: int) -> dict[str, Any]:
    """Return what is told of somebody who came or went, and how many members there are after it."""
    return {"member": msgspec.to_builtins(member), "member_count": count}


def format_member(row: asyncpg.Record) -> MemberJson:
    """Return a row of `members_store` as clients see it."""
    return MemberJson(
        actor=ActorRef(public_id("act", row["actor_id"]), row["kind"], row["name"]),
        role=row["role"],
        read_number=row["read_number"],
        joined_at=row["joined_at"],
    )

"""Conversations among actors: opening them, who is in them, and one's own list of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg
import msgspec

from parley.accounts import Caller, find_actors, record_personal, record_personal_to_many
from parley.conversations import history, members_store, mentions_store, store, streams
from parley.conversations.errors import ConversationNotFound
from parley.conversations.schemas import ActorRef, Conversation, Cursor, MemberJson, Snippet
from parley.conversations.visibility import require_view
from parley.infra.db import Tx
from parley.kit.errors import Conflict, Forbidden, Malformed, NotFound
from parley.kit.ids import public_id, uuid7
from parley.kit.pages import Page, decode_cursor, encode_cursor
from parley.kit.text import clean_name

_LAST = UUID(int=2**128 - 1)


async def open_conversation(
    tx: Tx, caller: Caller, *, kind: str, title: str | None, members: Sequence[UUID]
) -> Conversation:
    """Open a conversation with the caller as its owner. Repeat: a direct one that exists is returned.

    Raises: Malformed when the members do not fit the kind; NotFound when one is not of this workspace (any more);
    Forbidden for API keys that may not chat.
    """
    if not caller.may_chat:
        raise Forbidden("The API key lacks a scope.", scope="chat")
    others = [member for member in dict.fromkeys(members) if member != caller.actor_id]
    if kind == "direct" and len(others) != 1:
        raise Malformed("A direct conversation has exactly one other member.", members=len(others))
    direct_key = (
        ":".join(sorted(str(actor) for actor in (caller.actor_id, *others))) if kind == "direct" else None
    )
    if direct_key and (found := await members_store.find_direct(tx, caller.workspace_id, direct_key)):
        return await get_conversation(tx, caller, found)
    known = await find_actors(tx, others, is_active=True)
    if len(known) < len(others) or any(actor.kind == "contact" for actor in known.values()):
        raise NotFound("Somebody of these is not in this workspace.")
    conversation_id = uuid7()
    is_new = await members_store.create_conversation(
        tx,
        workspace_id=caller.workspace_id,
        conversation_id=conversation_id,
        kind=kind,
        title=clean_name(title) if title else None,
        inbox_id=None,
        direct_key=direct_key,
        created_by=caller.actor_id,
    )
    if not is_new and direct_key:
        found = await members_store.find_direct(tx, caller.workspace_id, direct_key)
        return await get_conversation(tx, caller, found or conversation_id)
    roles = dict.fromkeys(others, "reader" if kind == "broadcast" else "member")
    await _join_first(
        tx, caller, conversation_id, {caller.actor_id: "member" if kind == "direct" else "owner", **roles}
    )
    return await get_conversation(tx, caller, conversation_id)


async def get_conversation(tx: Tx, caller: Caller, conversation_id: UUID) -> Conversation:
    """Return one conversation as the caller sees it. Raises: ConversationNotFound."""
    view = await require_view(tx, caller, conversation_id)
    rows = await members_store.get_conversations(tx, [conversation_id], caller.actor_id)
    return (await _to_conversations(tx, rows, caller.actor_id, is_staff=view == "staff"))[0]


async def list_conversations(tx: Tx, caller: Caller, cursor: str | None, limit: int) -> Page[Conversation]:
    """Return the caller's own conversations, most lately spoken in first; desk conversations have their own list."""
    if not caller.may_chat:
        return Page([])
    before = (dt.datetime.max.replace(tzinfo=dt.UTC), _LAST)
    if cursor:
        moment, last = decode_cursor(cursor, dt.datetime, UUID)
        before = (moment, last)
    rows = await members_store.list_own_conversations(
        tx, caller.workspace_id, caller.actor_id, before, limit + 1
    )
    items = await _to_conversations(tx, rows[:limit], caller.actor_id, is_staff=False)
    last_row = rows[limit - 1] if len(rows) > limit else None
    following = None
    if last_row:
        following = encode_cursor(last_row["last_message_at"] or last_row["created_at"], last_row["id"])
    return Page(items, following)


async def list_members(
    tx: Tx, caller: Caller, conversation_id: UUID, cursor: str | None, limit: int
) -> Page[MemberJson]:
    """Return members by id. Raises: ConversationNotFound."""
    await require_view(tx, caller, conversation_id)
    after = decode_cursor(cursor, UUID)[0] if cursor else UUID(int=0)
    rows = await members_store.list_members(tx, conversation_id, after, limit + 1)
    following = encode_cursor(rows[limit - 1]["actor_id"]) if len(rows) > limit else None
    return Page([_member(row) for row in rows[:limit]], following)


async def add_member(tx: Tx, caller: Caller, conversation_id: UUID, actor_id: UUID, role: str) -> MemberJson:
    """Add an actor of the workspace, who starts at the head, or change their role. Owners and moderators may.

    Raises: ConversationNotFound, Forbidden, NotFound, Conflict (the last owner stays one).
    """
    await store.lock_conversation(tx, caller.workspace_id, conversation_id)
    mine = await _require_moderator(tx, caller, conversation_id)
    if role == "owner" and mine["role"] != "owner":
        raise Forbidden("Only an owner makes owners.")
    present = await members_store.find_member(tx, conversation_id, actor_id)
    known = await find_actors(tx, [actor_id], is_active=present is None)
    if actor_id not in known or known[actor_id].kind == "contact":
        raise NotFound("This actor is not in this workspace.")
    if present is None:
        await _join(tx, caller, conversation_id, actor_id, role)
    else:
        if present["role"] == "owner" and role != "owner":
            if mine["role"] != "owner":
                raise Forbidden("Only an owner changes owners.")
            await _require_other_owner(tx, conversation_id, actor_id)
        if await members_store.set_role(tx, conversation_id, actor_id, role):
            await _tell(tx, caller, conversation_id, actor_id, "member.changed")
    row = await members_store.find_member(tx, conversation_id, actor_id)
    if row is None:
        raise NotFound
    return _member(row)


async def remove_member(tx: Tx, caller: Caller, conversation_id: UUID, actor_id: UUID) -> None:
    """Take a member out, or leave. Repeat: harmless.

    Raises: ConversationNotFound, Forbidden, Conflict (the last owner leaves only as the last member).
    """
    await store.lock_conversation(tx, caller.workspace_id, conversation_id)
    if actor_id != caller.actor_id:
        mine = await _require_moderator(tx, caller, conversation_id)
        theirs = await members_store.find_member(tx, conversation_id, actor_id)
        if theirs and theirs["role"] == "owner" and mine["role"] != "owner":
            raise Forbidden("Only an owner takes owners out.")
    else:
        await _require_group(tx, caller, conversation_id)
    row = await members_store.find_member(tx, conversation_id, actor_id)
    if row is not None and row["role"] == "owner":
        await _require_other_owner(tx, conversation_id, actor_id)
    if row is None or not await members_store.remove_member(tx, conversation_id, actor_id):
        return
    await streams.append(
        tx,
        workspace_id=caller.workspace_id,
        conversation_id=conversation_id,
        kind="member.left",
        data={"member": msgspec.to_builtins(_member(row))},
        actor_id=caller.actor_id,
    )
    await record_personal(
        tx,
        caller.workspace_id,
        actor_id,
        "conversation.removed",
        {"conversation_id": public_id("cnv", conversation_id)},
    )


async def _require_other_owner(tx: Tx, conversation_id: UUID, actor_id: UUID) -> None:
    """Raises: Conflict when others would be left in a conversation that nobody may change any more."""
    has_others, has_owner = await members_store.find_others(tx, conversation_id, actor_id)
    if has_others and not has_owner:
        raise Conflict("A conversation keeps an owner; make somebody else one first.")


async def _require_group(tx: Tx, caller: Caller, conversation_id: UUID) -> asyncpg.Record:
    await require_view(tx, caller, conversation_id)
    row = (await members_store.get_conversations(tx, [conversation_id], caller.actor_id))[0]
    if row["kind"] not in ("group", "broadcast"):
        raise Forbidden("The members of this conversation are fixed.")
    return row


async def _require_moderator(tx: Tx, caller: Caller, conversation_id: UUID) -> asyncpg.Record:
    row = await _require_group(tx, caller, conversation_id)
    if row["role"] not in ("owner", "moderator"):
        raise Forbidden
    return row


async def _join_first(tx: Tx, caller: Caller, conversation_id: UUID, roles: Mapping[UUID, str]) -> None:
    """Put the first members into a new conversation: the same statements for two and for a thousand."""
    await members_store.add_first_members(tx, caller.workspace_id, conversation_id, roles)
    rows = await members_store.list_members(tx, conversation_id, UUID(int=0), len(roles))
    await streams.append_many(
        tx,
        workspace_id=caller.workspace_id,
        conversation_id=conversation_id,
        kind="member.joined",
        data=[{"member": msgspec.to_builtins(_member(row))} for row in rows],
        actor_id=caller.actor_id,
    )
    await record_personal_to_many(
        tx,
        caller.workspace_id,
        list(roles),
        "conversation.added",
        {"conversation_id": public_id("cnv", conversation_id)},
    )


async def _join(tx: Tx, caller: Caller, conversation_id: UUID, actor_id: UUID, role: str) -> bool:
    if not await members_store.add_member(tx, caller.workspace_id, conversation_id, actor_id, role):
        return False
    await _tell(tx, caller, conversation_id, actor_id, "member.joined")
    await record_personal(
        tx,
        caller.workspace_id,
        actor_id,
        "conversation.added",
        {"conversation_id": public_id("cnv", conversation_id)},
    )
    return True


async def _tell(tx: Tx, caller: Caller, conversation_id: UUID, actor_id: UUID, kind: str) -> None:
    row = await members_store.find_member(tx, conversation_id, actor_id)
    if row is None:
        raise ConversationNotFound
    await streams.append(
        tx,
        workspace_id=caller.workspace_id,
        conversation_id=conversation_id,
        kind=kind,
        data={"member": msgspec.to_builtins(_member(row))},
        actor_id=caller.actor_id,
    )


def _member(row: asyncpg.Record) -> MemberJson:
    return MemberJson(
        actor=ActorRef(public_id("act", row["actor_id"]), row["kind"], row["name"]),
        role=row["role"],
        read_number=row["read_number"],
        joined_at=row["joined_at"],
    )


async def _to_conversations(
    tx: Tx, rows: Sequence[asyncpg.Record], reader: UUID, *, is_staff: bool
) -> list[Conversation]:
    seen = await mentions_store.list_seen(tx, reader, {row["id"]: row["last_message_id"] for row in rows})
    keys = [(key, own.last_message_id) for key, own in seen.items() if own.last_message_id]
    messages = await history.get_messages(tx, keys)
    snippets: dict[UUID | None, Snippet] = {
        key: history.to_snippet(message if is_staff else history.without_status(message))
        for key, message in messages.items()
    }
    return [
        Conversation(
            id=public_id("cnv", row["id"]),
            kind=row["kind"],
            title=row["title"],
            peer=ActorRef(public_id("act", row["peer_id"]), row["peer_kind"], row["peer_name"])
            if row["peer_id"]
            else None,
            inbox_id=public_id("inb", row["inbox_id"]) if row["inbox_id"] and is_staff else None,
            head=Cursor(row["head"], row["tag"]),
            last_number=row["last_number"],
            read_number=row["read_number"],
            own_since=row["own_since"],
            unread=max(0, row["last_number"] - row["read_number"] - row["own_since"]),
            mentions=seen[row["id"]].mentions,
            role=row["role"],
            created_at=row["created_at"],
            last_message=snippets.get(seen[row["id"]].last_message_id),
        )
        for row in rows
    ]

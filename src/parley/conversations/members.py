"""Conversations among actors: opening them, who is in them, and in which role."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import msgspec

from parley.accounts import Caller, find_actors
from parley.conversations import members_store, store, streams
from parley.conversations.chats import get_conversation
from parley.conversations.joining import format_member, join, part
from parley.conversations.rights import DEFAULT_ROLE, Right, require_rank, require_right
from parley.conversations.schemas import Conversation, MemberJson
from parley.conversations.visibility import require_view
from parley.infra.db import Tx
from parley.kit.errors import Conflict, Forbidden, Malformed, NotFound
from parley.kit.ids import uuid7
from parley.kit.pages import Page, decode_cursor, encode_cursor
from parley.kit.text import clean_name


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
        title=(clean_name(title) or None) if title else None,
        inbox_id=None,
        direct_key=direct_key,
        created_by=caller.actor_id,
    )
    if not is_new and direct_key:
        found = await members_store.find_direct(tx, caller.workspace_id, direct_key)
        return await get_conversation(tx, caller, found or conversation_id)
    mine = "member" if kind == "direct" else "owner"
    await join(
        tx, caller, conversation_id, {caller.actor_id: mine, **dict.fromkeys(others, DEFAULT_ROLE[kind])}
    )
    return await get_conversation(tx, caller, conversation_id)


async def list_members(
    tx: Tx, caller: Caller, conversation_id: UUID, cursor: str | None, limit: int
) -> Page[MemberJson]:
    """Return members by id: to the reader of a broadcast those who write, and themselves. Raises: ConversationNotFound."""
    view = await require_view(tx, caller, conversation_id)
    after = decode_cursor(cursor, UUID)[0] if cursor else UUID(int=0)
    if view == "reader":
        rows = await members_store.list_broadcasters(
            tx, conversation_id, after, limit + 1, beside=caller.actor_id
        )
    else:
        rows = await members_store.list_members(tx, conversation_id, after, limit + 1)
    following = encode_cursor(rows[limit - 1]["actor_id"]) if len(rows) > limit else None
    return Page([format_member(row) for row in rows[:limit]], following)


async def search_members(
    tx: Tx, caller: Caller, conversation_id: UUID, *, query: str, cursor: str | None, limit: int
) -> Page[MemberJson]:
    """Return members by role and name, owners first: those whose name has a word that begins as the query; all for "".

    To the reader of a broadcast of those whom `list_members` tells them, by id. Raises: ConversationNotFound, Malformed.
    """
    words = clean_name(query).lower()
    if await require_view(tx, caller, conversation_id) == "reader":
        page = await list_members(tx, caller, conversation_id, cursor, limit)
        return Page([one for one in page.items if f" {words}" in f" {one.actor.name.lower()}"], page.next)
    after = tuple(decode_cursor(cursor, int, str, UUID)) if cursor else (0, "", UUID(int=0))
    rows = await members_store.search_members(tx, conversation_id, words, after, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    following = encode_cursor(last["rank"], last["search_name"], last["actor_id"]) if last else None
    return Page([format_member(row) for row in rows[:limit]], following)


async def add_member(
    tx: Tx, caller: Caller, conversation_id: UUID, actor_id: UUID, role: str | None
) -> MemberJson:
    """Add an actor of the workspace, who starts at the head, or change their role.

    Raises: ConversationNotFound, Forbidden, NotFound, Banned, Conflict (the last owner stays one).
    """
    conversation, _ = await lock_group(tx, caller, conversation_id, "add")
    if await members_store.find_member(tx, conversation_id, actor_id) is None:
        await add_members(tx, caller, conversation_id, [actor_id], role)
    elif role is not None:
        await _set_role(tx, caller, conversation, actor_id, role)
    return await _get_member(tx, conversation_id, actor_id)


async def add_members(
    tx: Tx, caller: Caller, conversation_id: UUID, actor_ids: Sequence[UUID], role: str | None
) -> list[MemberJson]:
    """Add actors of the workspace, who start at the head; return those that were no members before, by id.

    Raises: ConversationNotFound, Forbidden, NotFound, Banned; nobody is added then.
    """
    conversation, mine = await lock_group(tx, caller, conversation_id, "add")
    require_rank(mine["role"], role)
    wanted = list(dict.fromkeys(actor_ids))
    present = await members_store.get_members(tx, conversation_id, wanted)
    missing = [key for key in wanted if key not in {row["actor_id"] for row in present}]
    known = await find_actors(tx, missing, is_active=True)
    if len(known) < len(missing) or any(actor.kind == "contact" for actor in known.values()):
        raise NotFound("Somebody of these is not in this workspace.")
    role = role or DEFAULT_ROLE[conversation["kind"]]
    return await join(tx, caller, conversation_id, dict.fromkeys(missing, role))


async def change_role(tx: Tx, caller: Caller, conversation_id: UUID, actor_id: UUID, role: str) -> MemberJson:
    """Give a member another role. Repeat: harmless.

    Raises: ConversationNotFound, Forbidden, NotFound, Conflict (the last owner stays one).
    """
    conversation, _ = await lock_group(tx, caller, conversation_id, "promote")
    await _set_role(tx, caller, conversation, actor_id, role)
    return await _get_member(tx, conversation_id, actor_id)


async def remove_member(tx: Tx, caller: Caller, conversation_id: UUID, actor_id: UUID) -> None:
    """Take a member out, or leave. Repeat: harmless.

    Raises: ConversationNotFound, Forbidden, Conflict (the last owner leaves only as the last member).
    """
    if actor_id == caller.actor_id:
        await leave(tx, caller, conversation_id)
        return
    _, mine = await lock_group(tx, caller, conversation_id, "remove")
    await expel(tx, caller, conversation_id, actor_id, mine["role"])


async def leave(tx: Tx, caller: Caller, conversation_id: UUID) -> None:
    """Go out of a group or broadcast. Raises: ConversationNotFound, Forbidden, Conflict as `remove_member`."""
    _, mine = await lock_group(tx, caller, conversation_id, None)
    if mine["role"] == "owner":
        await _require_other_owner(tx, conversation_id, caller.actor_id)
    await part(tx, caller, conversation_id, mine)


async def expel(tx: Tx, caller: Caller, conversation_id: UUID, actor_id: UUID, my_role: str) -> None:
    """Take somebody out by this right. The conversation's row is locked. Raises: Forbidden, Conflict."""
    theirs = await members_store.find_member(tx, conversation_id, actor_id)
    if theirs is None:
        return
    require_rank(my_role, theirs["role"])
    if theirs["role"] == "owner":
        await _require_other_owner(tx, conversation_id, actor_id)
    await part(tx, caller, conversation_id, theirs)


async def lock_group(
    tx: Tx, caller: Caller, conversation_id: UUID, right: Right | None
) -> tuple[asyncpg.Record, asyncpg.Record]:
    """Lock a group or broadcast until the commit; return it and the caller's member row, who has this right.

    Raises: ConversationNotFound, Forbidden.
    """
    await store.lock_conversation(tx, caller.workspace_id, conversation_id)
    return await require_group(tx, caller, conversation_id, right)


async def require_group(
    tx: Tx, caller: Caller, conversation_id: UUID, right: Right | None
) -> tuple[asyncpg.Record, asyncpg.Record]:
    """As `lock_group`, without the lock: for those who only look."""
    await require_view(tx, caller, conversation_id)
    found = await members_store.get_conversations(tx, [conversation_id], caller.actor_id)
    member = await members_store.find_member(tx, conversation_id, caller.actor_id)
    if not found or found[0]["kind"] not in ("group", "broadcast") or member is None:
        raise Forbidden("This is for groups and broadcasts; the members of this conversation are fixed.")
    if right is not None:
        require_right(found[0]["kind"], member["role"], right)
    return found[0], member


async def _set_role(tx: Tx, caller: Caller, conversation: asyncpg.Record, actor_id: UUID, role: str) -> None:
    conversation_id = conversation["id"]
    mine = await _get_row(tx, conversation_id, caller.actor_id)
    require_right(conversation["kind"], mine["role"], "promote")
    theirs = await _get_row(tx, conversation_id, actor_id)
    require_rank(mine["role"], theirs["role"], role)
    if theirs["role"] == "owner" and role != "owner":
        await _require_other_owner(tx, conversation_id, actor_id)
    if await members_store.set_role(tx, conversation_id, actor_id, role):
        changed = await _get_member(tx, conversation_id, actor_id)
        await streams.append(
            tx,
            workspace_id=caller.workspace_id,
            conversation_id=conversation_id,
            kind="member.changed",
            data={"member": msgspec.to_builtins(changed), "former_role": theirs["role"]},
            actor_id=caller.actor_id,
        )


async def _require_other_owner(tx: Tx, conversation_id: UUID, actor_id: UUID) -> None:
    """Raises: Conflict when others would be left in a conversation that nobody may change any more."""
    has_others, has_owner = await members_store.find_others(tx, conversation_id, actor_id)
    if has_others and not has_owner:
        raise Conflict("A conversation keeps an owner; make somebody else one first.")


async def _get_row(tx: Tx, conversation_id: UUID, actor_id: UUID) -> asyncpg.Record:
    row = await members_store.find_member(tx, conversation_id, actor_id)
    if row is None:
        raise NotFound("This actor is not in this conversation.")
    return row


async def _get_member(tx: Tx, conversation_id: UUID, actor_id: UUID) -> MemberJson:
    return format_member(await _get_row(tx, conversation_id, actor_id))

"""Dialogs: conversations beside the desk, under this dialect's names. Rights are those of our own doors."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from parley.accounts import Caller, lock_personal
from parley.compat.chatapp import store
from parley.compat.chatapp.errors import BadRequest, NoSuchDialog, TooManyMembers
from parley.compat.chatapp.people import find_people, find_user, get_users
from parley.compat.chatapp.shapes import member_json, own_dialog_json, pagination
from parley.conversations import chats, members
from parley.conversations.chat3 import Json, dialog_json
from parley.conversations.errors import ConversationNotFound
from parley.conversations.schemas import Conversation
from parley.infra.db import Database, Tx
from parley.kit.errors import Forbidden, Malformed
from parley.kit.ids import parse_id, public_id
from parley.kit.pages import Page
from parley.kit.text import clean_name

MEMBERS_SHOWN = 100
"""Members that an answer lists of a dialog, and up to which statuses are told one by one."""
NAME_LIMIT = 200
ADDED_AT_ONCE = 500
DELETED_WITH = 1000
"""Members of a dialog that may be deleted at once."""
DEEPEST = 10_000
"""Dialogs that can be paged through by number."""
STEP = 100


def parse_dialog(text: str) -> UUID:
    """Return the conversation of a dialog's id. Raises: NoSuchDialog."""
    try:
        return parse_id("cnv", text)
    except Malformed as error:
        raise NoSuchDialog from error


async def list_dialogs(db: Database, caller: Caller, *, page: int, limit: int, last: bool) -> Json:
    """Return a page of the caller's dialogs, most lately spoken in first, with ``pagination``."""
    async with db.transaction(caller.workspace_id) as tx:
        total = await store.count_own_dialogs(tx, caller.workspace_id, caller.actor_id)
        found = await _read_page(tx, caller, (page - 1) * limit, limit)
    data = await show_dialogs(db, caller, found, last=last)
    return {"data": data, "pagination": pagination(page, limit, total)}


async def create_dialog(db: Database, caller: Caller, *, name: str, member_ids: Sequence[str]) -> Json:
    """Open a group with the caller as its owner; one's own id among the members does not matter.

    Raises: BadRequest, NoSuchUser.
    """
    if not clean_name(name) or len(name) > NAME_LIMIT:
        raise BadRequest(f"Dialog name has 1 to {NAME_LIMIT} characters")
    if len(member_ids) > ADDED_AT_ONCE:
        raise BadRequest(f"A dialog begins with {ADDED_AT_ONCE} members at the most")
    async with db.transaction(caller.workspace_id) as tx:
        actors = await get_users(tx, caller.workspace_id, member_ids)
        made = await members.open_conversation(tx, caller, kind="group", title=name, members=actors)
    return (await show_dialogs(db, caller, [made], last=True))[0]


async def get_dialog(db: Database, caller: Caller, dialog_id: str) -> Json:
    """Return a dialog that the caller is in. Raises: NoSuchDialog."""
    async with db.transaction(caller.workspace_id) as tx:
        found = await require_dialog(tx, caller, parse_dialog(dialog_id))
    return (await show_dialogs(db, caller, [found], last=True))[0]


async def delete_dialog(db: Database, caller: Caller, dialog_id: str) -> None:
    """Take everybody out of a dialog; nobody sees it then. Its owner may.

    Raises: NoSuchDialog, Forbidden, TooManyMembers.
    """
    key = parse_dialog(dialog_id)
    async with db.transaction(caller.workspace_id) as tx:
        found = await require_dialog(tx, caller, key)
        if found.role != "owner" or found.kind == "direct":
            raise Forbidden("Only the owner of a dialog deletes it")
        rows = await store.list_members(
            tx, caller.workspace_id, [key], DELETED_WITH + 1, viewer=caller.actor_id
        )
        if len(rows) > DELETED_WITH:
            raise TooManyMembers
        everybody = [row["actor_id"] for row in rows]
        await store.lock_dialog(tx, caller.workspace_id, key)
        await lock_personal(tx, everybody)
        others = [actor_id for actor_id in everybody if actor_id != caller.actor_id]
        for actor_id in [*others, caller.actor_id]:  # an owner leaves last
            await members.remove_member(tx, caller, key, actor_id)


async def add_member(db: Database, caller: Caller, dialog_id: str, user_id: str) -> None:
    """Add a user; owners and moderators may. Repeat: harmless. Raises: NoSuchDialog, NoSuchUser, Forbidden."""
    key = parse_dialog(dialog_id)
    async with db.transaction(caller.workspace_id) as tx:
        await require_dialog(tx, caller, key)
        actor_id = (await get_users(tx, caller.workspace_id, [user_id]))[0]
        await members.add_member(tx, caller, key, actor_id, None)


async def remove_member(db: Database, caller: Caller, dialog_id: str, user_id: str) -> None:
    """Take a user out, or leave. Repeat: harmless. Raises: NoSuchDialog, NoSuchUser, Forbidden, Conflict."""
    key = parse_dialog(dialog_id)
    async with db.transaction(caller.workspace_id) as tx:
        await require_dialog(tx, caller, key)
        row = await find_user(tx, caller.workspace_id, user_id)
        if row is not None:
            await members.remove_member(tx, caller, key, row["id"])


async def require_dialog(tx: Tx, caller: Caller, conversation_id: UUID) -> Conversation:
    """Return a conversation beside the desk that the caller is in. Raises: NoSuchDialog."""
    try:
        found = await chats.get_conversation(tx, caller, conversation_id)
    except ConversationNotFound as error:
        raise NoSuchDialog from error
    if found.kind == "desk":
        raise NoSuchDialog
    return found


async def show_dialogs(
    db: Database, caller: Caller, conversations: Sequence[Conversation], *, last: bool
) -> list[Json]:
    """Return dialogs as the caller sees them, in their order. In a transaction of its own, which may name people."""
    if not conversations:
        return []
    keys = [parse_id("cnv", one.id) for one in conversations]
    async with db.transaction(caller.workspace_id) as tx:
        rows = {
            row["id"]: row for row in await store.list_dialogs(tx, caller.workspace_id, keys, caller.actor_id)
        }
        listed = await named_members(tx, caller.workspace_id, keys, caller.actor_id)
        shown = await _name_dialogs(tx, caller, list(rows.values()), listed)
        senders = {parse_id("act", one.last_message.sender.id) for one in conversations if one.last_message}
        people = await find_people(tx, caller.workspace_id, senders)
    user_ids = {public_id("act", key): person.user_id for key, person in people.items()}
    return [
        own_dialog_json(
            shown[key], rows[key], one, [member_json(row) for row in listed.get(key, ())], user_ids, last=last
        )
        for key, one in zip(keys, conversations, strict=True)
        if key in rows
    ]


async def named_members(
    tx: Tx, workspace_id: UUID, keys: Sequence[UUID], viewer: UUID | None
) -> dict[UUID, list[Record]]:
    """Return the first members of conversations that the viewer may see; each of them has a user id then."""
    rows = await store.list_members(tx, workspace_id, keys, MEMBERS_SHOWN, viewer=viewer)
    nameless = {row["actor_id"] for row in rows if row["external_id"] is None}
    if nameless:
        await find_people(tx, workspace_id, nameless)
        rows = await store.list_members(tx, workspace_id, keys, MEMBERS_SHOWN, viewer=viewer)
    found: dict[UUID, list[Record]] = {}
    for row in rows:
        found.setdefault(row["conversation_id"], []).append(row)
    return found


async def _name_dialogs(
    tx: Tx, caller: Caller, rows: Sequence[Record], listed: dict[UUID, list[Record]]
) -> dict[UUID, Json]:
    makers = {row["created_by"] for row in rows if row["created_by"]}
    people = await find_people(tx, caller.workspace_id, makers)
    tenant_id = public_id("ws", caller.workspace_id)
    found = {}
    for row in rows:
        other = next((m["name"] for m in listed.get(row["id"], ()) if m["actor_id"] != caller.actor_id), "")
        maker = people.get(row["created_by"])
        found[row["id"]] = dialog_json(row, row["title"] or other, maker.user_id if maker else "", tenant_id)
    return found


async def _read_page(tx: Tx, caller: Caller, skip: int, limit: int) -> list[Conversation]:
    if skip + limit > DEEPEST:
        return []
    cursor: str | None = None
    while skip:
        step: Page[Conversation] = await chats.list_conversations(tx, caller, cursor, min(skip, STEP))
        skip, cursor = skip - min(skip, STEP), step.next
        if cursor is None:
            return []
    return (await chats.list_conversations(tx, caller, cursor, limit)).items

"""Drafts: what somebody began to write follows them to their other devices, and is nobody else's.

One draft for each conversation; the last write counts. The words stand in the draft and in the one personal event
that told it last, so that what was typed and taken back is kept nowhere.
"""

from __future__ import annotations

from uuid import UUID

import asyncpg
import msgspec

from parley.accounts import Caller, record_personal
from parley.conversations import drafts_store, store
from parley.conversations.errors import BadReply, NoDraft
from parley.conversations.group_schemas import DraftJson, DraftRequest
from parley.conversations.preferences import format_moment
from parley.conversations.schemas import EntityJson
from parley.conversations.visibility import View, require_view, view_of
from parley.infra.db import Tx
from parley.kit.ids import parse_id, public_id
from parley.kit.pages import Page, decode_cursor, encode_cursor


async def get_draft(tx: Tx, caller: Caller, conversation_id: UUID) -> DraftJson:
    """Return one's draft. Raises: ConversationNotFound, NoDraft."""
    await require_view(tx, caller, conversation_id)
    row = await drafts_store.find_draft(tx, conversation_id, caller.actor_id)
    if row is None:
        raise NoDraft
    return _format(row)


async def list_drafts(tx: Tx, caller: Caller, cursor: str | None, limit: int) -> Page[DraftJson]:
    """Return one's drafts in the conversations one sees, by conversation; a page may have fewer than ``limit``."""
    after = decode_cursor(cursor, UUID)[0] if cursor else UUID(int=0)
    rows = await drafts_store.list_drafts(tx, caller.actor_id, after, limit + 1)
    keys = [row["conversation_id"] for row in rows[:limit]]
    access = await store.list_access(tx, caller.workspace_id, keys, caller.actor_id)
    seen = {row["id"] for row in access if view_of(caller, row)}
    following = encode_cursor(keys[-1]) if len(rows) > limit else None
    return Page([_format(row) for row in rows[:limit] if row["conversation_id"] in seen], following)


async def set_draft(tx: Tx, caller: Caller, conversation_id: UUID, given: DraftRequest) -> DraftJson:
    """Store one's draft in place of the one before; an empty one is none. Repeat: harmless.

    The caller's other devices learn it by the personal stream. Raises: ConversationNotFound, BadReply.
    """
    await drafts_store.hold_member(tx, conversation_id, caller.actor_id)
    view = await require_view(tx, caller, conversation_id)
    reply_to_id = parse_id("msg", given.reply_to_id) if given.reply_to_id else None
    if reply_to_id:
        await _require_reply(tx, conversation_id, reply_to_id, view)
    draft = DraftJson(
        conversation_id=public_id("cnv", conversation_id),
        text=given.text,
        entities=given.entities,
        reply_to_id=public_id("msg", reply_to_id) if reply_to_id else None,
        changed_at=tx.now,
    )
    if not draft.text.strip() and reply_to_id is None:
        await _delete(tx, caller, conversation_id)
        return draft
    before = await drafts_store.find_draft(tx, conversation_id, caller.actor_id)
    if before and _format(before) == msgspec.structs.replace(draft, changed_at=before["changed_at"]):
        return _format(before)
    number = await _tell(tx, caller, conversation_id, draft)
    await _forget_words(tx, caller, conversation_id)
    await drafts_store.put_draft(
        tx,
        caller.workspace_id,
        conversation_id,
        caller.actor_id,
        text=draft.text,
        entities=msgspec.to_builtins(draft.entities) or None,
        reply_to_id=reply_to_id,
        event_number=number,
        changed_at=draft.changed_at,
    )
    return draft


async def delete_draft(tx: Tx, caller: Caller, conversation_id: UUID) -> None:
    """Take one's draft away. Repeat: harmless. Raises: ConversationNotFound."""
    await drafts_store.hold_member(tx, conversation_id, caller.actor_id)
    await require_view(tx, caller, conversation_id)
    await _delete(tx, caller, conversation_id)


async def _delete(tx: Tx, caller: Caller, conversation_id: UUID) -> None:
    if await drafts_store.find_draft(tx, conversation_id, caller.actor_id) is None:
        return
    await _tell(tx, caller, conversation_id, None)
    await _forget_words(tx, caller, conversation_id)
    await drafts_store.delete_draft(tx, conversation_id, caller.actor_id)


async def _tell(tx: Tx, caller: Caller, conversation_id: UUID, draft: DraftJson | None) -> int:
    """Tell the caller's devices; return the event's number. One's devices take turns from here on: it locks the actor."""
    told = None
    if draft is not None:
        told = msgspec.to_builtins(draft) | {"changed_at": format_moment(draft.changed_at)}
    data = {"conversation_id": public_id("cnv", conversation_id), "draft": told}
    event = await record_personal(tx, caller.workspace_id, caller.actor_id, "draft.changed", data)
    return event.number


async def _forget_words(tx: Tx, caller: Caller, conversation_id: UUID) -> None:
    before = await drafts_store.find_draft(tx, conversation_id, caller.actor_id)
    if before is not None:
        await drafts_store.blank_event(tx, caller.actor_id, before["event_number"])


async def _require_reply(tx: Tx, conversation_id: UUID, message_id: UUID, view: View) -> None:
    rows = await store.get_messages(tx, [conversation_id], [message_id])
    if not rows or (rows[0]["kind"] == "note" and view != "staff"):
        raise BadReply


def _format(row: asyncpg.Record) -> DraftJson:
    return DraftJson(
        conversation_id=public_id("cnv", row["conversation_id"]),
        text=row["text"],
        entities=msgspec.convert(row["entities"] or [], list[EntityJson]),
        reply_to_id=public_id("msg", row["reply_to_id"]) if row["reply_to_id"] else None,
        changed_at=row["changed_at"],
    )

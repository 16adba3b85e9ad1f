"""The desk's lists: pages, changes since a token, counts. No agent holds a cursor per conversation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from parley.accounts import Caller
from parley.conversations import Cursor, list_visible_inboxes, require_view
from parley.conversations.history import get_snippets
from parley.conversations.schemas import ActorRef
from parley.desk import list_store
from parley.desk.schemas import ContactRef, DeskChanges, DeskConversation, DeskCounts, DeskPage, StatusCounts
from parley.infra.db import Tx
from parley.kit.errors import NotFound
from parley.kit.ids import parse_id, public_id
from parley.kit.pages import decode_cursor, encode_cursor
from parley.kit.text import clean_text

CHANGES_LIMIT = 200
"""Changed conversations in one answer; more than that is a reset."""

_LAST = UUID(int=2**128 - 1)


async def read_page(
    tx: Tx,
    caller: Caller,
    *,
    status: str | None,
    inbox_id: UUID | None,
    assignee: str | None,
    contact_id: UUID | None,
    query: str = "",
    cursor: str | None,
    limit: int,
) -> DeskPage:
    """Return conversations of the caller's inboxes, the last active first, with the token of this moment.

    ``status`` None: all; ``assignee``: me, none, or an actor's id; ``query``: part of a
    contact's name or username, or a whole address.
    """
    inboxes = await _visible(tx, caller, inbox_id)
    token = await list_store.oldest_running(tx)
    before = (dt.datetime.max.replace(tzinfo=dt.UTC), _LAST)
    if cursor:
        moment, last = decode_cursor(cursor, dt.datetime, UUID)
        before = (moment, last)
    who = caller.actor_id if assignee == "me" else None
    if assignee not in (None, "me", "none"):
        who = parse_id("act", assignee or "")
    rows = await list_store.list_page(
        tx,
        reader_id=caller.actor_id,
        workspace_id=caller.workspace_id,
        inboxes=inboxes,
        status=status,
        assignee=who,
        is_unassigned=assignee == "none",
        contact_id=contact_id,
        query=clean_text(query).strip(),
        before=before,
        limit=limit + 1,
    )
    following = None
    if len(rows) > limit:
        following = encode_cursor(rows[limit - 1]["active_at"], rows[limit - 1]["conversation_id"])
    return DeskPage(items=await _to_items(tx, rows[:limit]), next=following, token=_token(tx, token))


async def read_changes(tx: Tx, caller: Caller, since: str) -> DeskChanges:
    """Return the conversations changed since a token: at least once, each in its latest state."""
    inboxes = await _visible(tx, caller, None)
    token = await list_store.oldest_running(tx)
    start = _read_token(tx, since)
    if start < 0 or start > token:
        return DeskChanges(items=[], token=_token(tx, token), reset=True)
    rows = await list_store.list_touched(
        tx,
        reader_id=caller.actor_id,
        workspace_id=caller.workspace_id,
        inboxes=inboxes,
        since=start,
        limit=CHANGES_LIMIT + 1,
    )
    if len(rows) > CHANGES_LIMIT:
        return DeskChanges(items=[], token=_token(tx, token), reset=True)
    return DeskChanges(items=await _to_items(tx, rows), token=_token(tx, token), reset=False)


async def get_desk_conversation(tx: Tx, caller: Caller, conversation_id: UUID) -> DeskConversation:
    """Return one conversation. Raises: ConversationNotFound, NotFound."""
    await require_view(tx, caller, conversation_id)
    row = await list_store.get_one(tx, caller.actor_id, conversation_id)
    if row is None:
        raise NotFound("This is not a conversation of the desk.")
    return (await _to_items(tx, [row]))[0]


async def count_conversations(tx: Tx, caller: Caller) -> DeskCounts:
    """Return counts over the caller's inboxes."""
    inboxes = await _visible(tx, caller, None)
    counts = DeskCounts(inboxes={public_id("inb", inbox_id): StatusCounts() for inbox_id in inboxes})
    for row in await list_store.count_statuses(tx, caller.workspace_id, inboxes, caller.actor_id):
        inbox = counts.inboxes[public_id("inb", row["inbox_id"])]
        setattr(inbox, row["status"], row["total"])
        setattr(counts, row["status"], getattr(counts, row["status"]) + row["total"])
        for part, column in ((counts.mine_by_status, "mine"), (counts.unassigned_by_status, "unassigned")):
            setattr(part, row["status"], getattr(part, row["status"]) + row[column])
        if row["status"] == "open":
            counts.mine += row["mine"]
            counts.unassigned += row["unassigned"]
    return counts


def _token(tx: Tx, transaction: int) -> str:
    """A transaction, and of which life of the database it is."""
    return f"{transaction}.{tx.restores}" if tx.restores else str(transaction)


def _read_token(tx: Tx, token: str) -> int:
    """Return a token's transaction; -1 when it is none, or of another life of the database."""
    transaction, _, restores = token.partition(".")
    is_one = transaction.isascii() and transaction.isdigit() and len(transaction) < 19
    return int(transaction) if is_one and (restores or "0") == str(tx.restores) else -1


async def _visible(tx: Tx, caller: Caller, inbox_id: UUID | None) -> list[UUID]:
    caller.require_staff()
    inboxes = await list_visible_inboxes(tx, caller)
    if inbox_id is None:
        return inboxes
    return [inbox_id] if inbox_id in inboxes else []


async def _to_items(tx: Tx, rows: Sequence[asyncpg.Record]) -> list[DeskConversation]:
    snippets = await get_snippets(
        tx, [(row["conversation_id"], row["last_message_id"]) for row in rows if row["last_message_id"]]
    )
    return [
        DeskConversation(
            id=public_id("cnv", row["conversation_id"]),
            inbox_id=public_id("inb", row["inbox_id"]),
            status=row["status"],
            snoozed_until=row["snoozed_until"],
            assignee=ActorRef(
                public_id("act", row["assignee_id"]), row["assignee_kind"], row["assignee_name"]
            )
            if row["assignee_id"]
            else None,
            contact=ContactRef(
                id=public_id("act", row["contact_id"]),
                name=row["contact_name"],
                username=row["username"],
                address=row["address"],
                is_reachable=row["is_reachable"],
            ),
            active_at=row["active_at"],
            created_at=row["created_at"],
            last_message=snippets.get(row["last_message_id"]) if row["last_message_id"] else None,
            unread=max(0, row["last_number"] - row["read_number"] - row["own_since"]),
            last_number=row["last_number"],
            read_number=row["read_number"],
            own_since=row["own_since"],
            head=Cursor(row["head"], row["tag"]),
        )
        for row in rows
    ]

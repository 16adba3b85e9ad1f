"""Statuses of desk conversations."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import asyncpg
from msgspec import UNSET

from parley.accounts import Caller
from parley.conversations import require_view, streams
from parley.conversations.store import lock_access, lock_conversation
from parley.desk import list_store
from parley.desk.assignment import assign, release
from parley.desk.errors import AlreadyOpen
from parley.desk.schemas import DeskChange
from parley.infra.db import Database, Tx
from parley.kit.errors import Malformed, NotFound
from parley.kit.events import STAFF

MAX_SNOOZE_DAYS = 366


async def change_conversation(tx: Tx, caller: Caller, conversation_id: UUID, change: DeskChange) -> None:
    """Change status and assignee. Repeat: nothing happens.

    Raises: ConversationNotFound, Malformed, AlreadyOpen (the contact has another unfinished one here), NotFound.
    """
    await lock_access(tx, conversation_id, caller.actor_id)
    if await require_view(tx, caller, conversation_id) != "staff":
        raise NotFound
    await lock_conversation(tx, caller.workspace_id, conversation_id)
    row = await list_store.lock_desk_row(tx, conversation_id)
    if row is None:
        raise NotFound("This is not a conversation of the desk.")
    status = row["status"]
    if change.status is not UNSET or change.snoozed_until is not UNSET:
        status = await _change_status(tx, caller, row, change)
    if change.assignee_id is not UNSET:
        await assign(tx, caller, row, change.assignee_id)
    elif row["status"] == "resolved" and status != "resolved":
        await release(tx, row)


async def _change_status(tx: Tx, caller: Caller, row: asyncpg.Record, change: DeskChange) -> str:
    until = change.snoozed_until if change.snoozed_until is not UNSET else None
    status = change.status if change.status is not UNSET else ("snoozed" if until else row["status"])
    if (status == "snoozed") != (until is not None):
        raise Malformed("Snoozing needs the time until when, and only snoozing.", snoozed_until="")
    if until is not None:
        if until.tzinfo is None:
            raise Malformed("A time needs its zone.", snoozed_until="")
        if not tx.now < until <= tx.now + dt.timedelta(days=MAX_SNOOZE_DAYS):
            raise Malformed("Snooze until a time to come, within a year.", snoozed_until="")
    await _set_status(tx, row, status, until, caller.actor_id)
    return str(status)


async def _set_status(
    tx: Tx, row: asyncpg.Record, status: str, until: dt.datetime | None, by: UUID | None
) -> None:
    if row["status"] == status and row["snoozed_until"] == until:
        return
    try:
        await list_store.set_status(tx, row["conversation_id"], status, until)
    except asyncpg.UniqueViolationError as error:
        raise AlreadyOpen from error
    await streams.append(
        tx,
        workspace_id=row["workspace_id"],
        conversation_id=row["conversation_id"],
        kind="conversation.status_changed",
        data={"status": status, "snoozed_until": until.isoformat() if until else None},
        actor_id=by,
        audience=STAFF,
        context={"conversation_kind": "desk", "inbox_id": row["inbox_id"]},
    )


async def open_again(tx: Tx, workspace_id: UUID, conversation_id: UUID) -> None:
    """Open a conversation because its contact wrote. Repeat: nothing happens."""
    await lock_conversation(tx, workspace_id, conversation_id)
    row = await list_store.lock_desk_row(tx, conversation_id)
    if row is not None:
        await _set_status(tx, row, "open", None, None)
    if row is not None and row["status"] == "resolved":
        await release(tx, row)


async def wake_snoozed(db: Database, limit: int = 200) -> int:
    """Open all conversations whose snooze is over; returns how many. Several processes may run it at once.

    They are looked for ``limit`` at a time, each opened in a transaction of its own.
    """
    count = 0
    while True:
        async with db.system() as tx:
            due = await list_store.list_due_snoozed(tx, tx.now, limit)
        for workspace_id, conversation_id in due:
            async with db.transaction(workspace_id) as tx:
                await lock_conversation(tx, workspace_id, conversation_id)
                row = await list_store.lock_desk_row(tx, conversation_id)
                if row is not None and row["status"] == "snoozed" and row["snoozed_until"] <= tx.now:
                    await _set_status(tx, row, "open", None, None)
        count += len(due)
        if len(due) < limit:
            return count

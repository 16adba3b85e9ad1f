"""The journal: what a provider sent is stored before anything is made of it, and can be made anew.

`accept` is all that a webhook or a poll does. An item that cannot be handled stays with its reason, blocks nothing,
and is replayed after a fix.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from parley.accounts import Caller, record_audit
from parley.channels.contract import Adapter, BadUpdate, JournalPart
from parley.desk import intake_store
from parley.desk.accounts import Channels
from parley.desk.errors import NotFailed
from parley.desk.inbox_store import find_inbox
from parley.desk.intake_store import JOURNAL
from parley.desk.schemas import JournalItem
from parley.infra.db import Database, Tx
from parley.kit.errors import NotFound
from parley.kit.ids import public_id, uuid7
from parley.kit.pages import Page, decode_cursor, encode_cursor

BODY_SHOWN = 4000
"""Characters of a raw body that the failed list shows."""


def make_lane(inbox_id: UUID, lane: str) -> str:
    """Return the lane of a chat in an inbox."""
    return f"{inbox_id.hex}:{lane}"


async def accept_body(tx: Tx, adapter: Adapter, workspace_id: UUID, inbox_id: UUID, body: bytes) -> None:
    """Journal a raw body; one that cannot be split is kept as failed. Promise: after commit nothing is lost."""
    try:
        parts = adapter.split(body)
    except BadUpdate as error:
        await intake_store.insert_refused(
            tx, workspace_id, inbox_id, uuid7(), body, f"{error.code}: {error.message}"
        )
        return
    await accept_parts(tx, workspace_id, inbox_id, parts)


async def accept_parts(tx: Tx, workspace_id: UUID, inbox_id: UUID, parts: Sequence[JournalPart]) -> None:
    """Journal items in order."""
    items = [(workspace_id, inbox_id, uuid7(), make_lane(inbox_id, part.lane), part.body) for part in parts]
    if items:
        await intake_store.insert_items(tx, items)
        tx.wake(JOURNAL.name)


async def list_items(
    tx: Tx, caller: Caller, state: str | None, cursor: str | None, limit: int
) -> Page[JournalItem]:
    """Return journal items, newest first. Raises: Forbidden."""
    caller.require_admin()
    before = decode_cursor(cursor, int)[0] if cursor else 2**62
    rows = await intake_store.list_journal(tx, caller.workspace_id, state, before, limit + 1)
    items = [
        JournalItem(
            id=public_id("itm", row["id"]),
            inbox_id=public_id("inb", row["inbox_id"]),
            received_at=row["received_at"],
            state=row["work"],
            attempts=row["attempts"],
            error=row["last_error"],
            body=row["body"].decode("utf-8", "replace")[:BODY_SHOWN],
        )
        for row in rows[:limit]
    ]
    return Page(items, encode_cursor(rows[limit - 1]["seq"]) if len(rows) > limit else None)


async def replay_item(tx: Tx, channels: Channels, caller: Caller, item_id: UUID) -> None:
    """Run a failed item again. Raises: Forbidden, NotFound, NotFailed, BadUpdate (it still cannot be split)."""
    caller.require_admin()
    row = await intake_store.find_item(tx, caller.workspace_id, item_id)
    if row is None:
        raise NotFound
    if row["work"] != "failed":
        raise NotFailed
    await _replay(tx, channels, item_id)
    await record_audit(tx, caller, "journal.replayed", public_id("itm", item_id))


async def replay_failed(
    db: Database, channels: Channels, workspace_id: UUID | None, limit: int = 10_000
) -> int:
    """Run all failed items again, oldest first, of one workspace or all; returns how many were queued."""
    async with db.system() as tx:
        ids = await intake_store.list_failed(tx, workspace_id, limit)
    count = 0
    for item_id in ids:
        async with db.system() as tx:
            try:
                await _replay(tx, channels, item_id)
            except BadUpdate:
                continue
            count += 1
    return count


async def _replay(tx: Tx, channels: Channels, item_id: UUID) -> None:
    row = await intake_store.find_any_item(tx, item_id)
    if row is None:
        raise NotFound
    if row["lane"] is None:
        inbox = await find_inbox(tx, row["inbox_id"])
        if inbox is None:
            raise NotFound
        parts = channels.adapter(inbox["channel"]).split(row["body"])
        await intake_store.set_lane(tx, item_id, make_lane(row["inbox_id"], parts[0].lane if parts else ""))
    await JOURNAL.rerun(tx, [item_id])

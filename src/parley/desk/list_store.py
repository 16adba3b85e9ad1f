"""SQL of the desk's lists, statuses and assignment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from parley.infra.db import Tx


async def lock_desk_row(tx: Tx, conversation_id: UUID) -> asyncpg.Record | None:
    """Lock the desk's row; the conversation's row is locked already."""
    return await tx.fetchrow(
        "SELECT * FROM desk_conversation WHERE conversation_id = $1 FOR NO KEY UPDATE", conversation_id
    )


async def set_status(tx: Tx, conversation_id: UUID, status: str, until: dt.datetime | None) -> None:
    """Set the status. Raises: asyncpg.UniqueViolationError beside another unfinished one of the contact."""
    await tx.execute(
        """UPDATE desk_conversation SET status = $2, snoozed_until = $3,
            resolved_at = CASE WHEN $2 = 'resolved' THEN $4 ELSE resolved_at END
        WHERE conversation_id = $1""",
        conversation_id,
        status,
        until,
        tx.now,
    )


async def set_assignee(tx: Tx, conversation_id: UUID, assignee_id: UUID | None) -> None:
    """Set who answers."""
    await tx.execute(
        "UPDATE desk_conversation SET assignee_id = $2 WHERE conversation_id = $1",
        conversation_id,
        assignee_id,
    )


async def may_work(tx: Tx, inbox_id: UUID, actor_id: UUID) -> bool:
    """Whether a user who may come in sees the inbox: an agent who is its member, or an admin.

    What that stands on is held until commit: whoever takes the right away sees what was done by it. The inbox's row
    is locked before the actor's, as by those who take somebody out and then tell them.
    """
    is_member = bool(
        await tx.fetch(
            "SELECT FROM inbox_member WHERE inbox_id = $1 AND actor_id = $2 FOR KEY SHARE", inbox_id, actor_id
        )
    )
    role = await tx.fetchval(
        "SELECT role FROM actor WHERE id = $1 AND deactivated_at IS NULL FOR SHARE", actor_id
    )
    return role in ("owner", "admin") or (role == "agent" and is_member)


async def list_unworkable(tx: Tx, workspace_id: UUID, actor_id: UUID, limit: int) -> list[UUID]:
    """Return unfinished conversations of which an actor is the assignee without working in the inbox (`may_work`).

    Index: desk_conversation_assignee.
    """
    rows = await tx.fetch(
        """SELECT d.conversation_id FROM desk_conversation d JOIN actor a ON a.id = d.assignee_id
        WHERE d.workspace_id = $1 AND d.assignee_id = $2 AND d.status <> 'resolved'
            AND NOT (a.deactivated_at IS NULL AND (a.role IN ('owner', 'admin') OR a.role = 'agent' AND EXISTS (
                SELECT FROM inbox_member i WHERE i.inbox_id = d.inbox_id AND i.actor_id = a.id)))
        ORDER BY d.conversation_id LIMIT $3""",
        workspace_id,
        actor_id,
        limit,
    )
    return [row["conversation_id"] for row in rows]


async def list_due_snoozed(tx: Tx, now: dt.datetime, limit: int) -> list[tuple[UUID, UUID]]:
    """Return (workspace, conversation) whose snooze is over. Index: desk_conversation_snoozed. System role."""
    rows = await tx.fetch(
        """SELECT workspace_id, conversation_id FROM desk_conversation
        WHERE status = 'snoozed' AND snoozed_until <= $1 ORDER BY snoozed_until LIMIT $2""",
        now,
        limit,
    )
    return [(row["workspace_id"], row["conversation_id"]) for row in rows]


async def list_of_contact(
    tx: Tx, workspace_id: UUID, contact_id: UUID, limit: int = 100
) -> list[tuple[UUID, UUID]]:
    """Return (conversation, inbox) of a contact's newest conversations, by id. Index: desk_conversation_contact."""
    rows = await tx.fetch(
        """SELECT conversation_id, inbox_id FROM desk_conversation WHERE workspace_id = $1 AND contact_id = $2
        ORDER BY conversation_id DESC LIMIT $3""",
        workspace_id,
        contact_id,
        limit,
    )
    return sorted((row["conversation_id"], row["inbox_id"]) for row in rows)


async def touch(tx: Tx, conversation_ids: Sequence[UUID], active_ids: Sequence[UUID]) -> int:
    """Mark conversations as changed for the lists; those in ``active_ids`` also come to the top.

    Returns the number of this transaction, by which they are marked; 0 when none of them is at the desk.
    """
    number: int | None = await tx.fetchval(
        """UPDATE desk_conversation SET touch = pg_current_xact_id(),
            active_at = CASE WHEN conversation_id = ANY($2) THEN $3 ELSE active_at END
        WHERE conversation_id = ANY($1) RETURNING touch::text::bigint""",
        list(conversation_ids),
        list(active_ids),
        tx.now,
    )
    return number or 0


_ROW = """
    SELECT d.*, c.head, c.tag, c.last_number, c.last_message_id,
        coalesce(m.read_number, 0) AS read_number, coalesce(m.own_since, 0) AS own_since,
        n.name AS contact_name, i.address, i.username, i.is_reachable,
        s.name AS assignee_name, s.kind AS assignee_kind
    FROM desk_conversation d
    JOIN conversation c ON c.id = d.conversation_id
    JOIN actor n ON n.id = d.contact_id
    JOIN identity i ON i.workspace_id = d.workspace_id AND i.id = d.identity_id
    LEFT JOIN actor s ON s.id = d.assignee_id
    LEFT JOIN member m ON m.conversation_id = d.conversation_id AND m.actor_id = $1
"""


async def list_page(
    tx: Tx,
    *,
    reader_id: UUID,
    workspace_id: UUID,
    inboxes: Sequence[UUID],
    status: str | None,
    assignee: UUID | None,
    is_unassigned: bool,
    contact_id: UUID | None,
    query: str,
    before: tuple[dt.datetime, UUID],
    limit: int,
) -> list[asyncpg.Record]:
    """Return conversations of these inboxes, the last active first.

    Index: desk_conversation_assignee for one assignee's, else desk_conversation_listing. Each inbox gives at most
    ``limit`` rows from its index, which are merged: no sort of a whole inbox.
    """
    return await tx.fetch(
        f"""{_ROW} JOIN (
            SELECT x.conversation_id FROM unnest($3::uuid[]) AS b (inbox_id)
            CROSS JOIN unnest($4::text[]) AS w (status)
            CROSS JOIN LATERAL (
                SELECT y.conversation_id, y.active_at FROM desk_conversation y
                WHERE y.workspace_id = $2 AND y.inbox_id = b.inbox_id AND y.status = w.status
                    AND ($5::uuid IS NULL OR y.assignee_id = $5)
                    AND (NOT $6::boolean OR y.assignee_id IS NULL)
                    AND ($10::uuid IS NULL OR y.contact_id = $10)
                    AND ($11 = '' OR EXISTS (SELECT FROM identity z JOIN actor a ON a.id = z.contact_id
                        WHERE z.workspace_id = $2 AND z.id = y.identity_id
                        AND (a.name ILIKE $11 OR z.username ILIKE $11 OR z.address = $12)))
                    AND (y.active_at, y.conversation_id) < ($7, $8)
                ORDER BY y.active_at DESC, y.conversation_id DESC LIMIT $9
            ) x ORDER BY x.active_at DESC, x.conversation_id DESC LIMIT $9
        ) page ON page.conversation_id = d.conversation_id
        ORDER BY d.active_at DESC, d.conversation_id DESC""",
        reader_id,
        workspace_id,
        list(inboxes),
        [status] if status else ["open", "pending", "snoozed", "resolved"],
        assignee,
        is_unassigned,
        before[0],
        before[1],
        limit,
        contact_id,
        _pattern(query),
        query,
    )


async def list_touched(
    tx: Tx, *, reader_id: UUID, workspace_id: UUID, inboxes: Sequence[UUID], since: int, limit: int
) -> list[asyncpg.Record]:
    """Return conversations touched by transactions from ``since`` on. Index: desk_conversation_touch."""
    return await tx.fetch(
        f"""{_ROW} WHERE d.workspace_id = $2 AND d.inbox_id = ANY($3) AND d.touch >= $4::text::xid8
        ORDER BY d.touch LIMIT $5""",
        reader_id,
        workspace_id,
        list(inboxes),
        str(since),
        limit,
    )


async def list_touches(
    tx: Tx, inboxes: Sequence[tuple[UUID, UUID]], since: int, until: int, limit: int
) -> list[asyncpg.Record]:
    """Return what transactions from ``since`` on and before ``until`` touched in inboxes named with their workspaces, in
    each at most so many: workspace_id, inbox_id, conversation_id, transaction. Index: desk_conversation_touch."""
    return await tx.fetch(
        """SELECT b.workspace_id, b.inbox_id, t.conversation_id, t.touch::text::bigint AS transaction
        FROM unnest($1::uuid[], $2::uuid[]) AS b (workspace_id, inbox_id)
        CROSS JOIN LATERAL (
            SELECT d.conversation_id, d.touch FROM desk_conversation d
            WHERE d.workspace_id = b.workspace_id AND d.inbox_id = b.inbox_id
                AND d.touch >= $3::text::xid8 AND d.touch < $4::text::xid8
            ORDER BY d.touch DESC LIMIT $5
        ) t""",
        [workspace_id for workspace_id, _ in inboxes],
        [inbox_id for _, inbox_id in inboxes],
        str(since),
        str(until),
        limit,
    )


async def get_one(tx: Tx, reader_id: UUID, conversation_id: UUID) -> asyncpg.Record | None:
    """Return one conversation of the desk."""
    return await tx.fetchrow(f"{_ROW} WHERE d.conversation_id = $2", reader_id, conversation_id)


async def oldest_running(tx: Tx) -> int:
    """Return the oldest transaction still running: all touched below it are visible now."""
    oldest: int = await tx.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
    return oldest


async def count_statuses(
    tx: Tx, workspace_id: UUID, inboxes: Sequence[UUID], reader_id: UUID
) -> list[asyncpg.Record]:
    """Return counts by inbox and status; for open ones also the reader's and nobody's."""
    return await tx.fetch(
        """SELECT inbox_id, status, count(*) AS total,
            count(*) FILTER (WHERE assignee_id = $3) AS mine,
            count(*) FILTER (WHERE assignee_id IS NULL) AS unassigned
        FROM desk_conversation WHERE workspace_id = $1 AND inbox_id = ANY($2) GROUP BY inbox_id, status""",
        workspace_id,
        list(inboxes),
        reader_id,
    )


def _pattern(query: str) -> str:
    """Return an ILIKE pattern that finds the text anywhere; empty for an empty text."""
    escaped = query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if query else ""

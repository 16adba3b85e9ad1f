"""SQL of conversations: streams, access, messages. Members, sending and editing have files of their own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from parley.conversations.schemas import Cursor
from parley.infra.db import Tx
from parley.kit.events import Event, StreamKind

# ---------------------------------------------------------------- streams


async def append_event(
    tx: Tx,
    workspace_id: UUID,
    conversation_id: UUID,
    *,
    tag: int,
    kind: str,
    audience: str,
    actor_id: UUID | None,
    data: dict[str, Any],
) -> int:
    """Number and write one event; returns the number. Locks the conversation row until commit."""
    number: int = await tx.fetchval(
        """WITH stream AS (
            UPDATE conversation SET head = head + 1, tag = $3,
                feed_transaction = greatest(feed_transaction, pg_current_xact_id())
            WHERE workspace_id = $1 AND id = $2 RETURNING head, feed_transaction
        )
        INSERT INTO event
            (workspace_id, conversation_id, number, tag, kind, audience, actor_id, data, at, transaction)
        SELECT $1, $2, head, $3, $4, $5, $6, $7, $8, feed_transaction FROM stream RETURNING number""",
        workspace_id,
        conversation_id,
        tag,
        kind,
        audience,
        actor_id,
        data,
        tx.now,
    )
    return number


async def append_events(
    tx: Tx,
    workspace_id: UUID,
    conversation_id: UUID,
    *,
    tags: Sequence[int],
    kind: str,
    actor_id: UUID | None,
    data: Sequence[dict[str, Any]],
) -> int:
    """As `append_event` for several of a kind to everyone, in their order; returns the last number."""
    head: int = await tx.fetchval(
        """WITH stream AS (
            UPDATE conversation SET head = head + cardinality($3::integer[]), tag = ($3::integer[])[cardinality($3)],
                feed_transaction = greatest(feed_transaction, pg_current_xact_id())
            WHERE workspace_id = $1 AND id = $2 RETURNING head, feed_transaction
        ), written AS (
            INSERT INTO event
                (workspace_id, conversation_id, number, tag, kind, audience, actor_id, data, at, transaction)
            SELECT $1, $2, head - cardinality($3) + n, e.tag, $4, 'all', $5, e.data::jsonb, $7, feed_transaction
            FROM stream, unnest($3::integer[], $6::text[]) WITH ORDINALITY AS e (tag, data, n)
        )
        SELECT head FROM stream""",
        workspace_id,
        conversation_id,
        list(tags),
        kind,
        actor_id,
        [msgspec.json.encode(one).decode() for one in data],
        tx.now,
    )
    return head


async def get_head(tx: Tx, conversation_id: UUID) -> Cursor:
    """Return the stream's last number and tag; zeros when there is no such conversation."""
    row = await tx.fetchrow("SELECT head, tag FROM conversation WHERE id = $1", conversation_id)
    return Cursor(row["head"], row["tag"]) if row else Cursor(0, 0)


async def get_personal_head(tx: Tx, actor_id: UUID) -> Cursor:
    """Return the last number and tag of a personal stream."""
    row = await tx.fetchrow("SELECT head, tag FROM actor WHERE id = $1", actor_id)
    return Cursor(row["head"], row["tag"]) if row else Cursor(0, 0)


async def list_events(tx: Tx, conversation_id: UUID, after: int, limit: int) -> list[Event]:
    """Return events above a number, ascending. Index: event's primary key."""
    rows = await tx.fetch(
        """SELECT workspace_id, conversation_id AS stream_id, number, tag, kind, audience, actor_id, data, at
        FROM event WHERE conversation_id = $1 AND number > $2 ORDER BY number LIMIT $3""",
        conversation_id,
        after,
        limit,
    )
    return [make_event(row, "conversation") for row in rows]


async def list_personal_events(tx: Tx, actor_id: UUID, after: int, limit: int) -> list[Event]:
    """Return personal events above a number, ascending. Index: personal_event's primary key."""
    rows = await tx.fetch(
        """SELECT workspace_id, actor_id AS stream_id, number, tag, kind, 'all' AS audience, NULL::uuid AS actor_id,
            data, at
        FROM personal_event WHERE actor_id = $1 AND number > $2 ORDER BY number LIMIT $3""",
        actor_id,
        after,
        limit,
    )
    return [make_event(row, "personal") for row in rows]


def make_event(row: asyncpg.Record, stream: StreamKind) -> Event:
    """Return the event of a row."""
    return Event(stream=stream, **dict(row))


async def delete_events_before(tx: Tx, moment: dt.datetime, limit: int) -> int:
    """Delete up to ``limit`` events older than the moment from each kind of stream; returns how many went.

    The newest event of a stream stays, so that a cursor at the head can always be checked; so does what a follower
    of the feed has still to read, unless nobody has followed under its name since that moment.
    """
    gone = await tx.execute(
        """DELETE FROM event e USING (
            SELECT v.conversation_id, v.number FROM event v JOIN conversation c ON c.id = v.conversation_id
            WHERE v.at < $1 AND v.number < c.head AND NOT EXISTS (
                SELECT FROM follower f WHERE f.updated_at > $1 AND f.transaction <= v.transaction) LIMIT $2) old
        WHERE e.conversation_id = old.conversation_id AND e.number = old.number""",
        moment,
        limit,
    )
    return gone + await tx.execute(
        """DELETE FROM personal_event e USING (
            SELECT v.actor_id, v.number FROM personal_event v JOIN actor a ON a.id = v.actor_id
            WHERE v.at < $1 AND v.number < a.head AND NOT EXISTS (
                SELECT FROM follower f WHERE f.updated_at > $1 AND f.transaction <= v.transaction) LIMIT $2) old
        WHERE e.actor_id = old.actor_id AND e.number = old.number""",
        moment,
        limit,
    )


# ---------------------------------------------------------------- access


async def list_access(
    tx: Tx, workspace_id: UUID, ids: Sequence[UUID], actor_id: UUID
) -> list[asyncpg.Record]:
    """Return of each conversation its head, kind, inbox, the actor's member role and whether it is of the inbox's staff."""
    return await tx.fetch(
        """SELECT c.id, c.head, c.tag, c.kind, c.inbox_id, m.role,
            EXISTS (SELECT FROM inbox_member i WHERE i.inbox_id = c.inbox_id AND i.actor_id = $3) AS is_inbox_member
        FROM conversation c
        LEFT JOIN member m ON m.conversation_id = c.id AND m.actor_id = $3
        WHERE c.workspace_id = $1 AND c.id = ANY ($2)""",
        workspace_id,
        ids,
        actor_id,
    )


async def lock_access(tx: Tx, conversation_id: UUID, actor_id: UUID) -> None:
    """Hold the inbox membership by which an actor may speak, so that taking it away waits for our commit.

    Member rows need no lock of their own: they change only under the conversation's.
    """
    await tx.execute(
        """SELECT FROM inbox_member WHERE actor_id = $2
            AND inbox_id = (SELECT inbox_id FROM conversation WHERE id = $1) FOR KEY SHARE""",
        conversation_id,
        actor_id,
    )


async def lock_conversation(tx: Tx, workspace_id: UUID, conversation_id: UUID) -> asyncpg.Record | None:
    """Lock the stream's counter row until commit and return the row.

    Lock order everywhere: conversations by id, then members, messages and what else lies under them, personal
    counters by id last. Members change only under this lock.
    """
    return await tx.fetchrow(
        "SELECT * FROM conversation WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE",
        workspace_id,
        conversation_id,
    )


async def lock_conversations(tx: Tx, workspace_id: UUID, ids: Sequence[UUID]) -> None:
    """Lock the counter rows of several streams until commit, by id. Before anything under one of them."""
    await tx.execute(
        "SELECT FROM conversation WHERE workspace_id = $1 AND id = ANY ($2) ORDER BY id FOR NO KEY UPDATE",
        workspace_id,
        list(ids),
    )


async def list_inboxes(tx: Tx, workspace_id: UUID, staff_id: UUID | None) -> list[UUID]:
    """Return inboxes of the workspace, or those a user is a member of."""
    if staff_id is None:
        rows = await tx.fetch("SELECT id FROM inbox WHERE workspace_id = $1 ORDER BY id", workspace_id)
    else:
        rows = await tx.fetch(
            "SELECT inbox_id AS id FROM inbox_member WHERE workspace_id = $1 AND actor_id = $2 ORDER BY inbox_id",
            workspace_id,
            staff_id,
        )
    return [row["id"] for row in rows]


async def list_media_uses(
    tx: Tx, workspace_id: UUID, media_id: UUID, actor_id: UUID, inboxes: Sequence[UUID]
) -> list[tuple[UUID, str]]:
    """Return (conversation, message kind) of undeleted messages that carry a file, 50 at the most.

    Of conversations that the actor is a member of or that are of these inboxes. Index: attachment_media.
    """
    rows = await tx.fetch(
        """SELECT DISTINCT a.conversation_id, m.kind FROM attachment a
        JOIN message m ON m.conversation_id = a.conversation_id AND m.id = a.message_id
        JOIN conversation c ON c.id = a.conversation_id
        WHERE a.workspace_id = $1 AND a.media_id = $2 AND m.deleted_at IS NULL AND (c.inbox_id = ANY ($4)
            OR EXISTS (SELECT FROM member o WHERE o.conversation_id = c.id AND o.actor_id = $3)) LIMIT 50""",
        workspace_id,
        media_id,
        actor_id,
        list(inboxes),
    )
    return [(row["conversation_id"], row["kind"]) for row in rows]


# ---------------------------------------------------------------- messages

_MESSAGE = """
    SELECT m.*, a.kind AS sender_kind, a.name AS sender_name,
        r.text AS reply_text, r.deleted_at AS reply_deleted_at, ra.name AS reply_sender_name,
        (SELECT array_agg(t.media_id ORDER BY t.ordinal) FROM attachment t
         WHERE t.conversation_id = m.conversation_id AND t.message_id = m.id) AS media_ids,
        (SELECT jsonb_agg(jsonb_build_array(x.emoji, x.actor_id) ORDER BY x.created_at, x.actor_id) FROM reaction x
         WHERE x.conversation_id = m.conversation_id AND x.message_id = m.id) AS reaction_list
    FROM message m
    JOIN actor a ON a.id = m.sender_id
    LEFT JOIN message r ON r.conversation_id = m.conversation_id AND r.id = m.reply_to_id
    LEFT JOIN actor ra ON ra.id = r.sender_id
"""

_SHOWN = """ AND NOT EXISTS (SELECT FROM hidden_message h
    WHERE h.conversation_id = m.conversation_id AND h.actor_id = {} AND h.message_id = m.id)"""


async def list_messages(
    tx: Tx,
    conversation_id: UUID,
    *,
    before: int | None,
    after: int | None,
    reader: UUID,
    notes: bool,
    limit: int,
) -> list[asyncpg.Record]:
    """Return up to ``limit`` messages beside a position: descending below ``before``, else ascending above ``after``.

    Without those that the reader deleted for themselves. Index: message_position; never an OFFSET.
    """
    seen = _SHOWN.format("$4") if notes else f"{_SHOWN.format('$4')} AND m.kind <> 'note'"
    if after is not None:
        return await tx.fetch(
            f"{_MESSAGE} WHERE m.conversation_id = $1 AND m.position > $2{seen} ORDER BY m.position LIMIT $3",
            conversation_id,
            after,
            limit,
            reader,
        )
    return await tx.fetch(
        f"{_MESSAGE} WHERE m.conversation_id = $1 AND m.position < $2{seen} ORDER BY m.position DESC LIMIT $3",
        conversation_id,
        before if before is not None else 2**62,
        limit,
        reader,
    )


async def has_messages(
    tx: Tx, conversation_id: UUID, *, since: int = 0, up_to: int = 2**62, reader: UUID, notes: bool
) -> bool:
    """Whether a message that the reader sees stands at a position from ``since`` to ``up_to``, both included.

    Index: message_position.
    """
    seen = _SHOWN.format("$4") if notes else f"{_SHOWN.format('$4')} AND m.kind <> 'note'"
    found: bool = await tx.fetchval(
        f"""SELECT EXISTS (SELECT FROM message m
            WHERE m.conversation_id = $1 AND m.position BETWEEN $2 AND $3{seen})""",
        conversation_id,
        since,
        up_to,
        reader,
    )
    return found


async def get_messages(tx: Tx, conversation_ids: Sequence[UUID], ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Return messages by (conversation, id) pairs, in no order."""
    return await tx.fetch(
        f"{_MESSAGE} WHERE (m.conversation_id, m.id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))",
        list(conversation_ids),
        list(ids),
    )


async def lock_message(tx: Tx, conversation_id: UUID, message_id: UUID) -> asyncpg.Record | None:
    """Lock one message until commit. The conversation's row is locked already."""
    return await tx.fetchrow(
        "SELECT * FROM message WHERE conversation_id = $1 AND id = $2 FOR NO KEY UPDATE",
        conversation_id,
        message_id,
    )

"""SQL of mentions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from parley.infra.db import Tx


async def list_hearers(
    tx: Tx, conversations: Sequence[UUID], actors: Sequence[UUID]
) -> set[tuple[UUID, UUID]]:
    """Return those of the (conversation, actor) pairs where the actor may be called: members; at the desk its staff.

    Index: member's and inbox_member's primary keys.
    """
    rows = await tx.fetch(
        """SELECT DISTINCT w.conversation_id, w.actor_id
        FROM unnest($1::uuid[], $2::uuid[]) AS w (conversation_id, actor_id)
        JOIN conversation c ON c.id = w.conversation_id
        JOIN actor a ON a.id = w.actor_id AND a.workspace_id = c.workspace_id AND a.deactivated_at IS NULL
        WHERE CASE WHEN c.kind = 'desk'
            THEN a.role IN ('owner', 'admin') OR a.role = 'agent' AND EXISTS (
                SELECT FROM inbox_member i WHERE i.inbox_id = c.inbox_id AND i.actor_id = a.id)
            ELSE EXISTS (SELECT FROM member m WHERE m.conversation_id = c.id AND m.actor_id = a.id) END""",
        list(conversations),
        list(actors),
    )
    return {(row["conversation_id"], row["actor_id"]) for row in rows}


async def insert_mentions(tx: Tx, rows: Iterable[tuple[UUID, UUID, UUID, int, UUID, UUID | None]]) -> None:
    """Note mentions: (workspace, conversation, message, number, sender, actor or None for everybody)."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        await tx.execute(
            """INSERT INTO mention (workspace_id, conversation_id, message_id, number, sender_id, actor_id)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::uuid[], $6::uuid[])
            ON CONFLICT DO NOTHING""",
            *columns,
        )


async def delete_mentions(tx: Tx, conversation_id: UUID, message_id: UUID) -> None:
    """Forget whom a message mentions. Index: mention_message."""
    await tx.execute(
        "DELETE FROM mention WHERE conversation_id = $1 AND message_id = $2", conversation_id, message_id
    )


_SHOWN = """NOT EXISTS (SELECT FROM hidden_message h WHERE h.conversation_id = x.conversation_id
    AND h.actor_id = $1 AND h.message_id = x.{})"""
_UNREAD = f"""(
        SELECT count(*) FROM mention x WHERE x.conversation_id = m.conversation_id AND x.actor_id = $1
            AND x.number > m.read_number AND {_SHOWN.format("message_id")}
    ) + (
        SELECT count(*) FROM mention x WHERE x.conversation_id = m.conversation_id AND x.actor_id IS NULL
            AND x.number > m.read_number AND x.sender_id <> $1 AND {_SHOWN.format("message_id")}
    )"""


async def count_unread(tx: Tx, actor_id: UUID, conversation_id: UUID) -> int:
    """Return in how many unread messages of a conversation a member is mentioned, by name or with all.

    Index: mention's unique key, twice.
    """
    count: int | None = await tx.fetchval(
        f"SELECT {_UNREAD} FROM member m WHERE m.conversation_id = $2 AND m.actor_id = $1",
        actor_id,
        conversation_id,
    )
    return count or 0


class Seen(NamedTuple):
    """What of a conversation is one reader's own: unread mentions, and the last message that is not hidden."""

    mentions: int
    last_message_id: UUID | None


async def list_seen(tx: Tx, actor_id: UUID, last_messages: Mapping[UUID, UUID | None]) -> dict[UUID, Seen]:
    """Return what an actor sees of conversations, whose last messages for everybody are given.

    Index: those of `count_unread`; hidden_message's primary key, and where it has a row message_position from the end.
    """
    rows = await tx.fetch(
        f"""SELECT w.id, coalesce({_UNREAD}, 0) AS mentions,
            CASE WHEN w.last IS NULL OR NOT EXISTS (SELECT FROM hidden_message h
                WHERE h.conversation_id = w.id AND h.actor_id = $1 AND h.message_id = w.last) THEN w.last
            ELSE (SELECT x.id FROM message x WHERE x.conversation_id = w.id AND x.kind <> 'note'
                AND {_SHOWN.format("id")} ORDER BY x.position DESC LIMIT 1) END AS last_message_id
        FROM unnest($2::uuid[], $3::uuid[]) AS w (id, last)
        LEFT JOIN member m ON m.conversation_id = w.id AND m.actor_id = $1""",
        actor_id,
        list(last_messages),
        list(last_messages.values()),
    )
    return {row["id"]: Seen(row["mentions"], row["last_message_id"]) for row in rows}

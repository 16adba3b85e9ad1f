"""SQL of members: who is in a conversation, how far they have read, and one's own list of conversations."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from parley.conversations.rights import IS_BROADCASTER
from parley.infra.db import Tx


async def create_conversation(
    tx: Tx,
    *,
    workspace_id: UUID,
    conversation_id: UUID,
    kind: str,
    title: str | None,
    inbox_id: UUID | None,
    direct_key: str | None,
    created_by: UUID,
) -> bool:
    """Insert a conversation; False when the pair of a direct one has it already."""
    return bool(
        await tx.execute(
            """INSERT INTO conversation
                (workspace_id, id, kind, title, inbox_id, direct_key, created_by, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (workspace_id, direct_key) WHERE direct_key IS NOT NULL DO NOTHING""",
            workspace_id,
            conversation_id,
            kind,
            title,
            inbox_id,
            direct_key,
            created_by,
            tx.now,
        )
    )


async def find_direct(tx: Tx, workspace_id: UUID, direct_key: str) -> UUID | None:
    """Return the direct conversation of a pair."""
    found: UUID | None = await tx.fetchval(
        "SELECT id FROM conversation WHERE workspace_id = $1 AND direct_key = $2", workspace_id, direct_key
    )
    return found


async def add_member(tx: Tx, workspace_id: UUID, conversation_id: UUID, actor_id: UUID, role: str) -> bool:
    """Add the contact of a desk conversation, who starts at the head; False when it is one already."""
    return bool(
        await tx.execute(
            """INSERT INTO member (workspace_id, conversation_id, actor_id, role, read_number, joined_at)
            SELECT $1, $2, $3, $4, last_number, $5 FROM conversation WHERE workspace_id = $1 AND id = $2
            ON CONFLICT DO NOTHING""",
            workspace_id,
            conversation_id,
            actor_id,
            role,
            tx.now,
        )
    )


async def add_members(
    tx: Tx, workspace_id: UUID, conversation_id: UUID, roles: Mapping[UUID, str]
) -> set[UUID]:
    """Add members of a chat, who start at the head; return those that were none before. The conversation's row is locked."""
    rows = await tx.fetch(
        """INSERT INTO member (workspace_id, conversation_id, actor_id, role, read_number, joined_at, is_chat)
        SELECT $1, $2, m.actor_id, m.role, c.last_number, $5, true
        FROM conversation c, unnest($3::uuid[], $4::text[]) AS m (actor_id, role)
        WHERE c.workspace_id = $1 AND c.id = $2 ON CONFLICT DO NOTHING RETURNING actor_id""",
        workspace_id,
        conversation_id,
        list(roles),
        list(roles.values()),
        tx.now,
    )
    return {row["actor_id"] for row in rows}


async def count_members(tx: Tx, workspace_id: UUID, conversation_id: UUID, change: int) -> int:
    """Count members on by so many, or back; return how many there are now. The conversation's row is locked."""
    count: int = await tx.fetchval(
        """UPDATE conversation SET member_count = member_count + $3 WHERE workspace_id = $1 AND id = $2
        RETURNING member_count""",
        workspace_id,
        conversation_id,
        change,
    )
    return count


async def set_role(tx: Tx, conversation_id: UUID, actor_id: UUID, role: str) -> bool:
    """Change a member's role; returns whether it changed."""
    return bool(
        await tx.execute(
            "UPDATE member SET role = $3 WHERE conversation_id = $1 AND actor_id = $2 AND role <> $3",
            conversation_id,
            actor_id,
            role,
        )
    )


async def set_preferences(
    tx: Tx,
    conversation_id: UUID,
    actor_id: UUID,
    *,
    muted_until: dt.datetime | None,
    is_archived: bool,
    is_pinned: bool,
) -> None:
    """Store what a member keeps for itself. The conversation's row is locked."""
    await tx.execute(
        """UPDATE member SET muted_until = $3, is_archived = $4, is_pinned = $5
        WHERE conversation_id = $1 AND actor_id = $2""",
        conversation_id,
        actor_id,
        muted_until,
        is_archived,
        is_pinned,
    )


async def remove_member(tx: Tx, conversation_id: UUID, actor_id: UUID) -> bool:
    """Delete a member; the conversation's row is locked. Returns whether there was one."""
    return bool(
        await tx.execute(
            "DELETE FROM member WHERE conversation_id = $1 AND actor_id = $2", conversation_id, actor_id
        )
    )


async def find_others(tx: Tx, conversation_id: UUID, actor_id: UUID) -> tuple[bool, bool]:
    """Whether others are in a conversation, and whether one of them owns it.

    Index: member's primary key, member_broadcasters.
    """
    row = await tx.fetchrow(
        """SELECT EXISTS (SELECT FROM member WHERE conversation_id = $1 AND actor_id <> $2) AS has_others,
            EXISTS (SELECT FROM member WHERE conversation_id = $1 AND actor_id <> $2 AND role = 'owner') AS has_owner""",
        conversation_id,
        actor_id,
    )
    return (row["has_others"], row["has_owner"]) if row else (False, False)


async def find_member(tx: Tx, conversation_id: UUID, actor_id: UUID) -> asyncpg.Record | None:
    """Return one member with the actor's name and kind."""
    return await tx.fetchrow(
        """SELECT m.*, a.name, a.kind FROM member m JOIN actor a ON a.id = m.actor_id
        WHERE m.conversation_id = $1 AND m.actor_id = $2""",
        conversation_id,
        actor_id,
    )


async def get_members(tx: Tx, conversation_id: UUID, actor_ids: Sequence[UUID]) -> list[asyncpg.Record]:
    """Return these members with the actors' names and kinds, by actor id. Index: member's primary key."""
    return await tx.fetch(
        """SELECT m.*, a.name, a.kind FROM member m JOIN actor a ON a.id = m.actor_id
        WHERE m.conversation_id = $1 AND m.actor_id = ANY ($2) ORDER BY m.actor_id""",
        conversation_id,
        list(actor_ids),
    )


async def list_members(tx: Tx, conversation_id: UUID, after: UUID, limit: int) -> list[asyncpg.Record]:
    """Return members by actor id; at the desk without the users, whose rows say only how far they have read.

    Index: member's primary key.
    """
    return await tx.fetch(
        """SELECT m.*, a.name, a.kind FROM member m JOIN actor a ON a.id = m.actor_id
        JOIN conversation c ON c.id = m.conversation_id
        WHERE m.conversation_id = $1 AND m.actor_id > $2 AND (c.kind <> 'desk' OR a.kind <> 'user')
        ORDER BY m.actor_id LIMIT $3""",
        conversation_id,
        after,
        limit,
    )


async def list_broadcasters(
    tx: Tx, conversation_id: UUID, after: UUID, limit: int, *, beside: UUID
) -> list[asyncpg.Record]:
    """Return those who write in a broadcast and one more of its members, by actor id.

    Index: member_broadcasters, member's primary key.
    """
    return await tx.fetch(
        f"""SELECT m.*, a.name, a.kind FROM (
            SELECT * FROM member WHERE conversation_id = $1 AND actor_id > $2 AND {IS_BROADCASTER}
            UNION SELECT * FROM member WHERE conversation_id = $1 AND actor_id > $2 AND actor_id = $4) m
        JOIN actor a ON a.id = m.actor_id ORDER BY m.actor_id LIMIT $3""",
        conversation_id,
        after,
        limit,
        beside,
    )


async def search_members(
    tx: Tx, conversation_id: UUID, words: str, after: tuple[int, str, UUID], limit: int
) -> list[asyncpg.Record]:
    """Return members by rank of their role, name and id: those in whose names a word begins so; all for "".

    What it reads grows with the members: tens of milliseconds for ten thousand. Index: member's primary key.
    """
    return await tx.fetch(
        """SELECT found.* FROM (
            SELECT m.*, a.name, a.kind, a.search_name,
                array_position(ARRAY['owner', 'moderator', 'member', 'reader'], m.role) AS rank
            FROM member m JOIN actor a ON a.id = m.actor_id JOIN conversation c ON c.id = m.conversation_id
            WHERE m.conversation_id = $1 AND (c.kind <> 'desk' OR a.kind <> 'user')
              AND ($2 = '' OR position(' ' || lower($2) IN ' ' || a.search_name) > 0)) AS found
        WHERE (rank, search_name, actor_id) > ($3::bigint, $4, $5) ORDER BY rank, search_name, actor_id LIMIT $6""",
        conversation_id,
        words,
        *after,
        limit,
    )


_CONVERSATION = """
    SELECT c.*, m.role, coalesce(m.read_number, 0) AS read_number, coalesce(m.own_since, 0) AS own_since,
        m.muted_until, coalesce(m.is_archived, false) AS is_archived, coalesce(m.is_pinned, false) AS is_pinned
    FROM conversation c
"""


async def get_conversations(tx: Tx, ids: Sequence[UUID], actor_id: UUID) -> list[asyncpg.Record]:
    """Return conversations with the actor's read position, in no order."""
    return await tx.fetch(
        f"{_CONVERSATION} LEFT JOIN member m ON m.conversation_id = c.id AND m.actor_id = $2 WHERE c.id = ANY($1)",
        list(ids),
        actor_id,
    )


async def list_own_conversations(
    tx: Tx, workspace_id: UUID, actor_id: UUID, before: tuple[dt.datetime, UUID], limit: int
) -> list[asyncpg.Record]:
    """Return an actor's chats, most lately spoken in first. Index: member_chats."""
    return await tx.fetch(
        f"""{_CONVERSATION} JOIN member m ON m.conversation_id = c.id
        WHERE m.workspace_id = $1 AND m.actor_id = $2 AND m.is_chat
          AND (coalesce(c.last_message_at, c.created_at), c.id) < ($3, $4)
        ORDER BY coalesce(c.last_message_at, c.created_at) DESC, c.id DESC LIMIT $5""",
        workspace_id,
        actor_id,
        before[0],
        before[1],
        limit,
    )


async def list_chats(
    tx: Tx,
    workspace_id: UUID,
    actor_id: UUID,
    *,
    is_archived: bool,
    before: tuple[bool, dt.datetime, UUID],
    limit: int,
) -> list[asyncpg.Record]:
    """Return an actor's chats, archived or not: pinned ones first, then most lately spoken in.

    What it reads grows with the actor's own chats alone. Index: member_chats.
    """
    return await tx.fetch(
        f"""{_CONVERSATION} JOIN member m ON m.conversation_id = c.id
        WHERE m.workspace_id = $1 AND m.actor_id = $2 AND m.is_chat AND m.is_archived = $3
          AND (m.is_pinned, coalesce(c.last_message_at, c.created_at), c.id) < ($4, $5, $6)
        ORDER BY m.is_pinned DESC, coalesce(c.last_message_at, c.created_at) DESC, c.id DESC LIMIT $7""",
        workspace_id,
        actor_id,
        is_archived,
        *before,
        limit,
    )


async def move_read(
    tx: Tx, workspace_id: UUID, conversation_id: UUID, actor_id: UUID, *, number: int, own_since: int
) -> None:
    """Set how far an actor has read; makes the row of staff who read for the first time."""
    await tx.execute(
        """INSERT INTO member (workspace_id, conversation_id, actor_id, role, read_number, own_since, joined_at)
        VALUES ($1, $2, $3, 'reader', $4, $5, $6)
        ON CONFLICT (conversation_id, actor_id)
        DO UPDATE SET read_number = excluded.read_number, own_since = excluded.own_since""",
        workspace_id,
        conversation_id,
        actor_id,
        number,
        own_since,
        tx.now,
    )


async def count_own(tx: Tx, conversation_id: UUID, actor_id: UUID, above: int) -> int:
    """Count messages above a number that an actor need not read: own ones, and hidden ones. Index: message_number."""
    count: int = await tx.fetchval(
        """SELECT count(*) FROM message m WHERE conversation_id = $1 AND number > $2 AND (sender_id = $3
            OR EXISTS (SELECT FROM hidden_message h WHERE h.conversation_id = m.conversation_id
                AND h.actor_id = $3 AND h.message_id = m.id))""",
        conversation_id,
        above,
        actor_id,
    )
    return count

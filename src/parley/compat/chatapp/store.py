"""SQL of this dialect: what its shapes need beyond our doors.

Every statement runs inside ``db.transaction(workspace_id)``, but for those of newcomers' names, which belong to
no workspace yet (ADR 0004). Rights are checked by the doors, or by the membership in the statement itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from uuid import UUID

from asyncpg import Record

from parley.conversations.rights import IS_BROADCASTER
from parley.infra.db import Tx

# ---------------------------------------------------------------- users


async def find_people(tx: Tx, workspace_id: UUID, ids: Collection[UUID]) -> list[Record]:
    """Return id, kind, name and external_id of actors."""
    sql = "SELECT id, kind, name, external_id FROM actor WHERE workspace_id = $1 AND id = ANY ($2)"
    return await tx.fetch(sql, workspace_id, list(ids))


async def find_user(tx: Tx, workspace_id: UUID, user_id: str) -> Record | None:
    """Return a user, or else a bot, by external id. Index: actor_external."""
    sql = """
        SELECT id, kind, name, external_id, created_at, deactivated_at FROM actor
        WHERE workspace_id = $1 AND kind IN ('user', 'bot') AND external_id = $2 ORDER BY kind DESC LIMIT 1"""
    return await tx.fetchrow(sql, workspace_id, user_id)


async def list_users(tx: Tx, workspace_id: UUID, *, but: UUID, search: str, limit: int) -> list[Record]:
    """Return active users whose name contains a text, literally and whatever its case, by name.

    Index: actor_people.
    """
    sql = """
        SELECT id, kind, name, external_id, created_at FROM actor
        WHERE workspace_id = $1 AND kind = 'user' AND deactivated_at IS NULL AND id <> $2
            AND ($3 = '' OR position(lower($3) IN search_name) > 0)
        ORDER BY search_name, id LIMIT $4"""
    return await tx.fetch(sql, workspace_id, but, search, limit)


# ---------------------------------------------------------------- dialogs


async def list_own_dialogs(tx: Tx, workspace_id: UUID, actor_id: UUID, limit: int) -> list[UUID]:
    """Return the conversations beside the desk of an actor, most lately spoken in first. Index: member_actor."""
    rows = await tx.fetch(
        """SELECT c.id FROM member m JOIN conversation c ON c.id = m.conversation_id
        WHERE m.workspace_id = $1 AND m.actor_id = $2 AND c.kind <> 'desk'
        ORDER BY coalesce(c.last_message_at, c.created_at) DESC, c.id DESC LIMIT $3""",
        workspace_id,
        actor_id,
        limit,
    )
    return [row["id"] for row in rows]


async def count_own_dialogs(tx: Tx, workspace_id: UUID, actor_id: UUID) -> int:
    """Count what `list_own_dialogs` would return without a limit."""
    count: int = await tx.fetchval(
        """SELECT count(*) FROM member m JOIN conversation c ON c.id = m.conversation_id
        WHERE m.workspace_id = $1 AND m.actor_id = $2 AND c.kind <> 'desk'""",
        workspace_id,
        actor_id,
    )
    return count


async def list_dialogs(tx: Tx, workspace_id: UUID, ids: Sequence[UUID], actor_id: UUID) -> list[Record]:
    """Return of conversations who made them, their fields, how many are in them, and when the actor came (null: never)."""
    return await tx.fetch(
        """SELECT c.id, c.kind, c.title, c.created_by, c.created_at, c.last_message_at, m.joined_at,
            c.member_count, f.fields
        FROM conversation c LEFT JOIN member m ON m.conversation_id = c.id AND m.actor_id = $3
        LEFT JOIN conversation_fields f ON f.conversation_id = c.id
        WHERE c.workspace_id = $1 AND c.id = ANY ($2) AND c.kind <> 'desk'""",
        workspace_id,
        list(ids),
        actor_id,
    )


async def list_members(
    tx: Tx, workspace_id: UUID, ids: Sequence[UUID], most: int, *, viewer: UUID | None
) -> list[Record]:
    """Return up to ``most`` members of each conversation, by id, with names and how far they have read.

    Of a broadcast, whose readers do not learn of one another, what ``viewer`` may see; None: any of them.
    """
    return await tx.fetch(
        f"""SELECT m.conversation_id, m.actor_id, m.role, m.read_number, m.joined_at, a.name, a.external_id
        FROM unnest($2::uuid[]) AS u (id) JOIN conversation c ON c.id = u.id AND c.workspace_id = $1
        CROSS JOIN LATERAL (
            (SELECT * FROM member WHERE conversation_id = c.id AND (c.kind <> 'broadcast' OR EXISTS (
                SELECT FROM member w WHERE w.conversation_id = c.id AND w.actor_id = $4 AND w.{IS_BROADCASTER}))
             ORDER BY actor_id LIMIT $3)
            UNION (SELECT * FROM member WHERE conversation_id = c.id AND {IS_BROADCASTER} ORDER BY actor_id LIMIT $3)
            UNION SELECT * FROM member WHERE conversation_id = c.id AND actor_id = $4
            ORDER BY actor_id LIMIT $3
        ) AS m
        JOIN actor a ON a.id = m.actor_id
        ORDER BY m.conversation_id, m.actor_id""",
        workspace_id,
        list(ids),
        most,
        viewer,
    )


async def list_companions(
    tx: Tx, workspace_id: UUID, ids: Sequence[UUID], *, but: UUID, crowd: int, limit: int
) -> list[UUID]:
    """Return the users in conversations of no more than ``crowd`` members, each once. Index: member's primary key."""
    rows = await tx.fetch(
        """SELECT DISTINCT m.actor_id FROM member m
        JOIN conversation c ON c.id = m.conversation_id
        JOIN actor a ON a.id = m.actor_id
        WHERE m.workspace_id = $1 AND m.conversation_id = ANY ($2) AND m.actor_id <> $3 AND c.member_count <= $4
            AND a.kind = 'user' AND a.deactivated_at IS NULL
        LIMIT $5""",
        workspace_id,
        list(ids),
        but,
        crowd,
        limit,
    )
    return [row["actor_id"] for row in rows]


async def lock_dialog(tx: Tx, workspace_id: UUID, conversation_id: UUID) -> None:
    """Lock a conversation and then its members, to be taken out; personal counters come after."""
    for sql in (
        "SELECT FROM conversation WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE",
        "SELECT FROM member WHERE workspace_id = $1 AND conversation_id = $2 ORDER BY actor_id FOR UPDATE",
    ):
        await tx.execute(sql, workspace_id, conversation_id)


# ---------------------------------------------------------------- messages


async def find_message(tx: Tx, workspace_id: UUID, message_id: UUID, actor_id: UUID) -> UUID | None:
    """Return the conversation of a message, if the actor is in it and has not hidden it. Indexes: member_actor, message's primary key."""
    found: UUID | None = await tx.fetchval(
        """SELECT m.conversation_id FROM member m
        JOIN conversation c ON c.id = m.conversation_id
        JOIN message g ON g.conversation_id = m.conversation_id AND g.id = $2
        WHERE m.workspace_id = $1 AND m.actor_id = $3 AND c.kind <> 'desk' AND NOT EXISTS (
            SELECT FROM hidden_message h
            WHERE h.conversation_id = m.conversation_id AND h.message_id = $2 AND h.actor_id = $3)""",
        workspace_id,
        message_id,
        actor_id,
    )
    return found


async def find_position(tx: Tx, conversation_id: UUID, number: int) -> int | None:
    """Return the position of the message of a number. Index: message_number."""
    position: int | None = await tx.fetchval(
        "SELECT position FROM message WHERE conversation_id = $1 AND number = $2", conversation_id, number
    )
    return position


async def list_numbered(
    tx: Tx, conversation_id: UUID, *, above: int, up_to: int, but_of: UUID, limit: int
) -> list[UUID]:
    """Return the last messages in a range of numbers that somebody else wrote, ascending. Index: message_number."""
    rows = await tx.fetch(
        """SELECT id FROM message
        WHERE conversation_id = $1 AND number > $2 AND number <= $3 AND sender_id <> $4
        ORDER BY number DESC LIMIT $5""",
        conversation_id,
        above,
        up_to,
        but_of,
        limit,
    )
    return [row["id"] for row in reversed(rows)]


async def list_hidden(
    tx: Tx, conversation_id: UUID, message_ids: Collection[UUID]
) -> dict[UUID, frozenset[UUID]]:
    """Return who deleted these messages for themselves, by message. Index: hidden_message's primary key."""
    rows = await tx.fetch(
        """SELECT message_id, array_agg(actor_id) AS actor_ids FROM hidden_message
        WHERE conversation_id = $1 AND message_id = ANY ($2) GROUP BY message_id""",
        conversation_id,
        list(message_ids),
    )
    return {row["message_id"]: frozenset(row["actor_ids"]) for row in rows}


# ---------------------------------------------------------------- system: newcomers


async def put_newcomer(tx: Tx, phone: str, name: str, expires_at: dt.datetime) -> None:
    """Keep the name that came with a request for a code, in place of the one before."""
    await tx.execute(
        """INSERT INTO chatapp_newcomer (phone, name, expires_at) VALUES ($1, $2, $3)
        ON CONFLICT (phone) DO UPDATE SET name = $2, expires_at = $3""",
        phone,
        name,
        expires_at,
    )


async def take_newcomer(tx: Tx, phone: str) -> str | None:
    """Return the name kept for a number, and keep it no longer."""
    name: str | None = await tx.fetchval(
        "DELETE FROM chatapp_newcomer WHERE phone = $1 AND expires_at > $2 RETURNING name", phone, tx.now
    )
    return name


async def sweep_newcomers(tx: Tx) -> int:
    """Take away names whose codes were not used in time; return how many. Index: chatapp_newcomer_expiry."""
    return await tx.execute("DELETE FROM chatapp_newcomer WHERE expires_at <= $1", tx.now)

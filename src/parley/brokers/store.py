"""SQL of publishing. All of it runs as the system role, by ids that events of the feed name (ADR 0004)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from asyncpg import Record

from parley.conversations.rights import IS_BROADCASTER
from parley.infra.db import Tx


async def list_rooms(tx: Tx, after: Mapping[UUID, int]) -> list[Record]:
    """Return conversations with their members and what happened to membership after a number, the newest first.

    One statement, so that both are of one moment; nobody of a desk conversation. Indexes: the primary keys of member
    and event.
    """
    sql = """
        SELECT c.id, c.kind, c.title,
            CASE WHEN c.kind = 'desk' THEN '{}' ELSE ARRAY(
                SELECT m.actor_id FROM member m WHERE m.conversation_id = c.id) END AS members,
            (SELECT coalesce(jsonb_agg(jsonb_build_array(e.kind, e.data -> 'member' -> 'actor' ->> 'id')
                    ORDER BY e.number DESC), '[]')
             FROM event e WHERE c.kind <> 'desk' AND e.conversation_id = c.id AND e.number > w.number
                AND e.kind IN ('member.joined', 'member.left')) AS later
        FROM unnest($1::uuid[], $2::bigint[]) AS w (id, number) JOIN conversation c ON c.id = w.id"""
    return await tx.fetch(sql, list(after), list(after.values()))


async def list_broadcasters(tx: Tx, conversation_ids: Collection[UUID]) -> dict[UUID, frozenset[UUID]]:
    """Return who writes in these broadcasts now. Index: member_broadcasters."""
    rows = await tx.fetch(
        f"""SELECT conversation_id, array_agg(actor_id) AS actor_ids FROM member
        WHERE conversation_id = ANY ($1::uuid[]) AND {IS_BROADCASTER} GROUP BY 1""",
        list(conversation_ids),
    )
    return {row["conversation_id"]: frozenset(row["actor_ids"]) for row in rows}


async def list_receivers(tx: Tx, actor_ids: Collection[UUID], *, is_everyone: bool) -> frozenset[UUID]:
    """Return those of the actors whose updates are published.

    Active users and bots with an enabled integration, or all of them. Index: actor.id.
    """
    sql = """
        SELECT a.id FROM actor a
        WHERE a.id = ANY ($1::uuid[]) AND a.kind <> 'contact' AND a.deactivated_at IS NULL
          AND ($2 OR EXISTS (SELECT FROM integration i WHERE i.workspace_id = a.workspace_id AND i.actor_id = a.id))"""
    rows = await tx.fetch(sql, list(actor_ids), is_everyone)
    return frozenset(row["id"] for row in rows)


async def list_external_ids(tx: Tx, actor_ids: Collection[UUID]) -> list[Record]:
    """Return id, workspace_id, kind and external_id of actors. Index: actor.id."""
    return await tx.fetch(
        "SELECT id, workspace_id, kind, external_id FROM actor WHERE id = ANY ($1::uuid[])", list(actor_ids)
    )


async def list_dialogs(tx: Tx, conversation_ids: Collection[UUID]) -> list[Record]:
    """Return conversations with their fields; of one without a title the first two members, as ``[id, name]``.

    Indexes: the primary keys of conversation, conversation_fields and member.
    """
    return await tx.fetch(
        f"""SELECT c.id, c.kind, c.title, c.created_by, c.created_at, c.last_message_at, c.member_count, f.fields,
            CASE WHEN c.title IS NULL AND c.kind <> 'desk' THEN (
                SELECT jsonb_agg(jsonb_build_array(m.actor_id, m.name) ORDER BY m.actor_id) FROM (
                    SELECT x.actor_id, a.name FROM member x JOIN actor a ON a.id = x.actor_id
                    WHERE x.conversation_id = c.id AND (c.kind <> 'broadcast' OR x.{IS_BROADCASTER})
                    ORDER BY x.actor_id LIMIT 2) AS m) END AS first_members
        FROM conversation c LEFT JOIN conversation_fields f ON f.conversation_id = c.id
        WHERE c.id = ANY ($1::uuid[])""",
        list(conversation_ids),
    )


async def list_hidden(tx: Tx, keys: Sequence[tuple[UUID, UUID]]) -> list[tuple[UUID, UUID]]:
    """Return who deleted which of these messages for themselves, as actor and message.

    ``keys`` are of conversation and message. Index: hidden_message's primary key.
    """
    sql = """
        SELECT DISTINCT h.actor_id, h.message_id
        FROM unnest($1::uuid[], $2::uuid[]) AS w (conversation_id, message_id)
        JOIN hidden_message h ON h.conversation_id = w.conversation_id AND h.message_id = w.message_id"""
    rows = await tx.fetch(sql, [key for key, _ in keys], [message_id for _, message_id in keys])
    return [(row["actor_id"], row["message_id"]) for row in rows]


async def list_numbered(tx: Tx, numbers: Sequence[tuple[UUID, int]]) -> dict[tuple[UUID, int], UUID]:
    """Return the ids of messages by conversation and number. Index: message_number."""
    sql = """
        SELECT m.conversation_id, m.number, m.id FROM unnest($1::uuid[], $2::bigint[]) AS w (conversation_id, number)
        JOIN message m ON m.conversation_id = w.conversation_id AND m.number = w.number"""
    rows = await tx.fetch(sql, [key for key, _ in numbers], [number for _, number in numbers])
    return {(row["conversation_id"], row["number"]): row["id"] for row in rows}

"""SQL of pinned messages."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from parley.infra.db import Tx


async def insert_pin(tx: Tx, message: asyncpg.Record, actor_id: UUID) -> bool:
    """Pin a message; False when it is pinned already."""
    return bool(
        await tx.execute(
            """INSERT INTO pin (workspace_id, conversation_id, message_id, pinned_by, pinned_at)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING""",
            message["workspace_id"],
            message["conversation_id"],
            message["id"],
            actor_id,
            tx.now,
        )
    )


async def delete_pin(tx: Tx, conversation_id: UUID, message_id: UUID) -> bool:
    """Take a pin off; returns whether there was one."""
    return bool(
        await tx.execute(
            "DELETE FROM pin WHERE conversation_id = $1 AND message_id = $2", conversation_id, message_id
        )
    )


async def count_pins(tx: Tx, conversation_id: UUID) -> int:
    """Count a conversation's pins. Index: pin's primary key."""
    count: int = await tx.fetchval("SELECT count(*) FROM pin WHERE conversation_id = $1", conversation_id)
    return count


async def list_pins(tx: Tx, conversation_id: UUID, reader: UUID, *, notes: bool) -> list[asyncpg.Record]:
    """Return a conversation's pins with who pinned, newest first, but those of messages hidden from the reader.

    Index: pin's primary key.
    """
    return await tx.fetch(
        """SELECT p.message_id, p.pinned_by, p.pinned_at, a.kind AS actor_kind, a.name AS actor_name
        FROM pin p JOIN actor a ON a.id = p.pinned_by
        JOIN message m ON m.conversation_id = p.conversation_id AND m.id = p.message_id
        WHERE p.conversation_id = $1 AND ($3 OR m.kind <> 'note') AND NOT EXISTS (SELECT FROM hidden_message h
            WHERE h.conversation_id = p.conversation_id AND h.actor_id = $2 AND h.message_id = p.message_id)
        ORDER BY p.pinned_at DESC, m.position DESC""",
        conversation_id,
        reader,
        notes,
    )

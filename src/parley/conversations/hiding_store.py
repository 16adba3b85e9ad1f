"""SQL of messages that somebody deleted for themselves alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from parley.infra.db import Tx


async def hide(tx: Tx, workspace_id: UUID, conversation_id: UUID, actor_id: UUID, message_id: UUID) -> bool:
    """Hide a message from an actor; False when it is already."""
    return bool(
        await tx.execute(
            """INSERT INTO hidden_message (workspace_id, conversation_id, actor_id, message_id, hidden_at)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING""",
            workspace_id,
            conversation_id,
            actor_id,
            message_id,
            tx.now,
        )
    )


async def count_as_own(tx: Tx, conversation_id: UUID, actor_id: UUID, number: int) -> None:
    """Take a message that somebody else sent out of what an actor has to read, when it is unread."""
    await tx.execute(
        """UPDATE member SET own_since = own_since + 1
        WHERE conversation_id = $1 AND actor_id = $2 AND read_number < $3""",
        conversation_id,
        actor_id,
        number,
    )


async def list_hidden(
    tx: Tx, actor_id: UUID, conversation_ids: Sequence[UUID], message_ids: Iterable[UUID]
) -> set[UUID]:
    """Return those of the messages that are hidden from an actor. Index: hidden_message's primary key."""
    rows = await tx.fetch(
        """SELECT message_id FROM hidden_message
        WHERE actor_id = $1 AND conversation_id = ANY ($2::uuid[]) AND message_id = ANY ($3::uuid[])""",
        actor_id,
        list(conversation_ids),
        list(message_ids),
    )
    return {row["message_id"] for row in rows}


async def list_answered(tx: Tx, conversation_ids: Sequence[UUID], message_ids: Iterable[UUID]) -> set[UUID]:
    """Return those of the messages that have replies. Index: message_reply."""
    rows = await tx.fetch(
        """SELECT m.id FROM unnest($1::uuid[]) AS c (id) CROSS JOIN unnest($2::uuid[]) AS m (id)
        WHERE EXISTS (SELECT FROM message r WHERE r.conversation_id = c.id AND r.reply_to_id = m.id)""",
        list(conversation_ids),
        list(message_ids),
    )
    return {row["id"] for row in rows}

"""SQL of fields."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from parley.infra.db import Tx


async def get_fields(tx: Tx, workspace_id: UUID, conversation_id: UUID) -> dict[str, Any]:
    """Return a conversation's fields; none when none were set."""
    fields: dict[str, Any] | None = await tx.fetchval(
        "SELECT fields FROM conversation_fields WHERE workspace_id = $1 AND conversation_id = $2",
        workspace_id,
        conversation_id,
    )
    return fields or {}


async def is_desk(tx: Tx, workspace_id: UUID, conversation_id: UUID) -> bool:
    """Whether a conversation is one with a customer."""
    sql = "SELECT kind = 'desk' FROM conversation WHERE workspace_id = $1 AND id = $2"
    return bool(await tx.fetchval(sql, workspace_id, conversation_id))


async def set_fields(tx: Tx, workspace_id: UUID, conversation_id: UUID, fields: dict[str, Any]) -> None:
    """Replace a conversation's fields; its row is locked."""
    await tx.execute(
        """INSERT INTO conversation_fields (workspace_id, conversation_id, fields) VALUES ($1, $2, $3)
        ON CONFLICT (workspace_id, conversation_id) DO UPDATE SET fields = excluded.fields""",
        workspace_id,
        conversation_id,
        fields,
    )


async def set_extra(tx: Tx, conversation_id: UUID, message_id: UUID, extra: dict[str, Any]) -> None:
    """Replace what a locked message carries beside its text."""
    await tx.execute(
        "UPDATE message SET extra = $3 WHERE conversation_id = $1 AND id = $2",
        conversation_id,
        message_id,
        extra,
    )

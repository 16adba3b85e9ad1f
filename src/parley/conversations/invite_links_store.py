"""SQL of invite links."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import asyncpg

from parley.infra.db import Tx

_USABLE = """revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
    AND (max_uses IS NULL OR use_count < max_uses)"""


async def insert_link(
    tx: Tx,
    workspace_id: UUID,
    conversation_id: UUID,
    link_id: UUID,
    *,
    digest: bytes,
    created_by: UUID,
    expires_at: dt.datetime | None,
    max_uses: int | None,
) -> None:
    """Add a link. The conversation's row is locked."""
    await tx.execute(
        """INSERT INTO invite_link
            (workspace_id, id, conversation_id, hash, created_by, created_at, expires_at, max_uses)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        workspace_id,
        link_id,
        conversation_id,
        digest,
        created_by,
        tx.now,
        expires_at,
        max_uses,
    )


async def list_links(tx: Tx, conversation_id: UUID, limit: int) -> list[asyncpg.Record]:
    """Return links that are not revoked with their makers' names, newest first. Index: invite_link_conversation."""
    return await tx.fetch(
        """SELECT l.*, a.kind, a.name FROM invite_link l JOIN actor a ON a.id = l.created_by
        WHERE l.conversation_id = $1 AND l.revoked_at IS NULL ORDER BY l.id DESC LIMIT $2""",
        conversation_id,
        limit,
    )


async def find_link(tx: Tx, workspace_id: UUID, digest: bytes) -> asyncpg.Record | None:
    """Return a link of the workspace that may be used now. Index: invite_link's hash."""
    return await tx.fetchrow(
        f"SELECT * FROM invite_link WHERE hash = $1 AND workspace_id = $3 AND {_USABLE}",
        digest,
        tx.now,
        workspace_id,
    )


async def use_link(tx: Tx, digest: bytes) -> bool:
    """Count one use, with this transaction; False when there is none left. The conversation's row is locked."""
    sql = f"UPDATE invite_link SET use_count = use_count + 1 WHERE hash = $1 AND {_USABLE}"
    return await tx.execute(sql, digest, tx.now) == 1


async def revoke_link(tx: Tx, conversation_id: UUID, link_id: UUID) -> None:
    """Make a link of the conversation useless. The conversation's row is locked."""
    await tx.execute(
        """UPDATE invite_link SET revoked_at = $3
        WHERE conversation_id = $1 AND id = $2 AND revoked_at IS NULL""",
        conversation_id,
        link_id,
        tx.now,
    )

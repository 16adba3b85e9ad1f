"""SQL of files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from parley.infra.db import Tx
from parley.media.attachments import Media

_COLUMNS = """workspace_id, id, state, kind, name, content_type, size_bytes, sha256, width, height, duration_seconds,
    waveform, thumbnail_width, thumbnail_height, error, source, uploaded_by, created_at"""

_UNUSED = """NOT EXISTS (SELECT FROM attachment a WHERE a.workspace_id = m.workspace_id AND a.media_id = m.id)
    AND NOT EXISTS (SELECT FROM scheduled_media s WHERE s.workspace_id = m.workspace_id AND s.media_id = m.id)
    AND NOT EXISTS (SELECT FROM actor a WHERE a.workspace_id = m.workspace_id AND a.avatar_media_id = m.id)
    AND NOT EXISTS (SELECT FROM conversation c WHERE c.workspace_id = m.workspace_id AND c.avatar_media_id = m.id)"""


def _media(row: asyncpg.Record) -> Media:
    return Media(**dict(row))


async def insert_media(tx: Tx, media: Media) -> None:
    """Add a file that is not there yet (state ``pending``)."""
    await tx.execute(
        """INSERT INTO media (workspace_id, id, state, kind, name, content_type, size_bytes, width, height,
            duration_seconds, source, uploaded_by, created_at)
        VALUES ($1, $2, 'pending', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)""",
        media.workspace_id,
        media.id,
        media.kind,
        media.name,
        media.content_type,
        media.size_bytes,
        media.width,
        media.height,
        media.duration_seconds,
        media.source,
        media.uploaded_by,
        media.created_at,
    )


async def list_media(tx: Tx, ids: Sequence[UUID]) -> list[Media]:
    """Return those of the files that exist. Order: none. Index: media_id_key."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM media WHERE id = ANY ($1::uuid[])", list(ids))
    return [_media(row) for row in rows]


async def mark_ready(tx: Tx, media_id: UUID, known: dict[str, Any]) -> Media | None:
    """Say that the bytes are stored, and what they are. Returns the file, None when it is gone. Repeat: the last counts."""
    row = await tx.fetchrow(
        f"""UPDATE media SET state = 'ready', error = NULL, kind = $2, name = $3, content_type = $4, size_bytes = $5,
            sha256 = $6, width = $7, height = $8, thumbnail_width = $9, thumbnail_height = $10,
            duration_seconds = $11, waveform = $12
        WHERE id = $1 RETURNING {_COLUMNS}""",
        media_id,
        known["kind"],
        known["name"],
        known["content_type"],
        known["size_bytes"],
        known["sha256"],
        known["width"],
        known["height"],
        known["thumbnail_width"],
        known["thumbnail_height"],
        known["duration_seconds"],
        known["waveform"],
    )
    return _media(row) if row else None


async def mark_failed(tx: Tx, workspace_id: UUID, media_id: UUID, error: str) -> bool:
    """Say that the bytes will not come. Returns whether it changed anything: what is ready stays ready."""
    touched = await tx.execute(
        "UPDATE media SET state = 'failed', error = $3 WHERE workspace_id = $1 AND id = $2 AND state <> 'ready'",
        workspace_id,
        media_id,
        error,
    )
    return touched > 0


async def delete_media(tx: Tx, ids: Sequence[UUID]) -> int:
    """Forget files that nothing refers to; return how many. Index: attachment_media."""
    return await tx.execute(f"DELETE FROM media m WHERE m.id = ANY ($1::uuid[]) AND {_UNUSED}", list(ids))


async def lock_unattached(tx: Tx, before: dt.datetime, limit: int) -> list[UUID]:
    """Lock uploads made before a moment that nothing refers to; return their ids, oldest first.

    Lock: the rows, skipping those that a message is attaching right now. Index: attachment_media.
    """
    rows = await tx.fetch(
        f"""SELECT m.id FROM media m WHERE m.source IS NULL AND m.created_at < $1 AND {_UNUSED}
        ORDER BY m.created_at LIMIT $2 FOR UPDATE OF m SKIP LOCKED""",
        before,
        limit,
    )
    return [row["id"] for row in rows]


async def expire_unattached(tx: Tx, ids: Sequence[UUID]) -> list[Media]:
    """Take locked uploads out of use, but those attached before the lock was had; return them. Order: none."""
    rows = await tx.fetch(
        f"""UPDATE media m SET state = 'failed', error = 'expired' WHERE m.id = ANY ($1::uuid[]) AND {_UNUSED}
        RETURNING {_COLUMNS}""",
        list(ids),
    )
    return [_media(row) for row in rows]

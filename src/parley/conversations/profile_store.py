"""SQL of what a conversation shows of itself."""

from __future__ import annotations

from uuid import UUID

from parley.infra.db import Tx


async def set_profile(
    tx: Tx, conversation_id: UUID, *, title: str | None, description: str | None, avatar_id: UUID | None
) -> None:
    """Store title, description and picture. The conversation's row is locked."""
    await tx.execute(
        "UPDATE conversation SET title = $2, description = $3, avatar_media_id = $4 WHERE id = $1",
        conversation_id,
        title,
        description,
        avatar_id,
    )


async def hold_picture(tx: Tx, media_id: UUID, actor_id: UUID) -> bool:
    """Whether this is a ready picture that the actor uploaded; held until the commit, so that it is not swept."""
    found = await tx.fetchrow(
        """SELECT FROM media WHERE id = $1 AND uploaded_by = $2 AND state = 'ready' AND kind = 'image'
        FOR KEY SHARE""",
        media_id,
        actor_id,
    )
    return found is not None


async def list_shown_by(tx: Tx, workspace_id: UUID, media_id: UUID, actor_id: UUID) -> list[UUID]:
    """Return the actor's conversations, 50 at the most, whose picture this is. Index: conversation_avatar."""
    rows = await tx.fetch(
        """SELECT c.id FROM conversation c JOIN member m ON m.conversation_id = c.id AND m.actor_id = $3
        WHERE c.workspace_id = $1 AND c.avatar_media_id = $2 LIMIT 50""",
        workspace_id,
        media_id,
        actor_id,
    )
    return [row["id"] for row in rows]

"""How large a group is, where that decides: what costs a row or a notice for each member is for small groups."""

from __future__ import annotations

from uuid import UUID

from parley.infra.db import Tx

SMALL_GROUP = 100
"""Members up to which everybody may mention all, and who read a message when is kept."""


async def is_small(tx: Tx, conversation_id: UUID) -> bool:
    """Whether a conversation has at most `SMALL_GROUP` members; counts no further. Index: member's primary key."""
    small: bool = await tx.fetchval(
        """SELECT count(*) <= $2 FROM (SELECT FROM member WHERE conversation_id = $1 LIMIT $2::bigint + 1) m""",
        conversation_id,
        SMALL_GROUP,
    )
    return small

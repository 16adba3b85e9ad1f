"""SQL of finding people."""

from __future__ import annotations

from uuid import UUID

from asyncpg import Record

from parley.infra.db import Tx


async def list_people(
    tx: Tx, workspace_id: UUID, query: str, *, after: tuple[str, UUID], limit: int
) -> list[Record]:
    """Return active users and bots after a name and id, in this order. Index: actor_people.

    With a query the names are read in their order until enough of them fit.
    """
    return await tx.fetch(
        """SELECT id, kind, name, role, search_name FROM actor
        WHERE workspace_id = $1 AND kind <> 'contact' AND deactivated_at IS NULL AND (search_name, id) > ($2, $3)
          AND ($4 = '' OR position(lower($4) IN search_name) > 0 OR position(lower($4) IN lower(external_id)) > 0)
        ORDER BY search_name, id LIMIT $5""",
        workspace_id,
        *after,
        query,
        limit,
    )

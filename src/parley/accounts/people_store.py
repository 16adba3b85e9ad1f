"""SQL of finding people."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from asyncpg import Record

from parley.infra.db import Tx


async def list_people(
    tx: Tx, workspace_id: UUID, query: str, *, roles: Collection[str], after: tuple[str, UUID], limit: int
) -> list[Record]:
    """Return active users and bots after a name and id, in this order; of roles those who have one. Index: actor_people.

    With a query or roles the names are read in their order until enough of them fit.
    """
    return await tx.fetch(
        """SELECT id, kind, name, role, search_name FROM actor
        WHERE workspace_id = $1 AND kind <> 'contact' AND deactivated_at IS NULL AND (search_name, id) > ($2, $3)
          AND ($4 = '' OR position(lower($4) IN search_name) > 0 OR position(lower($4) IN lower(external_id)) > 0)
          AND (cardinality($6::text[]) = 0 OR role = ANY ($6))
        ORDER BY search_name, id LIMIT $5""",
        workspace_id,
        *after,
        query,
        limit,
        list(roles),
    )


async def give_external_ids(tx: Tx, workspace_id: UUID, external_ids: Mapping[UUID, str]) -> None:
    """Give actors that have none an external id; several are locked already (`parley.accounts.lock_personal`)."""
    ids = list(external_ids)
    await tx.execute(
        """UPDATE actor a SET external_id = g.external_id FROM unnest($2::uuid[], $3::text[]) AS g (id, external_id)
        WHERE a.workspace_id = $1 AND a.id = g.id AND a.external_id IS NULL""",
        workspace_id,
        ids,
        [external_ids[key] for key in ids],
    )

"""SQL of contacts and identities."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from parley.infra.db import Tx


async def find_identity(tx: Tx, inbox_id: UUID, address: str) -> asyncpg.Record | None:
    """Return the identity of an address in an inbox. Index: identity (inbox_id, address)."""
    return await tx.fetchrow("SELECT * FROM identity WHERE inbox_id = $1 AND address = $2", inbox_id, address)


async def get_identity(tx: Tx, workspace_id: UUID, identity_id: UUID) -> asyncpg.Record | None:
    """Return one identity."""
    return await tx.fetchrow(
        "SELECT * FROM identity WHERE workspace_id = $1 AND id = $2", workspace_id, identity_id
    )


async def insert_contact(
    tx: Tx, *, workspace_id: UUID, actor_id: UUID, name: str, locale: str | None, phone: str | None
) -> None:
    """Insert an actor of kind contact with its details."""
    await tx.execute(
        """WITH made AS (
            INSERT INTO actor (workspace_id, id, kind, name, locale, created_at) VALUES ($1, $2, 'contact', $3, $4, $6)
        ) INSERT INTO contact (workspace_id, actor_id, phone, created_at) VALUES ($1, $2, $5, $6)""",
        workspace_id,
        actor_id,
        name,
        locale,
        phone,
        tx.now,
    )


async def insert_identity(
    tx: Tx,
    *,
    workspace_id: UUID,
    identity_id: UUID,
    inbox_id: UUID,
    contact_id: UUID,
    address: str,
    name: str,
    username: str | None,
) -> None:
    """Insert an identity. Raises: asyncpg.UniqueViolationError when the address is taken meanwhile."""
    await tx.execute(
        """INSERT INTO identity (workspace_id, id, inbox_id, contact_id, address, name, username, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        workspace_id,
        identity_id,
        inbox_id,
        contact_id,
        address,
        name,
        username,
        tx.now,
    )


async def rename_identity(tx: Tx, identity: asyncpg.Record, name: str, username: str | None) -> None:
    """Take the provider's new name; the contact follows unless somebody here renamed it."""
    await tx.execute(
        "UPDATE identity SET name = $3, username = $4 WHERE workspace_id = $1 AND id = $2",
        identity["workspace_id"],
        identity["id"],
        name,
        username,
    )
    await tx.execute(
        "UPDATE actor SET name = $4 WHERE workspace_id = $1 AND id = $2 AND name = $3",
        identity["workspace_id"],
        identity["contact_id"],
        identity["name"],
        name,
    )


async def set_reachable(tx: Tx, workspace_id: UUID, identity_id: UUID, *, is_reachable: bool) -> bool:
    """Note whether we may write to an identity; returns whether that changed."""
    return bool(
        await tx.execute(
            "UPDATE identity SET is_reachable = $3 WHERE workspace_id = $1 AND id = $2 AND is_reachable <> $3",
            workspace_id,
            identity_id,
            is_reachable,
        )
    )


_CONTACT = """
    SELECT a.id, a.name, a.locale, c.email, c.phone, c.note, a.created_at,
        (SELECT jsonb_agg(jsonb_build_object('id', i.id, 'inbox_id', i.inbox_id, 'address', i.address, 'name', i.name,
            'username', i.username, 'is_reachable', i.is_reachable) ORDER BY i.id)
         FROM identity i WHERE i.workspace_id = a.workspace_id AND i.contact_id = a.id
           AND ($2::uuid[] IS NULL OR i.inbox_id = ANY($2))) AS identities
    FROM actor a JOIN contact c ON c.workspace_id = a.workspace_id AND c.actor_id = a.id
    WHERE a.workspace_id = $1 AND a.kind = 'contact'
"""
_SEEN = " AND ($2::uuid[] IS NULL OR EXISTS (SELECT FROM identity i WHERE i.contact_id = a.id AND i.inbox_id = ANY($2)))"
_MATCHING = "($3 = '%%' OR a.name ILIKE $3 OR c.email ILIKE $3 OR c.phone ILIKE $3)"
_OF_INBOXES = (
    " AND a.id IN (SELECT i.contact_id FROM identity i WHERE i.workspace_id = $1 AND i.inbox_id = ANY ($2))"
)
_FIRST_OF_INBOXES = """ AND a.id = ANY (ARRAY (
    SELECT x.contact_id FROM unnest($2::uuid[]) AS b (inbox_id) CROSS JOIN LATERAL (
        SELECT DISTINCT i.contact_id FROM identity i
        WHERE i.workspace_id = $1 AND i.inbox_id = b.inbox_id AND i.contact_id < $4
        ORDER BY i.contact_id DESC LIMIT $5) x))"""


async def get_contact(
    tx: Tx, workspace_id: UUID, inboxes: list[UUID] | None, actor_id: UUID
) -> asyncpg.Record | None:
    """Return a contact that has an identity in one of these inboxes (None: in any)."""
    return await tx.fetchrow(f"{_CONTACT}{_SEEN} AND a.id = $3", workspace_id, inboxes, actor_id)


async def list_contacts(
    tx: Tx, workspace_id: UUID, inboxes: list[UUID] | None, query: str, before: UUID, limit: int
) -> list[asyncpg.Record]:
    """Return contacts, newest first; ``query`` is part of a name, e-mail or phone.

    Index: actor_listing; of some inboxes alone, identity_listing: without a query, ``limit`` of each inbox are read.
    """
    seen = "" if inboxes is None else _OF_INBOXES if query else _FIRST_OF_INBOXES
    pattern = "%" + query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    return await tx.fetch(
        f"""{_CONTACT}{seen} AND a.id < $4 AND {_MATCHING}
        ORDER BY a.id DESC LIMIT $5""",
        workspace_id,
        inboxes,
        pattern,
        before,
        limit,
    )


async def change_contact(tx: Tx, workspace_id: UUID, actor_id: UUID, values: dict[str, Any]) -> None:
    """Set the given of name, email, phone, note."""
    if "name" in values:
        await tx.execute(
            "UPDATE actor SET name = $3 WHERE workspace_id = $1 AND id = $2",
            workspace_id,
            actor_id,
            values["name"],
        )
    await tx.execute(
        """UPDATE contact SET email = CASE WHEN $3 THEN $4 ELSE email END,
            phone = CASE WHEN $5 THEN $6 ELSE phone END, note = CASE WHEN $7 THEN $8 ELSE note END
        WHERE workspace_id = $1 AND actor_id = $2""",
        workspace_id,
        actor_id,
        "email" in values,
        values.get("email"),
        "phone" in values,
        values.get("phone"),
        "note" in values,
        values.get("note"),
    )

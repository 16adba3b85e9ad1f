"""SQL of acting, of users by external ids, their fields and integrations, and of sessions that keys ask for.

Sessions are closed to the plain role: hold_key, ensure_login, revoke_issued and end_issued_to run as the system role, keyed
by a (workspace, actor) that was authenticated or looked up before (ADR 0004).
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from asyncpg import Record

from parley.infra.db import Tx

_ACTOR = """
    SELECT a.id, a.kind, a.name, a.role, a.login_id, a.deactivated_at, k.scopes
    FROM actor a LEFT JOIN LATERAL (
        SELECT array_agg(DISTINCT scope) AS scopes FROM api_key x CROSS JOIN LATERAL unnest(x.scopes) AS scope
        WHERE x.workspace_id = a.workspace_id AND x.actor_id = a.id AND x.revoked_at IS NULL AND a.kind = 'bot'
    ) k ON true"""


async def find_by_id(tx: Tx, workspace_id: UUID, actor_id: UUID) -> Record | None:
    """Return an actor with the scopes of its live keys; deactivated ones too."""
    return await tx.fetchrow(f"{_ACTOR} WHERE a.workspace_id = $1 AND a.id = $2", workspace_id, actor_id)


async def find_by_external_id(tx: Tx, workspace_id: UUID, external_id: str) -> Record | None:
    """As `find_by_id`, of a user. Index: actor_external."""
    sql = f"{_ACTOR} WHERE a.workspace_id = $1 AND a.kind = 'user' AND a.external_id = $2"
    return await tx.fetchrow(sql, workspace_id, external_id)


async def note_acting(
    tx: Tx, workspace_id: UUID, bot_id: UUID, actor_id: UUID, *, since: dt.datetime
) -> bool:
    """Remember that a key's bot acts for an actor; True unless that was noted after this moment already.

    Two at once: one of them gets True.
    """
    sql = """
        INSERT INTO acting AS t (workspace_id, bot_id, actor_id, noted_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (workspace_id, bot_id, actor_id) DO UPDATE SET noted_at = $4 WHERE t.noted_at < $5"""
    return await tx.execute(sql, workspace_id, bot_id, actor_id, tx.now, since) == 1


# ---------------------------------------------------------------- users by external ids

_USER = """
    SELECT a.id, a.kind, a.name, a.role, a.external_id, a.locale, a.created_at, a.deactivated_at,
           coalesce(f.fields, '{}') AS fields, i.actor_id IS NOT NULL AS has_integration
    FROM actor a
    LEFT JOIN actor_fields f ON f.workspace_id = a.workspace_id AND f.actor_id = a.id
    LEFT JOIN integration i ON i.workspace_id = a.workspace_id AND i.actor_id = a.id"""


async def find_external_user(tx: Tx, workspace_id: UUID, external_id: str) -> Record | None:
    """Return a user with fields and integration. Index: actor_external."""
    sql = f"{_USER} WHERE a.workspace_id = $1 AND a.kind = 'user' AND a.external_id = $2"
    return await tx.fetchrow(sql, workspace_id, external_id)


async def find_user(tx: Tx, workspace_id: UUID, actor_id: UUID) -> Record | None:
    """As `find_external_user`, by id."""
    return await tx.fetchrow(
        f"{_USER} WHERE a.workspace_id = $1 AND a.kind = 'user' AND a.id = $2", workspace_id, actor_id
    )


async def lock_external_user(tx: Tx, workspace_id: UUID, external_id: str) -> Record | None:
    """As `find_external_user`, the user locked until the end of the transaction."""
    sql = (
        f"{_USER} WHERE a.workspace_id = $1 AND a.kind = 'user' AND a.external_id = $2 FOR NO KEY UPDATE OF a"
    )
    return await tx.fetchrow(sql, workspace_id, external_id)


async def insert_external_user(
    tx: Tx, workspace_id: UUID, actor_id: UUID, external_id: str, name: str, locale: str | None
) -> bool:
    """Add a user of the role member; False when somebody else just added one of this external id."""
    sql = """
        INSERT INTO actor (workspace_id, id, kind, name, role, external_id, locale, created_at)
        VALUES ($1, $2, 'user', $3, 'member', $4, $5, $6)
        ON CONFLICT (workspace_id, kind, external_id) WHERE external_id IS NOT NULL DO NOTHING"""
    return await tx.execute(sql, workspace_id, actor_id, name, external_id, locale, tx.now) == 1


async def update_external_user(
    tx: Tx,
    workspace_id: UUID,
    actor_id: UUID,
    *,
    name: str,
    locale: str | None,
    deactivated_at: dt.datetime | None,
) -> None:
    """Set what the embedding application says of a user."""
    sql = "UPDATE actor SET name = $3, locale = $4, deactivated_at = $5 WHERE workspace_id = $1 AND id = $2"
    await tx.execute(sql, workspace_id, actor_id, name, locale, deactivated_at)


async def set_actor_fields(tx: Tx, workspace_id: UUID, actor_id: UUID, fields: dict[str, Any]) -> None:
    """Replace an actor's fields."""
    sql = """
        INSERT INTO actor_fields (workspace_id, actor_id, fields) VALUES ($1, $2, $3)
        ON CONFLICT (workspace_id, actor_id) DO UPDATE SET fields = excluded.fields"""
    await tx.execute(sql, workspace_id, actor_id, fields)


async def enable_integration(tx: Tx, workspace_id: UUID, actor_id: UUID) -> bool:
    """Have a user's updates published; False when they were already."""
    sql = """
        INSERT INTO integration (workspace_id, actor_id, enabled_at) VALUES ($1, $2, $3)
        ON CONFLICT (workspace_id, actor_id) DO NOTHING"""
    return await tx.execute(sql, workspace_id, actor_id, tx.now) == 1


async def disable_integration(tx: Tx, workspace_id: UUID, actor_id: UUID) -> bool:
    """Have a user's updates published no more; False when they were not."""
    return (
        await tx.execute(
            "DELETE FROM integration WHERE workspace_id = $1 AND actor_id = $2", workspace_id, actor_id
        )
        == 1
    )


# ---------------------------------------------------------------- system: sessions that keys ask for


async def hold_key(tx: Tx, workspace_id: UUID, bot_id: UUID) -> bool:
    """Whether a bot has a live key, share-locked against being revoked: for who believed it some seconds ago."""
    sql = """
        SELECT FROM api_key WHERE workspace_id = $1 AND actor_id = $2 AND revoked_at IS NULL FOR SHARE"""
    return await tx.fetchrow(sql, workspace_id, bot_id) is not None


async def ensure_login(tx: Tx, workspace_id: UUID, actor_id: UUID, login_id: UUID) -> UUID | None:
    """Return the login of an active user, after giving one that nobody can sign in with to whom has none.

    Locks the user. None when there is no such user.
    """
    sql = """
        SELECT login_id FROM actor
        WHERE workspace_id = $1 AND id = $2 AND kind = 'user' AND deactivated_at IS NULL FOR NO KEY UPDATE"""
    row = await tx.fetchrow(sql, workspace_id, actor_id)
    if row is None:
        return None
    if row["login_id"] is not None:
        present: UUID = row["login_id"]
        return present
    await tx.execute("INSERT INTO login (id, created_at) VALUES ($1, $2)", login_id, tx.now)
    await tx.execute(
        "UPDATE actor SET login_id = $3 WHERE workspace_id = $1 AND id = $2", workspace_id, actor_id, login_id
    )
    return login_id


async def revoke_issued(tx: Tx, workspace_id: UUID, bot_id: UUID) -> None:
    """End all sessions that were opened by a key. Index: session_issued."""
    sql = (
        "UPDATE session SET revoked_at = $3 WHERE workspace_id = $1 AND issued_by = $2 AND revoked_at IS NULL"
    )
    await tx.execute(sql, workspace_id, bot_id, tx.now)


async def end_issued_to(tx: Tx, workspace_id: UUID, actor_id: UUID) -> None:
    """End the sessions that keys opened for a user; those they signed in to themselves stay. Index: session_actor."""
    sql = """
        UPDATE session SET revoked_at = $3
        WHERE workspace_id = $1 AND actor_id = $2 AND issued_by IS NOT NULL AND revoked_at IS NULL"""
    await tx.execute(sql, workspace_id, actor_id, tx.now)

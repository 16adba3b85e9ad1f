"""SQL of codes by SMS and of logins by phone. Run as the system role: none of it belongs to a workspace (ADR 0004)."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from asyncpg import Record

from parley.infra.db import Tx


async def put_code(
    tx: Tx, code_id: UUID, phone: str, purpose: str, login_id: UUID | None, digits: int, locale: str | None,
    expires_at: dt.datetime,
) -> None:  # fmt: skip
    """Write a code down in place of the one before it for this number, purpose and login."""
    sql = """
        INSERT INTO phone_code (id, phone, purpose, login_id, digits, locale, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (phone, purpose, login_id) DO UPDATE SET
            id = $1, digits = $5, tries = 0, locale = $6, created_at = $7, expires_at = $8, used_at = NULL"""
    await tx.execute(sql, code_id, phone, purpose, login_id, digits, locale, tx.now, expires_at)


async def find_code(tx: Tx, code_id: UUID) -> Record | None:
    """Return a code that still may be used; None when another took its place."""
    sql = "SELECT * FROM phone_code WHERE id = $1 AND used_at IS NULL AND expires_at > $2"
    return await tx.fetchrow(sql, code_id, tx.now)


async def count_try(tx: Tx, phone: str, purpose: str, login_id: UUID | None, most: int) -> Record | None:
    """Count a try at the code that may be used, and return it; None when there is none, or no try is left.

    The row stays locked until the commit: tries at once are counted one after another.
    """
    sql = """
        UPDATE phone_code SET tries = tries + 1
        WHERE phone = $1 AND purpose = $2 AND login_id IS NOT DISTINCT FROM $3 AND used_at IS NULL
            AND expires_at > $4 AND tries < $5
        RETURNING id, digits"""
    return await tx.fetchrow(sql, phone, purpose, login_id, tx.now, most)


async def use_code(tx: Tx, code_id: UUID) -> bool:
    """Use a code up with this transaction: of several at once one gets True."""
    sql = "UPDATE phone_code SET used_at = $2 WHERE id = $1 AND used_at IS NULL AND expires_at > $2"
    return await tx.execute(sql, code_id, tx.now) == 1


async def find_code_user(tx: Tx, phone: str) -> Record | None:
    """Return login, and the workspace of its oldest active user, of a number that may sign in; None if it may not."""
    sql = """
        SELECT l.id, a.workspace_id FROM login l JOIN actor a ON a.login_id = l.id AND a.kind = 'user'
        WHERE l.phone = $1 AND l.disabled_at IS NULL AND a.deactivated_at IS NULL
        ORDER BY a.created_at, a.id LIMIT 1"""
    return await tx.fetchrow(sql, phone)


async def hold_login_of_phone(tx: Tx, phone: str) -> Record | None:
    """Return id and disabled_at of a number's login, share-locked against being changed."""
    return await tx.fetchrow("SELECT id, disabled_at FROM login WHERE phone = $1 FOR SHARE", phone)


async def list_users_of_phone(tx: Tx, phone: str) -> list[Record]:
    """Return the users that a number's login is, oldest first, with their workspaces' names."""
    sql = """
        SELECT a.login_id, a.workspace_id, a.id, a.name, a.role, a.deactivated_at, w.name AS workspace_name
        FROM login l
        JOIN actor a ON a.login_id = l.id AND a.kind = 'user'
        JOIN workspace w ON w.id = a.workspace_id
        WHERE l.phone = $1 AND l.disabled_at IS NULL
        ORDER BY a.created_at, a.id"""
    return await tx.fetch(sql, phone)


async def find_user_of_phone(tx: Tx, phone: str, workspace_id: UUID) -> Record | None:
    """Return the active user that a number is in a workspace."""
    sql = """
        SELECT a.id, a.name FROM login l JOIN actor a ON a.login_id = l.id AND a.kind = 'user'
        WHERE l.phone = $1 AND l.disabled_at IS NULL AND a.workspace_id = $2 AND a.deactivated_at IS NULL"""
    return await tx.fetchrow(sql, phone, workspace_id)


async def insert_phone_login(tx: Tx, login_id: UUID, phone: str) -> bool:
    """Add a login; False when the number has one. Waits for a concurrent insert of the same number."""
    await _lock_number(tx, phone)
    sql = "INSERT INTO login (id, phone) VALUES ($1, $2) ON CONFLICT (phone) DO NOTHING"
    return await tx.execute(sql, login_id, phone) == 1


async def set_phone(tx: Tx, login_id: UUID, phone: str | None) -> bool:
    """Give a login a number, or take it away; False when another login has it."""
    await _lock_number(tx, phone)
    if phone is not None and await tx.fetchval(
        "SELECT EXISTS (SELECT FROM login WHERE phone = $2 AND id <> $1)", login_id, phone
    ):
        return False
    await tx.execute("UPDATE login SET phone = $2 WHERE id = $1", login_id, phone)
    sql = """
        UPDATE actor SET fields = CASE WHEN $2::text IS NULL THEN fields - 'phone'
                                       ELSE fields || jsonb_build_object('phone', $2::text) END
        WHERE login_id = $1 AND kind = 'user'"""
    await tx.execute(sql, login_id, phone)
    return True


async def has_workspace_of_id(tx: Tx, workspace_id: UUID) -> bool:
    """Whether there is this workspace."""
    return bool(await tx.fetchval("SELECT EXISTS (SELECT FROM workspace WHERE id = $1)", workspace_id))


async def sweep_codes(tx: Tx, before: dt.datetime) -> int:
    """Delete codes that ended before then; return how many."""
    return await tx.execute("DELETE FROM phone_code WHERE expires_at < $1", before)


async def _lock_number(tx: Tx, phone: str | None) -> None:
    """Let one transaction at a time decide whose a number is."""
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtext('parley phone ' || COALESCE($1::text, '')))", phone
    )

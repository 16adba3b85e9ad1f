"""SQL of second factors, passkeys and challenges. Run as the system role: they belong to logins (ADR 0004)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from parley.infra.db import Tx

# ---------------------------------------------------------------- what a login has


async def find_factors(tx: Tx, login_id: UUID) -> Record | None:
    """Return how a login that is not disabled signs in; share-locks it against being changed meanwhile."""
    sql = """
        SELECT l.id, l.email, l.phone, l.password_hash, l.needs_passkey,
            EXISTS (SELECT FROM totp t WHERE t.login_id = l.id AND t.confirmed_at IS NOT NULL) AS has_totp,
            (SELECT count(*) FROM recovery_code r WHERE r.login_id = l.id AND r.used_at IS NULL) AS recovery_codes,
            (SELECT count(*) FROM passkey p WHERE p.login_id = l.id) AS passkeys
        FROM login l WHERE l.id = $1 AND l.disabled_at IS NULL FOR SHARE OF l"""
    return await tx.fetchrow(sql, login_id)


async def lock_login(tx: Tx, login_id: UUID) -> None:
    """Let one transaction at a time change a login's factors."""
    await tx.execute("SELECT FROM login WHERE id = $1 FOR NO KEY UPDATE", login_id)


async def set_needs_passkey(tx: Tx, login_id: UUID, asks: bool) -> None:
    """Say whether a passkey is asked for after the first factor."""
    await tx.execute("UPDATE login SET needs_passkey = $2 WHERE id = $1", login_id, asks)


# ---------------------------------------------------------------- authenticator app


async def put_totp(tx: Tx, login_id: UUID, sealed: bytes) -> bool:
    """Write a secret that is not confirmed yet, in place of another such; False when one is confirmed."""
    sql = """
        INSERT INTO totp (login_id, secret, created_at) VALUES ($1, $2, $3)
        ON CONFLICT (login_id) DO UPDATE SET secret = $2, created_at = $3, last_step = 0
        WHERE totp.confirmed_at IS NULL"""
    return await tx.execute(sql, login_id, sealed, tx.now) == 1


async def find_totp(tx: Tx, login_id: UUID) -> Record | None:
    """Return secret, last_step, created_at and confirmed_at."""
    return await tx.fetchrow("SELECT * FROM totp WHERE login_id = $1", login_id)


async def use_step(tx: Tx, login_id: UUID, secret: bytes, step: int) -> bool:
    """Use a step of this secret up; False when it, or a later one, was used before. Of several at once one gets True."""
    sql = "UPDATE totp SET last_step = $3 WHERE login_id = $1 AND secret = $2 AND last_step < $3"
    return await tx.execute(sql, login_id, secret, step) == 1


async def confirm_totp(tx: Tx, login_id: UUID) -> bool:
    """Confirm the secret; False when it was already."""
    sql = "UPDATE totp SET confirmed_at = $2 WHERE login_id = $1 AND confirmed_at IS NULL"
    return await tx.execute(sql, login_id, tx.now) == 1


async def delete_totp(tx: Tx, login_id: UUID) -> bool:
    """Forget the secret; False when there was none."""
    return await tx.execute("DELETE FROM totp WHERE login_id = $1", login_id) == 1


# ---------------------------------------------------------------- recovery codes


async def replace_recovery_codes(tx: Tx, login_id: UUID, hashes: Sequence[bytes]) -> None:
    """Write new codes in place of all others, used ones too."""
    await tx.execute("DELETE FROM recovery_code WHERE login_id = $1", login_id)
    sql = "INSERT INTO recovery_code (login_id, hash, created_at) VALUES ($1, $2, $3)"
    await tx.executemany(sql, [(login_id, digest, tx.now) for digest in hashes])


async def use_recovery_code(tx: Tx, login_id: UUID, digest: bytes) -> bool:
    """Use a code up; of several at once one gets True."""
    sql = "UPDATE recovery_code SET used_at = $3 WHERE login_id = $1 AND hash = $2 AND used_at IS NULL"
    return await tx.execute(sql, login_id, digest, tx.now) == 1


# ---------------------------------------------------------------- passkeys


async def insert_passkey(
    tx: Tx, passkey_id: UUID, login_id: UUID, credential_id: bytes, public_key: bytes, sign_count: int,
    transports: Sequence[str], name: str,
) -> bool:  # fmt: skip
    """Add a passkey; False when the credential is known."""
    sql = """
        INSERT INTO passkey (id, login_id, credential_id, public_key, sign_count, transports, name, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (credential_id) DO NOTHING"""
    row = (passkey_id, login_id, credential_id, public_key, sign_count, list(transports), name, tx.now)
    return await tx.execute(sql, *row) == 1


async def list_passkeys(tx: Tx, login_id: UUID) -> list[Record]:
    """Return a login's passkeys, oldest first."""
    return await tx.fetch("SELECT * FROM passkey WHERE login_id = $1 ORDER BY id", login_id)


async def lock_passkey(tx: Tx, credential_id: bytes) -> Record | None:
    """Return a passkey by its credential, locked: its signatures are counted one after another."""
    sql = "SELECT * FROM passkey WHERE credential_id = $1 FOR NO KEY UPDATE"
    return await tx.fetchrow(sql, credential_id)


async def touch_passkey(tx: Tx, passkey_id: UUID, sign_count: int) -> None:
    """Remember a use."""
    sql = "UPDATE passkey SET sign_count = $2, last_used_at = $3 WHERE id = $1"
    await tx.execute(sql, passkey_id, sign_count, tx.now)


async def delete_passkey(tx: Tx, login_id: UUID, passkey_id: UUID) -> str | None:
    """Forget a passkey; return its name, None when the login has no such."""
    sql = "DELETE FROM passkey WHERE login_id = $1 AND id = $2 RETURNING name"
    name: str | None = await tx.fetchval(sql, login_id, passkey_id)
    return name


async def delete_passkeys(tx: Tx, login_id: UUID) -> None:
    """Forget all of a login's passkeys."""
    await tx.execute("DELETE FROM passkey WHERE login_id = $1", login_id)


# ---------------------------------------------------------------- challenges


async def insert_challenge(
    tx: Tx, digest: bytes, purpose: str, login_id: UUID | None, workspace_id: UUID | None,
    actor_id: UUID | None, nonce: bytes, expires_at: dt.datetime,
) -> None:  # fmt: skip
    """Add a challenge."""
    sql = """
        INSERT INTO sign_in_challenge (hash, purpose, login_id, workspace_id, actor_id, nonce, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
    await tx.execute(sql, digest, purpose, login_id, workspace_id, actor_id, nonce, tx.now, expires_at)


async def find_challenge(tx: Tx, digest: bytes, purpose: str) -> Record | None:
    """Return a challenge that may be used."""
    sql = """
        SELECT * FROM sign_in_challenge
        WHERE hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3"""
    return await tx.fetchrow(sql, digest, purpose, tx.now)


async def use_challenge(tx: Tx, digest: bytes, purpose: str) -> Record | None:
    """Use a challenge up and return it; of several at once one gets it."""
    sql = """
        UPDATE sign_in_challenge SET used_at = $3
        WHERE hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3 RETURNING *"""
    return await tx.fetchrow(sql, digest, purpose, tx.now)


async def drop_challenges(tx: Tx, login_id: UUID) -> None:
    """Make a login's open challenges useless: what they were the second step of has changed."""
    await tx.execute("DELETE FROM sign_in_challenge WHERE login_id = $1", login_id)


async def find_active_user(tx: Tx, login_id: UUID, actor_id: UUID) -> Record | None:
    """Return a login's user while both may sign in."""
    sql = """
        SELECT a.workspace_id, a.id, a.name, a.role, a.deactivated_at FROM actor a JOIN login l ON l.id = a.login_id
        WHERE l.id = $1 AND a.id = $2 AND l.disabled_at IS NULL FOR SHARE OF l"""
    return await tx.fetchrow(sql, login_id, actor_id)


async def list_users_of_login(tx: Tx, login_id: UUID) -> list[Record]:
    """Return the users that a login is, oldest first, with their workspaces' names."""
    sql = """
        SELECT a.login_id, a.workspace_id, a.id, a.name, a.role, a.deactivated_at, w.name AS workspace_name
        FROM login l
        JOIN actor a ON a.login_id = l.id AND a.kind = 'user'
        JOIN workspace w ON w.id = a.workspace_id
        WHERE l.id = $1 AND l.disabled_at IS NULL
        ORDER BY a.created_at, a.id
        FOR SHARE OF l"""
    return await tx.fetch(sql, login_id)


async def sweep_challenges(tx: Tx, before: dt.datetime) -> int:
    """Delete challenges that ended before then; return how many."""
    return await tx.execute("DELETE FROM sign_in_challenge WHERE expires_at < $1", before)

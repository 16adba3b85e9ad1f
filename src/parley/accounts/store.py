"""All SQL of accounts.

Statements of the system role, which sees every workspace (ADR 0004): a person signing in has no workspace yet, a token
names its workspace only once it has been found, and `login`, `session`, `one_time_token` and `attempt` are closed to
the plain role. Each is keyed by a secret's hash, a login, or a (workspace, actor) that was authenticated before:

- sign-in: find_login, find_login_email, find_workspace_of_login, insert_login, replace_password, hold_login, list_users_of_login,
  has_session_from
- sessions and keys: insert_session, find_session, lock_session, rotate_session, list_sessions, revoke_session,
  revoke_session_by_id, revoke_sessions_of_actor, revoke_sessions_of_login, find_api_key, touch_api_key, and for open
  sockets find_sessions, find_api_keys
- one-time links: insert_link, retire_links, find_link, use_link, find_invited, join_login
- first workspace: lock_founding, has_workspace, insert_workspace, and insert_actor and insert_audit in its transaction
- attempts: count_attempt, take_back_attempt, forget_attempts
- sweep

Everything else runs as the plain role inside ``db.transaction(workspace_id)`` and names the workspace as well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from asyncpg import Record

from parley.infra.db import Tx

# ---------------------------------------------------------------- system: sign-in


async def find_login(tx: Tx, email: str) -> Record | None:
    """Return id, password_hash and disabled_at of a login, by its unique e-mail."""
    return await tx.fetchrow(
        "SELECT id, email, password_hash, disabled_at FROM login WHERE email = $1", email
    )


async def find_login_email(tx: Tx, login_id: UUID) -> str | None:
    """Return the e-mail of a login; None when it signs in without."""
    email: str | None = await tx.fetchval("SELECT email FROM login WHERE id = $1", login_id)
    return email


async def find_workspace_of_login(tx: Tx, login_id: UUID) -> UUID | None:
    """Return the workspace of a login's oldest active user."""
    sql = """
        SELECT workspace_id FROM actor WHERE login_id = $1 AND kind = 'user' AND deactivated_at IS NULL
        ORDER BY created_at, id LIMIT 1"""
    found: UUID | None = await tx.fetchval(sql, login_id)
    return found


async def insert_login(tx: Tx, login_id: UUID, email: str, password_hash: str) -> bool:
    """Add a login; False when the e-mail has one. Waits for a concurrent insert of the same e-mail."""
    sql = "INSERT INTO login (id, email, password_hash) VALUES ($1, $2, $3) ON CONFLICT (email) DO NOTHING"
    return await tx.execute(sql, login_id, email, password_hash) == 1


async def replace_password(tx: Tx, login_id: UUID, old_hash: str | None, new_hash: str) -> bool:
    """Set the hash if it still is the old one; False when somebody was faster."""
    sql = "UPDATE login SET password_hash = $3 WHERE id = $1 AND password_hash IS NOT DISTINCT FROM $2"
    return await tx.execute(sql, login_id, old_hash, new_hash) == 1


async def hold_login(tx: Tx, login_id: UUID, password_hash: str) -> bool:
    """Share-lock a login against a change of password; False when the hash was replaced or the login disabled."""
    sql = "SELECT FROM login WHERE id = $1 AND password_hash = $2 AND disabled_at IS NULL FOR SHARE"
    return await tx.fetchrow(sql, login_id, password_hash) is not None


async def list_users_of_login(tx: Tx, login_id: UUID, password_hash: str) -> list[Record]:
    """Return the users a login is, oldest first, with their workspaces' names; none if the hash was replaced.

    Share-locks the login: a session begun in this transaction is seen by a concurrent change of password.
    """
    sql = """
        SELECT a.workspace_id, a.id, a.name, a.role, a.deactivated_at, w.name AS workspace_name
        FROM login l
        JOIN actor a ON a.login_id = l.id AND a.kind = 'user'
        JOIN workspace w ON w.id = a.workspace_id
        WHERE l.id = $1 AND l.password_hash = $2 AND l.disabled_at IS NULL
        ORDER BY a.created_at, a.id
        FOR SHARE OF l"""
    return await tx.fetch(sql, login_id, password_hash)


async def has_session_from(tx: Tx, email: str, address: str, since: dt.datetime) -> bool:
    """Whether somebody with this login was signed in from this address since then. Index: session_login."""
    sql = """
        SELECT EXISTS (SELECT FROM session s JOIN login l ON l.id = s.login_id
                       WHERE l.email = $1 AND s.address = $2 AND s.last_used_at > $3)"""
    return bool(await tx.fetchval(sql, email, address, since))


# ---------------------------------------------------------------- system: sessions

_USABLE = "s.revoked_at IS NULL AND a.deactivated_at IS NULL AND l.disabled_at IS NULL"
_SESSION_ACTOR = """
    FROM session s
    JOIN actor a ON a.workspace_id = s.workspace_id AND a.id = s.actor_id
    JOIN login l ON l.id = s.login_id"""


async def insert_session(tx: Tx, row: dict[str, Any]) -> None:
    """Add a session; the keys of the row are its columns."""
    columns = ", ".join(row)
    marks = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    await tx.execute(f"INSERT INTO session ({columns}) VALUES ({marks})", *row.values())


async def find_session(tx: Tx, access_hash: bytes) -> Record | None:
    """Return the usable session of an access token, the present or the one before it. Indexes: the two hashes."""
    sql = f"""
        SELECT s.id, s.workspace_id, s.actor_id, s.login_id, s.issued_by, s.expires_at AS session_expires_at,
               a.role, a.name,
               CASE WHEN s.access_hash = $1 THEN s.access_expires_at ELSE s.previous_access_expires_at END AS expires_at
        {_SESSION_ACTOR}
        WHERE (s.access_hash = $1 OR s.previous_access_hash = $1) AND {_USABLE}"""
    return await tx.fetchrow(sql, access_hash)


async def find_sessions(tx: Tx, access_hashes: Sequence[bytes]) -> list[Record]:
    """As `find_session`, of many tokens at once, each row with the ``token_hash`` it was found by."""
    sql = f"""
        SELECT t.token_hash, s.id, s.workspace_id, s.actor_id, s.login_id, s.issued_by,
               s.expires_at AS session_expires_at,
               a.role, a.name,
               CASE WHEN s.access_hash = t.token_hash THEN s.access_expires_at
                    ELSE s.previous_access_expires_at END AS expires_at
        FROM unnest($1::bytea[]) AS t(token_hash)
        JOIN session s ON s.access_hash = t.token_hash OR s.previous_access_hash = t.token_hash
        JOIN actor a ON a.workspace_id = s.workspace_id AND a.id = s.actor_id
        JOIN login l ON l.id = s.login_id
        WHERE {_USABLE}"""
    return await tx.fetch(sql, list(access_hashes))


async def lock_session(tx: Tx, session_id: UUID) -> Record | None:
    """Return a usable session and its actor, the session locked until the end of the transaction."""
    sql = f"SELECT s.*, a.role, a.name {_SESSION_ACTOR} WHERE s.id = $1 AND {_USABLE} FOR NO KEY UPDATE OF s"
    return await tx.fetchrow(sql, session_id)


async def rotate_session(
    tx: Tx, session_id: UUID, *, access_hash: bytes, access_expires_at: dt.datetime, refresh_hash: bytes,
    expires_at: dt.datetime, address: str, user_agent: str,
) -> None:  # fmt: skip
    """Move a locked session on to its next tokens; the present ones become the previous ones."""
    sql = """
        UPDATE session SET
            previous_access_hash = access_hash, previous_access_expires_at = access_expires_at,
            previous_refresh_hash = refresh_hash,
            access_hash = $2, access_expires_at = $3, refresh_hash = $4, expires_at = $5,
            rotated_at = $6, last_used_at = $6, address = $7, user_agent = $8
        WHERE id = $1"""
    await tx.execute(
        sql, session_id, access_hash, access_expires_at, refresh_hash, expires_at, tx.now, address, user_agent
    )


async def list_sessions(tx: Tx, workspace_id: UUID, actor_id: UUID) -> list[Record]:
    """Return the live sessions of a user, last used first, 100 at the most. Index: session_actor."""
    sql = """
        SELECT id, user_agent, address, created_at, last_used_at FROM session
        WHERE workspace_id = $1 AND actor_id = $2 AND revoked_at IS NULL AND expires_at > $3
        ORDER BY last_used_at DESC, id LIMIT 100"""
    return await tx.fetch(sql, workspace_id, actor_id, tx.now)


async def revoke_session(tx: Tx, workspace_id: UUID, actor_id: UUID, session_id: UUID) -> bool:
    """End one session of a user; False when there is no live one of this id."""
    sql = """
        UPDATE session SET revoked_at = $4
        WHERE id = $3 AND workspace_id = $1 AND actor_id = $2 AND revoked_at IS NULL AND expires_at > $4"""
    return await tx.execute(sql, workspace_id, actor_id, session_id, tx.now) == 1


async def revoke_session_by_id(tx: Tx, session_id: UUID) -> None:
    """End the session whose token was presented."""
    await tx.execute(
        "UPDATE session SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", session_id, tx.now
    )


async def revoke_sessions_of_actor(tx: Tx, workspace_id: UUID, actor_id: UUID) -> None:
    """End all sessions of a user in a workspace."""
    sql = (
        "UPDATE session SET revoked_at = $3 WHERE workspace_id = $1 AND actor_id = $2 AND revoked_at IS NULL"
    )
    await tx.execute(sql, workspace_id, actor_id, tx.now)


async def revoke_sessions_of_login(tx: Tx, login_id: UUID, *, keep: UUID | None) -> None:
    """End all sessions of a login in every workspace, but for the one to keep."""
    sql = "UPDATE session SET revoked_at = $3 WHERE login_id = $1 AND id IS DISTINCT FROM $2 AND revoked_at IS NULL"
    await tx.execute(sql, login_id, keep, tx.now)


async def find_api_key(tx: Tx, key_hash: bytes) -> Record | None:
    """Return a live API key and the bot it speaks for. Index: api_key.hash."""
    sql = """
        SELECT k.workspace_id, k.id, k.actor_id, k.scopes, k.last_used_at, a.name
        FROM api_key k JOIN actor a ON a.workspace_id = k.workspace_id AND a.id = k.actor_id
        WHERE k.hash = $1 AND k.revoked_at IS NULL AND a.deactivated_at IS NULL"""
    return await tx.fetchrow(sql, key_hash)


async def find_api_keys(tx: Tx, key_hashes: Sequence[bytes]) -> list[Record]:
    """As `find_api_key`, of many keys at once, each row with the ``token_hash`` it was found by."""
    sql = """
        SELECT k.hash AS token_hash, k.workspace_id, k.id, k.actor_id, k.scopes, k.last_used_at, a.name
        FROM api_key k JOIN actor a ON a.workspace_id = k.workspace_id AND a.id = k.actor_id
        WHERE k.hash = ANY ($1::bytea[]) AND k.revoked_at IS NULL AND a.deactivated_at IS NULL"""
    return await tx.fetch(sql, list(key_hashes))


async def touch_api_key(tx: Tx, workspace_id: UUID, key_id: UUID) -> None:
    """Remember that a key was used now."""
    sql = "UPDATE api_key SET last_used_at = $3 WHERE workspace_id = $1 AND id = $2"
    await tx.execute(sql, workspace_id, key_id, tx.now)


# ---------------------------------------------------------------- system: one-time links


async def insert_link(
    tx: Tx,
    digest: bytes,
    purpose: str,
    workspace_id: UUID | None,
    payload: dict[str, Any],
    expires_at: dt.datetime,
) -> None:
    """Add a one-time link."""
    sql = """
        INSERT INTO one_time_token (hash, purpose, workspace_id, payload, expires_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)"""
    await tx.execute(sql, digest, purpose, workspace_id, payload, expires_at, tx.now)


async def retire_links(tx: Tx, purpose: str, workspace_id: UUID | None, payload: dict[str, Any]) -> None:
    """Make unused links of this purpose, workspace and payload useless."""
    sql = """
        UPDATE one_time_token SET used_at = $4
        WHERE purpose = $1 AND workspace_id IS NOT DISTINCT FROM $2 AND payload = $3 AND used_at IS NULL"""
    await tx.execute(sql, purpose, workspace_id, payload, tx.now)


async def find_link(tx: Tx, purpose: str, digest: bytes) -> Record | None:
    """Return workspace_id and payload of a link that may still be used."""
    sql = """
        SELECT workspace_id, payload FROM one_time_token
        WHERE hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3"""
    return await tx.fetchrow(sql, digest, purpose, tx.now)


async def use_link(tx: Tx, purpose: str, digest: bytes) -> Record | None:
    """Use a link up and return what `find_link` does. Of several at once exactly one gets it, the others None."""
    sql = """
        UPDATE one_time_token SET used_at = $3
        WHERE hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3
        RETURNING workspace_id, payload"""
    return await tx.fetchrow(sql, digest, purpose, tx.now)


async def find_invited(tx: Tx, workspace_id: UUID, actor_id: UUID, *, lock: bool) -> Record | None:
    """Return the invited user with the workspace's name and whether the e-mail has a login already."""
    sql = f"""
        SELECT a.id, a.name, a.role, a.fields ->> 'email' AS email, a.login_id, a.deactivated_at,
               w.name AS workspace_name,
               EXISTS (SELECT FROM login l WHERE l.email = a.fields ->> 'email') AS has_login
        FROM actor a JOIN workspace w ON w.id = a.workspace_id
        WHERE a.workspace_id = $1 AND a.id = $2 AND a.kind = 'user' {"FOR NO KEY UPDATE OF a" if lock else ""}"""
    return await tx.fetchrow(sql, workspace_id, actor_id)


async def join_login(tx: Tx, workspace_id: UUID, actor_id: UUID, login_id: UUID) -> None:
    """Make a login the user's own."""
    await tx.execute(
        "UPDATE actor SET login_id = $3 WHERE workspace_id = $1 AND id = $2", workspace_id, actor_id, login_id
    )


# ---------------------------------------------------------------- system: first workspace


async def lock_founding(tx: Tx) -> None:
    """Let one transaction at a time decide whether there is a workspace."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('parley first workspace'))")


async def has_workspace(tx: Tx) -> bool:
    """Whether any workspace exists."""
    return bool(await tx.fetchval("SELECT EXISTS (SELECT FROM workspace)"))


async def insert_workspace(tx: Tx, workspace_id: UUID, name: str) -> None:
    """Add a workspace."""
    await tx.execute(
        "INSERT INTO workspace (id, name, created_at) VALUES ($1, $2, $3)", workspace_id, name, tx.now
    )


# ---------------------------------------------------------------- system: attempts


async def count_attempt(tx: Tx, bucket: str, subject: bytes, *, since: dt.datetime) -> Record:
    """Count one more attempt and return count and window_start; a window begun before ``since`` starts anew.

    The row stays locked until the commit, so attempts at once are counted one after another.
    """
    sql = """
        INSERT INTO attempt AS t (bucket, subject, window_start, count) VALUES ($1, $2, $3, 1)
        ON CONFLICT (bucket, subject) DO UPDATE SET
            count = CASE WHEN t.window_start <= $4 THEN 1 ELSE LEAST(t.count + 1, 1000000) END,
            window_start = CASE WHEN t.window_start <= $4 THEN $3 ELSE t.window_start END
        RETURNING count, window_start"""
    row = await tx.fetchrow(sql, bucket, subject, tx.now, since)
    assert row is not None
    return row


async def take_back_attempt(tx: Tx, bucket: str, subject: bytes) -> None:
    """Count one attempt less."""
    sql = "UPDATE attempt SET count = count - 1 WHERE bucket = $1 AND subject = $2 AND count > 0"
    await tx.execute(sql, bucket, subject)


async def forget_attempts(tx: Tx, bucket: str, subject: bytes) -> None:
    """Count from zero again."""
    await tx.execute("DELETE FROM attempt WHERE bucket = $1 AND subject = $2", bucket, subject)


async def sweep(tx: Tx, *, attempts_before: dt.datetime, before: dt.datetime) -> int:
    """Delete counters, links and sessions that ended before these moments; return how many rows went."""
    count = await tx.execute("DELETE FROM attempt WHERE window_start < $1", attempts_before)
    count += await tx.execute("DELETE FROM one_time_token WHERE expires_at < $1 OR used_at < $1", before)
    return count + await tx.execute("DELETE FROM session WHERE expires_at < $1 OR revoked_at < $1", before)


# ---------------------------------------------------------------- workspace

_USER = "id, kind, name, role, fields ->> 'email' AS email, fields ->> 'phone' AS phone, login_id IS NOT NULL AS has_joined, deactivated_at, created_at"


async def find_workspace(tx: Tx, workspace_id: UUID) -> Record | None:
    """Return id, name and created_at."""
    return await tx.fetchrow("SELECT id, name, created_at FROM workspace WHERE id = $1", workspace_id)


async def lock_workspace(tx: Tx, workspace_id: UUID) -> Record | None:
    """As `find_workspace`, locked: changes of the workspace and of who belongs to it come one after another."""
    sql = "SELECT id, name, created_at FROM workspace WHERE id = $1 FOR NO KEY UPDATE"
    return await tx.fetchrow(sql, workspace_id)


async def rename_workspace(tx: Tx, workspace_id: UUID, name: str) -> None:
    """Set the name."""
    await tx.execute("UPDATE workspace SET name = $2 WHERE id = $1", workspace_id, name)


async def insert_actor(
    tx: Tx, workspace_id: UUID, actor_id: UUID, kind: str, name: str, *, role: str | None = None,
    login_id: UUID | None = None, locale: str | None = None, email: str | None = None, phone: str | None = None,
) -> None:  # fmt: skip
    """Add a user or a bot. A user's e-mail and number are kept in its fields, so that lists need no look at logins."""
    sql = """
        INSERT INTO actor (workspace_id, id, kind, name, role, login_id, locale, fields, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
    fields = {name: value for name, value in (("email", email), ("phone", phone)) if value}
    await tx.execute(sql, workspace_id, actor_id, kind, name, role, login_id, locale, fields, tx.now)


async def find_actors(tx: Tx, ids: Collection[UUID]) -> list[Record]:
    """Return those of the actors that this transaction may see, in no order. Index: actor.id."""
    return await tx.fetch(
        "SELECT id, kind, name, role, deactivated_at FROM actor WHERE id = ANY ($1::uuid[])", list(ids)
    )


async def find_user(tx: Tx, workspace_id: UUID, actor_id: UUID) -> Record | None:
    """Return a user of the workspace."""
    sql = f"SELECT {_USER}, locale, shows_last_seen FROM actor WHERE workspace_id = $1 AND id = $2"
    return await tx.fetchrow(sql, workspace_id, actor_id)


async def has_user_with_email(tx: Tx, workspace_id: UUID, email: str) -> bool:
    """Whether a user of the workspace has this e-mail. Sure only under `lock_workspace`. Index: actor_listing."""
    sql = """
        SELECT EXISTS (SELECT FROM actor WHERE workspace_id = $1 AND kind = 'user' AND fields ->> 'email' = $2)"""
    return bool(await tx.fetchval(sql, workspace_id, email))


async def list_users(
    tx: Tx, workspace_id: UUID, after: UUID | None, limit: int, *, query: str = "", by_email: bool = False
) -> list[Record]:
    """Return users after an id, oldest first; with a query those whose name, or e-mail if asked, has it.

    With a query the users are read in their order until enough of them fit. Index: actor_listing.
    """
    sql = f"""
        SELECT {_USER} FROM actor WHERE workspace_id = $1 AND kind = 'user' AND ($2::uuid IS NULL OR id > $2)
          AND ($4 = '' OR position(lower($4) IN search_name) > 0
               OR ($5 AND position(lower($4) IN fields ->> 'email') > 0))
        ORDER BY id LIMIT $3"""
    return await tx.fetch(sql, workspace_id, after, limit, query, by_email)


async def lock_user_and_owners(tx: Tx, workspace_id: UUID, actor_id: UUID) -> list[Record]:
    """Return a user and the active owners, locked in order of id: two owners cannot demote each other at once."""
    sql = f"""
        SELECT {_USER} FROM actor
        WHERE workspace_id = $1 AND kind = 'user' AND (id = $2 OR (role = 'owner' AND deactivated_at IS NULL))
        ORDER BY id FOR NO KEY UPDATE"""
    return await tx.fetch(sql, workspace_id, actor_id)


async def update_user(
    tx: Tx, workspace_id: UUID, actor_id: UUID, *, name: str, role: str, deactivated_at: dt.datetime | None
) -> None:
    """Set what an admin may change of a user."""
    sql = "UPDATE actor SET name = $3, role = $4, deactivated_at = $5 WHERE workspace_id = $1 AND id = $2"
    await tx.execute(sql, workspace_id, actor_id, name, role, deactivated_at)


async def update_self(
    tx: Tx,
    workspace_id: UUID,
    actor_id: UUID,
    name: str | None,
    locale: str | None,
    shows_last_seen: bool | None,
) -> None:
    """Set what a user may change of itself; None keeps."""
    sql = """
        UPDATE actor SET name = COALESCE($3, name), locale = COALESCE($4, locale),
            shows_last_seen = COALESCE($5, shows_last_seen)
        WHERE workspace_id = $1 AND id = $2"""
    await tx.execute(sql, workspace_id, actor_id, name, locale, shows_last_seen)


async def deactivate_bot(tx: Tx, workspace_id: UUID, actor_id: UUID) -> None:
    """Take a bot out of service."""
    sql = "UPDATE actor SET deactivated_at = $3 WHERE workspace_id = $1 AND id = $2 AND kind = 'bot'"
    await tx.execute(sql, workspace_id, actor_id, tx.now)


async def insert_api_key(
    tx: Tx, workspace_id: UUID, key_id: UUID, actor_id: UUID, name: str, key_hash: bytes, hint: str,
    scopes: Sequence[str], created_by: UUID,
) -> None:  # fmt: skip
    """Add an API key."""
    sql = """
        INSERT INTO api_key (workspace_id, id, actor_id, name, hash, hint, scopes, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
    await tx.execute(
        sql, workspace_id, key_id, actor_id, name, key_hash, hint, list(scopes), created_by, tx.now
    )


async def list_api_keys(tx: Tx, workspace_id: UUID) -> list[Record]:
    """Return the live keys, newest first, 1000 at the most."""
    sql = """
        SELECT id, actor_id, name, hint, scopes, created_at, last_used_at FROM api_key
        WHERE workspace_id = $1 AND revoked_at IS NULL ORDER BY id DESC LIMIT 1000"""
    return await tx.fetch(sql, workspace_id)


async def revoke_api_key(tx: Tx, workspace_id: UUID, key_id: UUID) -> Record | None:
    """End a live key; return its actor_id, name, hint and scopes, None when there is none."""
    sql = """
        UPDATE api_key SET revoked_at = $3 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL
        RETURNING actor_id, name, hint, scopes"""
    return await tx.fetchrow(sql, workspace_id, key_id, tx.now)


async def insert_audit(
    tx: Tx, workspace_id: UUID, entry_id: UUID, actor_id: UUID, action: str, target: str,
    before: dict[str, Any] | None, after: dict[str, Any] | None, address: str, by_id: UUID | None = None,
) -> None:  # fmt: skip
    """Add an entry to the audit."""
    sql = """
        INSERT INTO audit_entry (workspace_id, id, at, actor_id, action, target, before, after, address, by_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
    await tx.execute(
        sql, workspace_id, entry_id, tx.now, actor_id, action, target, before, after, address, by_id
    )


async def list_audit(tx: Tx, workspace_id: UUID, before: UUID | None, limit: int) -> list[Record]:
    """Return entries older than an id, newest first, with who did it. Index: the primary key."""
    sql = """
        SELECT e.id, e.at, e.action, e.target, e.before, e.after, e.address, e.by_id,
               a.id AS actor_id, a.kind, a.name, a.role
        FROM audit_entry e LEFT JOIN actor a ON a.workspace_id = e.workspace_id AND a.id = e.actor_id
        WHERE e.workspace_id = $1 AND ($2::uuid IS NULL OR e.id < $2)
        ORDER BY e.id DESC LIMIT $3"""
    return await tx.fetch(sql, workspace_id, before, limit)

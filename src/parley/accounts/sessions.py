"""Sessions: a short access token beside a refresh token that changes at every use.

A session moves on at most once in `GRACE`. Within it the refresh token before the last answers as the present one
does, with the very same tokens: two tabs that refresh at once both stay signed in. After it, a token that comes again
was copied, and the session ends for whoever holds it (RFC 9700 4.14.2).
"""

from __future__ import annotations

import datetime as dt
import hmac
from typing import Any, Literal
from uuid import UUID

import msgspec
from asyncpg import Record

from parley.accounts import store
from parley.accounts.authentication import forget_callers
from parley.accounts.caller import Caller, Role
from parley.accounts.errors import SessionEnded
from parley.accounts.schemas import Session
from parley.accounts.tokens import access_token_of, find_session_id, new_refresh_token, next_refresh_token
from parley.infra.crypto import Keys, hash_token
from parley.infra.db import Database, Tx
from parley.kit.errors import NotFound
from parley.kit.ids import public_id, uuid7
from parley.kit.text import clean_name

ACCESS_FOR = dt.timedelta(minutes=15)
REFRESH_FOR = dt.timedelta(days=30)
"""A session not refreshed for so long has ended."""
GRACE = dt.timedelta(seconds=30)

Step = Literal["rotate", "repeat", "reuse"]


class Client(msgspec.Struct, frozen=True):
    """Where a request comes from."""

    address: str
    user_agent: str


class OpenSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session with its tokens, which are known only now."""

    caller: Caller
    access_token: str
    refresh_token: str
    expires_in_seconds: int


async def begin_session(
    tx: Tx,
    keys: Keys,
    client: Client,
    *,
    workspace_id: UUID,
    actor_id: UUID,
    login_id: UUID,
    role: Role,
    name: str,
) -> OpenSession:
    """Add a session, in a system transaction that has made sure of the login and the user."""
    session_id = uuid7()
    refresh_token = new_refresh_token(keys, session_id)
    access_token = access_token_of(keys, refresh_token)
    row: dict[str, Any] = {
        "id": session_id,
        "workspace_id": workspace_id,
        "actor_id": actor_id,
        "login_id": login_id,
        "access_hash": hash_token(access_token),
        "access_expires_at": tx.now + ACCESS_FOR,
        "refresh_hash": hash_token(refresh_token),
        "rotated_at": tx.now,
        "expires_at": tx.now + REFRESH_FOR,
        "user_agent": clean_name(client.user_agent),
        "address": client.address,
        "created_at": tx.now,
        "last_used_at": tx.now,
    }
    await store.insert_session(tx, row)
    return _open(
        {**row, "role": role, "name": name}, client, access_token, refresh_token, tx.now + ACCESS_FOR, tx.now
    )


async def refresh_session(db: Database, keys: Keys, client: Client, refresh_token: str) -> OpenSession:
    """Exchange a refresh token for the next tokens. Repeat within the grace: the same answer.

    Raises: SessionEnded; when the token was used before and its grace is over, the session is revoked as well.
    """
    session_id = find_session_id(keys, refresh_token)
    if session_id is None:
        raise SessionEnded
    async with db.system() as tx:
        row = await store.lock_session(tx, session_id)
        step = judge_refresh(row, hash_token(refresh_token), tx.now) if row is not None else "reuse"
        if row is not None and step != "reuse":
            return await _move_on(tx, keys, client, row, refresh_token, step)
        await store.revoke_session_by_id(tx, session_id)
    forget_callers(db, session_id=session_id)
    raise SessionEnded


def judge_refresh(row: Any, digest: bytes, now: dt.datetime) -> Step:
    """Decide what a refresh token that once was the session's is now worth. Pure."""
    is_in_grace = now <= row["rotated_at"] + GRACE
    if hmac.compare_digest(row["refresh_hash"], digest):
        if row["expires_at"] <= now:
            return "reuse"
        return "repeat" if is_in_grace and row["previous_refresh_hash"] is not None else "rotate"
    previous = row["previous_refresh_hash"]
    if previous is not None and is_in_grace and hmac.compare_digest(previous, digest):
        return "repeat"
    return "reuse"


async def end_session(db: Database, session_id: UUID) -> None:
    """End the session whose token was presented. Repeat: harmless."""
    async with db.system() as tx:
        await store.revoke_session_by_id(tx, session_id)
    forget_callers(db, session_id=session_id)


async def list_sessions(db: Database, caller: Caller) -> list[Session]:
    """Return where the caller is signed in to this workspace, last used first. Raises: Forbidden for bots."""
    caller.require_user()
    async with db.system() as tx:
        rows = await store.list_sessions(tx, caller.workspace_id, caller.actor_id)
    return [
        Session(
            id=public_id("ses", row["id"]),
            user_agent=row["user_agent"],
            address=row["address"],
            created_at=row["created_at"],
            last_used_at=row["last_used_at"],
            is_current=row["id"] == caller.session_id,
        )
        for row in rows
    ]


async def revoke_session(db: Database, caller: Caller, session_id: UUID) -> None:
    """End one of the caller's own sessions. Raises: NotFound, Forbidden for bots."""
    caller.require_user()
    async with db.system() as tx:
        if not await store.revoke_session(tx, caller.workspace_id, caller.actor_id, session_id):
            raise NotFound
    forget_callers(db, session_id=session_id)


async def revoke_sessions_of_actor(db: Database, workspace_id: UUID, actor_id: UUID) -> None:
    """End all sessions of a user."""
    async with db.system() as tx:
        await store.revoke_sessions_of_actor(tx, workspace_id, actor_id)
    forget_callers(db, actor_id=actor_id)


async def _move_on(tx: Tx, keys: Keys, client: Client, row: Record, given: str, step: Step) -> OpenSession:
    if step == "repeat":
        is_present = hmac.compare_digest(row["refresh_hash"], hash_token(given))
        refresh_token = given if is_present else next_refresh_token(keys, given)
        access_token = access_token_of(keys, refresh_token)
        return _open(row, client, access_token, refresh_token, row["access_expires_at"], tx.now)
    refresh_token = next_refresh_token(keys, given)
    access_token = access_token_of(keys, refresh_token)
    await store.rotate_session(
        tx,
        row["id"],
        access_hash=hash_token(access_token),
        access_expires_at=tx.now + ACCESS_FOR,
        refresh_hash=hash_token(refresh_token),
        expires_at=tx.now + REFRESH_FOR,
        address=client.address,
        user_agent=clean_name(client.user_agent),
    )
    return _open(row, client, access_token, refresh_token, tx.now + ACCESS_FOR, tx.now)


def _open(
    row: Any, client: Client, access_token: str, refresh_token: str, expires_at: dt.datetime, now: dt.datetime
) -> OpenSession:
    caller = Caller(
        workspace_id=row["workspace_id"],
        actor_id=row["actor_id"],
        kind="user",
        role=row["role"],
        scopes=frozenset(),
        session_id=row["id"],
        name=row["name"],
        login_id=row["login_id"],
        expires_at=expires_at,
        address=client.address,
    )
    seconds = max(0, int((expires_at - now).total_seconds()))
    return OpenSession(
        caller=caller, access_token=access_token, refresh_token=refresh_token, expires_in_seconds=seconds
    )

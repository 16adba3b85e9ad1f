"""Sessions that a key opens for a user, so that an embedding application can hand a token to that user's browser."""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from parley.accounts import acting_store, store
from parley.accounts.acting import may_reach
from parley.accounts.audit import record_audit
from parley.accounts.authentication import forget_callers
from parley.accounts.caller import Caller
from parley.accounts.embedding_schemas import IssuedSession
from parley.accounts.errors import OwnersOnly
from parley.accounts.tokens import ACCESS_PREFIX
from parley.infra.crypto import hash_token, new_token
from parley.infra.db import Database, Tx
from parley.kit.errors import Forbidden, NotFound, Unauthenticated
from parley.kit.ids import public_id, uuid7
from parley.kit.text import clean_name


async def issue_session(db: Database, caller: Caller, user_id: UUID, *, lasts_seconds: int) -> IssuedSession:
    """Open a session for a user and return its access token, which is good until it ends and is not renewed.

    Raises: Forbidden unless a key that may act, or when the user may more than the key; OwnersOnly; NotFound;
    Unauthenticated when the key was revoked just now, whatever this process still believes.
    """
    if caller.kind != "bot" or caller.by_id is not None:
        raise Forbidden("This takes an API key that may act for others.", scope="act")
    caller.require_scope("act")
    async with db.transaction(caller.workspace_id) as tx:
        await _require_reach(tx, caller, user_id)
        await record_audit(tx, caller, "session.issued", public_id("act", user_id))
    async with db.system() as tx:
        return await _insert(tx, caller, user_id, dt.timedelta(seconds=lasts_seconds))


async def end_sessions_beyond_keys(db: Database, workspace_id: UUID, user_id: UUID) -> None:
    """End the sessions that keys opened for a user, whose new role may be more than those keys reach."""
    async with db.system() as tx:
        await acting_store.end_issued_to(tx, workspace_id, user_id)


async def end_issued_sessions(db: Database, caller: Caller, user_id: UUID) -> None:
    """End the sessions that keys opened for a user. Repeat: harmless. Raises: Forbidden, NotFound."""
    caller.require_actors_keeper()
    async with db.transaction(caller.workspace_id) as tx:
        if await acting_store.find_user(tx, caller.workspace_id, user_id) is None:
            raise NotFound
    async with db.system() as tx:
        await acting_store.end_issued_to(tx, caller.workspace_id, user_id)
    forget_callers(db, actor_id=user_id)


async def revoke_issued_sessions(db: Database, caller: Caller, bot_id: UUID) -> None:
    """End the sessions that a revoked key opened."""
    async with db.system() as tx:
        await acting_store.revoke_issued(tx, caller.workspace_id, bot_id)
    forget_callers(db, actor_id=bot_id)


async def _require_reach(tx: Tx, caller: Caller, user_id: UUID) -> None:
    user = await store.find_user(tx, caller.workspace_id, user_id)
    if user is None or user["kind"] != "user":
        raise NotFound
    if may_reach(caller, user["role"]):
        return
    if user["role"] == "owner":
        raise OwnersOnly("No API key opens an owner's session.")
    raise Forbidden("This user may more than the API key.", role=user["role"])


async def _insert(tx: Tx, caller: Caller, user_id: UUID, lasts: dt.timedelta) -> IssuedSession:
    """Add the session of a key and a user who are held as they are: whoever revokes or promotes finds it behind us."""
    if not await acting_store.hold_key(tx, caller.workspace_id, caller.actor_id):
        raise Unauthenticated
    login_id = await acting_store.ensure_login(tx, caller.workspace_id, user_id, uuid7())
    if login_id is None:
        raise NotFound
    await _require_reach(tx, caller, user_id)
    session_id, access_token = uuid7(), ACCESS_PREFIX + new_token()
    await store.insert_session(
        tx,
        {
            "id": session_id,
            "workspace_id": caller.workspace_id,
            "actor_id": user_id,
            "login_id": login_id,
            "access_hash": hash_token(access_token),
            "access_expires_at": tx.now + lasts,
            # nobody has it: such a session is not refreshed
            "refresh_hash": hash_token(new_token()),
            "rotated_at": tx.now,
            "expires_at": tx.now + lasts,
            "user_agent": clean_name(caller.name),
            "address": caller.address,
            "created_at": tx.now,
            "last_used_at": tx.now,
            "issued_by": caller.actor_id,
        },
    )
    return IssuedSession(
        access_token=access_token,
        expires_in_seconds=int(lasts.total_seconds()),
        session_id=public_id("ses", session_id),
    )

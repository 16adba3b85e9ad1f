"""Signing in by e-mail and password, and changing the password.

An unknown e-mail, a disabled login and a wrong password cost the same time and give the same answer. No transaction
is open while a password is hashed.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from parley.accounts import factor_store, store
from parley.accounts.attempts import count_attempt, forgive_attempts, take_back_attempt
from parley.accounts.audit import record_audit
from parley.accounts.authentication import forget_callers
from parley.accounts.caller import Caller
from parley.accounts.choosing import choose_user
from parley.accounts.errors import PasswordsBusy, WrongCredentials
from parley.accounts.fields import normalise_email, require_email, require_password
from parley.accounts.passwords import hash_password, is_outdated, is_password
from parley.accounts.second_factor import Entrant, open_session, require_session
from parley.accounts.sessions import Client, OpenSession
from parley.infra.crypto import Keys
from parley.infra.db import Database
from parley.kit.errors import NotFound
from parley.kit.ids import public_id


class ProvenLogin(msgspec.Struct, frozen=True):
    """A login whose password was just given. ``password_hash`` pins it: a change meanwhile voids the proof."""

    id: UUID
    password_hash: str


async def sign_in(
    db: Database, keys: Keys, client: Client, *, email: str, password: str, workspace_id: UUID | None
) -> OpenSession:
    """Open a session in the login's workspace, or in the one named where there are several.

    Raises: WrongCredentials, TooManyAttempts, ChooseWorkspace, Deactivated, NotFound (no such workspace of theirs),
    SecondFactorNeeded.
    """
    login = await prove_password(db, client, email=require_email(email), password=password)
    async with db.system() as tx:
        users = await store.list_users_of_login(tx, login.id, login.password_hash)
        user = choose_user(users, workspace_id)
        entrant = Entrant(
            login_id=login.id,
            workspace_id=user["workspace_id"],
            actor_id=user["id"],
            role=user["role"],
            name=user["name"],
        )
        opened = await open_session(tx, keys, client, entrant)
    return require_session(opened)


async def prove_password(db: Database, client: Client, *, email: str, password: str) -> ProvenLogin:
    """Return the login if the password is its own; count the attempt if not.

    Raises: WrongCredentials, TooManyAttempts, PasswordsBusy.
    """
    await count_attempt(db, email, client.address)
    async with db.system() as tx:
        row = await store.find_login(tx, email)
    stored = row["password_hash"] if row is not None and row["disabled_at"] is None else None
    try:
        is_right = await is_password(stored, password)
    except PasswordsBusy:
        await take_back_attempt(db, email, client.address)
        raise
    if row is None or stored is None or not is_right:
        raise WrongCredentials
    await forgive_attempts(db, email, client.address)
    if is_outdated(stored):
        stored = await _renew_hash(db, row["id"], stored, password)
    return ProvenLogin(row["id"], stored)


async def change_password(db: Database, caller: Caller, client: Client, *, current: str, new: str) -> None:
    """Set a new password and end the login's other sessions, in every workspace. Limited as signing in is.

    Raises: WrongCredentials, TooManyAttempts, Forbidden for bots.
    """
    caller.require_user()
    if caller.login_id is None:
        raise NotFound
    async with db.system() as tx:
        email = await store.find_login_email(tx, caller.login_id)
    if email is None:
        raise NotFound("You sign in without a password.")
    login = await prove_password(db, client, email=email, password=current)
    new_hash = await hash_password(new)
    async with db.system() as tx:
        if not await store.replace_password(tx, login.id, login.password_hash, new_hash):
            raise WrongCredentials
        await store.revoke_sessions_of_login(tx, login.id, keep=caller.session_id)
        await factor_store.drop_challenges(tx, login.id)
        await record_audit(tx, caller, "password.changed", public_id("act", caller.actor_id))
    forget_callers(db, login_id=login.id)


async def reset_password(db: Database, *, email: str, password: str) -> None:
    """Set a login's password without the old one and end all its sessions: for the operator's command line.

    Raises: NotFound, Malformed.
    """
    new_hash = await hash_password(require_password(password))
    async with db.system() as tx:
        row = await store.find_login(tx, normalise_email(email))
        if row is None:
            raise NotFound("Nobody signs in with this e-mail.")
        await store.replace_password(tx, row["id"], row["password_hash"], new_hash)
        await store.revoke_sessions_of_login(tx, row["id"], keep=None)
        await factor_store.drop_challenges(tx, row["id"])
    forget_callers(db, login_id=row["id"])


async def _renew_hash(db: Database, login_id: UUID, stored: str, password: str) -> str:
    """Hash the password with today's parameters; return the hash that now stands."""
    new_hash = await hash_password(password)
    async with db.system() as tx:
        return new_hash if await store.replace_password(tx, login_id, stored, new_hash) else stored

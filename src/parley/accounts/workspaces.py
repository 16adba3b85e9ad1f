"""Workspaces: founding one with its owner, and what is said of it."""

from __future__ import annotations

from uuid import UUID

import msgspec

from parley.accounts import store
from parley.accounts.audit import record_audit
from parley.accounts.caller import Caller
from parley.accounts.errors import EmailTaken, LinkUsed
from parley.accounts.fields import require_email, require_name, require_password
from parley.accounts.links import get_link, issue_link, use_link
from parley.accounts.passwords import hash_password, is_password
from parley.accounts.schemas import SetUp, Workspace
from parley.accounts.sessions import Client, OpenSession, begin_session
from parley.infra.crypto import Keys
from parley.infra.db import Database, Tx
from parley.kit.errors import NotFound
from parley.kit.ids import public_id, uuid7


class Founded(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace just made, and its owner as a caller, who may do the next steps."""

    workspace_id: UUID
    owner: Caller


async def create_workspace(db: Database, *, name: str, owner_name: str, email: str, password: str) -> Founded:
    """Make a workspace and its owner; for the operator's command line.

    An e-mail that has a login already keeps it: the owner then signs in as before, and the password must be theirs.
    Raises: Malformed, EmailTaken when that password is another.
    """
    name, owner_name = require_name(name), require_name(owner_name, "owner_name")
    email = require_email(email)
    require_password(password)
    async with db.system() as tx:
        login = await store.find_login(tx, email)
    if login is not None and not await is_password(login["password_hash"], password):
        raise EmailTaken("This e-mail has a login with another password.")
    password_hash = await hash_password(password)
    async with db.system() as tx:
        await store.lock_founding(tx)
        login_id = login["id"] if login is not None else await _add_login(tx, email, password_hash)
        return await _found(tx, name=name, owner_name=owner_name, email=email, login_id=login_id)


async def issue_setup_link(db: Database, origin: str) -> str | None:
    """Return a new one-time link that opens the creation of the first workspace; None once one exists.

    Valid for 24 h; links issued before it work no longer.
    """
    async with db.system() as tx:
        await store.lock_founding(tx)
        if await store.has_workspace(tx):
            return None
        return await issue_link(tx, origin, "setup")


async def check_setup_link(db: Database, token: str) -> None:
    """Raises: LinkUsed when this link opens nothing (any more)."""
    async with db.system() as tx:
        await get_link(tx, "setup", token)
        if await store.has_workspace(tx):
            raise LinkUsed


async def set_up(db: Database, keys: Keys, client: Client, data: SetUp) -> OpenSession:
    """Make the first workspace by its one-time link and sign its owner in.

    Of several at once one succeeds; one that fails leaves the link usable. Raises: LinkUsed, Malformed.
    """
    name, owner_name = require_name(data.workspace_name, "workspace_name"), require_name(data.name)
    email = require_email(data.email)
    await check_setup_link(db, data.token)
    password_hash = await hash_password(data.password)
    async with db.system() as tx:
        await store.lock_founding(tx)
        await use_link(tx, "setup", data.token)
        if await store.has_workspace(tx):
            raise LinkUsed
        login_id = await _add_login(tx, email, password_hash)
        founded = await _found(
            tx, name=name, owner_name=owner_name, email=email, login_id=login_id,
            locale=data.locale, address=client.address,
        )  # fmt: skip
        return await begin_session(
            tx,
            keys,
            client,
            workspace_id=founded.workspace_id,
            actor_id=founded.owner.actor_id,
            login_id=login_id,
            role="owner",
            name=owner_name,
        )


async def get_workspace(tx: Tx, caller: Caller) -> Workspace:
    """Return the caller's workspace."""
    row = await store.find_workspace(tx, caller.workspace_id)
    if row is None:
        raise NotFound
    return Workspace(id=public_id("ws", row["id"]), name=row["name"], created_at=row["created_at"])


async def rename_workspace(tx: Tx, caller: Caller, *, name: str) -> Workspace:
    """Give the workspace another name. Raises: Forbidden unless an admin, Malformed."""
    caller.require_admin()
    name = require_name(name)
    row = await store.lock_workspace(tx, caller.workspace_id)
    if row is None:
        raise NotFound
    if row["name"] != name:
        await store.rename_workspace(tx, caller.workspace_id, name)
        target = public_id("ws", caller.workspace_id)
        await record_audit(tx, caller, "workspace.renamed", target, {"name": row["name"]}, {"name": name})
    return Workspace(id=public_id("ws", row["id"]), name=name, created_at=row["created_at"])


async def _add_login(tx: Tx, email: str, password_hash: str) -> UUID:
    login_id = uuid7()
    if not await store.insert_login(tx, login_id, email, password_hash):
        raise EmailTaken
    return login_id


async def _found(
    tx: Tx,
    *,
    name: str,
    owner_name: str,
    email: str,
    login_id: UUID,
    locale: str | None = None,
    address: str = "",
) -> Founded:
    owner = Caller(
        workspace_id=uuid7(),
        actor_id=uuid7(),
        kind="user",
        role="owner",
        scopes=frozenset(),
        session_id=None,
        name=owner_name,
        login_id=login_id,
        address=address,
    )
    await store.insert_workspace(tx, owner.workspace_id, name)
    await store.insert_actor(
        tx, owner.workspace_id, owner.actor_id, "user", owner_name,
        role="owner", login_id=login_id, locale=locale, email=email,
    )  # fmt: skip
    target = public_id("ws", owner.workspace_id)
    await record_audit(tx, owner, "workspace.created", target, None, {"name": name, "owner": owner_name})
    return Founded(workspace_id=owner.workspace_id, owner=owner)

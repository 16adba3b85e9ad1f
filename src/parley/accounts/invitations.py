"""Invitations: a link by which a user that an admin added becomes somebody's own.

Whoever accepts proves nothing but the link, unless the e-mail has a login on this server already: then its password
is asked for, so that no admin of one workspace can take over a login that is used in another.
"""

from __future__ import annotations

from uuid import UUID

from asyncpg import Record

from parley.accounts import store
from parley.accounts.audit import record_audit
from parley.accounts.caller import Caller
from parley.accounts.errors import AlreadyJoined, LinkUsed, WrongCredentials
from parley.accounts.links import get_link, issue_link, use_link
from parley.accounts.passwords import hash_password
from parley.accounts.schemas import Invitation
from parley.accounts.second_factor import Entrant, make_caller, open_session, require_session
from parley.accounts.sessions import Client, OpenSession
from parley.accounts.sign_in import ProvenLogin, prove_password
from parley.infra.crypto import Keys
from parley.infra.db import Database, Tx
from parley.kit.errors import Conflict, NotFound
from parley.kit.ids import public_id, uuid7


async def invite(db: Database, caller: Caller, origin: str, user_id: UUID) -> str:
    """Return the link by which a user joins; valid for 7 days, and the one before it works no longer.

    Raises: Forbidden unless an admin, NotFound, AlreadyJoined, Conflict when the user is deactivated.
    """
    caller.require_admin()
    async with db.transaction(caller.workspace_id) as tx:
        user = await store.find_user(tx, caller.workspace_id, user_id)
        if user is None or user["kind"] != "user":
            raise NotFound
        if user["has_joined"]:
            raise AlreadyJoined
        if user["deactivated_at"] is not None:
            raise Conflict("The user is deactivated.")
        await record_audit(tx, caller, "invitation.issued", public_id("act", user_id))
    async with db.system() as tx:
        payload = {"actor_id": str(user_id)}
        return await issue_link(tx, origin, "invitation", workspace_id=caller.workspace_id, payload=payload)


async def check_invitation(db: Database, token: str) -> Invitation:
    """Return what an invitation is to. Raises: LinkUsed."""
    async with db.system() as tx:
        invited = await _get_invited(tx, await get_link(tx, "invitation", token), lock=False)
    return Invitation(
        workspace_name=invited["workspace_name"],
        name=invited["name"],
        email=invited["email"],
        has_login=invited["has_login"],
    )


async def accept_invitation(
    db: Database, keys: Keys, client: Client, *, token: str, password: str
) -> OpenSession:
    """Join and sign in. Of several at once one succeeds; one that fails leaves the link usable.

    A login with a second factor has joined when that is asked for. Raises: SecondFactorNeeded; LinkUsed; WrongCredentials and TooManyAttempts where the e-mail has a login with another password.
    """
    invitation = await check_invitation(db, token)
    if invitation.has_login:
        login = await prove_password(db, client, email=invitation.email, password=password)
    else:
        login = ProvenLogin(uuid7(), await hash_password(password))
    async with db.system() as tx:
        link = await use_link(tx, "invitation", token)
        invited = await _get_invited(tx, link, lock=True)
        if not invitation.has_login:
            await store.insert_login(tx, login.id, invited["email"], login.password_hash)
        if not await store.hold_login(tx, login.id, login.password_hash):
            raise WrongCredentials("The e-mail's login changed at this moment: try again with its password.")
        await store.join_login(tx, link["workspace_id"], invited["id"], login.id)
        entrant = Entrant(
            login_id=login.id,
            workspace_id=link["workspace_id"],
            actor_id=invited["id"],
            role=invited["role"],
            name=invited["name"],
        )
        opened = await open_session(tx, keys, client, entrant)
        joined = make_caller(entrant, client)
        await record_audit(tx, joined, "invitation.accepted", public_id("act", invited["id"]))
    return require_session(opened)


async def _get_invited(tx: Tx, link: Record, *, lock: bool) -> Record:
    """Return the user a link invites. Raises: LinkUsed when they joined or were deactivated meanwhile."""
    user_id = UUID(link["payload"]["actor_id"])
    invited = await store.find_invited(tx, link["workspace_id"], user_id, lock=lock)
    if invited is None or invited["login_id"] is not None or invited["deactivated_at"] is not None:
        raise LinkUsed
    return invited

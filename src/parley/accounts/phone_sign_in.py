"""Signing in with a phone number and its code; an unknown number joins the workspace that is open to such."""

from __future__ import annotations

from uuid import UUID

import msgspec
from asyncpg import Record

from parley.accounts import factor_store, phone_store, store
from parley.accounts.audit import record_audit
from parley.accounts.caller import Caller, Role
from parley.accounts.choosing import choose_user
from parley.accounts.errors import NameNeeded, WrongCode
from parley.accounts.fields import require_name
from parley.accounts.phone_codes import ProvenPhone, check_phone_code, use_phone_code
from parley.accounts.second_factor import Entrant, list_methods, open_session, require_session
from parley.accounts.sessions import Client, OpenSession
from parley.infra.crypto import Keys
from parley.infra.db import Database, Tx
from parley.infra.settings import Settings
from parley.kit.ids import parse_id, public_id, uuid7


class PhoneUser(msgspec.Struct, frozen=True, kw_only=True):
    """The user a number and its code have led to. ``is_new``: they joined with this.

    ``has_second_factor``: the code alone is not enough; a door that cannot ask for more must not let them in.
    """

    login_id: UUID
    workspace_id: UUID
    actor_id: UUID
    role: Role
    name: str
    is_new: bool
    has_second_factor: bool


async def is_phone_known(tx: Tx, phone: str, workspace_id: UUID) -> bool:
    """Whether a number in E.164 form has a user in a workspace: for doors whose protocol tells so (never ours).

    In a system transaction.
    """
    return await phone_store.find_user_of_phone(tx, phone, workspace_id) is not None


async def sign_in_by_phone(
    db: Database, keys: Keys, settings: Settings, client: Client, *, phone: str, code: str,
    name: str | None, workspace_id: UUID | None,
) -> OpenSession:  # fmt: skip
    """Open a session for who holds the number. What fails after the code was right leaves it usable.

    Raises: WrongCode, TooManyAttempts, Malformed; then ChooseWorkspace, NameNeeded for a newcomer, Deactivated,
    NotFound (no such workspace of theirs), SecondFactorNeeded.
    """
    proven = await check_phone_code(db, keys, settings, client, phone=phone, code=code)
    async with db.system() as tx:
        user = await enter_by_phone(tx, settings, proven, name=name, workspace_id=workspace_id)
        entrant = Entrant(
            login_id=user.login_id,
            workspace_id=user.workspace_id,
            actor_id=user.actor_id,
            role=user.role,
            name=user.name,
        )
        opened = await open_session(tx, keys, client, entrant)
    return require_session(opened)


async def enter_by_phone(
    tx: Tx, settings: Settings, proven: ProvenPhone, *, name: str | None, workspace_id: UUID | None = None
) -> PhoneUser:
    """Use the code up and return the user it leads to, made if the number is new here; in a system transaction.

    A raise undoes it all, and the code may be used again. Raises: as `sign_in_by_phone`.
    """
    await use_phone_code(tx, proven)
    login = await phone_store.hold_login_of_phone(tx, proven.phone)
    if login is not None and login["disabled_at"] is not None:
        raise WrongCode
    users = await phone_store.list_users_of_phone(tx, proven.phone) if login is not None else []
    open_id = parse_id("ws", settings.phone_workspace) if settings.phone_workspace else None
    wanted = workspace_id or (open_id if not users else None)
    if wanted is not None and wanted == open_id and all(user["workspace_id"] != wanted for user in users):
        return await _join(tx, proven, login, wanted, name)
    user = choose_user(users, workspace_id, nobody=WrongCode)
    return PhoneUser(
        login_id=user["login_id"],
        workspace_id=user["workspace_id"],
        actor_id=user["id"],
        role=user["role"],
        name=user["name"],
        is_new=False,
        has_second_factor=bool(list_methods(await factor_store.find_factors(tx, user["login_id"]))),
    )


async def _join(
    tx: Tx, proven: ProvenPhone, login: Record | None, workspace_id: UUID, name: str | None
) -> PhoneUser:
    if not await phone_store.has_workspace_of_id(tx, workspace_id):
        raise WrongCode
    if name is None:
        raise NameNeeded
    name = require_name(name)
    login_id: UUID = login["id"] if login is not None else uuid7()
    if login is None and not await phone_store.insert_phone_login(tx, login_id, proven.phone):
        raise WrongCode  # another code of this number was faster
    actor_id = uuid7()
    await store.insert_actor(
        tx, workspace_id, actor_id, "user", name, role="member", login_id=login_id, phone=proven.phone
    )
    caller = Caller(
        workspace_id=workspace_id, actor_id=actor_id, kind="user", role="member", scopes=frozenset(),
        session_id=None, name=name, login_id=login_id, address=proven.address,
    )  # fmt: skip
    await record_audit(
        tx, caller, "user.joined", public_id("act", actor_id), None, {"name": name, "by": "phone"}
    )
    factors = await factor_store.find_factors(tx, login_id)
    return PhoneUser(
        has_second_factor=bool(list_methods(factors)),
        login_id=login_id,
        workspace_id=workspace_id,
        actor_id=actor_id,
        role="member",
        name=name,
        is_new=True,
    )

"""Users of a workspace: who is here, what their role is, and whether they still may come in."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from asyncpg import Record
from msgspec import UNSET

from parley.accounts import store
from parley.accounts.actors import format_actor
from parley.accounts.audit import record_audit
from parley.accounts.caller import Caller, Role
from parley.accounts.errors import EmailTaken, LastOwner, OwnersOnly
from parley.accounts.fields import require_email, require_name
from parley.accounts.pages import read_after
from parley.accounts.personal import record_personal
from parley.accounts.schemas import ChangeMe, ChangeUser, LoginName, Me, User, WorkspaceName
from parley.infra.db import Tx
from parley.kit.errors import NotFound
from parley.kit.events import PresenceHint
from parley.kit.ids import public_id, uuid7
from parley.kit.pages import Page, encode_cursor
from parley.kit.text import clean_name


async def get_me(tx: Tx, caller: Caller) -> Me:
    """Return who the caller is."""
    workspace = await store.find_workspace(tx, caller.workspace_id)
    row = await store.find_user(tx, caller.workspace_id, caller.actor_id)
    if workspace is None or row is None:
        raise NotFound
    return Me(
        workspace=WorkspaceName(id=public_id("ws", workspace["id"]), name=workspace["name"]),
        actor=format_actor(row),
        login=LoginName(email=row["email"], phone=row["phone"]) if caller.login_id else None,
        session_id=public_id("ses", caller.session_id) if caller.session_id else None,
        scopes=sorted(caller.scopes),
        locale=row["locale"],
        shows_last_seen=row["shows_last_seen"],
    )


async def change_me(tx: Tx, caller: Caller, change: ChangeMe) -> Me:
    """Change one's own name, language, or whether others see when one is here. Raises: Forbidden for bots, Malformed."""
    caller.require_user()
    name = None if change.name is UNSET else require_name(change.name)
    locale = None if change.locale is UNSET else change.locale
    shows = None if change.shows_last_seen is UNSET else change.shows_last_seen
    await store.update_self(tx, caller.workspace_id, caller.actor_id, name, locale, shows)
    if shows is not None:
        tx.hints.append(PresenceHint(workspace_id=caller.workspace_id, actor_id=caller.actor_id))
    return await get_me(tx, caller)


async def list_users(
    tx: Tx, caller: Caller, *, query: str = "", cursor: str | None, limit: int
) -> Page[User]:
    """Return a page of the workspace's users, deactivated ones too, oldest first; e-mails and numbers only to staff.

    With a query those whose name has it, or whose e-mail, if the caller is told that. Raises: Malformed.
    """
    rows = await store.list_users(
        tx,
        caller.workspace_id,
        read_after(cursor),
        limit + 1,
        query=clean_name(query),
        by_email=caller.is_staff,
    )
    items = [_format_user(row, is_address_shown=caller.is_staff) for row in rows[:limit]]
    return Page(items, encode_cursor(str(rows[limit - 1]["id"])) if len(rows) > limit else None)


async def add_user(tx: Tx, caller: Caller, *, name: str, email: str, role: Role) -> tuple[UUID, User]:
    """Add a user who cannot sign in before accepting an invitation (`invitations.invite`).

    Raises: Forbidden unless an admin, OwnersOnly, EmailTaken, Malformed.
    """
    caller.require_admin()
    if role == "owner" and caller.role != "owner":
        raise OwnersOnly
    name, email = require_name(name), require_email(email)
    await store.lock_workspace(tx, caller.workspace_id)
    if await store.has_user_with_email(tx, caller.workspace_id, email):
        raise EmailTaken("The workspace has a user with this e-mail.", email=email)
    actor_id = uuid7()
    await store.insert_actor(tx, caller.workspace_id, actor_id, "user", name, role=role, email=email)
    target = public_id("act", actor_id)
    await record_audit(tx, caller, "user.invited", target, None, {"name": name, "email": email, "role": role})
    return actor_id, _format_user(await _get_user(tx, caller.workspace_id, actor_id))


async def change_user(tx: Tx, caller: Caller, user_id: UUID, change: ChangeUser) -> tuple[User, bool]:
    """Change a user's name, role or whether they may come in; say whether their sessions have to end.

    A change of rights is told to the user's own clients by `rights.changed` in their personal stream.
    Raises: Forbidden unless an admin, OwnersOnly, LastOwner, NotFound, Malformed.
    """
    caller.require_admin()
    rows = {row["id"]: row for row in await store.lock_user_and_owners(tx, caller.workspace_id, user_id)}
    user = rows.get(user_id)
    if user is None:
        raise NotFound
    before, after = _pick(user), _apply(user, change)
    if before == after:
        return _format_user(user), False
    other_owners = [row for row in rows.values() if row["id"] != user_id and row["deactivated_at"] is None]
    _check_owners(caller, before, after, has_other_owner=bool(other_owners))
    deactivated_at = _deactivated_at(user, after, tx.now)
    await store.update_user(
        tx,
        caller.workspace_id,
        user_id,
        name=after["name"],
        role=after["role"],
        deactivated_at=deactivated_at,
    )
    has_new_rights = any(before[key] != after[key] for key in ("role", "is_deactivated"))
    if has_new_rights:
        await record_personal(tx, caller.workspace_id, user_id, "rights.changed", {})
    changed = [key for key in before if before[key] != after[key]]
    await record_audit(
        tx, caller, "user.changed", public_id("act", user_id),
        {key: before[key] for key in changed}, {key: after[key] for key in changed},
    )  # fmt: skip
    row = await _get_user(tx, caller.workspace_id, user_id)
    return _format_user(row), after["is_deactivated"] and not before["is_deactivated"]


def _pick(user: Record) -> dict[str, Any]:
    return {
        "name": user["name"],
        "role": user["role"],
        "is_deactivated": user["deactivated_at"] is not None,
    }


def _apply(user: Record, change: ChangeUser) -> dict[str, Any]:
    after = _pick(user)
    if change.name is not UNSET:
        after["name"] = require_name(change.name)
    if change.role is not UNSET:
        after["role"] = change.role
    if change.is_deactivated is not UNSET:
        after["is_deactivated"] = change.is_deactivated
    return after


def _check_owners(
    caller: Caller, before: dict[str, Any], after: dict[str, Any], *, has_other_owner: bool
) -> None:
    touches_owner = "owner" in (before["role"], after["role"])
    rights = ("role", "is_deactivated")
    if touches_owner and caller.role != "owner" and any(before[key] != after[key] for key in rights):
        raise OwnersOnly
    was_owner = before["role"] == "owner" and not before["is_deactivated"]
    stays_owner = after["role"] == "owner" and not after["is_deactivated"]
    if was_owner and not stays_owner and not has_other_owner:
        raise LastOwner


def _deactivated_at(user: Record, after: dict[str, Any], now: dt.datetime) -> dt.datetime | None:
    if not after["is_deactivated"]:
        return None
    kept: dt.datetime | None = user["deactivated_at"]
    return kept or now


async def _get_user(tx: Tx, workspace_id: UUID, user_id: UUID) -> Record:
    row = await store.find_user(tx, workspace_id, user_id)
    if row is None:
        raise NotFound
    return row


def _format_user(row: Record, *, is_address_shown: bool = True) -> User:
    return User(
        id=public_id("act", row["id"]),
        kind=row["kind"],
        name=row["name"],
        role=row["role"],
        email=row["email"] if is_address_shown else None,
        phone=row["phone"] if is_address_shown else None,
        has_joined=row["has_joined"],
        created_at=row["created_at"],
        deactivated_at=row["deactivated_at"],
    )

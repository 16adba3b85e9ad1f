"""Users as an embedding application knows them: by its own ids, with its own fields."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from asyncpg import Record
from msgspec import UNSET

from parley.accounts import acting_store
from parley.accounts.acting import may_reach
from parley.accounts.audit import record_audit
from parley.accounts.caller import Caller
from parley.accounts.embedding_schemas import ExternalUser, PutExternalUser
from parley.accounts.errors import OwnersOnly
from parley.accounts.fields import require_external_id, require_name
from parley.accounts.personal import record_personal
from parley.infra.db import Tx
from parley.kit.errors import Forbidden, NotFound
from parley.kit.fields import require_fields
from parley.kit.ids import public_id, uuid7


async def get_external_user(tx: Tx, caller: Caller, external_id: str) -> ExternalUser:
    """Return the user of an external id. Raises: Forbidden, NotFound, Malformed."""
    caller.require_actors_keeper()
    row = await acting_store.find_external_user(tx, caller.workspace_id, require_external_id(external_id))
    if row is None:
        raise NotFound
    return _format(row)


async def put_external_user(
    tx: Tx, caller: Caller, external_id: str, put: PutExternalUser
) -> tuple[ExternalUser, UUID, bool]:
    """Make the user of an external id what is said; return it, its id, and whether it is new.

    A new one is a plain member without a way to sign in. Of several at once one makes it. What is left out stays.
    Raises: Forbidden, OwnersOnly, Malformed.
    """
    caller.require_actors_keeper()
    external_id, name = require_external_id(external_id), require_name(put.name)
    locale = None if put.locale is UNSET else put.locale
    row = await acting_store.lock_external_user(tx, caller.workspace_id, external_id)
    is_new = row is None and await acting_store.insert_external_user(
        tx, caller.workspace_id, uuid7(), external_id, name, locale
    )
    if row is None:
        row = await acting_store.lock_external_user(tx, caller.workspace_id, external_id)
    if row is None:
        raise NotFound
    await _apply(tx, caller, row, put, is_new=is_new)
    return await get_external_user(tx, caller, external_id), row["id"], is_new


async def get_user_fields(tx: Tx, caller: Caller, user_id: UUID) -> dict[str, Any]:
    """Return a user's fields: to who keeps them, and to the user. Raises: Forbidden, NotFound."""
    if user_id != caller.actor_id:
        caller.require_actors_keeper()
    fields: dict[str, Any] = (await _get_user(tx, caller, user_id))["fields"]
    return fields


async def set_user_fields(tx: Tx, caller: Caller, user_id: UUID, fields: dict[str, Any]) -> dict[str, Any]:
    """Replace a user's fields. Raises: Forbidden, NotFound, Malformed, TooLarge."""
    caller.require_actors_keeper()
    fields = require_fields(fields)
    row = await _get_user(tx, caller, user_id)
    await acting_store.set_actor_fields(tx, caller.workspace_id, user_id, fields)
    if row["fields"] != fields:
        await record_audit(
            tx,
            caller,
            "user.changed",
            public_id("act", user_id),
            {"fields": row["fields"]},
            {"fields": fields},
        )
    return fields


async def set_integration(tx: Tx, caller: Caller, user_id: UUID, *, is_enabled: bool) -> None:
    """Have a user's updates published to the broker, or no more. Repeat: harmless. Raises: Forbidden, NotFound."""
    caller.require_actors_keeper()
    await _get_user(tx, caller, user_id)
    change = acting_store.enable_integration if is_enabled else acting_store.disable_integration
    if await change(tx, caller.workspace_id, user_id):
        before, after = {"has_integration": not is_enabled}, {"has_integration": is_enabled}
        await record_audit(tx, caller, "user.changed", public_id("act", user_id), before, after)


async def _apply(tx: Tx, caller: Caller, row: Record, put: PutExternalUser, *, is_new: bool) -> None:
    before = _pick(row)
    after = dict(before, name=require_name(put.name))
    if put.locale is not UNSET:
        after["locale"] = put.locale
    if put.fields is not UNSET:
        after["fields"] = require_fields(put.fields)
    if put.is_deactivated is not UNSET:
        after["is_deactivated"] = put.is_deactivated
    if put.has_integration is not UNSET:
        after["has_integration"] = put.has_integration
    changed = [key for key in after if is_new or before[key] != after[key]]
    if not changed:
        return
    _require_reach(caller, row)
    await _write(tx, caller, row, before, after)
    await record_audit(
        tx,
        caller,
        "user.created" if is_new else "user.changed",
        public_id("act", row["id"]),
        None if is_new else {key: before[key] for key in changed},
        {key: after[key] for key in changed},
    )


async def _write(tx: Tx, caller: Caller, row: Record, before: dict[str, Any], after: dict[str, Any]) -> None:
    deactivated_at: dt.datetime | None = (
        (row["deactivated_at"] or tx.now) if after["is_deactivated"] else None
    )
    await acting_store.update_external_user(
        tx,
        caller.workspace_id,
        row["id"],
        name=after["name"],
        locale=after["locale"],
        deactivated_at=deactivated_at,
    )
    if before["fields"] != after["fields"]:
        await acting_store.set_actor_fields(tx, caller.workspace_id, row["id"], after["fields"])
    if before["has_integration"] != after["has_integration"]:
        change = (
            acting_store.enable_integration if after["has_integration"] else acting_store.disable_integration
        )
        await change(tx, caller.workspace_id, row["id"])
    if before["is_deactivated"] != after["is_deactivated"]:
        await record_personal(tx, caller.workspace_id, row["id"], "rights.changed", {})


def _require_reach(caller: Caller, row: Record) -> None:
    if may_reach(caller, row["role"]):
        return
    if row["role"] == "owner":
        raise OwnersOnly
    raise Forbidden("This user may more than the API key.", role=row["role"])


def _pick(row: Record) -> dict[str, Any]:
    return {
        "name": row["name"],
        "locale": row["locale"],
        "fields": row["fields"],
        "is_deactivated": row["deactivated_at"] is not None,
        "has_integration": row["has_integration"],
    }


async def _get_user(tx: Tx, caller: Caller, user_id: UUID) -> Record:
    row = await acting_store.find_user(tx, caller.workspace_id, user_id)
    if row is None:
        raise NotFound
    return row


def _format(row: Record) -> ExternalUser:
    return ExternalUser(
        id=public_id("act", row["id"]),
        kind=row["kind"],
        name=row["name"],
        role=row["role"],
        external_id=row["external_id"],
        locale=row["locale"],
        fields=row["fields"],
        has_integration=row["has_integration"],
        created_at=row["created_at"],
        deactivated_at=row["deactivated_at"],
    )

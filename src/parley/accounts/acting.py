"""Acting: an API key with the scope ``act`` speaks as any user or bot of its workspace.

The rights are those of the actor, as far as the key's own scopes reach: without ``desk`` nobody's inboxes, without
``admin`` nobody's administration, an owner's own rights never. Contacts speak through their channel alone.
"""

from __future__ import annotations

import datetime as dt
from uuid import UUID

import msgspec
from asyncpg import Record

from parley.accounts import acting_store
from parley.accounts.audit import record_audit
from parley.accounts.caller import Caller, Role
from parley.accounts.fields import require_external_id
from parley.infra.db import Tx
from parley.kit.errors import Forbidden, NotFound
from parley.kit.ids import parse_id, public_id

ACTOR_HEADER = "X-Parley-Actor"
EXTERNAL_PREFIX = "ext:"
NOTED_EVERY = dt.timedelta(days=1)
"""That a key acts for somebody is in the audit once in this time, whatever it does; administrative acts each."""


async def find_acted(tx: Tx, key: Caller, reference: str) -> Caller:
    """Return the actor a key speaks as: ``act_...``, or ``ext:`` and a user's external id.

    Raises: Forbidden without the scope, and for contacts; NotFound; Malformed.
    """
    if key.kind != "bot" or "act" not in key.scopes:
        raise Forbidden("This takes an API key that may act for others.", scope="act")
    row = await _find(tx, key.workspace_id, reference)
    if row is None or row["deactivated_at"] is not None:
        raise NotFound("There is no such actor here.")
    if row["kind"] == "contact":
        raise Forbidden("Contacts speak through their channel.")
    await _note(tx, key, row["id"])
    return msgspec.structs.replace(
        key,
        actor_id=row["id"],
        kind=row["kind"],
        role=cap_role(key, row["role"]) if row["role"] else None,
        scopes=frozenset(row["scopes"] or ()) & (key.scopes | {"chat"}) - {"act"},
        name=row["name"],
        login_id=row["login_id"],
        by_id=key.actor_id,
    )


def cap_role(key: Caller, role: Role) -> Role:
    """Return a role as far as the caller's own rights reach."""
    if role in ("owner", "admin") and key.is_admin:
        return "admin"
    return "agent" if role != "member" and key.is_staff else "member"


def may_reach(caller: Caller, role: Role) -> bool:
    """Whether the caller may take all that a user of this role can do into its hands."""
    return cap_role(caller, role) == role


async def _find(tx: Tx, workspace_id: UUID, reference: str) -> Record | None:
    if reference.startswith(EXTERNAL_PREFIX):
        external_id = require_external_id(reference.removeprefix(EXTERNAL_PREFIX))
        return await acting_store.find_by_external_id(tx, workspace_id, external_id)
    return await acting_store.find_by_id(tx, workspace_id, parse_id("act", reference))


async def _note(tx: Tx, key: Caller, actor_id: UUID) -> None:
    if await acting_store.note_acting(
        tx, key.workspace_id, key.actor_id, actor_id, since=tx.now - NOTED_EVERY
    ):
        await record_audit(tx, key, "actor.acted_for", public_id("act", actor_id))

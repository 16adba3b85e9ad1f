"""The audit: who changed what of the workspace, when and from where. Entries are never changed (ADR 0004)."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from asyncpg import Record

from parley.accounts import store
from parley.accounts.actors import find_actors, format_actor
from parley.accounts.caller import Caller
from parley.accounts.pages import read_after
from parley.accounts.schemas import AuditEntry
from parley.infra.db import Tx
from parley.kit.ids import parse_id, public_id, uuid7
from parley.kit.pages import Page, encode_cursor

AuditAction = Literal[
    "actor.acted_for",
    "api_key.created",
    "api_key.revoked",
    "contact.changed",
    "inbox.changed",
    "inbox.connected",
    "inbox.disconnected",
    "inbox.member_added",
    "inbox.member_removed",
    "inbox.reconnected",
    "invitation.accepted",
    "invitation.issued",
    "journal.replayed",
    "passkey.added",
    "passkey.removed",
    "password.changed",
    "phone.changed",
    "recovery_code.used",
    "recovery_codes.renewed",
    "second_factor.disabled",
    "second_factor.enabled",
    "session.issued",
    "totp.disabled",
    "totp.enabled",
    "user.changed",
    "user.created",
    "user.invited",
    "user.joined",
    "workspace.created",
    "workspace.renamed",
]
"""Every act that is written down, `noun.verb_past`, of all slices. Screens have words for each (`audit.actions`)."""


async def record_audit(
    tx: Tx,
    caller: Caller,
    action: AuditAction,
    target: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write an administrative act down, in the transaction of the act itself.

    ``target`` is a public id; ``before`` and ``after`` hold what changed, no secrets.
    """
    await store.insert_audit(
        tx,
        caller.workspace_id,
        uuid7(),
        caller.actor_id,
        action,
        target,
        before,
        after,
        caller.address,
        caller.by_id,
    )


async def list_audit(tx: Tx, caller: Caller, *, cursor: str | None, limit: int) -> Page[AuditEntry]:
    """Return a page of the audit, newest first. Raises: Forbidden unless an admin, Malformed."""
    caller.require_admin()
    rows = await store.list_audit(tx, caller.workspace_id, read_after(cursor), limit + 1)
    whom = {row["id"]: _find_whom(row) for row in rows[:limit]}
    known = await find_actors(tx, {key for key in whom.values() if key})
    items = [
        AuditEntry(
            id=public_id("aud", row["id"]),
            at=row["at"],
            actor=format_actor(row, "actor_id") if row["actor_id"] else None,
            action=row["action"],
            target=row["target"],
            about=known.get(key) if (key := whom[row["id"]]) else None,
            before=row["before"],
            after=row["after"],
            address=row["address"],
            by_id=public_id("act", row["by_id"]) if row["by_id"] else None,
        )
        for row in rows[:limit]
    ]
    return Page(items, encode_cursor(str(rows[limit - 1]["id"])) if len(rows) > limit else None)


def _find_whom(row: Record) -> UUID | None:
    """Return the actor to whom it was done: the target itself, or who was put into an inbox or taken out."""
    whom = row["target"] if row["target"].startswith("act_") else (row["after"] or {}).get("actor_id")
    return parse_id("act", whom) if whom else None

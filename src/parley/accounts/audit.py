"""The audit: who changed what of the workspace, when and from where. Entries are never changed (ADR 0004)."""

from __future__ import annotations

from typing import Any

from parley.accounts import store
from parley.accounts.actors import format_actor
from parley.accounts.caller import Caller
from parley.accounts.pages import read_after
from parley.accounts.schemas import AuditEntry
from parley.infra.db import Tx
from parley.kit.ids import public_id, uuid7
from parley.kit.pages import Page, encode_cursor


async def record_audit(
    tx: Tx,
    caller: Caller,
    action: str,
    target: str = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write an administrative act down, in the transaction of the act itself.

    ``action`` is `noun.verb_past`; ``target`` a public id; ``before`` and ``after`` hold what changed, no secrets.
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
    items = [
        AuditEntry(
            id=public_id("aud", row["id"]),
            at=row["at"],
            actor=format_actor(row, "actor_id") if row["actor_id"] else None,
            action=row["action"],
            target=row["target"],
            before=row["before"],
            after=row["after"],
            address=row["address"],
            by_id=public_id("act", row["by_id"]) if row["by_id"] else None,
        )
        for row in rows[:limit]
    ]
    return Page(items, encode_cursor(str(rows[limit - 1]["id"])) if len(rows) > limit else None)

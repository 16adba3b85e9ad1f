"""SQL of inboxes and their members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from parley.infra.db import Tx


async def insert_inbox(
    tx: Tx,
    *,
    workspace_id: UUID,
    inbox_id: UUID,
    channel: str,
    name: str,
    address: str,
    secrets: bytes,
    config: dict[str, Any],
) -> None:
    """Insert an inbox. Raises: asyncpg.UniqueViolationError when the account is connected anywhere."""
    await tx.execute(
        """INSERT INTO inbox (workspace_id, id, channel, name, address, secrets, config, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        workspace_id,
        inbox_id,
        channel,
        name,
        address,
        secrets,
        config,
        tx.now,
    )


async def find_inbox(tx: Tx, inbox_id: UUID, *, lock: bool = False) -> asyncpg.Record | None:
    """Return an inbox this transaction may see, locked until commit if asked."""
    return await tx.fetchrow(
        f"SELECT * FROM inbox WHERE id = $1{' FOR NO KEY UPDATE' if lock else ''}", inbox_id
    )


async def get_inboxes(tx: Tx, inbox_ids: Sequence[UUID]) -> dict[UUID, asyncpg.Record]:
    """Return those inboxes that this transaction may see, by id."""
    rows = await tx.fetch("SELECT * FROM inbox WHERE id = ANY($1)", list(inbox_ids))
    return {row["id"]: row for row in rows}


async def list_inboxes(tx: Tx, workspace_id: UUID, staff_id: UUID | None) -> list[asyncpg.Record]:
    """Return the connected and broken inboxes of a workspace, or those a user is a member of, oldest first."""
    return await tx.fetch(
        """SELECT * FROM inbox i WHERE workspace_id = $1 AND state <> 'disconnected'
            AND ($2::uuid IS NULL OR EXISTS (
                SELECT FROM inbox_member m WHERE m.inbox_id = i.id AND m.actor_id = $2))
        ORDER BY id""",
        workspace_id,
        staff_id,
    )


async def change_inbox(tx: Tx, inbox_id: UUID, *, name: str, reopen: str, within_hours: int | None) -> None:
    """Set name and reopen rule."""
    await tx.execute(
        "UPDATE inbox SET name = $2, reopen = $3, reopen_within_hours = $4 WHERE id = $1",
        inbox_id,
        name,
        reopen,
        within_hours,
    )


async def set_state(tx: Tx, inbox_id: UUID, state: str, reason: str | None) -> bool:
    """Set the state; a disconnected inbox stays so. Returns whether it changed."""
    return bool(
        await tx.execute(
            """UPDATE inbox SET state = $2, state_reason = $3,
                disconnected_at = CASE WHEN $2 = 'disconnected' THEN $4::timestamptz END
            WHERE id = $1 AND state <> 'disconnected' AND (state, state_reason) IS DISTINCT FROM ($2, $3)""",
            inbox_id,
            state,
            reason,
            tx.now,
        )
    )


async def set_account(
    tx: Tx, inbox_id: UUID, *, address: str, secrets: bytes, config: dict[str, Any]
) -> None:
    """Set new credentials and mark it connected."""
    await tx.execute(
        """UPDATE inbox SET address = $2, secrets = $3, config = $4, state = 'connected', state_reason = NULL
        WHERE id = $1""",
        inbox_id,
        address,
        secrets,
        config,
    )


async def add_member(tx: Tx, workspace_id: UUID, inbox_id: UUID, actor_id: UUID) -> bool:
    """Add a user to an inbox; returns whether they are new there."""
    return bool(
        await tx.execute(
            """INSERT INTO inbox_member (workspace_id, inbox_id, actor_id, created_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING""",
            workspace_id,
            inbox_id,
            actor_id,
            tx.now,
        )
    )


async def remove_member(tx: Tx, inbox_id: UUID, actor_id: UUID) -> bool:
    """Take a user out of an inbox; waits for sends of theirs that are under way."""
    return bool(
        await tx.execute("DELETE FROM inbox_member WHERE inbox_id = $1 AND actor_id = $2", inbox_id, actor_id)
    )


async def list_members(tx: Tx, inbox_id: UUID) -> list[UUID]:
    """Return the members of an inbox by id; an inbox has at most some hundreds."""
    rows = await tx.fetch("SELECT actor_id FROM inbox_member WHERE inbox_id = $1 ORDER BY actor_id", inbox_id)
    return [row["actor_id"] for row in rows]


# ---------------------------------------------------------------- polling (system role)


async def claim_polling(tx: Tx, token: UUID, seconds: float, limit: int) -> list[asyncpg.Record]:
    """Lease connected inboxes that nobody polls; the caller sorts out those that use webhooks."""
    return await tx.fetch(
        """UPDATE inbox SET poll_lease_token = $1, poll_lease_until = now() + make_interval(secs => $2)
        WHERE id IN (SELECT id FROM inbox WHERE state = 'connected' AND coalesce(config->>'updates', '') = 'polling'
            AND (poll_lease_until IS NULL OR poll_lease_until < now()) LIMIT $3 FOR UPDATE SKIP LOCKED)
        RETURNING *""",
        token,
        seconds,
        limit,
    )


async def renew_polling(
    tx: Tx, inbox_ids: Sequence[UUID], token: UUID, seconds: float
) -> list[asyncpg.Record]:
    """Keep polling inboxes; those are left out that are another's, broken or disconnected meanwhile."""
    return await tx.fetch(
        """UPDATE inbox SET poll_lease_until = now() + make_interval(secs => $3)
        WHERE id = ANY($1) AND poll_lease_token = $2 AND state = 'connected' RETURNING *""",
        list(inbox_ids),
        token,
        seconds,
    )


async def move_polling(tx: Tx, inbox_id: UUID, token: UUID, cursor: str | None) -> bool:
    """Store how far an inbox was read; False when the lease is another's."""
    return bool(
        await tx.execute(
            "UPDATE inbox SET poll_cursor = $3 WHERE id = $1 AND poll_lease_token = $2",
            inbox_id,
            token,
            cursor,
        )
    )


async def release_polling(tx: Tx, inbox_id: UUID, token: UUID) -> None:
    """Give up polling an inbox."""
    await tx.execute(
        "UPDATE inbox SET poll_lease_token = NULL, poll_lease_until = NULL WHERE id = $1 AND poll_lease_token = $2",
        inbox_id,
        token,
    )


async def release_all_polling(tx: Tx) -> None:
    """Give up polling every inbox: for the one process of an installation, at its start."""
    await tx.execute(
        "UPDATE inbox SET poll_lease_token = NULL, poll_lease_until = NULL WHERE poll_lease_token IS NOT NULL"
    )

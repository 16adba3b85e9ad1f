"""SQL of the delivery ledger."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from parley.infra.db import Tx
from parley.infra.work import WorkTable

DELIVERIES = WorkTable(
    "delivery", columns=("conversation_id", "message_id", "inbox_id", "action", "version"), max_attempts=20
)


async def insert_deliveries(
    tx: Tx,
    *,
    workspaces: Sequence[UUID],
    ids: Sequence[UUID],
    conversations: Sequence[UUID],
    messages: Sequence[UUID],
    inboxes: Sequence[UUID],
    actions: Sequence[str],
    versions: Sequence[int],
) -> None:
    """Queue deliveries in order; the lane is the conversation."""
    await tx.execute(
        """INSERT INTO delivery
            (workspace_id, id, conversation_id, message_id, inbox_id, action, version, lane, created_at, changed_at)
        SELECT t.w, t.id, t.c, t.m, t.i, t.a, t.v, t.c::text, $8, $8
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::integer[])
            WITH ORDINALITY AS t (w, id, c, m, i, a, v, n) ORDER BY n""",
        list(workspaces),
        list(ids),
        list(conversations),
        list(messages),
        list(inboxes),
        list(actions),
        list(versions),
        tx.now,
    )


async def lock_delivery(tx: Tx, delivery_id: UUID) -> asyncpg.Record | None:
    """Lock one delivery until commit."""
    return await tx.fetchrow("SELECT * FROM delivery WHERE id = $1 FOR NO KEY UPDATE", delivery_id)


async def lock_send_of(tx: Tx, conversation_id: UUID, message_id: UUID) -> asyncpg.Record | None:
    """Lock the delivery that sends a message. Index: delivery_message."""
    return await tx.fetchrow(
        """SELECT * FROM delivery WHERE conversation_id = $1 AND message_id = $2 AND action = 'send'
        FOR NO KEY UPDATE""",
        conversation_id,
        message_id,
    )


async def set_state(tx: Tx, delivery_id: UUID, state: str, code: str | None, text: str | None) -> None:
    """Set the ledger's state; the move was checked."""
    await tx.execute(
        "UPDATE delivery SET state = $2, error_code = $3, error_text = $4, changed_at = $5 WHERE id = $1",
        delivery_id,
        state,
        code,
        text,
        tx.now,
    )


async def close_queued(tx: Tx, delivery_id: UUID) -> bool:
    """End the work of a delivery that nobody has begun; False when it is under way or over."""
    return bool(
        await tx.execute(
            "UPDATE delivery SET work = 'done', finished_at = $2 WHERE id = $1 AND work IN ('ready', 'held')",
            delivery_id,
            tx.now,
        )
    )


async def queue_again(tx: Tx, delivery_id: UUID) -> bool:
    """Make the work of a finished delivery ready again at its place in the lane."""
    return bool(
        await tx.execute(
            """UPDATE delivery SET work = 'ready', due_at = $2, attempts = 0, finished_at = NULL, last_error = NULL
            WHERE id = $1 AND work IN ('done', 'failed', 'held')""",
            delivery_id,
            tx.now,
        )
    )


async def list_parts(tx: Tx, delivery_id: UUID) -> list[asyncpg.Record]:
    """Return the provider calls of a delivery, in order."""
    return await tx.fetch("SELECT * FROM delivery_part WHERE delivery_id = $1 ORDER BY ordinal", delivery_id)


async def insert_parts(tx: Tx, workspace_id: UUID, delivery_id: UUID, count: int) -> None:
    """Make a row for each provider call. Repeat: those that are there stay."""
    await tx.execute(
        """INSERT INTO delivery_part (workspace_id, delivery_id, ordinal, state, changed_at)
        SELECT $1, $2, n, 'queued', $4 FROM generate_series(0, $3::integer - 1) AS n ON CONFLICT DO NOTHING""",
        workspace_id,
        delivery_id,
        count,
        tx.now,
    )


async def set_part(
    tx: Tx,
    delivery_id: UUID,
    ordinal: int,
    state: str,
    *,
    provider_ids: Sequence[str] = (),
    code: str | None = None,
) -> None:
    """Set the state of one call, with the provider's ids it made."""
    await tx.execute(
        """UPDATE delivery_part SET state = $3, error_code = $5, changed_at = $6,
            provider_ids = CASE WHEN $4::text[] = '{}' THEN provider_ids ELSE $4 END
        WHERE delivery_id = $1 AND ordinal = $2""",
        delivery_id,
        ordinal,
        state,
        list(provider_ids),
        code,
        tx.now,
    )


async def reset_parts(tx: Tx, delivery_id: UUID) -> None:
    """Make the calls that are not known as done queued again; those that were sent stay sent."""
    await tx.execute(
        """UPDATE delivery_part SET state = 'queued', error_code = NULL, changed_at = $2
        WHERE delivery_id = $1 AND state <> 'sent'""",
        delivery_id,
        tx.now,
    )


async def list_sent_ids(tx: Tx, conversation_id: UUID, message_id: UUID) -> list[str]:
    """Return the provider's ids of a message, in the order of its parts."""
    rows = await tx.fetch(
        """SELECT p.provider_ids FROM delivery d JOIN delivery_part p ON p.delivery_id = d.id
        WHERE d.conversation_id = $1 AND d.message_id = $2 AND d.action = 'send' AND p.state = 'sent'
        ORDER BY p.ordinal""",
        conversation_id,
        message_id,
    )
    return [provider_id for row in rows for provider_id in row["provider_ids"]]


async def find_recipient(tx: Tx, conversation_id: UUID) -> asyncpg.Record | None:
    """Return whom a desk conversation is with: identity and address."""
    return await tx.fetchrow(
        """SELECT d.identity_id, i.address, i.is_reachable FROM desk_conversation d
        JOIN identity i ON i.workspace_id = d.workspace_id AND i.id = d.identity_id WHERE d.conversation_id = $1""",
        conversation_id,
    )


async def list_held(tx: Tx) -> list[UUID]:
    """Return the deliveries that wait for an operator. Index: delivery_failed. System role."""
    return [row["id"] for row in await tx.fetch("SELECT id FROM delivery WHERE work = 'held' ORDER BY seq")]


async def hold_unfinished(tx: Tx) -> int:
    """Hold every delivery that was not begun, also those claimed by a process of another life; returns how many."""
    return await tx.execute(
        """UPDATE delivery SET work = 'held', lease_token = NULL, lease_until = NULL
        WHERE work = 'ready' OR (work = 'leased' AND state = 'queued')"""
    )

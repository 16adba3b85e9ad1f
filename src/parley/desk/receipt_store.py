"""SQL of receipts: a provider's statuses that came before we knew what they are about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from parley.infra.db import Tx


async def lock_chat(tx: Tx, inbox_id: UUID, chat: str) -> None:
    """Let nobody else learn an id or park a status of this chat until commit. Before the conversation's row."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"receipts {inbox_id} {chat}")


async def park(
    tx: Tx,
    *,
    workspace_id: UUID,
    inbox_id: UUID,
    chat: str,
    provider_id: str,
    state: str,
    error_code: str | None,
    error_text: str | None,
    at: dt.datetime,
) -> None:
    """Keep a status for later. Repeat: the first stays."""
    await tx.execute(
        """INSERT INTO parked_status (workspace_id, inbox_id, chat, provider_id, state, error_code, error_text, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING""",
        workspace_id,
        inbox_id,
        chat,
        provider_id,
        state,
        error_code,
        error_text,
        at,
    )


async def take_parked(tx: Tx, inbox_id: UUID, chat: str, provider_ids: Sequence[str]) -> list[asyncpg.Record]:
    """Remove and return what is parked for these ids. Index: parked_status's primary key."""
    return await tx.fetch(
        """DELETE FROM parked_status WHERE inbox_id = $1 AND chat = $2 AND provider_id = ANY($3) RETURNING *""",
        inbox_id,
        chat,
        list(provider_ids),
    )


async def delete_parked_before(tx: Tx, moment: dt.datetime) -> int:
    """Forget statuses of messages that never became known; returns how many. A few rows at any time."""
    return await tx.execute("DELETE FROM parked_status WHERE at < $1", moment)

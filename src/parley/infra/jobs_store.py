"""SQL of jobs and schedules; claims and verdicts are in `parley.infra.work_store`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from parley.infra.db import Tx


async def insert_job(
    tx: Tx,
    id_: UUID,
    workspace_id: UUID | None,
    kind: str,
    payload: Mapping[str, Any],
    due_at: dt.datetime | None,
    lane: str | None,
    unique_key: str | None,
) -> bool:
    """Insert a job, due now unless said otherwise; False when an unfinished one has its key (index job_unique)."""
    added = await tx.execute(
        """
        INSERT INTO job (id, workspace_id, kind, payload, due_at, lane, unique_key)
        VALUES ($1, $2, $3, $4, coalesce($5, now()), $6, $7)
        ON CONFLICT (kind, workspace_id, unique_key) WHERE unique_key IS NOT NULL AND work IN ('ready', 'leased')
        DO NOTHING
        """,
        id_, workspace_id, kind, payload, due_at, lane, unique_key,
    )  # fmt: skip
    return added == 1


async def upsert_schedules(tx: Tx, names: Sequence[str], every_seconds: Sequence[int]) -> None:
    """Make schedules known, the new ones due now; one that became more frequent is not due later than that says."""
    await tx.execute(
        """
        INSERT INTO schedule AS s (name, every_seconds, next_at)
        SELECT name, every, now() FROM unnest($1::text[], $2::int[]) AS n (name, every) ORDER BY name
        ON CONFLICT (name) DO UPDATE SET every_seconds = excluded.every_seconds,
            next_at = least(s.next_at, now() + excluded.every_seconds * interval '1 second')
        WHERE s.every_seconds <> excluded.every_seconds
        """,
        names, every_seconds,
    )  # fmt: skip


async def advance_due_schedules(tx: Tx, names: Sequence[str]) -> list[str]:
    """Move due schedules to their next moment in the future and return them: each turn to one transaction only.

    The moments stay on the grid of the first; turns missed while nothing ran are one.
    """
    rows = await tx.fetch(
        """
        WITH due AS MATERIALIZED (
            SELECT name FROM schedule WHERE name = ANY ($1::text[]) AND next_at <= now()
            ORDER BY name FOR UPDATE SKIP LOCKED
        )
        UPDATE schedule s SET last_at = now(), next_at = next_at + every_seconds * interval '1 second'
            * (floor(extract(epoch FROM now() - next_at) / every_seconds) + 1)
        FROM due WHERE s.name = due.name RETURNING s.name
        """,
        names,
    )
    return sorted(row["name"] for row in rows)

"""SQL of claimed work, for any table of its shape (``0001_spine.sql``, "claimed work").

Times are the database's own (``now()``), so that workers on several machines agree on what is due and whose lease is
over. Names of tables and columns come from code only.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from parley.infra.db import Tx

WINDOW = 256
"""Due rows looked at to find lanes by age. Deeper lanes may hide others behind them; the walk finds those."""
WALK_STEPS = 1000
"""Lanes the walk visits in one claim at the most: about 5 ms."""

_TAKE = """
    work = 'leased', attempts = attempts + 1, lease_token = $1, lease_until = now() + $2 * interval '1 second'
"""
_SHAPE = "t.{key} AS id, t.seq, t.lane, t.workspace_id, t.attempts, t.due_at, t.lease_token, t.lease_until{columns}"

# Rows without a lane, oldest due first. Index {table}_free.
_CLAIM_FREE = """
WITH picked AS MATERIALIZED (
    SELECT {key} AS id FROM {table} WHERE work = 'ready' AND lane IS NULL AND due_at <= now()
    ORDER BY due_at, seq LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE {table} t SET {take} FROM picked WHERE t.{key} = picked.id RETURNING {shape}
"""

# `seq > 0` and `attempts >= 0` are always true: each names the index meant ({table}_due, {table}_lane), see
# `0010_intake.sql`. A subquery with LIMIT, where EXISTS would read better, keeps the lane an index condition: as a join
# the planner, thinking of one leased row, reads all of them for each lane.

# Lanes of the oldest due rows whose head is due and that nobody works on, locked against other claimers until the
# commit. `is_more` says that the window was full. `OFFSET 0` keeps the steps in this order and lazy: no lane is looked at
# after enough were found, none is locked that is not open. Indexes {table}_due, {table}_lane, {table}_leased.
_LOCK_OLDEST_LANES = """
WITH due AS MATERIALIZED (
    SELECT lane, row_number() OVER (ORDER BY due_at, seq) AS age FROM {table}
    WHERE work = 'ready' AND lane IS NOT NULL AND seq > 0 AND due_at <= now() ORDER BY due_at, seq LIMIT $1
), locked AS MATERIALIZED (
    SELECT lane FROM (
        SELECT lane FROM (SELECT lane FROM due GROUP BY lane ORDER BY min(age) OFFSET 0) l
        WHERE (SELECT h.due_at FROM {table} h WHERE h.lane = l.lane AND h.work = 'ready' AND h.attempts >= 0
               ORDER BY h.seq LIMIT 1) <= now()
          AND (SELECT true FROM {table} b WHERE b.lane = l.lane AND b.work = 'leased' LIMIT 1) IS NULL
        OFFSET 0
    ) open_lane
    WHERE pg_try_advisory_xact_lock(hashtext('{table}'), hashtext(lane)) LIMIT $2
)
SELECT array(SELECT lane FROM locked) AS lanes, (SELECT count(*) FROM due) >= $1 AS is_more
"""

# The same by a loose index scan over lanes in order of name, after $1 and for $3 lanes at the most, without those in $4: its cost knows
# neither the depth of lanes nor their number. The row of the last step is a marker when its lane is not open.
_LOCK_NEXT_LANES = """
WITH RECURSIVE walk AS (
    (SELECT lane, due_at, 1 AS step FROM {table}
     WHERE work = 'ready' AND attempts >= 0 AND lane > $1 ORDER BY lane, seq LIMIT 1)
    UNION ALL
    SELECT n.lane, n.due_at, w.step + 1 FROM walk w CROSS JOIN LATERAL (
        SELECT lane, due_at FROM {table}
        WHERE work = 'ready' AND attempts >= 0 AND lane > w.lane ORDER BY lane, seq LIMIT 1) n
    WHERE w.step < $3
)
SELECT lane, step, is_open FROM (
    SELECT lane, step,
           due_at <= now() AND lane <> ALL ($4::text[])
           AND (SELECT true FROM {table} b WHERE b.lane = walk.lane AND b.work = 'leased' LIMIT 1) IS NULL
           AND pg_try_advisory_xact_lock(hashtext('{table}'), hashtext(lane)) AS is_open
    FROM walk OFFSET 0
) visited WHERE is_open OR step = $3 LIMIT $2
"""

# The first rows of each locked lane: ready, due, not locked by anybody else, without a hole between them.
_CLAIM_HEADS = """
WITH head AS (
    SELECT r.id, l.lane, r.place FROM unnest($3::text[]) AS l (lane) CROSS JOIN LATERAL (
        SELECT x.id, row_number() OVER (ORDER BY x.seq) AS place FROM (
            SELECT {key} AS id, seq FROM {table} WHERE lane = l.lane AND work = 'ready' AND attempts >= 0
            ORDER BY seq LIMIT $4) x) r
    WHERE (SELECT true FROM {table} b WHERE b.lane = l.lane AND b.work = 'leased' LIMIT 1) IS NULL
), locked AS MATERIALIZED (
    SELECT t.{key} AS id, head.lane, head.place FROM head JOIN {table} t ON t.{key} = head.id
    WHERE t.work = 'ready' AND t.due_at <= now() FOR UPDATE OF t SKIP LOCKED
), picked AS MATERIALIZED (
    SELECT id FROM (SELECT id, place, row_number() OVER (PARTITION BY lane ORDER BY place) AS rank FROM locked) p
    WHERE rank = place
)
UPDATE {table} t SET {take} FROM picked WHERE t.{key} = picked.id RETURNING {shape}
"""

# Rows that their own transaction has locked are passed over: their verdict is on its way.
_RENEW = """
WITH own AS (
    SELECT t.{key} AS id FROM unnest($1::uuid[], $2::uuid[]) AS h (id, token)
    JOIN {table} t ON t.{key} = h.id AND t.lease_token = h.token
), idle AS MATERIALIZED (
    SELECT t.{key} AS id, t.lease_token AS token FROM unnest($1::uuid[], $2::uuid[]) AS h (id, token)
    JOIN {table} t ON t.{key} = h.id AND t.lease_token = h.token FOR UPDATE OF t SKIP LOCKED
), renewed AS (
    UPDATE {table} t SET lease_until = now() + $3 * interval '1 second' FROM idle WHERE t.{key} = idle.id RETURNING t.{key}
)
SELECT own.id, own.id IN (SELECT {key} FROM renewed) AS is_renewed FROM own
"""

_EXPIRED = """
WITH expired AS MATERIALIZED (
    SELECT {key} AS id FROM {table} WHERE work = 'leased' AND lease_until < now() LIMIT $1 FOR UPDATE SKIP LOCKED
)
"""

_RETURN_EXPIRED = (
    _EXPIRED
    + """
UPDATE {table} t SET
    work = CASE WHEN attempts >= $2 THEN 'failed' ELSE 'ready' END,
    finished_at = CASE WHEN attempts >= $2 THEN now() END,
    last_error = 'lease_expired: The worker stopped before it said how this went.',
    lease_token = NULL, lease_until = NULL
FROM expired WHERE t.{key} = expired.id RETURNING t.work
"""
)

_TAKE_EXPIRED = (
    _EXPIRED
    + """
UPDATE {table} t SET lease_token = $2, lease_until = now() + $3 * interval '1 second'
FROM expired WHERE t.{key} = expired.id RETURNING {shape}
"""
)

_CLOSE = """
UPDATE {table} SET work = $3, last_error = $4, finished_at = clock_timestamp(),
    lease_token = NULL, lease_until = NULL{columns}
WHERE {key} = $1 AND lease_token = $2
"""

_REOPEN = """
UPDATE {table} SET work = 'ready', due_at = $3, last_error = $4, lease_token = NULL, lease_until = NULL{columns}
WHERE {key} = $1 AND lease_token = $2
"""

_RELEASE_MANY = """
UPDATE {table} t SET work = 'ready', attempts = attempts - 1, lease_token = NULL, lease_until = NULL
FROM unnest($1::uuid[], $2::uuid[]) AS h (id, token)
WHERE t.{key} = h.id AND t.lease_token = h.token RETURNING t.{key} AS id
"""

_FINISH_MANY = """
UPDATE {table} t SET work = 'done', last_error = NULL, finished_at = clock_timestamp(),
    lease_token = NULL, lease_until = NULL{columns}
FROM unnest($1::uuid[], $2::uuid[]) AS h (id, token)
WHERE t.{key} = h.id AND t.lease_token = h.token RETURNING t.{key} AS id
"""

_EXPIRE_NOW = """
UPDATE {table} t SET lease_until = now() - interval '1 microsecond'
FROM unnest($1::uuid[], $2::uuid[]) AS h (id, token) WHERE t.{key} = h.id AND t.lease_token = h.token
"""

_EXPIRE_ALL = """
UPDATE {table} SET lease_until = now() - interval '1 microsecond' WHERE work = 'leased' AND lease_until > now()
"""
_HOLD = (
    "UPDATE {table} SET work = 'held' WHERE {key} = ANY ($1::uuid[]) AND work = 'ready' RETURNING {key} AS id"
)
_HOLD_ALL = "UPDATE {table} SET work = 'held' WHERE work = 'ready'"
_RERUN = """
UPDATE {table} SET work = 'ready', due_at = now(), attempts = 0, finished_at = NULL
WHERE {key} = ANY ($1::uuid[]) AND work IN ('failed', 'held') RETURNING {key} AS id
"""

# UUIDv7 keys sort by time, so the oldest done rows stand first in the key's own index.
_PRUNE = """
DELETE FROM {table} WHERE {key} IN (
    SELECT {key} FROM {table} WHERE {key} < $1 AND work = 'done' AND finished_at < $2 ORDER BY {key} LIMIT $3)
"""

_MEASURE = """
SELECT extract(epoch FROM now() - least(
           (SELECT min(due_at) FROM {table} WHERE work = 'ready' AND lane IS NULL),
           (SELECT min(due_at) FROM {table} WHERE work = 'ready' AND lane IS NOT NULL AND seq > 0)))::float8 AS lag_seconds,
       (SELECT count(*) FROM {table} WHERE work = 'leased') AS leased
"""


@functools.lru_cache(maxsize=256)
def _sql(template: str, table: str, key: str, columns: str = "") -> str:
    return template.format(
        table=table, key=key, take=_TAKE, shape=_SHAPE.format(key=key, columns=columns), columns=columns
    )


def _read(names: Sequence[str]) -> str:
    return "".join(f", t.{_checked(name)}" for name in names)


def _set(names: Sequence[str], first: int) -> str:
    return "".join(f", {_checked(name)} = ${number}" for number, name in enumerate(names, first))


def _checked(name: str) -> str:
    if not name.isidentifier():
        raise ValueError(f"not a column: {name!r}")
    return name


class WorkStore:
    """The statements of one table."""

    def __init__(self, table: str, key: str, columns: Sequence[str]) -> None:
        self._names = (_checked(table), _checked(key))
        self._columns = _read(columns)

    def _sql(self, template: str, columns: str = "") -> str:
        return _sql(template, *self._names, columns)

    async def prepare_claim(self, tx: Tx) -> None:
        """Keep the planner to the indexes: a plan made while the table was empty must not scan it when it is full.

        And do not wait for the disk: a claim that a crash takes back was never made, and what is committed under it
        brings it to the disk.
        """
        await tx.execute(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL synchronous_commit = off"
        )

    async def claim_free(self, tx: Tx, token: UUID, lease_seconds: float, limit: int) -> list[asyncpg.Record]:
        """Take due rows without a lane, in no order."""
        return await tx.fetch(self._sql(_CLAIM_FREE, self._columns), token, lease_seconds, limit)

    async def lock_oldest_lanes(self, tx: Tx, limit: int) -> tuple[list[str], bool]:
        """Lock lanes that have work and nobody at it, oldest due first; and whether deep lanes may hide others."""
        row = await tx.fetchrow(self._sql(_LOCK_OLDEST_LANES), WINDOW, limit)
        return (row["lanes"], row["is_more"]) if row else ([], False)

    async def lock_next_lanes(
        self, tx: Tx, after: str, limit: int, known: Sequence[str]
    ) -> tuple[list[str], str]:
        """Lock such lanes, but the known, in order of name after a name; and the name to go on after, empty at the end."""
        rows = await tx.fetch(self._sql(_LOCK_NEXT_LANES), after, limit, WALK_STEPS, known)
        lanes = [row["lane"] for row in rows if row["is_open"]]
        is_cut = bool(rows) and (len(rows) >= limit or rows[-1]["step"] >= WALK_STEPS)
        return lanes, rows[-1]["lane"] if is_cut else ""

    async def claim_heads(
        self, tx: Tx, token: UUID, lease_seconds: float, lanes: Sequence[str], rows_per_lane: int
    ) -> list[asyncpg.Record]:
        """Take the first due rows of lanes locked before in this transaction, in no order."""
        return await tx.fetch(
            self._sql(_CLAIM_HEADS, self._columns), token, lease_seconds, list(lanes), rows_per_lane
        )

    async def renew(
        self, tx: Tx, ids: Sequence[UUID], tokens: Sequence[UUID], lease_seconds: float
    ) -> dict[UUID, bool]:
        """Return the rows still leased under these tokens, and whether each was renewed (else it is locked)."""
        rows = await tx.fetch(self._sql(_RENEW), ids, tokens, lease_seconds)
        return {row["id"]: row["is_renewed"] for row in rows}

    async def return_expired(self, tx: Tx, limit: int, max_attempts: int) -> list[str]:
        """Make rows whose lease is over ready again, or failed at the last attempt; return what each became."""
        return [row["work"] for row in await tx.fetch(self._sql(_RETURN_EXPIRED), limit, max_attempts)]

    async def take_expired(
        self, tx: Tx, limit: int, token: UUID, lease_seconds: float
    ) -> list[asyncpg.Record]:
        """Take over rows whose lease is over, under a new one; attempts stay."""
        return await tx.fetch(self._sql(_TAKE_EXPIRED, self._columns), limit, token, lease_seconds)

    async def close(
        self, tx: Tx, id_: UUID, token: UUID, work: str, error: str | None, columns: dict[str, object]
    ) -> bool:
        """Record the last word on a row; False when the token no longer holds it."""
        sql = self._sql(_CLOSE, _set(tuple(columns), 5))
        return await tx.execute(sql, id_, token, work, error, *columns.values()) == 1

    async def reopen(
        self, tx: Tx, id_: UUID, token: UUID, due_at: dt.datetime, error: str, columns: dict[str, object]
    ) -> bool:
        """Make a row ready again from a moment on; False when the token no longer holds it."""
        sql = self._sql(_REOPEN, _set(tuple(columns), 5))
        return await tx.execute(sql, id_, token, due_at, error, *columns.values()) == 1

    async def release_many(self, tx: Tx, ids: Sequence[UUID], tokens: Sequence[UUID]) -> set[UUID]:
        """Make rows ready as they were before the claim; return those whose token still held."""
        return {row["id"] for row in await tx.fetch(self._sql(_RELEASE_MANY), ids, tokens)}

    async def finish_many(
        self, tx: Tx, ids: Sequence[UUID], tokens: Sequence[UUID], columns: dict[str, object]
    ) -> set[UUID]:
        """Mark rows done in one statement; return those whose token still held."""
        sql = self._sql(_FINISH_MANY, _set(tuple(columns), 3))
        return {row["id"] for row in await tx.fetch(sql, ids, tokens, *columns.values())}

    async def expire_now(self, tx: Tx, ids: Sequence[UUID], tokens: Sequence[UUID]) -> int:
        """End leases at once; the next sweep treats the rows by the table's rule."""
        return await tx.execute(self._sql(_EXPIRE_NOW), ids, tokens)

    async def expire_all(self, tx: Tx) -> int:
        """End every lease of the table."""
        return await tx.execute(self._sql(_EXPIRE_ALL))

    async def hold(self, tx: Tx, ids: Sequence[UUID]) -> list[UUID]:
        """Hold ready rows; return those held."""
        return [row["id"] for row in await tx.fetch(self._sql(_HOLD), ids)]

    async def hold_all(self, tx: Tx) -> int:
        """Hold every ready row."""
        return await tx.execute(self._sql(_HOLD_ALL))

    async def rerun(self, tx: Tx, ids: Sequence[UUID]) -> list[UUID]:
        """Make failed and held rows ready, due now, attempts from 0; return those that were."""
        return [row["id"] for row in await tx.fetch(self._sql(_RERUN), ids)]

    async def prune(self, tx: Tx, below: UUID, before: dt.datetime, limit: int) -> int:
        """Delete the oldest done rows with a key below and finished before."""
        return await tx.execute(self._sql(_PRUNE), below, before, limit)

    async def measure(self, tx: Tx) -> tuple[float, int]:
        """Return how long the oldest due row has waited in seconds (0 when none is due), and how many are leased."""
        row = await tx.fetchrow(self._sql(_MEASURE))
        return (max(row["lag_seconds"] or 0.0, 0.0), row["leased"]) if row else (0.0, 0)

"""Claimed work: rows that are leased, done and given a verdict, one after another within a lane.

One primitive carries journal items, deliveries, jobs and mailing recipients. It owns what a claim, a lease and a
verdict are; what the work means belongs to the slice whose table it is. `parley.infra.worker` runs it.

The rules, all kept by the database:
  * a lane has one holder at a time, and its rows are taken in order of seq; a head that is not due yet blocks its
    lane; a row without a lane waits for nobody;
  * a verdict counts only under the token of the lease, in the caller's own transaction, so that it commits together
    with what the work made or not at all;
  * failed and held rows are kept, block nothing, and run again when an operator says so.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import asyncpg

from parley.infra.db import Tx
from parley.infra.work_store import WorkStore
from parley.kit.errors import Conflict

Verdict = Literal["done", "failed", "retry", "released"]

SWEEP_LIMIT = 200
"""Expired leases treated in one transaction."""


class LeaseLost(Conflict):
    """The lease of this work is over and another may hold it: the verdict was refused and nothing was changed."""

    code = "lease_lost"


class AlreadyQueued(Conflict):
    """Another unfinished one with the same key exists; this one cannot run beside it."""

    code = "already_queued"


@dataclasses.dataclass(slots=True, eq=False, kw_only=True)
class Claim:
    """A leased row. ``row`` holds the table's own columns; ``attempts`` counts this one.

    ``written`` is the verdict that stands in a transaction, ``verdict`` the one committed; ``is_lost`` is set once
    the lease is known to be gone: work that reaches outside may look at ``is_good`` before it does.
    """

    id: UUID
    seq: int
    lane: str | None
    workspace_id: UUID | None
    attempts: int
    due_at: dt.datetime
    lease_token: UUID
    row: Mapping[str, Any]
    good_until: float
    verdict: Verdict | None = None
    written: Verdict | None = None
    is_lost: bool = False

    @property
    def is_good(self) -> bool:
        """Whether, by this process's own clock, the lease still holds."""
        return not self.is_lost and time.monotonic() < self.good_until


@dataclasses.dataclass(slots=True)
class LaneWalk:
    """Where the walk over lanes goes on, so that every lane gets its turn. Kept by who claims, worth nothing else."""

    after: str = ""
    is_lanes_first: bool = False


@dataclasses.dataclass(frozen=True)
class WorkTable:
    """A table of claimed work. ``columns`` are what a claim's ``row`` brings of the table's own.

    ``max_attempts``: how often a row may be claimed and its lease run out before it is failed as poisonous.
    """

    name: str
    key_column: str = "id"
    columns: tuple[str, ...] = ()
    max_attempts: int = 5
    _store: WorkStore = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_store", WorkStore(self.name, self.key_column, self.columns))

    # ------------------------------------------------------------ taking

    async def claim(
        self,
        tx: Tx,
        *,
        limit: int,
        lease_seconds: float,
        rows_per_lane: int = 1,
        walk: LaneWalk | None = None,
    ) -> list[Claim]:
        """Lease due rows: at most ``limit`` lanes (a row without one counts as one), ordered by lane and seq.

        Of a lane come its first ``rows_per_lane`` rows, to be run one after another, and none while another holds any
        of it. Needs a transaction of `Database.system`, to be committed before the work begins.

        Cost, 16 lanes claimed, PostgreSQL 18 on 2 cores, median over 30 claims: 1.1 ms with 16 lanes of 10 rows,
        1.6 with 16 of 1 000 and with 10 000 of 10; one lane of 10 000 rows 1.0; 10 000 lanes all blocked by heads not
        yet due, with due rows behind them, 3.5 for each 1 000 lanes looked at, without rows behind 0.5; nothing to do
        0.15. Statistics of an empty table change nothing (`WorkStore.prepare_claim`).
        """
        walk = walk or LaneWalk()
        walk.is_lanes_first = not walk.is_lanes_first
        good_until = time.monotonic() + lease_seconds
        token = uuid.uuid4()
        await self._store.prepare_claim(tx)
        rows: list[asyncpg.Record] = []
        for is_lanes in (walk.is_lanes_first, not walk.is_lanes_first):
            left = limit - _count_lanes(rows)
            if left > 0 and is_lanes:
                lanes = await self._lock_lanes(tx, left, walk)
                if lanes:
                    rows += await self._store.claim_heads(tx, token, lease_seconds, lanes, rows_per_lane)
            elif left > 0:
                rows += await self._store.claim_free(tx, token, lease_seconds, left)
        return self._as_claims(rows, good_until)

    async def _lock_lanes(self, tx: Tx, limit: int, walk: LaneWalk) -> list[str]:
        lanes, is_more = await self._store.lock_oldest_lanes(tx, limit)
        if len(lanes) >= limit or not is_more:
            if not is_more:
                walk.after = ""
            return lanes
        found, walk.after = await self._store.lock_next_lanes(tx, walk.after, limit - len(lanes), lanes)
        return lanes + found

    async def take_expired(self, tx: Tx, *, lease_seconds: float, limit: int = SWEEP_LIMIT) -> list[Claim]:
        """Lease rows whose holder went silent, for whoever must decide what became of them. Attempts stay."""
        good_until = time.monotonic() + lease_seconds
        rows = await self._store.take_expired(tx, limit, uuid.uuid4(), lease_seconds)
        return self._as_claims(rows, good_until)

    async def return_expired(self, tx: Tx, *, limit: int = SWEEP_LIMIT) -> list[str]:
        """Make rows whose holder went silent ready again, failed after ``max_attempts``; return what each became."""
        return await self._store.return_expired(tx, limit, self.max_attempts)

    async def renew(self, tx: Tx, claims: Sequence[Claim], *, lease_seconds: float) -> None:
        """Renew leases in one statement; mark those that are gone as lost."""
        good_until = time.monotonic() + lease_seconds
        known = await self._store.renew(tx, *_keys(claims), lease_seconds)
        for claim in claims:
            if claim.id not in known:
                claim.is_lost = claim.verdict is None
            elif known[claim.id]:
                claim.good_until = good_until

    # ------------------------------------------------------------ verdicts

    async def finish(self, tx: Tx, claim: Claim, **columns: Any) -> None:
        """Mark the row done, with columns of its own. Raises: LeaseLost."""
        is_held = await self._store.close(tx, claim.id, claim.lease_token, "done", None, columns)
        self._settle(tx, claim, "done", is_held)

    async def fail(self, tx: Tx, claim: Claim, error: str, **columns: Any) -> None:
        """Keep the row as failed; its lane goes on. Raises: LeaseLost."""
        is_held = await self._store.close(tx, claim.id, claim.lease_token, "failed", error, columns)
        self._settle(tx, claim, "failed", is_held)

    async def retry_later(
        self, tx: Tx, claim: Claim, due_at: dt.datetime, error: str, **columns: Any
    ) -> None:
        """Make the row ready again from ``due_at`` on; until then its lane waits. Raises: LeaseLost."""
        is_held = await self._store.reopen(tx, claim.id, claim.lease_token, due_at, error, columns)
        self._settle(tx, claim, "retry", is_held)

    async def release(self, tx: Tx, claim: Claim) -> None:
        """Give back a row that was not begun: ready as before, the attempt not counted. Raises: LeaseLost."""
        if not await self.release_many(tx, [claim]):
            self._settle(tx, claim, "released", is_held=False)

    async def release_many(self, tx: Tx, claims: Sequence[Claim]) -> set[UUID]:
        """Give back rows in one statement; return the ids of those whose lease still held. Raises nothing."""
        return self._settle_many(tx, claims, "released", await self._store.release_many(tx, *_keys(claims)))

    async def finish_many(self, tx: Tx, claims: Sequence[Claim], **columns: Any) -> set[UUID]:
        """Mark rows done in one statement, with columns of their own that all of them get; return the ids of those
        whose lease still held. Raises nothing."""
        held = await self._store.finish_many(tx, *_keys(claims), columns)
        return self._settle_many(tx, claims, "done", held)

    async def expire_now(self, tx: Tx, claims: Sequence[Claim]) -> None:
        """End the leases of work that was broken off: the next sweep, in any process, treats it by the table's rule."""
        await self._store.expire_now(tx, *_keys(claims))
        tx.wake(self.name)

    def _settle_many(self, tx: Tx, claims: Sequence[Claim], verdict: Verdict, held: set[UUID]) -> set[UUID]:
        for claim in claims:
            if claim.id in held:
                self._settle(tx, claim, verdict, is_held=True)
        return held

    def _settle(self, tx: Tx, claim: Claim, verdict: Verdict, is_held: bool) -> None:
        if not is_held:
            claim.is_lost = claim.verdict is None
            raise LeaseLost(table=self.name, id=str(claim.id))

        def after_commit() -> None:
            claim.verdict = verdict

        claim.written = verdict
        tx.after_commit.append(after_commit)
        if verdict == "released":
            tx.wake(self.name)

    # ------------------------------------------------------------ operators

    async def expire_all(self, tx: Tx) -> int:
        """End every lease: for the one process of an installation, at its start, when all holders are dead.

        The first sweep treats the rows by the table's rule. Returns how many there were.
        """
        return await self._store.expire_all(tx)

    async def hold(self, tx: Tx, ids: Sequence[UUID]) -> list[UUID]:
        """Hold ready rows until `rerun`; their lanes go on. Returns those that were ready."""
        return await self._store.hold(tx, ids)

    async def hold_all(self, tx: Tx) -> int:
        """Hold every ready row of the table (after a restore). Returns how many."""
        return await self._store.hold_all(tx)

    async def rerun(self, tx: Tx, ids: Sequence[UUID]) -> list[UUID]:
        """Make failed and held rows ready again, at their old place in their lane. Returns those that were.

        Raises: AlreadyQueued when one of them may not run beside another; nothing is changed then.
        """
        try:
            async with tx.savepoint():
                ids = await self._store.rerun(tx, ids)
        except asyncpg.UniqueViolationError as error:
            raise AlreadyQueued from error
        tx.wake(self.name)
        return list(ids)

    async def prune(self, tx: Tx, *, before: dt.datetime, limit: int = 1000) -> int:
        """Delete at most ``limit`` of the oldest rows done before a moment; return how many. Keys must be UUIDv7."""
        below = UUID(int=int(before.timestamp() * 1000) << 80)
        return await self._store.prune(tx, below, before, limit)

    async def measure(self, tx: Tx) -> tuple[float, int]:
        """Return the seconds that the oldest due row has waited, 0 when none is due; and how many rows are leased."""
        return await self._store.measure(tx)

    def _as_claims(self, rows: Iterable[asyncpg.Record], good_until: float) -> list[Claim]:
        claims = [
            Claim(
                id=row["id"],
                seq=row["seq"],
                lane=row["lane"],
                workspace_id=row["workspace_id"],
                attempts=row["attempts"],
                due_at=row["due_at"],
                lease_token=row["lease_token"],
                row={name: row[name] for name in self.columns},
                good_until=good_until,
            )
            for row in rows
        ]
        return sorted(claims, key=lambda claim: (claim.lane or "", claim.seq))


def group_by_lane(claims: Iterable[Claim]) -> list[list[Claim]]:
    """Return the claims by lane, each group in order of seq; a row without a lane is a group of its own."""
    lanes: dict[Any, list[Claim]] = {}
    for claim in sorted(claims, key=lambda claim: claim.seq):
        lanes.setdefault(claim.id if claim.lane is None else claim.lane, []).append(claim)
    return list(lanes.values())


def _count_lanes(rows: Iterable[asyncpg.Record]) -> int:
    return len({row["id"] if row["lane"] is None else row["lane"] for row in rows})


def _keys(claims: Sequence[Claim]) -> tuple[list[UUID], list[UUID]]:
    return [claim.id for claim in claims], [claim.lease_token for claim in claims]

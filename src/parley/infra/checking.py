"""Checks of what must hold in the stores: their shape, and how one is run on a live system without harm.

The slices say what must hold, each in its ``checks.py``; `parley.apps.doctor` runs them. A look is one short
transaction, read only and of one moment (REPEATABLE READ), so a row half written by somebody else is never seen. Big
tables are walked in steps by key, with a rest between them: no snapshot is held for longer than a step, and a step
has a time limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import asyncpg

from parley.infra.settings import Settings

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

Severity = Literal["broken", "trouble", "note"]
"""``broken``: an invariant does not hold. ``trouble``: something does not run as it should. ``note``: worth knowing."""

SHOWN = 10
"""Violations of a check that are told one by one; all are counted."""
STEP_TIMEOUT_SECONDS = 5.0
STEP_AIM_SECONDS = 0.25
"""Steps are made smaller or larger towards this: a snapshot so short is nothing to vacuum."""
LEAST_ROWS, MOST_ROWS = 1, 100_000
_WHOLE_TABLE_WAYS = ("seqscan", "bitmapscan", "hashjoin", "mergejoin")
_CONFIRMED = 200
"""Violations compared with a second look; more than that are not a passing state."""
_FIRST = (UUID(int=0), -1)
_LAST = (UUID(int=2**128 - 1), 2**63 - 1)


class CannotLook(Exception):
    """A check could not be made; the text says why, for people."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """What is looked at. ``serving_since``: since when a Parley runs on it, so that work must not wait; None: none.

    ``patience`` multiplies every waiting time of the checks; below 1 only in tests.
    """

    settings: Settings
    serving_since: dt.datetime | None
    patience: float = 1.0

    def wait(self, seconds: float) -> float:
        """Return how many seconds a state may last before it counts as wrong."""
        return seconds * self.patience

    @property
    def kept_seconds(self) -> float:
        """Age below which no event was swept, an hour kept clear."""
        return self.settings.event_days * 86400.0 - 3600


@dataclasses.dataclass(frozen=True, kw_only=True)
class Walk:
    """A walk over a table in order of ``key`` (a uuid) and ``number`` (a bigint, none: the key alone).

    An index on both must stand behind it. ``rows`` is the first step's size.
    """

    table: str
    key: str = "id"
    number: str | None = None
    where: str = "true"
    rows: int = 10_000

    @property
    def sql(self) -> str:
        """Return the statement that finds the last key of the next step."""
        if self.number is None:
            return f"""SELECT {self.key}, 0::bigint FROM {self.table} WHERE {self.key} > $1 AND $2::bigint IS NOT NULL
                AND {self.where} ORDER BY {self.key} OFFSET $3::bigint - 1 LIMIT 1"""
        return f"""SELECT {self.key}, {self.number} FROM {self.table} WHERE ({self.key}, {self.number}) > ($1, $2)
            AND {self.where} ORDER BY {self.key}, {self.number} OFFSET $3::bigint - 1 LIMIT 1"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that must hold, the look that finds where it does not, and what to do then.

    ``sql`` returns a column ``finding``: a sentence that names the thing. With a walk, $1 and $2 are the last key of
    the step before (look from it inclusive if the neighbour is needed), $3 and $4 this step's last; what ``values``
    returns comes after. ``look`` instead of ``sql`` for what SQL does not show.

    ``again_seconds``: what may be so for a moment is told only when it is still so after this. ``needs_serving``:
    not looked at while no Parley runs. ``is_catalog``: looks at the cluster, as the role that connects.
    ``is_long``: takes time in proportion to what is stored. ``is_gathering``: a step of its walk joins sets, not rows.
    """

    name: str
    holds: str
    remedy: str
    severity: Severity = "broken"
    sql: str = ""
    walk: Walk | None = None
    values: Callable[[Place], tuple[Any, ...]] = lambda _: ()
    look: Callable[[Probe], Awaitable[Sequence[str]]] | None = None
    again_seconds: float = 0.0
    needs_serving: bool = False
    is_catalog: bool = False
    is_long: bool = False
    is_gathering: bool = False


@dataclasses.dataclass(kw_only=True)
class Result:
    """What a check found. ``unseen``: why it could not look; ``passed_over``: why there was nothing to look at."""

    check: Check
    count: int = 0
    findings: list[str] = dataclasses.field(default_factory=list)
    unseen: str | None = None
    passed_over: str | None = None
    seconds: float = 0.0
    longest_seconds: float = 0.0
    steps: int = 0

    @property
    def is_wrong(self) -> bool:
        """Whether something is wrong, beyond a note."""
        return self.count > 0 and self.check.severity != "note"


class Probe:
    """A connection to look through, and the place it looks at."""

    def __init__(
        self,
        connection: Connection,
        place: Place,
        progress: Callable[[str], None],
        *,
        widest_rows: int = MOST_ROWS,
    ) -> None:
        self._widest_rows = widest_rows
        self.place = place
        self.progress = progress
        self.longest_seconds = 0.0
        self.steps = 0
        self._connection = connection

    @contextlib.asynccontextmanager
    async def open(self, *, is_catalog: bool = False, is_indexed: bool = False) -> AsyncIterator[Connection]:
        """One moment, read only, for a step's time at the most; then a rest, so that the work goes on.

        ``is_indexed``: keep the planner to look-ups by index, since it takes the rows of a step for far more or fewer
        than they are and would read whole tables for each.
        """
        plan = "".join(f"; SET LOCAL enable_{way} = off" for way in _WHOLE_TABLE_WAYS) if is_indexed else ""
        began = time.monotonic()
        role = "" if is_catalog else "; SET LOCAL ROLE parley_system"
        limit = int(STEP_TIMEOUT_SECONDS * 1000)
        await self._connection.execute(
            f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY{role}; SET LOCAL statement_timeout = {limit}; "
            f"SET LOCAL lock_timeout = 1000; SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0{plan}"
        )
        try:
            yield self._connection
        finally:
            with contextlib.suppress(asyncpg.InterfaceError):  # the connection is gone: nothing to end
                await self._connection.execute("ROLLBACK")
            took = time.monotonic() - began
            self.longest_seconds = max(self.longest_seconds, took)
            self.steps += 1
        await asyncio.sleep(min(0.5, took / 2) if took > 0.02 else 0)

    async def fetch(
        self, sql: str, *args: Any, is_catalog: bool = False, is_indexed: bool = False
    ) -> list[asyncpg.Record]:
        """Run one statement in a moment of its own."""
        async with self.open(is_catalog=is_catalog, is_indexed=is_indexed) as connection:
            rows: list[asyncpg.Record] = await connection.fetch(sql, *args)
            return rows

    async def walk(self, walk: Walk) -> AsyncIterator[tuple[Any, ...]]:
        """Yield the bounds of steps over a table: the last key before, this step's last. Steps adapt to `report`."""
        before: tuple[Any, ...] = _FIRST
        self._rows = walk.rows
        while before != _LAST:
            found = await self.fetch(walk.sql, *before, self._rows, is_indexed=True)
            last = tuple(found[0]) if found else _LAST
            self._is_repeat = False
            yield (*before, *last)
            if not self._is_repeat:
                before = last

    def report(self, seconds: float) -> None:
        """Say how long a step's look took: the next one is made smaller or larger."""
        if seconds > STEP_AIM_SECONDS * 2:
            self._rows = max(LEAST_ROWS, self._rows // 2)
        elif seconds < STEP_AIM_SECONDS / 4:
            self._rows = min(self._widest_rows, self._rows * 2)

    def repeat(self) -> bool:
        """Have the step done again, smaller, because it took too long; False when it cannot be smaller."""
        if self._rows <= LEAST_ROWS:
            return False
        self._rows = max(LEAST_ROWS, self._rows // 8)
        self._is_repeat = True
        return True


async def run_check(check: Check, probe: Probe) -> Result:
    """Make one check. Never raises for what the database says: then the result tells why it could not look."""
    result = Result(check=check)
    began = time.monotonic()
    probe.longest_seconds, probe.steps = 0.0, 0
    if check.needs_serving and probe.place.serving_since is None:
        result.passed_over = "no Parley runs here, so this waits for one"
        return result
    try:
        await _look(check, probe, result)
    except CannotLook as error:
        result.unseen = str(error)
    except asyncpg.QueryCanceledError:
        result.unseen = f"it took longer than {STEP_TIMEOUT_SECONDS:.0f} s"
    except asyncpg.InsufficientPrivilegeError as error:
        result.unseen = f"the role we connect as may not see it ({error})"
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        result.unseen = f"{type(error).__name__}: {error}"
    result.seconds = time.monotonic() - began
    result.longest_seconds, result.steps = probe.longest_seconds, probe.steps
    return result


async def _look(check: Check, probe: Probe, result: Result) -> None:
    if check.look is not None:
        found = list(await check.look(probe))
        if found and check.again_seconds:
            await asyncio.sleep(probe.place.wait(check.again_seconds))
            again = set(await check.look(probe))
            found = [one for one in found if one in again]
        result.count, result.findings = len(found), found[:SHOWN]
    elif check.walk is None:
        await _look_at(check, probe, result, ())
    else:
        seen = 0
        async for bounds in probe.walk(check.walk):
            step_began = time.monotonic()
            try:
                await _look_at(check, probe, result, bounds)
            except asyncpg.QueryCanceledError:
                if not probe.repeat():
                    raise
            else:
                probe.report(time.monotonic() - step_began)
                seen += 1
                probe.progress(f"{check.name}, step {seen}")


async def _look_at(check: Check, probe: Probe, result: Result, bounds: tuple[Any, ...]) -> None:
    limit = _CONFIRMED if check.again_seconds else SHOWN
    sql = f"SELECT f.finding, count(*) OVER () AS total FROM ({check.sql}) f LIMIT {limit}"
    args = (*bounds, *check.values(probe.place))
    is_indexed = check.walk is not None and not check.is_gathering
    rows = await probe.fetch(sql, *args, is_catalog=check.is_catalog, is_indexed=is_indexed)
    if not rows:
        return
    found, total = [row["finding"] for row in rows], rows[0]["total"]
    if check.again_seconds:
        await asyncio.sleep(probe.place.wait(check.again_seconds))
        rows = await probe.fetch(sql, *args, is_catalog=check.is_catalog, is_indexed=is_indexed)
        again = {row["finding"] for row in rows}
        found = [one for one in found if one in again]
        total = len(found)
    result.count += total
    result.findings += found[: SHOWN - len(result.findings)]

"""Jobs: unordered work that is retried until done. Enqueued inside the transaction that causes it, run by kind.

A job runs at least once: its handler must bear a repeat. What must commit together with the verdict calls
`JOBS.finish` in its own transaction; every other handler just returns.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from parley.infra import jobs_store
from parley.infra.db import Database, Tx
from parley.infra.metrics import Metrics
from parley.infra.work import Claim, WorkTable
from parley.infra.worker import Limits, Worker
from parley.kit.errors import ParleyError
from parley.kit.ids import uuid7

JOBS = WorkTable("job", columns=("kind", "payload"), max_attempts=10)

UNKNOWN_KIND_RETRIES = 20
"""A kind that nobody here knows may be one of a newer version being rolled out: it is left to others for a while."""
UNKNOWN_KIND_SECONDS = 30.0


class RetryLater(ParleyError):
    """This could not be done now and is to be tried again after ``seconds``."""

    code = "retry_later"

    def __init__(self, message: str | None = None, *, seconds: float) -> None:
        super().__init__(message, seconds=seconds)
        self.seconds = seconds


class JobUnknown(ParleyError):
    """Nothing here does jobs of this kind."""

    code = "job_unknown"


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """A job at work. ``attempts`` counts this one; ``claim`` is what a verdict in an own transaction needs."""

    id: UUID
    kind: str
    payload: Mapping[str, Any]
    workspace_id: UUID | None
    attempts: int
    claim: Claim


JobHandler = Callable[[Job], Awaitable[None]]


@dataclasses.dataclass(frozen=True, slots=True)
class _Registered:
    handler: JobHandler
    retries: int
    backoff_seconds: float
    backoff_limit_seconds: float


async def enqueue(
    tx: Tx,
    kind: str,
    payload: Mapping[str, Any],
    *,
    workspace_id: UUID | None,
    due_at: dt.datetime | None = None,
    lane: str | None = None,
    unique_key: str | None = None,
) -> UUID | None:
    """Add a job that exists if and only if the transaction commits; return its id.

    ``unique_key``: while a job of this kind and workspace with this key is ready or at work, no other is made and
    None is returned. A change that a job already at work may have missed therefore needs a key of its own.
    ``workspace_id`` None is for the system's own work, and only a transaction of `Database.system` may say so.
    """
    id_ = uuid7()
    if not await jobs_store.insert_job(tx, id_, workspace_id, kind, payload, due_at, lane, unique_key):
        return None
    tx.wake(JOBS.name)
    return id_


class Jobs:
    """Which handler does which kind. Built in `parley.apps`."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Registered] = {}

    def on(
        self,
        kind: str,
        handler: JobHandler,
        *,
        retries: int = 8,
        backoff_seconds: float = 2.0,
        backoff_limit_seconds: float = 3600.0,
    ) -> None:
        """Let a handler do a kind (imperative: ``media.make_thumbnail``).

        When it raises it is tried again ``retries`` times, after ``backoff_seconds`` at first, then twice as long
        each time up to the limit, less a random part up to a half; `RetryLater` names its own pause.
        """
        if kind in self._kinds:
            raise ValueError(f"two handlers for {kind}")
        self._kinds[kind] = _Registered(handler, retries, backoff_seconds, backoff_limit_seconds)

    def make_worker(
        self, db: Database, *, limits: Limits | None = None, metrics: Metrics | None = None
    ) -> Worker:
        """Return the worker that runs these kinds in this process."""
        return Worker(JOBS, db, self._run, limits=limits, retry_policy=self._delay, metrics=metrics)

    async def _run(self, claim: Claim) -> None:
        registered = self._kinds.get(claim.row["kind"])
        if registered is None:
            raise JobUnknown(kind=claim.row["kind"])
        await registered.handler(
            Job(claim.id, claim.row["kind"], claim.row["payload"], claim.workspace_id, claim.attempts, claim)
        )

    def _delay(self, claim: Claim, error: Exception) -> float | None:
        registered = self._kinds.get(claim.row["kind"])
        if registered is None:
            return UNKNOWN_KIND_SECONDS if claim.attempts <= UNKNOWN_KIND_RETRIES else None
        if claim.attempts > registered.retries:
            return None
        if isinstance(error, RetryLater):
            return error.seconds
        return backoff(claim.attempts, registered.backoff_seconds, registered.backoff_limit_seconds)


def backoff(attempts: int, first_seconds: float, limit_seconds: float) -> float:
    """Return the pause after the n-th attempt: doubling up to the limit, less a random part up to a half."""
    longest = min(limit_seconds, first_seconds * 2.0 ** min(attempts - 1, 60))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter

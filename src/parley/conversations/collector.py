"""The collector: concurrent sends share one commit.

A send goes with what comes in the same turns of the loop; those that come while `BATCHES_AT_ONCE` are being committed wait
for one of them and go together in the next. Nothing waits on a clock. Within this process sends to one conversation are
committed in the order they were submitted. A conversation that somebody else holds locked is waited for aside, so
that it delays nobody but its own senders.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import structlog

from parley.conversations.sending import Busy, Draft, Outcome, Posted, post_messages, post_unless_busy
from parley.infra.db import Database, Tx
from parley.kit.errors import ParleyError, Unavailable

BATCH_LIMIT = 64
"""Messages in one commit: enough to spread its cost, few enough to hold locks for some milliseconds only."""
GATHERING_TURNS = 3
"""Turns of the loop between the first send of a batch and its beginning, at most: what arrives in them comes along."""
BATCHES_AT_ONCE = 2
"""While the database commits one, this process tells of the other."""
PARALLEL_ASIDE = 4
"""Conversations that are waited for at the same time; each has a connection meanwhile."""
COLLISION_RETRIES = 5
QUEUE_LIMIT = 5000
"""Sends that may wait before further ones are refused."""

T = TypeVar("T")
Post = Callable[[Tx, Sequence[Draft]], Awaitable[list[T]]]
Item = tuple[Draft, asyncio.Future[Outcome]]

log = structlog.get_logger()


class Collector:
    """Takes drafts from many requests and posts them in shared transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[Item] = deque()
        self._parked: dict[UUID, deque[Item]] = {}
        """Conversations being written, with what came for them meanwhile."""
        self._count = 0
        self._running: set[asyncio.Task[None]] = set()
        self._aside: set[asyncio.Task[None]] = set()
        self._aside_places = asyncio.Semaphore(PARALLEL_ASIDE)

    async def post(self, draft: Draft) -> Posted:
        """Post a message and return when it is committed. Repeat and errors: as `sending.post_message`.

        Raises also: Unavailable when the database is away or too many sends wait.
        """
        if self._count >= QUEUE_LIMIT:
            raise Unavailable("Too many messages are waiting to be stored; try again.")
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((draft, future))
        self._count += 1
        self._pump()
        outcome = await future
        if isinstance(outcome, ParleyError):
            raise outcome
        return outcome

    async def drain(self) -> None:
        """Wait until everything submitted is committed or refused."""
        while self._running or self._aside:
            await asyncio.wait((*self._running, *self._aside))

    def _pump(self) -> None:
        if self._waiting and len(self._running) < BATCHES_AT_ONCE:
            self._run(self._commit_next(), self._running)

    async def _commit_next(self) -> None:
        for _ in range(GATHERING_TURNS):
            count = self._count
            await asyncio.sleep(0)
            if self._count == count:
                break
        batch = self._take_batch()
        if batch:
            await self._commit(batch)

    def _run(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(partial(self._on_done, tasks))

    def _on_done(self, tasks: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        if not task.cancelled():
            self._pump()

    def _take_batch(self) -> list[Item]:
        """Take the oldest sends; those whose conversation is being written park until it is free, in order."""
        batch: list[Item] = []
        while self._waiting and len(batch) < BATCH_LIMIT:
            item = self._waiting.popleft()
            parked = self._parked.get(item[0].conversation_id)
            if item[1].cancelled():
                self._count -= 1
            elif parked is not None:
                parked.append(item)
            else:
                batch.append(item)
        for draft, _ in batch:
            self._parked[draft.conversation_id] = deque()
        return batch

    def _free(self, conversations: Iterable[UUID]) -> None:
        for conversation in conversations:
            self._waiting.extendleft(reversed(self._parked.pop(conversation)))

    def _answer(self, item: Item, outcome: Outcome) -> None:
        self._count -= 1
        if not item[1].done():
            item[1].set_result(outcome)

    async def _commit(self, batch: list[Item]) -> None:
        locked: dict[UUID, list[Item]] = {}
        try:
            outcomes = await self._post(batch, post_unless_busy)
            for item, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, Busy):
                    locked.setdefault(item[0].conversation_id, []).append(item)
                else:
                    self._answer(item, outcome)
        finally:
            self._free({draft.conversation_id for draft, _ in batch} - locked.keys())
        for items in locked.values():
            self._run(self._commit_aside(items), self._aside)

    async def _commit_aside(self, batch: list[Item]) -> None:
        """Post what goes to one conversation once whoever has it locked lets go."""
        try:
            async with self._aside_places:
                outcomes = await self._post(batch, post_messages)
            for item, outcome in zip(batch, outcomes, strict=True):
                self._answer(item, outcome)
        finally:
            self._free([batch[0][0].conversation_id])

    async def _post(self, batch: list[Item], post: Post[T]) -> list[T | Outcome]:
        drafts = [draft for draft, _ in batch]
        for _ in range(COLLISION_RETRIES):
            try:
                return [*await self._in_one_transaction(drafts, post)]
            except ParleyError as error:
                return [error] * len(batch)
            except asyncpg.UniqueViolationError:
                continue  # an equal send was committed by another process meanwhile; now it will be found
            except Exception:
                log.exception("collector.batch_failed", size=len(batch))
                break
        # One bad row must not fail its neighbours: each by itself, in order.
        return [await self._alone(draft) for draft in drafts]

    async def _alone(self, draft: Draft) -> Outcome:
        try:
            return (await self._in_one_transaction([draft], post_messages))[0]
        except ParleyError as error:
            return error
        except Exception:
            log.exception("collector.send_failed")
            return ParleyError("The message could not be stored. It has been logged.")

    async def _in_one_transaction(self, drafts: list[Draft], post: Post[T]) -> list[T]:
        async with self._database.transaction(*{draft.workspace_id for draft in drafts}) as tx:
            return await post(tx, drafts)

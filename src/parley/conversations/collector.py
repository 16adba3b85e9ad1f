"""The collector: concurrent sends share one commit.

A send that finds the collector idle goes at once; those that come while a batch is being committed wait for it
and go together in the next. Nothing waits on a clock. Within this process sends to one conversation are
committed in the order they were submitted.
"""

from __future__ import annotations

import asyncio
from collections import deque

import asyncpg
import structlog

from parley.conversations.sending import Draft, Outcome, Posted, post_messages
from parley.infra.db import Database
from parley.kit.errors import ParleyError, Unavailable

BATCH_LIMIT = 64
"""Messages in one commit: enough to spread its cost, few enough to hold locks for some milliseconds only."""
PARALLEL_BATCHES = 2
"""Batches under way: one in the database while the next is prepared."""
COLLISION_RETRIES = 5
QUEUE_LIMIT = 5000
"""Sends that may wait before further ones are refused."""

log = structlog.get_logger()


class Collector:
    """Takes drafts from many requests and posts them in shared transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[tuple[Draft, asyncio.Future[Outcome]]] = deque()
        self._busy_conversations: set[object] = set()
        self._running: set[asyncio.Task[None]] = set()

    async def post(self, draft: Draft) -> Posted:
        """Post a message and return when it is committed. Repeat and errors: as `sending.post_message`.

        Raises also: Unavailable when the database is away or too many sends wait.
        """
        if len(self._waiting) >= QUEUE_LIMIT:
            raise Unavailable("Too many messages are waiting to be stored; try again.")
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((draft, future))
        self._pump()
        outcome = await future
        if isinstance(outcome, ParleyError):
            raise outcome
        return outcome

    async def drain(self) -> None:
        """Wait until everything submitted is committed or refused."""
        while self._running:
            await asyncio.wait(tuple(self._running))

    def _pump(self) -> None:
        while self._waiting and len(self._running) < PARALLEL_BATCHES:
            batch = self._take_batch()
            if not batch:
                return
            task = asyncio.create_task(self._commit(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _take_batch(self) -> list[tuple[Draft, asyncio.Future[Outcome]]]:
        """Take the oldest sends whose conversations no other batch holds, keeping order within each."""
        batch: list[tuple[Draft, asyncio.Future[Outcome]]] = []
        left: list[tuple[Draft, asyncio.Future[Outcome]]] = []
        skipped: set[object] = set()
        while self._waiting and len(batch) < BATCH_LIMIT and len(left) < 4 * BATCH_LIMIT:
            item = self._waiting.popleft()
            if item[1].cancelled():
                continue
            conversation = item[0].conversation_id
            if conversation in self._busy_conversations or conversation in skipped:
                skipped.add(conversation)
                left.append(item)
            else:
                batch.append(item)
        self._waiting.extendleft(reversed(left))
        self._busy_conversations.update(draft.conversation_id for draft, _ in batch)
        return batch

    async def _commit(self, batch: list[tuple[Draft, asyncio.Future[Outcome]]]) -> None:
        try:
            outcomes = await self._post(batch)
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if not future.done():
                    future.set_result(outcome)
        finally:
            self._busy_conversations.difference_update(draft.conversation_id for draft, _ in batch)
            asyncio.get_running_loop().call_soon(self._pump)

    async def _post(self, batch: list[tuple[Draft, asyncio.Future[Outcome]]]) -> list[Outcome]:
        drafts = [draft for draft, _ in batch]
        for _ in range(COLLISION_RETRIES):
            try:
                return await self._in_one_transaction(drafts)
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
            return (await self._in_one_transaction([draft]))[0]
        except ParleyError as error:
            return error
        except Exception:
            log.exception("collector.send_failed")
            return ParleyError("The message could not be stored. It has been logged.")

    async def _in_one_transaction(self, drafts: list[Draft]) -> list[Outcome]:
        async with self._database.transaction(*{draft.workspace_id for draft in drafts}) as tx:
            return await post_messages(tx, drafts)

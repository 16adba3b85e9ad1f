"""Batches: what comes while a commit is under way goes together in the next.

Nothing waits on a clock. What arrives in the same turn of the loop shares a batch from the first one on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def _no_keys(_: object) -> Collection[Hashable]:
    return ()


class Batches(Generic[Item, Result]):
    """Runs ``commit`` over batches of at most ``limit`` items, at most ``parallel`` at the same time.

    ``commit`` returns a result for each item, in order; when it raises, all of its batch get the error. Items that
    share one of their ``keys`` are committed in the order they came, never in two batches at the same time.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        limit: int,
        parallel: int,
        keys: Callable[[Item], Collection[Hashable]] = _no_keys,
    ) -> None:
        self._commit = commit
        self._limit = limit
        self._parallel = parallel
        self._keys = keys
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._busy: set[Hashable] = set()
        self._running: set[asyncio.Task[bool]] = set()

    @property
    def waiting(self) -> int:
        """How many items wait for a batch."""
        return len(self._waiting)

    async def take(self, item: Item) -> Result:
        """Return the item's result. Cancelled before its batch began, it is left out. Raises: what ``commit`` raises."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._pump()
        return await future

    def answer_waiting(self, result: Result) -> None:
        """Give all that wait this result: what keeps a batch from being committed would keep theirs."""
        for _, future in self._waiting:
            if not future.done():
                future.set_result(result)
        self._waiting.clear()

    def _pump(self) -> None:
        if self._waiting and len(self._running) < self._parallel:
            task = asyncio.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[bool]) -> None:
        self._running.discard(task)
        # where nothing could be taken, the end of a batch under way is waited for, and not looked for at each turn
        if not task.cancelled() and (task.exception() is not None or task.result()):
            self._pump()

    async def _run(self) -> bool:
        """Commit a batch; False when all that waits is held up by batches under way."""
        await asyncio.sleep(0)  # what the loop has read in this turn comes along
        batch, keys = self._take_batch()
        if not batch:
            return False
        self._pump()
        try:
            results = await self._commit([item for item, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
        except Exception as error:  # noqa: BLE001 - it is raised where each of them waits
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        finally:
            self._busy -= keys
            for _, future in batch:
                future.cancel()  # no effect on those that are answered
        return True

    def _take_batch(self) -> tuple[list[tuple[Item, asyncio.Future[Result]]], set[Hashable]]:
        """Take the oldest items; those that share a key with a batch under way, or with one left behind, stay."""
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        left: list[tuple[Item, asyncio.Future[Result]]] = []
        mine: set[Hashable] = set()
        blocked = set(self._busy)
        while self._waiting and len(batch) < self._limit:
            entry = self._waiting.popleft()
            if entry[1].done():
                continue
            keys = self._keys(entry[0])
            if blocked.isdisjoint(keys):
                batch.append(entry)
                mine.update(keys)
            else:
                left.append(entry)
                blocked.update(keys)
        self._waiting.extendleft(reversed(left))
        self._busy |= mine
        return batch, mine

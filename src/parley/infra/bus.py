"""The bus: hints from those who commit to those who hold sockets.

In memory, for one process. A hint may be lost, doubled or overtaken: the streams in the database are the truth and
every reader heals itself from them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from parley.kit.events import Hint

Subscriber = Callable[[Sequence[Hint]], None]

log = structlog.get_logger()


class Bus:
    """Hands every batch of hints to every subscriber, in the order published, two turns of the loop later.

    By then whoever waited for the commit has written its answer: nobody who sends pays for a thousand readers.
    """

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Add a subscriber, called with each batch; it must not block. Returns what takes it off again."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def publish(self, hints: Sequence[Hint]) -> None:
        """Hand over hints. Promise: none; a subscriber that raises is logged and the others still get them."""
        loop = asyncio.get_running_loop()
        # the first turn wakes those who waited for the commit
        loop.call_soon(loop.call_soon, self._deliver, hints)

    def _deliver(self, hints: Sequence[Hint]) -> None:
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(hints)
            except Exception:
                log.exception("bus.subscriber_failed")

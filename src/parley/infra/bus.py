"""The bus: hints from those who commit to those who hold sockets.

In memory, for one process; a `Relay` (parley.infra.relay) joins the buses of several. A hint may be lost, doubled or overtaken: the streams in the database are the truth and
every reader heals itself from them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from parley.kit.events import Hint

Subscriber = Callable[[Sequence[Hint]], None]

log = structlog.get_logger()


class Outside(Protocol):
    """The way to the buses of other processes."""

    def push(self, hints: Sequence[Hint]) -> None:
        """Take hints to the others, sometime or never. Neither waits nor raises."""


class Bus:
    """Hands every batch of hints to every subscriber, in the order published, two turns of the loop later.

    By then whoever waited for the commit has written its answer: nobody who sends pays for a thousand readers.
    """

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []
        self._outside: Outside | None = None

    def connect(self, outside: Outside) -> None:
        """Tell other processes what is published here from now on."""
        self._outside = outside

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Add a subscriber, called with each batch; it must not block. Returns what takes it off again."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def publish(self, hints: Sequence[Hint]) -> None:
        """Hand over hints. Promise: none; a subscriber that raises is logged and the others still get them."""
        loop = asyncio.get_running_loop()
        # the first turn wakes those who waited for the commit
        loop.call_soon(loop.call_soon, self.deliver, hints)
        if self._outside is not None:
            self._outside.push(hints)

    def deliver(self, hints: Sequence[Hint]) -> None:
        """Hand hints to the subscribers of this process now; what another process published comes in here."""
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(hints)
            except Exception:
                log.exception("bus.subscriber_failed")

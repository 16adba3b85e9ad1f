"""The entrance: those who come in are looked up a few at a time.

When thousands come back at once, after a restart or a network that returned, they queue here; the event loop and the
database stay with those who are in. While many wait, each place rests after each of them for as long as that one took.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

PLACES = 3
"""Clients looked up at the same time, of the database's connections."""
CALM = 20
"""So many may wait without anybody resting."""
REST = 1.0
"""Rest of a place for each second its last client took."""
REST_LIMIT_SECONDS = 0.02


class Entrance:
    """Limits what newcomers take of a process. Hold a turn for database work only, never while a client is waited for."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(PLACES)
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place, first come, first served, and keep it for the block."""
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        started = time.monotonic()
        try:
            yield
        finally:
            self._leave(time.monotonic() - started)

    def _leave(self, seconds: float) -> None:
        if self._waiting > CALM:
            rest = min(seconds * REST, REST_LIMIT_SECONDS)
            asyncio.get_running_loop().call_later(rest, self._places.release)
        else:
            self._places.release()

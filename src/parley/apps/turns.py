"""Turns: what comes in a crowd is begun one in each turn of the event loop, and what else waits goes between.

A turn serves every socket that has something to read. When thousands have connected and then ask in the same moment, that
is all of their first requests, a tenth of a millisecond each, before anybody else has a word.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """Calls what is given to `take`, in order, each in a turn of its own."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def take(self, begin: Callable[[], None]) -> None:
        """Have something begin, in the next turn or a later one."""
        self._waiting.append(begin)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        begin = self._waiting.popleft()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)
        begin()

"""The gate for WebSockets: when many come at once they are let in one by one, and the others have the loop meanwhile.

A socket that comes costs a millisecond and more: its upgrade, who it is, what it missed. Whoever is live passes through
some ten turns of the event loop with each message, so these turns must stay short. Plain requests do not pass here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

AT_ONCE = 20
"""So many come in without waiting, and again after as long as they would have waited."""
PACE_SECONDS = 0.006
"""Between two that come in."""
CROWD = 2_000
"""While more than this wait, several come in at a time: nobody waits longer than some twelve seconds."""


class UpgradeGate:
    """Calls what is given to `enter`, now or when it is its turn, in order."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._free_at = 0.0
        """When as many as came would have come one by one."""

    def enter(self, come_in: Callable[[], None]) -> None:
        """Have somebody come in."""
        now = asyncio.get_running_loop().time()
        if not self._waiting and self._free_at - now < AT_ONCE * PACE_SECONDS:
            self._free_at = max(self._free_at, now) + PACE_SECONDS
            come_in()
            return
        self._waiting.append(come_in)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(PACE_SECONDS, self._let_in)

    def _let_in(self) -> None:
        loop = asyncio.get_running_loop()
        coming = [
            self._waiting.popleft() for _ in range(min(len(self._waiting), 1 + len(self._waiting) // CROWD))
        ]
        if self._waiting:
            loop.call_later(PACE_SECONDS, self._let_in)
        else:
            self._free_at = loop.time() + AT_ONCE * PACE_SECONDS
        for come_in in coming:
            come_in()

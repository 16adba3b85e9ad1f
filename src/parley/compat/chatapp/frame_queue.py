"""Between a session of ours and its translator: the frames it was sent, in order, until they are told."""

from __future__ import annotations

import asyncio
import collections
from typing import Any

from parley.realtime.frames import EventFrame, Ready, ResetFrame, Run, SignalFrame
from parley.realtime.outlet import CONGESTED_BYTES, Outlet


class FrameQueue:
    """A session's outlet: keeps its frames for the translator; the answers to commands are nobody's."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._waiting: collections.deque[Ready] = collections.deque()
        self._size_bytes = 0
        self._is_over = False
        self._news = asyncio.Event()

    @property
    def backlog_bytes(self) -> int:
        """See `Outlet`."""
        return self._size_bytes + self._outlet.backlog_bytes

    @property
    def is_closed(self) -> bool:
        """See `Outlet`."""
        return self._outlet.is_closed

    def offer(self, ready: Ready) -> bool:
        """See `Outlet`."""
        if self.backlog_bytes > CONGESTED_BYTES:
            return False
        self.write(ready)
        return True

    def offer_run(self, run: Run) -> bool:
        """See `Outlet`."""
        del run
        return False

    def write(self, ready: Ready) -> None:
        """See `Outlet`."""
        if isinstance(ready.frame, EventFrame | SignalFrame | ResetFrame):
            self._waiting.append(ready)
            self._size_bytes += len(ready.json)
            self._news.set()

    def close(self, code: int, reason: str) -> None:
        """See `Outlet`."""
        self._outlet.close(code, reason)
        self.end()

    def end(self) -> None:
        """Let go of whoever waits for the next frame. Repeat: harmless."""
        self._is_over = True
        self._news.set()

    async def get(self) -> Any:
        """Return the next frame; None once the connection is over."""
        while not self._waiting:
            if self._is_over:
                return None
            self._news.clear()
            await self._news.wait()
        ready = self._waiting.popleft()
        self._size_bytes -= len(ready.json)
        return ready.frame

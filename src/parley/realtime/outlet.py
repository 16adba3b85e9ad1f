"""The way out of a session: one interface over both transports."""

from __future__ import annotations

from typing import Protocol

from parley.realtime.frames import Ready, Run

CONGESTED_BYTES = 64 * 1024
"""Unsent bytes above which a reader counts as slow: where uvloop's transports pause a writer."""


class Outlet(Protocol):
    """Where a session's frames go.

    Guarantees: frames arrive in the order written, whole or not at all; `write` neither blocks nor raises, also
    after the peer has gone; after `close` nothing more is written.
    """

    @property
    def backlog_bytes(self) -> int:
        """Bytes accepted that the peer has not taken yet, as far as this process can see."""

    @property
    def is_closed(self) -> bool:
        """Whether writing is pointless: the peer has gone or `close` was called."""

    def offer(self, ready: Ready) -> bool:
        """Send a frame unless much is unsent already (`CONGESTED_BYTES`); False: it was not sent, look at the backlog.

        Fan-out's way: one call for each reader.
        """

    def offer_run(self, run: Run) -> bool:
        """Send frames in one write; False: nothing was sent, they have to go one by one."""

    def write(self, ready: Ready) -> None:
        """Send a frame."""

    def close(self, code: int, reason: str) -> None:
        """Close the connection once what was written is out, or soon if the peer does not read."""

"""Foreign protocols over our Socket.IO endpoint: what a dialect brings, and how its clients are told from ours.

A dialect lies above this room (`parley.compat`); it gets an outlet and a way to open a `Session`, and translates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from parley.realtime.outlet import Outlet
from parley.realtime.websocket import OpenSession


class Guest(Protocol):
    """One connected client of a dialect."""

    async def run(self) -> None:
        """Speak to the client, from the moment its connection is confirmed until it is over."""

    async def handle(self, event: str, arguments: Sequence[Any]) -> None:
        """Take an event from the client. Never raises for what a peer sends."""

    def close(self) -> None:
        """Leave: the peer has gone. Repeat: harmless."""


class Dialect(Protocol):
    """A protocol of named events whose clients connect where ours do."""

    def is_spoken_by(self, auth: Any) -> bool:
        """Whether what a client gave as ``auth`` says that it speaks this dialect. Pure, and cheap."""

    def is_welcome(self, scope: Any) -> bool:
        """Whether pages of the request's Origin may connect, beside our own; for this dialect alone."""

    def stop(self) -> None:
        """End what runs beside the connections. Repeat: harmless."""

    async def open(self, outlet: Outlet, auth: Any, open_session: OpenSession) -> Guest:
        """Let a client in. Nothing is written to the outlet before `Guest.run`. Raises: ParleyError."""


def find_dialect(dialects: Iterable[Dialect], auth: Any) -> Dialect | None:
    """Return whose client this is, None for our own."""
    return next((dialect for dialect in dialects if dialect.is_spoken_by(auth)), None)

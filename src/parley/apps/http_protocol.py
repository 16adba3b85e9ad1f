"""uvicorn's HTTP class, with limits on what comes before a request is known: the size of its head, and patience.

The parser beneath keeps whatever a peer sends until the head is complete, for as long as it takes (measured: 1.5 GB
for 100 MB of endless headers). Leans on the inside of uvicorn 0.54.0's `HttpToolsProtocol` (`on_message_begin`,
`on_url`, `on_header`, `flow`, `send_400_response`): the version is pinned exactly, the tests drive it by raw sockets.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from parley.apps.turns import Turns
from parley.apps.upgrades import UpgradeGate
from parley.infra.http import error_body

HEAD_LIMIT_BYTES = 32 * 1024
"""Request line and headers together."""
LINE_LIMIT_BYTES = 8 * 1024 - 64
"""The address, or one header. The WebSocket library beneath takes lines of 8 kB and is silent about longer ones."""
HEADERS_LIMIT = 100
HEAD_SECONDS = 10.0
"""How long a peer may take from connecting, or from a request's first byte, to the end of its head."""
BODY_IDLE_SECONDS = 30.0
"""How long a body may stand still while we are ready to read it."""
LOOK_SECONDS = 2.5
"""How often a connection's patience is looked at."""

_REASONS = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large"}
_BODIES = {
    400: error_body("malformed", "This is no HTTP request that can be read."),
    408: error_body("too_slow", "The request did not come in time."),
    431: error_body("too_large", "The address or the headers of the request are too long."),
}


class _HeadTooLarge(Exception):
    """The request line and headers exceed what is taken."""


class GuardedHttp(HttpToolsProtocol):
    """Give to uvicorn as ``http=``. A refused connection gets an answer in the one error shape and is closed."""

    gate: UpgradeGate | None = None
    turns: Turns | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_new = True
        self._is_in_head = True
        self._is_in_body = False
        self._head_bytes = 0
        self._callbacks = 0
        self._unfinished_bytes = 0
        self._refusal = 400
        self._waits_since = 0.0
        self._look: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------ connection

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._waits_since = self.loop.time()
        self._look = self.loop.call_later(LOOK_SECONDS, self._look_at_patience)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the looks."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; what a connection says first waits for its turn."""
        if not self._is_new or self.turns is None:
            self._feed(data)
            return
        self._is_new = False
        self.transport.pause_reading()
        self.turns.take(functools.partial(self._begin, data))

    def _begin(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        """Feed the parser; refuse a line that grows without an end, in the head or behind the body."""
        before = self._callbacks
        if self._is_in_body:
            self._waits_since = self.loop.time()
        super().data_received(data)
        self._unfinished_bytes = self._unfinished_bytes + len(data) if self._callbacks == before else 0
        if self._unfinished_bytes > HEAD_LIMIT_BYTES and not self.transport.is_closing():
            self._refuse(431)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket class, when the gate lets it in; what it sends until then waits."""
        if self._look is not None:
            self._look.cancel()
        if self.gate is None:
            self._come_in()
        else:
            self.transport.pause_reading()
            self.gate.enter(self._come_in)

    def _come_in(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()
            super().handle_websocket_upgrade()
            self.parser: Any = None  # which leads back here, as uvicorn does when a connection is lost

    # ------------------------------------------------------------ parser callbacks

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self._is_in_head, self._head_bytes, self._waits_since = True, 0, self.loop.time()

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._callbacks += 1
        self._count(len(url))
        super().on_url(url)
        self._require(len(self.url) <= LINE_LIMIT_BYTES)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole header."""
        size = len(name) + len(value)
        self._callbacks += 1
        self._count(size)
        self._require(size <= LINE_LIMIT_BYTES and len(self.headers) < HEADERS_LIMIT)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: the request begins."""
        super().on_headers_complete()  # which refuses an address that is none
        self._is_in_head, self._is_in_body, self._waits_since = False, True, self.loop.time()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._callbacks += 1
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is whole."""
        self._is_in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be read, in the one error shape, and close."""
        self._refuse(self._refusal)

    # ------------------------------------------------------------ limits

    @property
    def _is_answering(self) -> bool:
        cycle: Any = self.cycle  # None until the first request
        return cycle is not None and not cycle.response_complete

    def _count(self, size: int) -> None:
        self._head_bytes += size
        self._require(self._head_bytes <= HEAD_LIMIT_BYTES)

    def _require(self, is_within: bool) -> None:
        if not is_within:
            self._refusal = 431
            raise _HeadTooLarge  # the parser stops at it, and `send_400_response` is called

    def _look_at_patience(self) -> None:
        if self.transport.is_closing():
            return
        waited = self.loop.time() - self._waits_since
        is_idle = self._is_in_head and self.timeout_keep_alive_task is None
        if is_idle and waited > HEAD_SECONDS and not self._is_answering:
            self._refuse(408)
            return
        if self._is_in_body and self.flow.read_paused:
            self._waits_since = self.loop.time()  # it is we who are slow
        elif self._is_in_body and waited > BODY_IDLE_SECONDS:
            self._refuse(408)
            return
        self._look = self.loop.call_later(LOOK_SECONDS, self._look_at_patience)

    def _refuse(self, status: int) -> None:
        """Say why, unless an answer was given or is under way, and close."""
        if not self._is_in_body and not self._is_answering:
            body = msgspec.json.encode(_BODIES[status])
            head = (
                f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()

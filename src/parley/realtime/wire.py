"""uvicorn's WebSocket class, opened so that a frame built once can be written to many sockets.

Leans on the inside of uvicorn 0.54.0's `WebSocketsSansIOProtocol` (`conn`, `queue`, `close_sent`, `close_timer`,
`read_paused`): the version is pinned exactly, the tests drive it with a real client of each kind, and both
transports work, more slowly, under any other WebSocket class.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import State

EXTENSION = "parley.wire"
"""Key in the ASGI scope's extensions under which a connection's `Wire` stands."""

FRAME_BURST = 512
FRAMES_A_SECOND = 20.0
"""Frames of any kind that a peer may send; commands are limited much lower, pings and empty fragments only here."""
SLICE_BYTES = 4096
"""What is parsed at a time, so that a flood is noticed before it has held everybody up."""
PONG_BACKLOG_BYTES = 64 * 1024
"""Unsent bytes above which a peer that goes on pinging is cut."""
CLOSE_POLICY = 1008
"""What the peer does is not to be borne (RFC 6455, 7.4.1)."""

CLOSE_NOT_TEXT = 1007
"""A text that is not UTF-8 (RFC 6455, 8.1)."""

CLOSE_SECONDS = 5.0
"""How long a peer may take to answer our close frame before the connection is cut."""


class Wire:
    """One accepted WebSocket connection, to which ready frames are written.

    What is written here goes out in order with what the ASGI application sends while `is_idle` holds.
    """

    __slots__ = ("_protocol",)

    def __init__(self, protocol: FrameProtocol) -> None:
        self._protocol = protocol

    @property
    def backlog_bytes(self) -> int:
        """Bytes in the transport's buffer, not yet taken by the kernel."""
        return self._protocol.transport.get_write_buffer_size()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can be written."""
        protocol = self._protocol
        return protocol.close_sent or protocol.transport.is_closing()

    @property
    def is_idle(self) -> bool:
        """Whether no send of the ASGI application waits for the buffer to empty; a write would overtake it."""
        return self._protocol.sends_under_way == 0

    def offer(self, frame: bytes) -> bool:
        """Write a whole frame unless much is unsent already; False: it was not written."""
        protocol = self._protocol
        if protocol.is_congested:
            return False
        if not protocol.close_sent and not protocol.transport.is_closing():
            protocol.transport.write(frame)
        return True

    def write(self, frame: bytes) -> None:
        """Write a whole frame. After the close: nothing happens."""
        protocol = self._protocol
        if not protocol.close_sent and not protocol.transport.is_closing():
            protocol.transport.write(frame)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame behind what is buffered; cut the connection when it is not answered in time."""
        self._protocol.close_soon(code, reason)


class Budget:
    """So much at once and so much a second; once overdrawn it stays spent."""

    __slots__ = ("_at", "_left", "_most", "_per_second", "is_spent")

    def __init__(self, most: int, per_second: float) -> None:
        self._most = self._left = float(most)
        self._per_second = per_second
        self._at = time.monotonic()
        self.is_spent = False

    def spend(self, count: int) -> bool:
        """Take so much of it; False when it is spent."""
        now = time.monotonic()
        self._left = min(self._most, self._left + (now - self._at) * self._per_second) - count
        self._at = now
        self.is_spent = self.is_spent or self._left < 0
        return not self.is_spent


class FrameProtocol(WebSocketsSansIOProtocol):
    """Give to uvicorn as ``ws=``, with ``ws_per_message_deflate=False`` and ``ws_max_size=65536``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sends_under_way = 0
        self.is_congested = False
        self.budget = Budget(FRAME_BURST, FRAMES_A_SECOND)

    def data_received(self, data: bytes) -> None:
        """Parse what came, slice by slice; a peer that floods is closed with 1008 and heard no longer."""
        for start in range(0, len(data), SLICE_BYTES):
            if self.budget.is_spent or self.transport.is_closing():
                return
            super().data_received(data[start : start + SLICE_BYTES])

    def handle_events(self) -> None:
        """Handle the frames parsed so far, counted."""
        is_within = self.budget.spend(len(self.conn.events))
        super().handle_events()
        if not is_within:
            self.close_soon(CLOSE_POLICY, "too many frames")

    def send_receive_event_to_app(self) -> None:
        """Hand a message on; text that is none closes the connection with 1007, and is no error of ours to log."""
        if self.curr_msg_data_type == "text" and not _is_utf8(self.frames):
            self.frames = []
            if self.conn.state is State.OPEN:  # else we are closing already, for another reason
                self.conn.send_close(CLOSE_NOT_TEXT)
                self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer a ping, unless its peer reads none of the answers."""
        super().handle_ping()
        if self.transport.get_write_buffer_size() > PONG_BACKLOG_BYTES:
            self.transport.abort()

    def handle_parser_exception(self) -> None:
        """Say why frames that break the protocol end the connection, which before it was accepted is no frame."""
        if self.conn.close_sent is None:
            self.transport.close()
            return
        super().handle_parser_exception()

    def handle_connect(self, event: Request) -> None:
        """Accept the request and show the wire to the application, which runs in a later turn of the loop."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = {"wire": Wire(self)}

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of what leads back here: a closed connection goes at once, not when the garbage collector finds it.

        Two thousand that closed together were 120 000 objects, and to find them stopped the loop for 100 ms.
        """
        super().connection_lost(exc)
        self.conn.parser.close()
        scope: Any = getattr(self, "scope", {})  # not there before the request was read
        scope.get("extensions", {}).pop(EXTENSION, None)

    def pause_writing(self) -> None:
        """The transport has more unsent than it likes."""
        self.is_congested = True
        super().pause_writing()

    def resume_writing(self) -> None:
        """Most of it is out."""
        self.is_congested = False
        super().resume_writing()

    async def send(self, message: Any) -> None:
        """Send as uvicorn does, counted while it waits for the buffer to empty."""
        self.sends_under_way += 1
        try:
            await super().send(message)
        finally:
            self.sends_under_way -= 1

    def close_soon(self, code: int, reason: str) -> None:
        """As the application's ``websocket.close``, without waiting for a full buffer."""
        if self.close_sent or self.transport.is_closing():
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        loop = asyncio.get_running_loop()
        self.close_timer = loop.call_later(CLOSE_SECONDS, self.transport.abort)


def _is_utf8(parts: Sequence[bytes]) -> bool:
    try:
        b"".join(parts).decode()
    except UnicodeDecodeError:
        return False
    return True


def find_wire(scope: Any) -> Wire | None:
    """Return the wire of an ASGI WebSocket scope; None under another WebSocket class."""
    extension = scope.get("extensions", {}).get(EXTENSION)
    return extension["wire"] if extension else None

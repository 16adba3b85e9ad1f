"""uvicorn's WebSocket class, opened so that a frame built once can be written to many sockets.

Leans on the inside of uvicorn 0.54.0's `WebSocketsSansIOProtocol` (`conn`, `queue`, `close_sent`, `close_timer`,
`read_paused`): the version is pinned exactly, the tests drive it with a real client of each kind, and both
transports work, more slowly, under any other WebSocket class.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION = "parley.wire"
"""Key in the ASGI scope's extensions under which a connection's `Wire` stands."""

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

    def write(self, frame: bytes) -> None:
        """Write a whole frame. After the close: nothing happens."""
        protocol = self._protocol
        if not protocol.close_sent and not protocol.transport.is_closing():
            protocol.transport.write(frame)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame behind what is buffered; cut the connection when it is not answered in time."""
        self._protocol.close_soon(code, reason)


class FrameProtocol(WebSocketsSansIOProtocol):
    """Give to uvicorn as ``ws=``, with ``ws_per_message_deflate=False`` and ``ws_max_size=65536``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sends_under_way = 0

    def handle_connect(self, event: Request) -> None:
        """Accept the request and show the wire to the application, which runs in a later turn of the loop."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = {"wire": Wire(self)}

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


def find_wire(scope: Any) -> Wire | None:
    """Return the wire of an ASGI WebSocket scope; None under another WebSocket class."""
    extension = scope.get("extensions", {}).get(EXTENSION)
    return extension["wire"] if extension else None

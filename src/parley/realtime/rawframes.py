"""Socket.IO's fan-out without a task for every reader: the frame is built once and written to each transport.

python-socketio 5.18.1 spends most of a broadcast on one task and one timer for every packet (measured: 11k deliveries
a second, 88k this way). A packet is written straight to the WebSocket where nothing of that connection is on its way
through Engine.IO's queue; polling, upgrading and busy connections take the queue, so the order is always kept.
Leans on the inside of python-engineio 4.15 (`AsyncServer._async`, `AsyncSocket.queue`, `.upgraded`): the versions are
pinned, a test drives it with the JavaScript client, and `Settings.stock_fanout` is the switch back.
"""

from __future__ import annotations

import asyncio
from typing import Any

import engineio
import socketio
from engineio import packet as engine_packet
from engineio.async_drivers.asgi import WebSocket as EngineWebSocket
from engineio.payload import Payload
from socketio import packet as socketio_packet

from parley.realtime.frames import ws_text_frame
from parley.realtime.wire import Wire, find_wire

_DIGITS = "0123456"
_LONGEST_SIGN = 16
"""Characters of an Engine.IO packet that is no message, such as ``2probe``."""

# A polling client sends what it has in one body; the library's own limit is 16 packets. Its documented knob.
Payload.max_decode_packets = 256


class PacketQueue(asyncio.Queue[Any]):
    """Engine.IO's queue of one connection, with what is in it counted.

    ``unfinished`` counts packets that were put and not yet handed to the transport by the connection's writer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unfinished = 0
        self.size_bytes = 0

    def _put(self, item: Any) -> None:
        self.unfinished += 1
        self.size_bytes += _size(item)
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        self.size_bytes -= _size(item)
        return item

    def task_done(self) -> None:
        """The writer has taken a packet and writes it before anybody else's turn."""
        super().task_done()
        self.unfinished -= 1


def _size(packet: Any) -> int:
    data = getattr(packet, "data", None)
    return len(data) if isinstance(data, str | bytes) else 0


class _KnownWebSocket(EngineWebSocket):  # type: ignore[misc]  # untyped library
    """Engine.IO's WebSocket, leaving its wire at the connection that it serves, and passing on packets only."""

    async def __call__(self, environ: dict[str, Any]) -> Any:
        self.handler.__self__.wire = find_wire(environ["asgi.scope"])
        return await super().__call__(environ)

    async def wait(self) -> str | bytes:
        """Return the next packet. What is none ends the connection: Engine.IO's own parser would break at it."""
        data: str | bytes = await super().wait()
        if isinstance(data, str) and not _is_packet(data):
            raise ConnectionAbortedError("not an Engine.IO packet")
        return data


def _is_packet(text: str) -> bool:
    if text[:1] == "4":
        return text[1:2] in _DIGITS and len(text) > 1
    return text[:1] in _DIGITS and 0 < len(text) <= _LONGEST_SIGN


class Engine(engineio.AsyncServer):  # type: ignore[misc]  # untyped library
    """Engine.IO's server with counted queues and known wires."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._async: dict[str, Any] = {**self._async, "websocket": _KnownWebSocket}

    def create_queue(self, *_: Any, **__: Any) -> PacketQueue:
        """Return the queue of a new connection."""
        return PacketQueue()

    async def disconnect(self, sid: str | None = None) -> None:
        """Close a connection, or all. The library waits until all is fetched, which a closed one never does."""
        if sid is None:
            await super().disconnect()
            return
        socket = self.sockets.pop(sid, None)
        if socket is not None:
            await socket.close(wait=False, reason=self.reason.SERVER_DISCONNECT)
            socket.queue.put_nowait(None)  # its writer ends behind the goodbye


def wire_of(socket: Any) -> Wire | None:
    """Return the wire of an Engine.IO connection that is a WebSocket now."""
    wire: Wire | None = getattr(socket, "wire", None)
    return wire if socket.upgraded else None


def is_idle(socket: Any) -> bool:
    """Whether nothing of the connection is on its way through Engine.IO."""
    wire = wire_of(socket)
    return socket.queue.unfinished == 0 and (wire is None or wire.is_idle)


def find_idle_wire(socket: Any) -> Wire | None:
    """Return the wire to write to now; None when the packet has to queue behind others."""
    wire = wire_of(socket)
    return wire if wire is not None and socket.queue.unfinished == 0 and wire.is_idle else None


def enqueue(socket: Any, text: str) -> None:
    """Put a Socket.IO packet into the connection's queue."""
    if not socket.closed:
        socket.queue.put_nowait(engine_packet.Packet(engine_packet.MESSAGE, text))


def release_poll(socket: Any) -> None:
    """Answer the request that a polling client may have waiting; the library leaves it for 45 s after a goodbye."""
    if socket is not None and not socket.upgraded:
        socket.queue.put_nowait(engine_packet.Packet(engine_packet.NOOP))


class RawFrameManager(socketio.AsyncManager):  # type: ignore[misc]  # untyped library
    """Rooms as ever; `emit` writes ready frames. Emits with a callback or with bytes take the stock way."""

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **kwargs: Any,
    ) -> None:
        """Send an event to a room, a client, several of them, or all."""
        arguments = list(data) if isinstance(data, tuple) else [] if data is None else [data]
        packet = self.server.packet_class(
            socketio_packet.EVENT, namespace=namespace, data=[event, *arguments]
        )
        text = packet.encode()
        if callback is not None or not isinstance(text, str):
            await super().emit(event, data, namespace, to or room, skip_sid, callback, **kwargs)
            return
        skipped = set(skip_sid) if isinstance(skip_sid, list | tuple | set) else {skip_sid}
        frame = ws_text_frame(b"4" + text.encode())
        for sid, engine_sid in self.get_participants(namespace, to or room):
            socket = None if sid in skipped else self.server.eio.sockets.get(engine_sid)
            if socket is None:
                continue
            wire = find_idle_wire(socket)
            if wire is not None:
                wire.write(frame)
            else:
                enqueue(socket, text)

"""The plain WebSocket of ``/v1/ws``: one JSON object per text frame, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from parley.realtime.frames import Ready, Run
from parley.realtime.origins import is_allowed
from parley.realtime.outlet import CONGESTED_BYTES, Outlet
from parley.realtime.session import Session
from parley.realtime.wire import CLOSE_SECONDS, Wire, find_wire

OpenSession = Callable[[Outlet], Session]
Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]


class WireOutlet:
    """Ready frames straight to the transport of our own WebSocket class."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    @property
    def backlog_bytes(self) -> int:
        """See `Outlet`."""
        return self._wire.backlog_bytes

    @property
    def is_closed(self) -> bool:
        """See `Outlet`."""
        return self._wire.is_closed

    def offer(self, ready: Ready) -> bool:
        """See `Outlet`."""
        return self._wire.offer(ready.websocket)

    def offer_run(self, run: Run) -> bool:
        """See `Outlet`."""
        return self._wire.offer(run.websocket)

    def write(self, ready: Ready) -> None:
        """See `Outlet`."""
        self._wire.write(ready.websocket)

    def close(self, code: int, reason: str) -> None:
        """See `Outlet`."""
        self._wire.close(code, reason)


class AsgiOutlet:
    """Frames through ASGI's ``send``, one after another by a task: for any other WebSocket class."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        self._backlog = 0
        self._is_closed = False
        self.closed = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._pump())

    @property
    def backlog_bytes(self) -> int:
        """See `Outlet`."""
        return self._backlog

    @property
    def is_closed(self) -> bool:
        """See `Outlet`."""
        return self._is_closed

    def offer(self, ready: Ready) -> bool:
        """See `Outlet`."""
        if self._backlog > CONGESTED_BYTES:
            return False
        self.write(ready)
        return True

    def offer_run(self, run: Run) -> bool:
        """See `Outlet`."""
        del run
        return False

    def write(self, ready: Ready) -> None:
        """See `Outlet`."""
        if not self._is_closed:
            self._backlog += len(ready.json)
            self._queue.put_nowait({"type": "websocket.send", "text": ready.json.decode()})

    def close(self, code: int, reason: str) -> None:
        """See `Outlet`."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.put_nowait({"type": "websocket.close", "code": code, "reason": reason})
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.closed.set)

    async def stop(self) -> None:
        """End the task; nothing is sent any more."""
        self._is_closed = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _pump(self) -> None:
        try:
            while True:
                message = await self._queue.get()
                await self._send(message)
                if message["type"] == "websocket.close":
                    return
                self._backlog -= len(message["text"].encode())
        except OSError:  # the peer has gone; the receiving side is told as well
            return
        finally:
            self._is_closed = True
            self.closed.set()


class WebSocketApp:
    """The ASGI application of ``/v1/ws``."""

    def __init__(self, open_session: OpenSession, public_url: str) -> None:
        self._open_session = open_session
        self._public_url = public_url

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one connection until it ends."""
        await receive()
        if not is_allowed(scope, self._public_url):
            await send({"type": "websocket.close", "code": 1008, "reason": "origin"})
            return
        await send({"type": "websocket.accept"})
        wire = find_wire(scope)
        if wire is not None:
            await self._serve(WireOutlet(wire), receive)
            return
        outlet = AsgiOutlet(send)
        serving = asyncio.get_running_loop().create_task(self._serve(outlet, receive))
        closing = asyncio.get_running_loop().create_task(outlet.closed.wait())
        try:
            await asyncio.wait((serving, closing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            serving.cancel()
            closing.cancel()
            await asyncio.gather(serving, closing, return_exceptions=True)
            await outlet.stop()

    async def _serve(self, outlet: Outlet, receive: Receive) -> None:
        session = self._open_session(outlet)
        try:
            while (message := await receive())["type"] == "websocket.receive":
                raw = message.get("text")
                raw = message["bytes"] if raw is None else raw
                await session.handle(raw)
        finally:
            session.close()

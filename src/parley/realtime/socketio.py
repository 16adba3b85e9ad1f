"""Socket.IO at ``/socket.io``: the event "command" in, the event "frame" out, the token in the connection's auth."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

import msgspec
import socketio

from parley.kit.errors import ParleyError
from parley.realtime.cors import admit_origin
from parley.realtime.dialects import Dialect, Guest, find_dialect
from parley.realtime.frames import COMMAND_LIMIT_BYTES, Ready, Run, parse_auth
from parley.realtime.origins import is_allowed
from parley.realtime.outlet import CONGESTED_BYTES
from parley.realtime.packets import Server
from parley.realtime.rawframes import (
    RawFrameManager,
    enqueue,
    find_idle_wire,
    is_idle,
    release_poll,
    wire_of,
)
from parley.realtime.session import Session
from parley.realtime.websocket import OpenSession, Receive, Send

FLUSH_SECONDS = 2.0
"""How long queued frames may take to go out before the connection is closed all the same."""

# What peers send amiss is logged by Engine.IO as an error with a traceback; it is theirs, not ours.
_quiet = logging.getLogger("parley.realtime.engineio")
_quiet.setLevel(logging.CRITICAL)


class SocketIoApp:
    """The ASGI application of ``/socket.io``."""

    def __init__(self, open_session: OpenSession, public_url: str, *, stock_fanout: bool) -> None:
        self._open_session = open_session
        self._public_url = public_url
        self._sessions: dict[str, Session] = {}
        self._guests: dict[str, Guest] = {}
        self.dialects: list[Dialect] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self.stock: StockSender | None = None
        self.server = Server(
            client_manager=socketio.AsyncManager() if stock_fanout else RawFrameManager(),
            async_mode="asgi",
            async_handlers=False,  # a client's commands one after another
            cors_allowed_origins=[],  # looked at by `is_allowed`
            http_compression=False,
            max_http_buffer_size=COMMAND_LIMIT_BYTES,
            logger=_quiet,
            engineio_logger=_quiet,
        )
        if stock_fanout:
            self.stock = StockSender(self)
        self.server.on("connect", self._on_connect)
        self.server.on("command", self._on_command)
        self.server.on("disconnect", self._on_disconnect)
        self.server.on("*", self._on_event)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one request or one WebSocket."""
        if is_allowed(scope, self._public_url):
            await self.server.handle_request(scope, receive, send)
        elif any(dialect.is_welcome(scope) for dialect in self.dialects):
            await admit_origin(self.server.handle_request, scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "origin"})
        else:
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

    async def stop(self) -> None:
        """End what runs beside the connections. Repeat: harmless."""
        for dialect in self.dialects:
            dialect.stop()
        if self.server.eio.service_task_handle is not None:
            await self.server.shutdown()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside until it ends or the application stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _on_connect(self, sid: str, environ: Any, auth: Any) -> None:
        socket = self.server.eio.sockets[self.server.manager.eio_sid_from_sid(sid, "/")]
        dialect = find_dialect(self.dialects, auth)
        if dialect is not None:
            await self._on_guest(dialect, sid, socket, auth)
            return
        if not is_allowed(environ["asgi.scope"], self._public_url):
            # the page may come here for a dialect's sake alone
            raise socketio.exceptions.ConnectionRefusedError("origin")
        session = self._open_session(SocketIoOutlet(self, sid, socket))
        try:
            hello = parse_auth(auth)
            if hello is not None:
                await session.admit(hello.token)
        except ParleyError as error:
            session.close()
            raise socketio.exceptions.ConnectionRefusedError(error.message, error.as_dict()) from error
        if socket.closed or socket.closing:
            session.close()
            raise socketio.exceptions.ConnectionRefusedError("gone")
        self._sessions[sid] = session
        if hello is not None:
            # the connection is confirmed before the next turn of the loop, in which this begins
            self.run(session.greet(hello.personal))

    async def _on_guest(self, dialect: Dialect, sid: str, socket: Any, auth: Any) -> None:
        try:
            guest = await dialect.open(SocketIoOutlet(self, sid, socket), auth, self._open_session)
        except ParleyError as error:
            raise socketio.exceptions.ConnectionRefusedError(error.message, error.as_dict()) from error
        if socket.closed or socket.closing:
            guest.close()
            raise socketio.exceptions.ConnectionRefusedError("gone")
        self._guests[sid] = guest
        # as with a greeting, the connection is confirmed before this begins
        self.run(guest.run())

    async def _on_event(self, event: str, sid: str, *arguments: Any) -> None:
        guest = self._guests.get(sid)
        if guest is not None:
            await guest.handle(event, arguments)

    async def _on_command(self, sid: str, *arguments: Any) -> Any:
        session = self._sessions.get(sid)
        if session is None:
            return None
        answer = await session.handle(arguments[0] if arguments else None)
        return None if answer is None else msgspec.to_builtins(answer, enc_hook=str)

    async def _on_disconnect(self, sid: str, reason: str) -> None:
        session = self._sessions.pop(sid, None)
        if session is not None:
            session.close()
        guest = self._guests.pop(sid, None)
        if guest is not None:
            guest.close()
        if reason == self.server.reason.CLIENT_DISCONNECT:
            release_poll(self.server.eio.sockets.get(self.server.manager.eio_sid_from_sid(sid, "/")))


class SocketIoOutlet:
    """Frames to one Socket.IO client: straight to its wire, else by Engine.IO's queue; stock when so set."""

    def __init__(self, app: SocketIoApp, sid: str, socket: Any) -> None:
        self._app = app
        self._sid = sid
        self._socket = socket
        self._is_closed = False

    @property
    def backlog_bytes(self) -> int:
        """See `Outlet`."""
        wire = wire_of(self._socket)
        queued: int = self._socket.queue.size_bytes
        return queued if wire is None else queued + wire.backlog_bytes

    @property
    def is_closed(self) -> bool:
        """See `Outlet`."""
        wire = wire_of(self._socket)
        return self._is_closed or self._socket.closed or (wire is not None and wire.is_closed)

    def offer(self, ready: Ready) -> bool:
        """See `Outlet`."""
        if not self._is_closed and self._app.stock is None:
            wire = find_idle_wire(self._socket)
            if wire is not None:
                return wire.offer(ready.socketio)
        if self.backlog_bytes > CONGESTED_BYTES:
            return False
        self.write(ready)
        return True

    def offer_run(self, run: Run) -> bool:
        """See `Outlet`."""
        if self._is_closed or self._app.stock is not None:
            return False
        wire = find_idle_wire(self._socket)
        return wire is not None and wire.offer(run.socketio)

    def write(self, ready: Ready) -> None:
        """See `Outlet`."""
        if self._is_closed:
            return
        if self._app.stock is not None:
            self._app.stock.push(self._sid, ready)
            return
        wire = find_idle_wire(self._socket)
        if wire is not None:
            wire.write(ready.socketio)
        else:
            enqueue(self._socket, ready.packet)

    def close(self, code: int, reason: str) -> None:
        """See `Outlet`. Closes the transport beneath, so that clients connect again by themselves."""
        if not self._is_closed:
            self._is_closed = True
            self._app.run(self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                if self._app.stock is not None:
                    await self._app.stock.flushed()
                while not is_idle(self._socket):
                    await asyncio.sleep(0.01)
        wire = wire_of(self._socket)
        if wire is not None:
            wire.close(code, reason)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._app.server.eio.disconnect(self._socket.sid)


class StockSender:
    """Frames through `AsyncServer.emit`, in the order written; neighbours of one frame as one emit."""

    def __init__(self, app: SocketIoApp) -> None:
        self._app = app
        self._batches: collections.deque[tuple[Ready, list[str]]] = collections.deque()
        self._flushed = asyncio.Event()
        self._flushed.set()

    def push(self, sid: str, ready: Ready) -> None:
        """Send a frame to a client after everything pushed before."""
        if self._batches and self._batches[-1][0] is ready:
            self._batches[-1][1].append(sid)
            return
        self._batches.append((ready, [sid]))
        if self._flushed.is_set():
            self._flushed.clear()
            self._app.run(self._send())

    async def flushed(self) -> None:
        """Return when everything pushed is in Engine.IO's queues."""
        await self._flushed.wait()

    async def _send(self) -> None:
        while self._batches:
            ready, sids = self._batches.popleft()
            await self._app.server.emit(ready.event, msgspec.json.decode(ready.json), to=sids)
        self._flushed.set()

"""The gateway: everything a process needs to serve sockets, over what it has open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry

from parley.accounts import Caller, authenticate, find_callers
from parley.infra.failures import describe_failure
from parley.infra.runtime import Runtime
from parley.kit.events import CallerHint, Hint
from parley.realtime import errors
from parley.realtime.dialects import Dialect
from parley.realtime.fanout import Fanout
from parley.realtime.meters import TallyCollector
from parley.realtime.outlet import Outlet
from parley.realtime.session import Session
from parley.realtime.socketio import SocketIoApp
from parley.realtime.websocket import WebSocketApp
from parley.realtime.wire import FrameProtocol

GUARD_SECONDS = 4.0
"""How often the tokens of all open sessions are looked at again: one whose revocation the bus did not tell is noticed
within five seconds."""
GATHER_SECONDS = 0.05
"""How long changes are gathered before the sessions that they are about are looked for, all together."""
STOP_SECONDS = 3.0
"""How long clients have to answer our close frames when the process stops."""

log = structlog.get_logger()


class Gateway:
    """Both realtime transports of one process.

    `asgi_websocket` serves ``/v1/ws``, `asgi_socketio` serves ``/socket.io``. Run uvicorn with
    ``ws=gateway.protocol_class``, ``ws_max_size=65536``, ``ws_per_message_deflate=False``.
    """

    protocol_class = FrameProtocol

    def __init__(self, runtime: Runtime) -> None:
        settings = runtime.settings
        self._runtime = runtime
        self._sessions: set[Session] = set()
        self._is_stopping = False
        self._changed: set[UUID | None] = set()
        """Sessions, actors and logins whose tokens changed."""
        self._news = asyncio.Event()
        self._off: Callable[[], None] = _nothing
        self.fanout = Fanout(runtime.db, runtime.bus, runtime.presence)
        self.collector = TallyCollector(self.fanout.tally)
        self.asgi_websocket = WebSocketApp(self._open_session, settings.public_url)
        self._socketio = SocketIoApp(
            self._open_session, settings.public_url, stock_fanout=settings.stock_fanout
        )
        self.asgi_socketio = self._socketio

    def speak(self, dialect: Dialect) -> None:
        """Serve the clients of a dialect over Socket.IO as well; before the first connection."""
        self._socketio.dialects.append(dialect)

    async def start(self) -> None:
        """Begin to listen to the bus; before the first connection."""
        self._off = self._runtime.bus.subscribe(self._on_hints)
        await self.fanout.start()
        self.fanout.run(self._guard())
        self.fanout.run(self._heed())

    async def stop(self) -> None:
        """Close every connection with 1012, so that its client comes again elsewhere, and end. Call it before the
        server waits for its connections to end. Repeat: harmless.
        """
        self._is_stopping = True
        for session in tuple(self._sessions):
            session.end(errors.CLOSE_RESTART, "restart")
        deadline = asyncio.get_running_loop().time() + STOP_SECONDS
        while self._sessions and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        await self._socketio.stop()
        self._off()
        self._off = _nothing
        await self.fanout.stop()

    def register(self, registry: CollectorRegistry) -> None:
        """Show this gateway's numbers in a registry."""
        registry.register(self.collector)

    # ------------------------------------------------------------ sessions

    def _open_session(self, outlet: Outlet) -> Session:
        session = Session(self.fanout, outlet, self._authenticate, self._on_closed)
        self._sessions.add(session)
        self.fanout.tally.sockets = len(self._sessions)
        if self._is_stopping:
            session.end(errors.CLOSE_RESTART, "restart")
        return session

    def _on_closed(self, session: Session) -> None:
        self._sessions.discard(session)
        self.fanout.tally.sockets = len(self._sessions)

    async def _authenticate(self, token: str) -> Caller:
        async with self.fanout.entrance.turn():
            return await authenticate(self._runtime.db, token)

    async def _guard(self) -> None:
        """Close sessions whose token expired or was revoked, and notice changed roles: one read for all of them."""
        while True:
            await asyncio.sleep(GUARD_SECONDS)
            try:
                await self._check_tokens(self._sessions)
            except Exception as error:  # noqa: BLE001 - whatever ails the database, the next turn tries again
                log.warning("realtime.sessions_unchecked", error=describe_failure(error))

    def _on_hints(self, hints: Sequence[Hint]) -> None:
        """Take from the bus whose tokens changed. Never waits."""
        changed = [hint.id for hint in hints if isinstance(hint, CallerHint)]
        if changed:
            self._changed.update(changed)
            self._news.set()

    async def _heed(self) -> None:
        """Look at the sessions of those whose tokens changed; what fails is left to `_guard`."""
        while True:
            await self._news.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._news.clear()
            changed, self._changed = self._changed, set()
            known = [session for session in self._sessions if session.is_known]
            try:
                await self._check_tokens(
                    session for session in known if not changed.isdisjoint(session.caller.ids)
                )
            except Exception as error:  # noqa: BLE001 - whatever ails the database, the guard looks again
                log.warning("realtime.sessions_unchecked", error=describe_failure(error))

    async def _check_tokens(self, sessions: Iterable[Session]) -> None:
        checked = {session: session.token for session in sessions if session.is_known}
        if not checked:
            return
        callers = await find_callers(self._runtime.db, set(checked.values()))
        for session, token in checked.items():
            if session.is_closed or session.token != token:
                continue
            caller = callers.get(token)
            if caller is None:
                session.end(errors.CLOSE_UNAUTHENTICATED, "unauthenticated")
            else:
                session.recognise(caller)


def _nothing() -> None:
    """Take nothing off: not listening."""

"""One client's session, the same behind both transports: who it is, its commands, and what it watches.

A transport makes a `Session` over its `Outlet`, hands every command to `handle`, and calls `close` when the peer has
gone. Nothing a peer sends makes `handle` raise.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from parley.accounts import Caller, find_callers
from parley.conversations import Cursor, View, list_visible_inboxes
from parley.kit.errors import ParleyError, TooLarge, Unauthenticated
from parley.kit.events import ALL, NOT_READERS, STAFF, Event, Signal
from parley.kit.ids import parse_id, public_id
from parley.realtime import errors
from parley.realtime.frames import (
    COMMAND_LIMIT_BYTES,
    Answer,
    Command,
    Done,
    Hello,
    Ping,
    Ready,
    Renew,
    ResyncFrame,
    Run,
    Typing,
    Unwatch,
    UnwatchPresence,
    Watch,
    WatchInboxes,
    WatchPresence,
    parse_command,
    parse_command_id,
    refuse,
)
from parley.realtime.outlet import CONGESTED_BYTES, Outlet
from parley.realtime.streams import COURTESY_LIMIT, Subscription
from parley.realtime.watching import begin, begin_personal, review

if TYPE_CHECKING:
    from parley.realtime.fanout import Fanout


class Bug(ParleyError):
    """Something went wrong on our side. It has been logged."""

    code = "bug"


Authenticate = Callable[[str], Awaitable[Caller]]
"""Turns a token into its caller. Raises: Unauthenticated."""

HELLO_SECONDS = 10.0
COMMANDS_A_MINUTE = 120
WATCH_LIMIT = 500
PRESENCE_LIMIT = 500
RESYNC_BACKLOG_BYTES = 1024 * 1024
"""Unsent bytes above which a socket is given up: its reader resumes from its cursors."""
DRAINED_BYTES = 256 * 1024
DRAIN_SECONDS = 15.0

_TYPING_TO: dict[View, str] = {"staff": STAFF, "all": ALL, "reader": NOT_READERS}
"""Who sees that somebody writes, by how they see the conversation."""

_RESYNC = Ready(ResyncFrame())

log = structlog.get_logger()


class Session:
    """One connected client."""

    def __init__(
        self, fanout: Fanout, outlet: Outlet, authenticate: Authenticate, on_closed: Callable[[Session], None]
    ) -> None:
        self.fanout = fanout
        self.outlet = outlet
        self.token = ""
        self.personal: Subscription | None = None
        self.watched: dict[UUID, Subscription] = {}
        self.inboxes: frozenset[UUID] = frozenset()
        self.watched_actors: set[UUID] = set()
        self.rights_version = 0
        self.is_watching_inboxes = False
        self.is_closed = False
        self._caller: Caller | None = None
        self._authenticate = authenticate
        self._on_closed = on_closed
        self._tally = fanout.tally
        self._turn = asyncio.Lock()
        self._is_reviewing = False
        self._is_present = False
        self._allowance = float(COMMANDS_A_MINUTE)
        self._allowance_at = time.monotonic()
        self._free_watches = WATCH_LIMIT
        self._hello_timer = asyncio.get_running_loop().call_later(HELLO_SECONDS, self._on_no_hello)

    @property
    def caller(self) -> Caller:
        """Who it is. Raises: HelloFirst."""
        if self._caller is None:
            raise errors.HelloFirst
        return self._caller

    @property
    def actor_id(self) -> UUID:
        """Whose session it is. Raises: HelloFirst."""
        return self.caller.actor_id

    @property
    def is_known(self) -> bool:
        """Whether it has said who it is."""
        return self._caller is not None

    # ------------------------------------------------------------ out

    def send(self, ready: Ready) -> None:
        """Send a frame. A slow reader loses signals first, then its connection; nobody waits for it."""
        if self.is_closed:
            return
        if self.outlet.offer(ready):
            self._tally.frames += 1
        else:
            self._send_slowly(ready)

    def send_run(self, run: Run) -> None:
        """Send frames that follow one another, as `send` each of them."""
        if not self.is_closed and self.outlet.offer_run(run):
            self._tally.frames += len(run.parts)
            return
        for ready in run.parts:
            self.send(ready)

    def _send_slowly(self, ready: Ready) -> None:
        backlog = self.outlet.backlog_bytes
        if ready.may_drop and backlog > CONGESTED_BYTES:
            self._tally.dropped_signals += 1
        elif backlog > RESYNC_BACKLOG_BYTES:
            self.resync()
        else:
            self._tally.frames += 1
            self.outlet.write(ready)

    def resync(self) -> None:
        """Give the connection up because its reader is too slow: it may come again and resume."""
        if not self.is_closed:
            self._tally.resyncs += 1
            self.outlet.write(_RESYNC)
            self.end(errors.CLOSE_RESYNC, "resync")

    def end(self, code: int, reason: str) -> None:
        """Close the connection from our side."""
        if not self.is_closed:
            self.is_closed = True
            self.outlet.close(code, reason)
            # not at once: we may stand in the middle of a room
            asyncio.get_running_loop().call_soon(self.close)

    def close(self) -> None:
        """Leave every room: the peer has gone. Repeat: harmless."""
        self.is_closed = True
        self._hello_timer.cancel()
        for subscription in self.watched.values():
            self.fanout.leave(subscription)
        self.watched.clear()
        if self.personal is not None:
            self.fanout.leave(self.personal)
            self.personal = None
        self.fanout.touches.watch(self, ())
        if self._is_present:
            self._is_present = False
            self.fanout.presence.depart(self)
        self._on_closed(self)

    async def drained(self) -> None:
        """Return when little is unsent; give the connection up when its reader does not keep up."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self.outlet.backlog_bytes > DRAINED_BYTES and not self.is_closed and not self.outlet.is_closed:
            if time.monotonic() > deadline:
                self.resync()
                return
            await asyncio.sleep(0.02)

    # ------------------------------------------------------------ in

    async def handle(self, raw: str | bytes | Any) -> Answer | None:
        """Carry out one command, a text or a JSON value already decoded, and send its answer.

        Commands that come at once are carried out one after another. Returns the answer that was sent; None when
        the connection is over. Never raises for what a peer sends.
        """
        async with self._turn:
            return None if self.is_closed else await self._answer(raw)

    async def _answer(self, raw: str | bytes | Any) -> Answer:
        command_id = 0
        try:
            self._check_size(raw)
            command_id = parse_command_id(raw)
            command = self._parse(raw)
        except ParleyError as error:
            return self._refuse(command_id, error)
        return await self._reply(command_id, self._carry_out(command))

    async def _reply(self, command_id: int, work: Awaitable[dict[str, Any]]) -> Answer:
        try:
            # nothing may wait between the end of the work and its answer: a watch's answer says where it went live
            answer = Done(id=command_id, data=await work)
        except ParleyError as error:
            return self._refuse(command_id, error)
        except Exception:
            log.exception("realtime.bug")
            return self._refuse(command_id, Bug())
        self.send(Ready(answer))
        return answer

    def _refuse(self, command_id: int, error: ParleyError) -> Answer:
        answer = refuse(command_id, error)
        self.send(Ready(answer))
        if isinstance(error, errors.TooManyCommands):
            self.end(errors.CLOSE_TOO_MANY, "too many commands")
        elif isinstance(error, TooLarge):
            self.end(errors.CLOSE_TOO_LARGE, "command too large")
        elif isinstance(error, Unauthenticated):
            self.end(errors.CLOSE_UNAUTHENTICATED, error.code)
        return answer

    def _check_size(self, raw: Any) -> None:
        if isinstance(raw, str | bytes) and len(raw) > COMMAND_LIMIT_BYTES:
            raise TooLarge("A command has 64 kB at the most.")

    def _parse(self, raw: Any) -> Command:
        """Return the command, counted. A client that comes back may watch all it watched before at once."""
        try:
            command = parse_command(raw)
        except ParleyError:
            self._count_command()
            raise
        if isinstance(command, Watch) and self._free_watches > 0:
            self._free_watches -= 1
        else:
            self._count_command()
        return command

    def count_event(self) -> None:
        """Count what came and is no command of ours; beyond `COMMANDS_A_MINUTE` the connection ends, as for one."""
        if self.is_closed:
            return
        try:
            self._count_command()
        except errors.TooManyCommands as error:
            self._refuse(0, error)

    def _count_command(self) -> None:
        now = time.monotonic()
        earned = (now - self._allowance_at) * COMMANDS_A_MINUTE / 60
        self._allowance = min(float(COMMANDS_A_MINUTE), self._allowance + earned) - 1
        self._allowance_at = now
        if self._allowance < 0:
            raise errors.TooManyCommands(retry_after_seconds=1)

    async def _carry_out(self, command: Command) -> dict[str, Any]:
        match command:
            case Hello():
                await self.admit(command.token)
                return await self._follow_personal(command.personal)
            case Ping():
                return {}
            case _ if not self.is_known:
                raise errors.HelloFirst
            case Renew():
                await self._renew(command.token)
            case Watch():
                return await self._watch(parse_id("cnv", command.conversation_id), command.cursor)
            case Unwatch():
                self._unwatch(parse_id("cnv", command.conversation_id))
            case WatchInboxes():
                self.is_watching_inboxes = True
                await self.find_inboxes()
            case Typing():
                self._type(parse_id("cnv", command.conversation_id), is_on=command.is_on)
            case WatchPresence():
                return await self._watch_presence([parse_id("act", text) for text in command.actor_ids])
            case UnwatchPresence():
                ids = command.actor_ids
                actors = self.watched_actors if ids is None else {parse_id("act", text) for text in ids}
                self.fanout.presence.unwatch(self, list(actors))
        return {}

    # ------------------------------------------------------------ who it is

    async def admit(self, token: str) -> None:
        """Let the client in. Raises: Unauthenticated, HelloAgain."""
        if self.is_known:
            raise errors.HelloAgain
        self._hello_timer.cancel()  # said in time; that we are busy is not its fault
        try:
            caller = await self._authenticate(token)
        except BaseException:
            self._hello_timer = asyncio.get_running_loop().call_later(HELLO_SECONDS, self._on_no_hello)
            raise
        self.token, self._caller = token, caller
        if not self.is_closed:
            self._is_present = True
            self.fanout.presence.arrive(self)

    async def greet(self, personal: Cursor | None) -> None:
        """Answer, as command 0, the hello that a transport's own connecting implied."""
        async with self._turn:
            await self._reply(0, self._follow_personal(personal))

    async def _follow_personal(self, personal: Cursor | None) -> dict[str, Any]:
        if self.is_closed:
            return {}
        head = await begin_personal(self, personal)
        return {"actor_id": public_id("act", self.actor_id), "personal": head}

    async def _renew(self, token: str) -> None:
        caller = await self._authenticate(token)
        if (caller.workspace_id, caller.actor_id) != (self.caller.workspace_id, self.actor_id):
            raise errors.AnotherActor
        self.token = token
        self.recognise(caller)

    async def refresh_caller(self) -> bool:
        """Learn anew what the caller may do, past every cache; False when its token is good no longer."""
        token = self.token
        caller = (await find_callers(self.fanout.db, [token])).get(token)
        if caller is None and token == self.token:
            self.end(errors.CLOSE_UNAUTHENTICATED, "unauthenticated")
            return False
        self._caller = caller or self._caller
        return True

    def recognise(self, caller: Caller) -> None:
        """Go on as this caller, the same actor; what it watches is looked at again if it may do other things now."""
        before, self._caller = self.caller, caller
        if (before.role, before.scopes) != (caller.role, caller.scopes):
            self.review_rights()

    def _on_no_hello(self) -> None:
        self.end(errors.CLOSE_UNAUTHENTICATED, "no hello in time")

    # ------------------------------------------------------------ what it watches

    async def _watch(self, conversation_id: UUID, cursor: Cursor | None) -> dict[str, Any]:
        if len(self.watched) >= WATCH_LIMIT and conversation_id not in self.watched:
            raise errors.TooManyWatched
        head = await begin(self, conversation_id, cursor)
        return {"head": head, "is_live": True}

    def _unwatch(self, conversation_id: UUID) -> None:
        subscription = self.watched.pop(conversation_id, None)
        if subscription is not None:
            self.fanout.leave(subscription)

    async def find_inboxes(self) -> None:
        """Bring the watched inboxes to what the caller may see now."""
        version = self.rights_version
        async with self.fanout.db.transaction(self.caller.workspace_id) as tx:
            inbox_ids = await list_visible_inboxes(tx, self.caller)
        if not self.is_closed and version == self.rights_version:
            self.fanout.touches.watch(self, inbox_ids)

    async def _watch_presence(self, actors: list[UUID]) -> dict[str, Any]:
        if len(self.watched_actors.union(actors)) > PRESENCE_LIMIT:
            raise errors.TooManyWatched(
                f"One connection watches the presence of {PRESENCE_LIMIT} people at the most."
            )
        return {"presence": await self.fanout.presence.watch(self, actors)}

    def _type(self, conversation_id: UUID, *, is_on: bool) -> None:
        subscription = self.watched.get(conversation_id)
        if subscription is None or not subscription.is_live:
            raise errors.NotWatched
        if subscription.stream.watchers > COURTESY_LIMIT:
            return
        self.fanout.publish(
            Signal(
                workspace_id=self.caller.workspace_id,
                stream_id=conversation_id,
                kind="typing.started" if is_on else "typing.stopped",
                audience=_TYPING_TO[subscription.view],
                actor_id=self.actor_id,
            )
        )

    # ------------------------------------------------------------ rights

    def on_personal_event(self, event: Event) -> None:
        """Look at rights again when the personal stream says that some were taken or given."""
        if event.kind == "rights.changed":
            self.review_rights()
        elif event.kind in ("conversation.removed", "conversation.added"):
            # added too: a look begun after the removal must not end in `gone` once its reader was told of the return
            conversation_id = parse_id("cnv", event.data["conversation_id"])
            if conversation_id in self.watched:
                self.review_rights(conversation_id)

    def review_rights(self, conversation_id: UUID | None = None) -> None:
        """Hold back one conversation, or everything watched, until it is known again what the caller may see."""
        self.rights_version += 1
        for key, subscription in self.watched.items():
            if conversation_id in (None, key):
                subscription.stream.hold(subscription)
        if conversation_id is None:
            self.fanout.touches.watch(self, ())
        if not self._is_reviewing:
            self._is_reviewing = True
            self.fanout.run(self._review())

    async def _review(self) -> None:
        try:
            await review(self)
        finally:
            self._is_reviewing = False

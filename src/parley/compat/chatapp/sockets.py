"""Socket.IO as this dialect speaks it: its events by name, over sessions of our own.

A client watches all its dialogs, as ours would; the frames that its session is sent are translated, in order, into
``chat3:update`` and what goes with it. What it sends becomes commands of the session, which checks rights and limits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import structlog

from parley.compat.chatapp.errors import InvalidToken
from parley.compat.chatapp.frame_queue import FrameQueue
from parley.compat.chatapp.tokens import ChatUser, is_token, read_token
from parley.compat.chatapp.updates import Update, Updates, reader_of
from parley.compat.chatapp.watching import find_join, list_companions, list_dialogs
from parley.conversations import Cursor
from parley.conversations.chat3 import iso
from parley.infra.db import Database
from parley.infra.failures import describe_failure
from parley.infra.runtime import Runtime
from parley.kit.errors import Malformed, Unauthenticated
from parley.kit.ids import parse_id, public_id
from parley.realtime.cors import Origin, is_listed
from parley.realtime.frames import Done, EventFrame, Ready, ResetFrame, SignalFrame
from parley.realtime.outlet import Outlet
from parley.realtime.session import PRESENCE_LIMIT, Session
from parley.realtime.websocket import OpenSession

TYPING_AGAIN_SECONDS = 2.0
"""How often "still typing" is passed on; clients say so at every key."""
MEET_SECONDS = 1.0
"""How long newcomers are gathered before their presence is watched, all together."""
PEOPLE_AT_ONCE = 100
HIDDEN_REMEMBERED = 1000

log = structlog.get_logger()


class AuthenticationFailed(Unauthenticated):
    """Authentication failed"""

    code = "chatapp_authentication_failed"


class ChatDialect:
    """What the gateway knows of this dialect."""

    def __init__(self, runtime: Runtime, updates: Updates, origins: frozenset[Origin]) -> None:
        self._runtime = runtime
        self._origins = origins
        self.updates = updates

    def is_spoken_by(self, auth: Any) -> bool:
        """See `parley.realtime.dialects.Dialect`: its clients come with a JWT, which no client of ours does."""
        return isinstance(auth, dict) and is_token(auth.get("token"))

    def is_welcome(self, scope: Any) -> bool:
        """See `parley.realtime.dialects.Dialect`."""
        return is_listed(scope, self._origins)

    def stop(self) -> None:
        """See `parley.realtime.dialects.Dialect`."""
        self.updates.close()

    async def open(self, outlet: Outlet, auth: Any, open_session: OpenSession) -> ChatGuest:
        """Let a client in, watching its dialogs: what it reads after it is connected misses nothing.

        Raises: AuthenticationFailed.
        """
        try:
            user = await read_token(self._runtime, auth["token"])
        except InvalidToken as error:
            raise AuthenticationFailed from error
        return await ChatGuest(self._runtime.db, self.updates, user, outlet, open_session).begin()


class ChatGuest:
    """One client."""

    def __init__(
        self, db: Database, updates: Updates, user: ChatUser, outlet: Outlet, open_session: OpenSession
    ) -> None:
        self._db = db
        self._updates = updates
        self._user = user
        self._outlet = outlet
        self._frames = FrameQueue(outlet)
        self._session: Session = open_session(self._frames)
        self._joined: set[UUID] = set()
        self._entered: set[UUID] = set()
        """Dialogs joined once: what is joined again counts."""
        self._dialogs: set[UUID] = set()
        self._is_meeting = False
        self._unmet: set[UUID] = set()
        """Dialogs with people whose presence is not watched yet."""
        self._typing: dict[UUID, float] = {}
        self._hidden: dict[str, None] = {}
        """Messages deleted for this actor alone since the connection began."""
        self._tasks: set[asyncio.Task[Any]] = set()

    async def begin(self) -> ChatGuest:
        """Go live in the personal stream and in every dialog. Raises: Unauthenticated."""
        try:
            await self._session.admit(self._user.token)
            await self._session.greet(None)
            for conversation_id in await list_dialogs(self._db, self._user):
                await self._watch(conversation_id, None)
        except BaseException:
            self._session.close()
            raise
        return self

    async def run(self) -> None:
        """Translate frames until the connection is over."""
        if self._session.is_closed:
            return
        try:
            await self._meet()
            while not self._session.is_closed:
                await self._tell(await self._frames.get())
        except Exception as error:  # noqa: BLE001 - whatever ails the database, the client comes again and reads anew
            log.warning("chatapp.not_told", error=describe_failure(error))
            self._session.resync()

    def close(self) -> None:
        """See `parley.realtime.dialects.Guest`."""
        self._session.close()
        self._frames.end()
        for task in self._tasks:
            task.cancel()

    # ------------------------------------------------------------ out

    async def _tell(self, frame: Any) -> None:
        if isinstance(frame, EventFrame):
            if frame.stream == public_id("act", self._user.caller.actor_id):
                await self._tell_personal(frame)
            else:
                self._send(await self._updates.of_event(self._workspace_id, frame))
                if frame.kind == "member.joined":
                    self._meet_soon(parse_id("cnv", frame.stream))
        elif isinstance(frame, SignalFrame):
            await self._tell_signal(frame)
        elif isinstance(frame, ResetFrame):
            await self._tell_reset(frame)

    async def _tell_reset(self, frame: ResetFrame) -> None:
        """What was missed cannot be told: the client reads the dialog anew, or everything, by connecting again."""
        if frame.stream == public_id("act", self._user.caller.actor_id):
            self._session.resync()
            return
        self._send(
            await self._show_dialog(frame.stream, "dialog.update", f"{frame.stream}.{frame.head.number}")
        )

    async def _tell_personal(self, frame: EventFrame) -> None:
        dialog_id, event_id = frame.data.get("conversation_id", ""), f"{frame.stream}.{frame.number}"
        if frame.kind == "conversation.added":
            for update in await self._show_dialog(dialog_id, "dialog.create", event_id):
                is_new = update.data["createdAt"] == iso(frame.at)
                self._send([update if is_new else update.as_type("dialog.member.add")])
            self._run(self._enter(parse_id("cnv", dialog_id)))
        elif frame.kind == "conversation.removed":
            self._leave(parse_id("cnv", dialog_id))
            for update in await self._show_dialog(dialog_id, "dialog.member.remove", event_id):
                is_empty = update.data["memberCount"] == 0
                self._send([update.as_type("dialog.delete") if is_empty else update])
        elif frame.kind == "message.hidden":
            self._send(await self._updates.of_hiding(self._workspace_id, frame))
            self._remember_hidden(frame.data["message_id"])
        elif frame.kind == "read.moved":
            await self._tell_reading(dialog_id, frame.stream, frame.data["read_number"])

    async def _tell_signal(self, frame: SignalFrame) -> None:
        reader = reader_of(frame)
        if reader is not None:
            await self._tell_reading(frame.stream, *reader)
        elif frame.kind == "presence.changed" and frame.actor_id is not None:
            await self._tell_presence([frame.actor_id], is_online=bool(frame.data["is_online"]))
        elif frame.kind.startswith("typing.") and frame.actor_id is not None:
            await self._tell_typing(frame, frame.actor_id)

    async def _tell_typing(self, frame: SignalFrame, actor_id: str) -> None:
        if parse_id("cnv", frame.stream) not in self._joined:
            return
        for person in await self._updates.people(self._workspace_id, [actor_id]):
            told = {"userId": person.user_id, "dialogId": frame.stream}
            if frame.kind == "typing.started":
                self._emit("typing:start", {**told, "userName": person.name})
            else:
                self._emit("typing:stop", told)

    async def _tell_presence(self, actor_ids: Sequence[str], *, is_online: bool) -> None:
        for person in await self._updates.people(self._workspace_id, actor_ids):
            if is_online:
                self._emit("user:online", {"userId": person.user_id, "userName": person.name})
            else:
                self._emit("user:offline", {"userId": person.user_id})

    async def _tell_reading(self, dialog_id: str, actor_id: str, number: int) -> None:
        if parse_id("cnv", dialog_id) in self._dialogs:
            self._send(await self._updates.of_reading(self._workspace_id, dialog_id, actor_id, number))

    async def _show_dialog(self, dialog_id: str, event_type: str, event_id: str) -> list[Update]:
        return await self._updates.of_dialog(self._workspace_id, dialog_id, event_type, event_id=event_id)

    def _send(self, updates: Sequence[Update]) -> None:
        actor_id = self._user.caller.actor_id
        for update in updates:
            if actor_id in update.hidden_from or update.entity_id in self._hidden:
                continue  # to them it is not there any more
            told = update.told_to(actor_id, self._user.user_id)
            self._emit("chat3:update", told)
            if update.event_type == "message.create":
                self._emit("message:new", update.data)
            else:
                self._emit(f"{update.event_type.partition('.')[0]}:update", told)

    def _remember_hidden(self, message_id: str) -> None:
        """Keep what was deleted while updates of it may have been made already."""
        self._hidden[message_id] = None
        if len(self._hidden) > HIDDEN_REMEMBERED:
            del self._hidden[next(iter(self._hidden))]

    def _emit(self, event: str, data: Any) -> None:
        if not self._session.is_closed:
            self._outlet.write(Ready(data, event=event))

    # ------------------------------------------------------------ in

    async def handle(self, event: str, arguments: Sequence[Any]) -> None:
        """See `parley.realtime.dialects.Guest`. What is none of `EVENTS`, or not for this client, is only counted."""
        given = arguments[0] if arguments else None
        key = _find_dialog(given.get("dialogId") if isinstance(given, dict) else given)
        spoken = EVENTS.get(event)
        if key is None or spoken is None:
            self._session.count_event()
        elif spoken.whose is Whose.ENTERING and key not in self._session.watched:
            # counted as the command that it is; who is not let in, is not heard
            if await self._watch(key, None):
                self._meet_soon(key)
                await spoken.take(self, key)
        elif spoken.whose is Whose.MEMBERS and key not in self._session.watched:
            self._session.count_event()
        else:
            await spoken.take(self, key)

    async def join(self, key: UUID) -> None:
        """Enter a dialog's room. The first time is free of charge."""
        if key in self._entered:
            self._session.count_event()
        self._entered.add(key)
        self._joined.add(key)

    async def leave(self, key: UUID) -> None:
        """Leave a dialog's room."""
        self._session.count_event()
        self._joined.discard(key)

    async def start_typing(self, key: UUID) -> None:
        """Say that somebody types, now and then while they do."""
        await self._type(key, is_on=True)

    async def stop_typing(self, key: UUID) -> None:
        """Say that somebody types no more, if it was said that they do."""
        await self._type(key, is_on=False)

    async def _type(self, key: UUID, *, is_on: bool) -> None:
        last, now = self._typing.pop(key, None), time.monotonic()
        if last is None and not is_on:
            self._session.count_event()
            return
        if is_on:
            is_known = last is not None and now - last < TYPING_AGAIN_SECONDS
            self._typing[key] = last if is_known and last is not None else now
            if is_known:
                return  # at every key: free of charge
        await self._session.handle(
            {"id": 1, "do": "typing", "conversation_id": public_id("cnv", key), "is_on": is_on}
        )

    # ------------------------------------------------------------ dialogs

    async def _enter(self, key: UUID) -> None:
        """Watch a dialog one was just taken into, with all that happened in it since."""
        if key not in self._session.watched:
            cursor = await find_join(self._db, self._user, key)
            if await self._watch(key, cursor):
                await self._meet()

    async def _watch(self, key: UUID, cursor: Cursor | None) -> bool:
        command: dict[str, Any] = {"id": 1, "do": "watch", "conversation_id": public_id("cnv", key)}
        if cursor is not None:
            command["cursor"] = {"number": cursor.number, "tag": cursor.tag}
        if not isinstance(await self._session.handle(command), Done):
            return False
        self._dialogs.add(key)
        self._unmet.add(key)
        return True

    def _leave(self, key: UUID) -> None:
        self._typing.pop(key, None)
        self._joined.discard(key)
        self._dialogs.discard(key)

    def _meet_soon(self, key: UUID) -> None:
        """Watch the presence of a dialog's people, together with those of others that change at the same time."""
        self._unmet.add(key)
        if not self._is_meeting:
            self._is_meeting = True
            self._run(self._meet(MEET_SECONDS))

    async def _meet(self, pause_seconds: float = 0.0) -> None:
        """Watch the presence of people not watched yet, and say who of them is here."""
        await asyncio.sleep(pause_seconds)
        self._is_meeting = False
        dialogs, self._unmet = self._unmet, set()
        watched = self._session.watched_actors
        people = await list_companions(self._db, self._user, dialogs & self._dialogs) if dialogs else []
        fresh = [actor for actor in people if actor not in watched][: PRESENCE_LIMIT - len(watched)]
        for start in range(0, len(fresh), PEOPLE_AT_ONCE):
            ids = [public_id("act", actor) for actor in fresh[start : start + PEOPLE_AT_ONCE]]
            answer = await self._session.handle({"id": 1, "do": "presence.watch", "actor_ids": ids})
            if isinstance(answer, Done):
                here = [one.actor_id for one in answer.data["presence"] if one.is_online]
                await self._tell_presence(here, is_online=True)

    def _run(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("chatapp.not_told", error=describe_failure(error))
            self._session.resync()

    @property
    def _workspace_id(self) -> UUID:
        return self._user.caller.workspace_id


class Whose(Enum):
    """Who is heard."""

    MEMBERS = "those who watch the dialog, as its members do"
    ENTERING = "its members, who watch it from then on"
    ONESELF = "whoever sends it: it is about their own connection alone"


class Spoken(NamedTuple):
    """An event that clients send, naming a dialog: who takes it, and who is heard."""

    take: Callable[[ChatGuest, UUID], Awaitable[None]]
    whose: Whose


EVENTS: Mapping[str, Spoken] = {
    "dialog:join": Spoken(ChatGuest.join, Whose.ENTERING),
    "dialog:leave": Spoken(ChatGuest.leave, Whose.ONESELF),
    "typing:start": Spoken(ChatGuest.start_typing, Whose.MEMBERS),
    "typing:stop": Spoken(ChatGuest.stop_typing, Whose.MEMBERS),
}
"""All that is taken from clients."""


def _find_dialog(text: Any) -> UUID | None:
    try:
        return parse_id("cnv", text) if isinstance(text, str) else None
    except Malformed:
        return None

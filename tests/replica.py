"""A client that can be compared with the database: it keeps conversations by snapshot and events alone.

Written against docs/reference/realtime.md, as a client of one's own would be. It comes back by itself when its
connection breaks or falls silent, resumes from what it has applied, and takes a fresh snapshot after a `reset`. What
the server does wrong (a frame doubled, missing or out of order) is noted in `Replica.faults`; what no client should
meet ends `Replica.run` with an error, which every other method then raises.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
import random
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Self

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tests.copies import (
    PREFERENCES,
    Copy,
    Json,
    apply_event,
    describe_difference,
    hide,
    is_seen_anew,
    plain_state,
    set_preferences,
    set_scheduled,
)

FIRST_PAUSE_SECONDS = 0.05
LAST_PAUSE_SECONDS = 1.0
"""Between two attempts to connect: doubled each time, and by chance up to half of it less."""
SILENCE_SECONDS = 20.0
"""After which a connection is asked whether it lives, and within which it answers."""
COMMAND_SECONDS = 30.0
WAIT_SECONDS = 60.0
REFUSED_CODES = frozenset({1009, 4001, 4009})
"""Close codes that say that the client itself is at fault."""


class Refused(AssertionError):
    """The server refused what a client may ask for."""


class _Away(Exception):
    """The server cannot be reached, or not now."""


class _NotFound(Exception):
    """There is no such conversation for this client."""


_AWAY = (ConnectionClosed, InvalidHandshake, InvalidMessage, OSError, EOFError, _Away)
_ANSWER_HANDLER = Callable[[Json], None]


@dataclasses.dataclass(frozen=True)
class Applied:
    """A frame that was applied: one event, or the numbers of a skip. ``epoch`` tells snapshots apart."""

    stream: str
    epoch: int
    first: int
    last: int
    tag: int
    kind: str
    connection: int


class Replica:
    """One client: ``async with Replica(url, token) as replica: await replica.follow(conversation_id)``."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        name: str = "",
        silence_seconds: float = SILENCE_SECONDS,
        sockets: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.url = url
        self._tls = tls
        self.sockets = sockets or url  # where the gateway is, when it is a process of its own
        self.token = token
        self.name = name or token[-4:]
        self.actor_id = ""
        self.journal: list[Applied] = []
        self.personal: list[Json] = []
        self.resets: Counter[str] = Counter()  # by stream
        self.snapshots = 0
        self.connections = 0
        self.heard: list[str] | None = None  # a list set here gets every frame's text
        self.http = httpx2.AsyncClient(
            base_url=url,
            timeout=20,
            trust_env=False,
            verify=tls or True,
            headers={"authorization": f"Bearer {token}"},
        )
        self._silence_seconds = silence_seconds
        self._copies: dict[str, Copy] = {}
        self._personal_cursor: Json = None
        self._faults: list[str] = []
        self._connection: ClientConnection | None = None
        self._answers: dict[int, tuple[asyncio.Future[Json], _ANSWER_HANDLER]] = {}
        self._ids = itertools.count(1)
        self._epochs = itertools.count(1)
        self._work: asyncio.Queue[str] = asyncio.Queue()
        self._is_online = asyncio.Event()
        self._is_online.set()
        self._pause = FIRST_PAUSE_SECONDS
        self._task: asyncio.Task[None] | None = None
        self._random = random.Random(name)

    # ------------------------------------------------------------ life

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.http.aclose()
        self.check()

    async def run(self) -> None:
        """Connect, resume, apply, and connect again, for ever. Raises: what no client should meet."""
        while True:
            await self._is_online.wait()
            try:
                await self._converse()
            except _AWAY as error:
                code = getattr(getattr(error, "rcvd", None), "code", None)
                if code in REFUSED_CODES:
                    raise Refused(f"{self.name}: closed with {code}") from error
            await asyncio.sleep(self._pause * self._random.uniform(0.5, 1))
            self._pause = min(self._pause * 2, LAST_PAUSE_SECONDS)

    async def cut(self) -> None:
        """Break the connection without a word, as a pulled cable does; `run` connects again."""
        if self._connection is not None:
            self._connection.transport.abort()
        await asyncio.sleep(0)

    async def go_offline(self) -> None:
        """Break the connection and stay away until `go_online`."""
        self._is_online.clear()
        await self.cut()

    def go_online(self) -> None:
        """Come back."""
        self._is_online.set()

    def move_to(self, url: str) -> None:
        """Connect to another server of the same installation from the next connection on."""
        self.url = self.sockets = url
        self.http.base_url = httpx2.URL(url)

    def check(self) -> None:
        """Raises: what ended `run`."""
        if self._task is not None and self._task.done() and not self._task.cancelled():
            error = self._task.exception()
            if error is not None:
                raise error

    # ------------------------------------------------------------ what a test asks

    async def follow(self, conversation_id: str) -> None:
        """Follow a conversation, from a snapshot on, which is taken on return; or known not to be for this client.

        A right that comes later is noticed by the personal stream. Repeat: nothing happens.
        """
        if conversation_id not in self._copies:
            self._copies[conversation_id] = Copy(conversation_id)
            self._work.put_nowait(conversation_id)
        copy = self._copies[conversation_id]
        await self.until(lambda: copy.is_watched or copy.is_gone, 90)

    async def forget_all(self) -> None:
        """Follow nothing any more, on a new connection; what was still on its way on the old one is not looked at."""
        await self.go_offline()
        await self.until(lambda: self._connection is None)
        self._copies.clear()
        while not self._work.empty():
            self._work.get_nowait()
        self.go_online()

    def state(self, conversation_id: str) -> Json:
        """Return what the client would show, in plain values; None when it may not see it (any more)."""
        self.check()
        copy = self._copies[conversation_id]
        return plain_state(copy, self.actor_id) if copy.has_snapshot else None

    async def fetch_state(self, conversation_id: str) -> Json:
        """Return the same of a fresh snapshot by REST; it can be compared while nothing changes."""
        copy = Copy(conversation_id)
        try:
            await self._take_snapshot(copy)
        except _NotFound:
            return None
        me = copy.about["my"]
        role = me["role"] if copy.desk is None else None
        counted = {key: me[key] for key in ("unread", "mentions")}
        return {**plain_state(copy, self.actor_id), **counted, "role": role}

    def position(self, conversation_id: str) -> int:
        """Return the number of the last event applied."""
        return self._copies[conversation_id].number

    @property
    def personal_cursor(self) -> tuple[int, int]:
        """Number and tag of the last event of the personal stream."""
        cursor = self._personal_cursor or {"number": 0, "tag": 0}
        return cursor["number"], cursor["tag"]

    def seen_reads(self, conversation_id: str) -> dict[str, int]:
        """Return how far others were shown to have read, by actor: at most how far they have."""
        return self._copies[conversation_id].seen_reads

    def is_gone(self, conversation_id: str) -> bool:
        """Whether the client was told that it may see the conversation no longer, or found that there is none."""
        return self._copies[conversation_id].is_gone

    def is_live(self, conversation_id: str) -> bool:
        """Whether the conversation is watched on the present connection, everything missed applied."""
        copy = self._copies[conversation_id]
        return copy.is_watched and copy.pending is None

    async def until(self, holds: Callable[[], Any], seconds: float = WAIT_SECONDS) -> None:
        """Wait until something holds. Raises: TimeoutError, or what ended `run`."""
        async with asyncio.timeout(seconds):
            while not holds():
                self.check()
                await asyncio.sleep(0.01)

    async def reach(self, conversation_id: str, number: int, seconds: float = WAIT_SECONDS) -> None:
        """Wait until the event of this number is applied."""
        await self.until(lambda: self.position(conversation_id) >= number, seconds)

    def faults(self) -> list[str]:
        """Return what was doubled, missing or out of order, in words; empty when all was well."""
        self.check()
        found = list(self._faults)
        last: dict[tuple[str, int], int] = {}
        for entry in self.journal:
            key = (entry.stream, entry.epoch)
            if key in last and entry.first != last[key] + 1:
                found.append(f"{self.name}: {entry.stream} went from {last[key]} to {entry.first}")
            last[key] = entry.last
        return found

    def numbers(self, conversation_id: str) -> list[int]:
        """Return the numbers applied in a conversation, skipped ones included, in the order applied."""
        return [
            number
            for entry in self.journal
            if entry.stream == conversation_id
            for number in range(entry.first, entry.last + 1)
        ]

    # ------------------------------------------------------------ a connection

    async def _converse(self) -> None:
        """Hold one connection until it breaks. Raises: how it broke."""
        async with connect(
            self.sockets.replace("http", "ws", 1) + "/v1/ws",
            compression=None,
            max_size=None,
            ping_interval=None,
            open_timeout=10,
            close_timeout=1,
            proxy=None,
            ssl=self._tls,
        ) as connection:
            self._connection = connection
            self.connections += 1
            tasks = [asyncio.create_task(self._read(connection)), asyncio.create_task(self._talk())]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                ended = [error for task in tasks if task.done() and (error := task.exception()) is not None]
                # an error that nobody expects goes before the lost connection that may have come with it
                raise min(ended, key=lambda error: isinstance(error, _AWAY))
            finally:
                await self._disconnect(tasks)

    async def _disconnect(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        if self._connection is not None:
            self._connection.transport.abort()
        self._connection = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for answer, _ in self._answers.values():
            answer.cancel()
        self._answers.clear()
        for copy in self._copies.values():
            copy.is_watched = False
            copy.pending = None

    async def _read(self, connection: ClientConnection) -> None:
        async for text in connection:
            if self.heard is not None:
                self.heard.append(str(text))
            frame = json.loads(text)
            if frame["type"] == "answer":
                self._take_answer(frame)
            else:
                self._take(frame)
        raise _Away  # closed in good order, as by a server that stops

    def _take_answer(self, frame: Json) -> None:
        """Act on an answer before any later frame is looked at."""
        answer, handle = self._answers.pop(frame["id"], (None, None))
        if answer is None or handle is None or answer.done():
            return
        if frame["ok"]:
            handle(frame["data"])
        answer.set_result(frame)

    async def _ask(
        self,
        do: str,
        *,
        handle: _ANSWER_HANDLER = lambda _: None,
        seconds: float = COMMAND_SECONDS,
        **fields: Json,
    ) -> None:
        """Give a command and wait until it is carried out. Raises: _Away, _NotFound, Refused."""
        if self._connection is None:
            raise _Away
        command_id = next(self._ids)
        answer = asyncio.get_running_loop().create_future()
        self._answers[command_id] = (answer, handle)
        await self._connection.send(json.dumps({"id": command_id, "do": do, **fields}))
        async with asyncio.timeout(seconds):
            frame = await answer
        if frame["ok"]:
            return
        code = frame["error"]["code"]
        if code == "unavailable":
            raise _Away
        if code == "conversation_not_found":
            raise _NotFound
        raise Refused(f"{self.name}: {do}: {frame['error']}")

    async def _talk(self) -> None:
        """Say hello, watch everything followed, then what turns up; when nothing does, ask whether the server lives."""
        personal = {} if self._personal_cursor is None else {"personal": self._personal_cursor}
        await self._ask("hello", token=self.token, handle=self._on_hello, **personal)
        self._pause = FIRST_PAUSE_SECONDS
        for conversation_id in self._copies:
            self._work.put_nowait(conversation_id)
        while True:
            conversation_id = ""
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._silence_seconds):
                    conversation_id = await self._work.get()
            if conversation_id:
                await self._begin(self._copies[conversation_id])
            else:
                await self._ask("ping", seconds=self._silence_seconds)

    def _on_hello(self, data: Json) -> None:
        self.actor_id = data["actor_id"]
        if self._personal_cursor is None:
            self._personal_cursor = data["personal"]
        elif data["personal"] != self._personal_cursor:
            self._faults.append(
                f"{self.name}: personal is at {self._personal_cursor}, told {data['personal']}"
            )

    # ------------------------------------------------------------ snapshots

    async def _begin(self, copy: Copy) -> None:
        """Bring one conversation to life: a snapshot when one is needed, then watch from what was applied."""
        try:
            if not copy.has_snapshot:
                renewals = -1
                while renewals != copy.renewals:  # one that began before a reset may be of the lost history
                    renewals = copy.renewals
                    await self._take_snapshot(copy)
                # read in parts: what came meanwhile may be newer than its part
                kept_personal, copy.personal = copy.personal, []
                for frame in kept_personal:
                    _apply_personal(copy, frame)
                copy.epoch = next(self._epochs)
                self.snapshots += 1
                copy.has_snapshot, copy.is_gone = True, False
            if copy.pending is not None:
                kept, copy.pending = copy.pending, None
                for frame in kept:
                    self._take_kept(copy, frame)
            if not copy.is_watched:
                await self._ask(
                    "watch",
                    handle=lambda data: self._on_watch(copy, data),
                    conversation_id=copy.id,
                    cursor=copy.cursor,
                )
        except _NotFound:
            _forget(copy)

    def _on_watch(self, copy: Copy, data: Json) -> None:
        """What the server calls our place must be where its frames have brought us: they came before."""
        copy.is_watched = True
        if copy.pending is None and data["head"] != copy.cursor:
            self._faults.append(f"{self.name}: {copy.id} is at {copy.cursor}, told {data['head']}")

    async def _take_snapshot(self, copy: Copy) -> None:
        """Read a conversation anew, its head first, so that nothing later is missed. Raises: _NotFound, Refused."""
        path = f"/v1/conversations/{copy.id}"
        page = await self._get(f"{path}/messages?limit=100&after=0")
        head, messages = page["head"], page["items"]
        while page["has_after"]:
            page = await self._get(f"{path}/messages?limit=100&after={messages[-1]['position']}")
            messages += page["items"]
        about = await self._get(path)
        page = await self._get(f"{path}/members?limit=100")
        members = page["items"]
        while page["next"]:
            page = await self._get(f"{path}/members?limit=100&cursor={page['next']}")
            members += page["items"]
        desk = await self._get(f"/v1/desk/conversations/{copy.id}") if about["inbox_id"] else None
        pins = (await self._get(f"{path}/pins"))["items"]
        copy.fields = await self._get(f"{path}/fields")
        draft = await self._find(f"{path}/draft")
        scheduled = (await self._get(f"{path}/scheduled"))["items"]
        copy.scheduled = {one["id"]: one for one in scheduled}
        copy.about, copy.desk, copy.draft, copy.read_number = about, desk, draft, about["read_number"]
        copy.messages = {one["position"]: one for one in messages if one["id"] not in copy.hidden}
        copy.pins = {
            pin["message"]["id"]: {"pinned_by": pin["pinned_by"], "pinned_at": pin["pinned_at"]}
            for pin in pins
        }
        copy.members = {member["actor"]["id"]: member for member in members}
        copy.number, copy.tag = head["number"], head["tag"]
        copy.me = self.actor_id

    async def _get(self, path: str) -> Json:
        """Read something, patiently. Raises: _NotFound, Refused."""
        while True:
            with contextlib.suppress(httpx2.TransportError):
                answer = await self.http.get(path)
                if answer.status_code == 200:
                    return answer.json()
                if answer.status_code == 404:
                    raise _NotFound
                if answer.status_code != 503:
                    raise Refused(f"{self.name}: {path}: {answer.status_code} {answer.text}")
            await asyncio.sleep(0.1)

    async def _find(self, path: str) -> Json:
        """As `_get`, None where there is nothing."""
        with contextlib.suppress(_NotFound):
            return await self._get(path)
        return None

    def _renew(self, copy: Copy, *, kept: Sequence[Json] = ()) -> None:
        """The copy cannot be continued from here: keep what comes, and take a snapshot."""
        copy.has_snapshot = False
        copy.renewals += 1
        copy.pending = list(kept)
        self._work.put_nowait(copy.id)

    # ------------------------------------------------------------ frames

    def _take(self, frame: Json) -> None:
        if frame["type"] in ("touched", "resync"):
            return
        stream = frame["stream"]
        if stream == self.actor_id or stream.startswith("act_"):
            self._take_personal(frame)
            return
        copy = self._copies.get(stream)
        if copy is None or (copy.is_gone and frame["type"] != "gone"):
            self._faults.append(f"{self.name}: a frame of a stream that is not watched: {frame}")
        elif frame["type"] == "signal":
            _take_signal(copy, frame)
        elif frame["type"] == "gone":
            _forget(copy)
        elif frame["type"] == "reset":
            self.resets[stream] += 1
            self._renew(copy)
        elif copy.pending is not None:
            copy.pending.append(frame)
        else:
            self._take_next(copy, frame)

    def _take_next(self, copy: Copy, frame: Json) -> None:
        """Apply a frame that must be the next one; any other is a fault, and a gap is healed by a snapshot."""
        first, last = _span(frame)
        if first <= copy.number:
            self._faults.append(f"{self.name}: {copy.id} is at {copy.number} and was told {first} again")
        elif first > copy.number + 1:
            self._faults.append(f"{self.name}: {copy.id} is at {copy.number} and was told {first} next")
            self._renew(copy)
        else:
            if frame["type"] == "event":
                apply_event(copy, frame)
            copy.number, copy.tag = last, frame["tag"]
            self._note(copy.id, copy.epoch, frame)
            if frame["type"] == "event" and is_seen_anew(copy, frame):
                self._renew(copy)

    def _take_kept(self, copy: Copy, frame: Json) -> None:
        """Apply a frame kept during a snapshot, unless the snapshot has it."""
        first, last = _span(frame)
        if copy.pending is not None:
            copy.pending.append(frame)
        elif last > copy.number:
            if first <= copy.number:
                frame = {**frame, "from": copy.number + 1}  # a skip that begins before the snapshot
            self._take_next(copy, frame)

    def _note(self, stream: str, epoch: int, frame: Json) -> None:
        first, last = _span(frame)
        kind = frame.get("kind", "skip")
        self.journal.append(Applied(stream, epoch, first, last, frame["tag"], kind, self.connections))

    def _take_personal(self, frame: Json) -> None:
        if frame["type"] == "reset":
            self.resets[frame["stream"]] += 1
            self._personal_cursor = frame["head"]
            for copy in self._copies.values():
                copy.hidden.clear()
                copy.personal.clear()
                # what is kept belongs to the conversation's stream, which goes on
                self._renew(copy, kept=copy.pending or ())
            return
        number = frame["number"]
        if self._personal_cursor is not None and number != self._personal_cursor["number"] + 1:
            self._faults.append(f"{self.name}: personal is at {self._personal_cursor} and was told {number}")
            return
        self._personal_cursor = {"number": number, "tag": frame["tag"]}
        self._note(frame["stream"], self.resets[frame["stream"]], frame)
        self.personal.append(frame)
        copies = self._copies.values()
        if frame["kind"] == "rights.changed":
            concerned = list(
                copies
            )  # one that is being asked for may yet be refused by the right it had before
        else:
            concerned = [copy for copy in copies if copy.id == frame["data"]["conversation_id"]]
        for copy in concerned:
            if not copy.has_snapshot:
                copy.personal.append(frame)
            if not _apply_personal(copy, frame) and not copy.is_watched:
                self._work.put_nowait(copy.id)


def _apply_personal(copy: Copy, frame: Json) -> bool:
    """Apply an event of the personal stream; False when it tells of a right and not of what is held."""
    if frame["kind"] == "read.moved":
        copy.read_number = max(copy.read_number, frame["data"]["read_number"])
    elif frame["kind"] == "message.hidden":
        hide(copy, frame["data"]["message_id"])
    elif frame["kind"] == "scheduled.changed":
        set_scheduled(copy, frame["data"]["scheduled"])
    elif frame["kind"] == "conversation.preferences_changed":
        set_preferences(copy, frame["data"])
    elif frame["kind"] == "conversation.removed":
        set_preferences(copy, PREFERENCES)
        copy.draft = None
    elif frame["kind"] == "draft.changed":
        copy.draft = frame["data"]["draft"]
    else:
        return bool(frame["kind"] == "mention.created")
    return True


def _forget(copy: Copy) -> None:
    copy.is_gone, copy.is_watched, copy.has_snapshot, copy.pending = True, False, False, None


def _take_signal(copy: Copy, frame: Json) -> None:
    if frame["kind"] == "member.read":
        seen = copy.seen_reads.get(frame["actor_id"], 0)
        copy.seen_reads[frame["actor_id"]] = max(seen, frame["data"]["read_number"])


def _span(frame: Json) -> tuple[int, int]:
    if frame["type"] == "skip":
        return frame["from"], frame["to"]
    return frame["number"], frame["number"]


async def until_equal(
    replicas: Sequence[Replica], conversation_ids: Sequence[str], seconds: float = WAIT_SECONDS
) -> dict[tuple[str, str], Json]:
    """Wait until every client shows what a fresh snapshot of its own says; return the states by client and conversation.

    Raises: AssertionError with the first difference that stays.
    """
    states: dict[tuple[str, str], Json] = {}
    end = asyncio.get_running_loop().time() + seconds
    for replica in replicas:
        for conversation_id in conversation_ids:
            held, fresh = replica.state(conversation_id), await replica.fetch_state(conversation_id)
            while held != fresh:
                if asyncio.get_running_loop().time() > end:
                    difference = describe_difference(held, fresh)
                    raise AssertionError(f"{replica.name}, {conversation_id}: {difference}")
                await asyncio.sleep(0.1)
                held, fresh = replica.state(conversation_id), await replica.fetch_state(conversation_id)
            states[replica.name, conversation_id] = held
    return states

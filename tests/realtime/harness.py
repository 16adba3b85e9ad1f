"""What realtime's tests stand on: a served gateway, a furnished workspace, a lossy bus, and a WebSocket client."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import itertools
import json
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from parley.accounts import record_personal
from parley.conversations.streams import append
from parley.infra.bus import Bus
from parley.infra.crypto import hash_token
from parley.infra.runtime import Runtime
from parley.kit.events import Event, Hint
from parley.kit.ids import public_id, uuid7
from parley.realtime import Gateway

WAIT_SECONDS = 30.0


class FaultyBus(Bus):
    """A bus that loses the hints it is told to lose."""

    def __init__(self) -> None:
        super().__init__()
        self.is_lost: Callable[[Hint], bool] = lambda _: False

    def publish(self, hints: Sequence[Hint]) -> None:
        """Hand over what is not lost."""
        kept = [hint for hint in hints if not self.is_lost(hint)]
        if kept:
            super().publish(kept)


@dataclasses.dataclass
class Person:
    """An actor with a token."""

    id: UUID
    token: str
    name: str
    session_id: UUID | None = None

    @property
    def public(self) -> str:
        """The id as clients see it."""
        return public_id("act", self.id)


@dataclasses.dataclass
class House:
    """The furnished workspace."""

    runtime: Runtime
    dsn: str
    workspace_id: UUID
    anna: Person
    boris: Person
    agent: Person
    guest: Person
    group: UUID
    desk: UUID
    inbox: UUID

    async def append(
        self,
        conversation_id: UUID,
        text: str = "hello",
        *,
        audience: str = "all",
        kind: str = "message.created",
        data: dict[str, Any] | None = None,
    ) -> Event:
        """Record an event in a conversation."""
        async with self.runtime.db.transaction(self.workspace_id) as tx:
            return await append(
                tx,
                workspace_id=self.workspace_id,
                conversation_id=conversation_id,
                kind=kind,
                data=data or {"message": {"text": text}},
                actor_id=self.anna.id,
                audience=audience,
            )

    async def personal(self, person: Person, kind: str, data: dict[str, Any] | None = None) -> None:
        """Record an event in someone's personal stream."""
        async with self.runtime.db.transaction(self.workspace_id) as tx:
            await record_personal(tx, self.workspace_id, person.id, kind, data or {})

    async def sql(self, statement: str, *args: Any) -> None:
        """Change the database behind everybody's back."""
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(statement, *args)
        finally:
            await connection.close()


async def furnish(runtime: Runtime, dsn: str) -> House:
    """Make a workspace: Anna and Boris in a group, an agent at a desk, and a bot that is a guest there."""
    house = House(
        runtime, dsn, uuid7(),
        *[Person(uuid7(), f"{prefix}_{name}", name) for name, prefix in
          (("anna", "at"), ("boris", "at"), ("agent", "at"), ("guest", "pk"))],
        group=uuid7(), desk=uuid7(), inbox=uuid7(),
    )  # fmt: skip
    connection = await asyncpg.connect(dsn)
    try:
        await _insert(connection, house)
    finally:
        await connection.close()
    return house


async def _insert(connection: asyncpg.Connection[asyncpg.Record], house: House) -> None:
    workspace, later = house.workspace_id, dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    await connection.execute("INSERT INTO workspace (id, name) VALUES ($1, 'Test')", workspace)
    for person, role in ((house.anna, "member"), (house.boris, "member"), (house.agent, "agent")):
        await add_user(connection, workspace, person, role, later)
    await connection.execute(
        "INSERT INTO actor (workspace_id, id, kind, name) VALUES ($1, $2, 'bot', 'guest')",
        workspace,
        house.guest.id,
    )
    await connection.execute(
        "INSERT INTO api_key (workspace_id, id, actor_id, name, hash, hint, scopes) VALUES ($1, $2, $3, 'k', $4, '', $5)",
        workspace, uuid7(), house.guest.id, hash_token(house.guest.token), ["chat"],
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO inbox (workspace_id, id, channel, name, secrets) VALUES ($1, $2, 'telegram', 'Shop', '')",
        workspace, house.inbox,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO inbox_member (workspace_id, inbox_id, actor_id) VALUES ($1, $2, $3)",
        workspace, house.inbox, house.agent.id,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO conversation (workspace_id, id, kind, inbox_id) VALUES ($1, $2, 'group', NULL), ($1, $3, 'desk', $4)",
        workspace, house.group, house.desk, house.inbox,
    )  # fmt: skip
    for conversation, person in (
        (house.group, house.anna),
        (house.group, house.boris),
        (house.desk, house.guest),
    ):
        await connection.execute(
            "INSERT INTO member (workspace_id, conversation_id, actor_id, role) VALUES ($1, $2, $3, 'member')",
            workspace, conversation, person.id,
        )  # fmt: skip


async def add_user(
    connection: asyncpg.Connection[asyncpg.Record],
    workspace: UUID,
    person: Person,
    role: str,
    expires: dt.datetime,
) -> None:
    """Insert a user with a session of the person's token."""
    login_id = uuid7()
    person.session_id = uuid7()
    await connection.execute(
        "INSERT INTO login (id, email) VALUES ($1, $2)", login_id, f"{login_id}@example.org"
    )
    await connection.execute(
        "INSERT INTO actor (workspace_id, id, kind, name, role, login_id) VALUES ($1, $2, 'user', $3, $4, $5)",
        workspace, person.id, person.name, role, login_id,
    )  # fmt: skip
    await connection.execute(
        """INSERT INTO session (id, workspace_id, actor_id, login_id, access_hash, access_expires_at, refresh_hash,
            rotated_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, now(), $6)""",
        person.session_id, workspace, person.id, login_id, hash_token(person.token), expires, uuid7().bytes,
    )  # fmt: skip


# ---------------------------------------------------------------- serving


@dataclasses.dataclass
class Served:
    """A gateway behind a real server."""

    house: House
    gateway: Gateway
    server: uvicorn.Server
    port: int

    @property
    def http_url(self) -> str:
        """Where Socket.IO clients connect."""
        return f"http://127.0.0.1:{self.port}"

    @contextlib.asynccontextmanager
    async def client(self, person: Person | None = None, **options: Any) -> AsyncIterator[Client]:
        """A WebSocket client; with a person it has said hello."""
        url = f"ws://127.0.0.1:{self.port}/v1/ws"
        async with connect(url, compression=None, max_size=None, **options) as connection:
            client = Client(connection)
            try:
                if person is not None:
                    client.hello = await client.ask("hello", token=person.token)
                yield client
            finally:
                await client.stop()


@contextlib.asynccontextmanager
async def serve(runtime: Runtime, house: House, **options: Any) -> AsyncIterator[Served]:
    """Serve a gateway on a free port of the loopback."""
    gateway = Gateway(runtime)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        is_socketio = scope["path"].startswith("/socket.io")
        await (gateway.asgi_socketio if is_socketio else gateway.asgi_websocket)(scope, receive, send)

    settings: dict[str, Any] = {
        "ws": gateway.protocol_class, "ws_max_size": 65_536, "ws_per_message_deflate": False, "lifespan": "off",
        "log_level": "error", "timeout_graceful_shutdown": 2,
    }  # fmt: skip
    server = uvicorn.Server(uvicorn.Config(app, **{**settings, **options}))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        await gateway.start()
        task = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.005)
        try:
            yield Served(house, gateway, server, listener.getsockname()[1])
        finally:
            await gateway.stop()
            server.should_exit = True
            await task


class Client:
    """A plain WebSocket client that keeps everything it gets."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[dict[str, Any]] = []
        self.hello: dict[str, Any] = {}
        self.close_code: int | None = None
        self._ids = itertools.count(1)
        self._news = asyncio.Condition()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for text in self.connection:
                await self._take(json.loads(text))
        except ConnectionClosed:
            pass
        self.close_code = self.connection.close_code
        async with self._news:
            self._news.notify_all()

    async def _take(self, frame: dict[str, Any]) -> None:
        async with self._news:
            self.frames.append(frame)
            self._news.notify_all()

    async def stop(self) -> None:
        """Stop reading."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def until(self, holds: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
        """Wait until something holds; returns it."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: holds() or self.close_code is not None)
        found = holds()
        assert found, f"closed with {self.close_code}: {self.frames[-5:]}"
        return found

    async def closed(self, seconds: float = WAIT_SECONDS) -> int:
        """Wait for the connection's end; returns its code."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: self.close_code is not None)
        assert self.close_code is not None
        return self.close_code

    async def send(self, do: str, **fields: Any) -> int:
        """Send a command; returns its id."""
        command_id = next(self._ids)
        await self.connection.send(json.dumps({"id": command_id, "do": do, **fields}))
        return command_id

    async def answer(self, do: str, **fields: Any) -> dict[str, Any]:
        """Send a command and return its whole answer."""
        command_id = await self.send(do, **fields)

        def find() -> dict[str, Any] | None:
            return next((f for f in self.frames if f["type"] == "answer" and f["id"] == command_id), None)

        found: dict[str, Any] = await self.until(find)
        return found

    async def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Send a command that succeeds; returns its data."""
        answer = await self.answer(do, **fields)
        assert answer["ok"], answer
        data: dict[str, Any] = answer["data"]
        return data

    async def watch(self, conversation_id: UUID, cursor: dict[str, int] | None = None) -> dict[str, Any]:
        """Watch a conversation; returns the head."""
        data = await self.ask("watch", conversation_id=public_id("cnv", conversation_id), cursor=cursor)
        assert data["is_live"]
        head: dict[str, Any] = data["head"]
        return head

    def of(self, stream_id: UUID, prefix: str = "cnv") -> list[dict[str, Any]]:
        """The frames of one stream."""
        name = public_id(prefix, stream_id)
        return [frame for frame in self.frames if frame.get("stream") == name]

    def numbers(self, stream_id: UUID, prefix: str = "cnv") -> list[int]:
        """The numbers a reader has passed in one stream, events and skips alike."""
        found: list[int] = []
        for frame in self.of(stream_id, prefix):
            if frame["type"] == "event":
                found.append(frame["number"])
            elif frame["type"] == "skip":
                found.extend(range(frame["from"], frame["to"] + 1))
        return found

    async def reach(self, stream_id: UUID, number: int, seconds: float = WAIT_SECONDS) -> list[int]:
        """Wait for a number; returns all numbers until then."""
        await self.until(lambda: number in self.numbers(stream_id), seconds)
        return self.numbers(stream_id)

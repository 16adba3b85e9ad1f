"""A Parley that speaks the chat application's dialect, and people who use it by HTTP and Socket.IO."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx2
import uvicorn

from parley.accounts.phone_codes import code_of
from parley.compat.chatapp import ChatApp, open_dialect
from parley.infra.runtime import open_runtime
from parley.infra.settings import Settings
from parley.kit.ids import public_id
from parley.realtime import Gateway
from parley.realtime.presence import Pace
from tests.house import House, Workspace
from tests.socketio_client import SocketIoClient

Json = dict[str, Any]
WAIT_SECONDS = 30.0
QUICK = Pace(look_seconds=0.02, grace_seconds=0.2, renew_seconds=0.2, seen_seconds=0.1)


@dataclasses.dataclass(frozen=True)
class User:
    """Somebody signed in."""

    place: Place
    id: str
    phone: str
    name: str
    token: str

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx2.Response:
        """Send a request with the token."""
        return await self.place.ask(method, path, body, token=self.token, **more)

    async def get(self, path: str) -> Json:
        """Return the body of an answer that is 200."""
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return cast("Json", answer.json())

    async def dialog(self, *others: User, name: str = "Team") -> str:
        """Create a dialog; return its id."""
        body = {"name": name, "memberIds": [other.id for other in others]}
        answer = await self.ask("POST", "/api/dialogs", body)
        assert answer.status_code == 201, answer.text
        return cast("str", answer.json()["data"]["dialogId"])

    async def say(self, dialog_id: str, content: str, **more: Any) -> Json:
        """Send a message; return it."""
        answer = await self.ask("POST", f"/api/messages/dialog/{dialog_id}", {"content": content, **more})
        assert answer.status_code == 201, answer.text
        return cast("Json", answer.json()["message"])


class Place:
    """One process over the database."""

    def __init__(self, house: House, workspace: Workspace) -> None:
        self.house = house
        self.workspace = workspace
        self.chatapp = ChatApp(house.runtime, house.collector)

    @property
    def settings(self) -> Settings:
        return self.house.runtime.settings

    def use(self, **settings: Any) -> None:
        """Go on with other settings."""
        changed = dataclasses.replace(self.settings, **settings)
        self.house.runtime = dataclasses.replace(self.house.runtime, settings=changed)
        self.chatapp = ChatApp(self.house.runtime, self.house.collector)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        address: str = "10.0.0.1",
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx2.Response:
        """Send a request to the dialect."""
        told = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        if content is not None:
            told["Content-Type"] = "application/json"
        transport = httpx2.ASGITransport(
            app=cast("Any", self.chatapp), raise_app_exceptions=False, client=(address, 1)
        )
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.request(
                method,
                path,
                headers=told,
                **({"content": content} if content is not None else {"json": body}),
            )

    async def code(self, phone: str) -> str:
        """Return the code that an SMS would bring."""
        rows = await self.house.sql(
            "SELECT id, digits FROM phone_code WHERE phone = $1 AND purpose = 'chatapp'", f"+{phone}"
        )
        return code_of(self.house.runtime.keys, rows[0]["id"], rows[0]["digits"])

    async def enter(self, phone: str, name: str) -> User:
        """Sign somebody in by phone."""
        asked = await self.ask("POST", "/api/auth/request-code", {"phone": phone, "name": name})
        assert asked.status_code == 200, asked.text
        verified = await self.ask(
            "POST", "/api/auth/verify-code", {"phone": phone, "code": await self.code(phone)}
        )
        assert verified.status_code == 200, verified.text
        body = verified.json()
        return User(self, body["user"]["userId"], phone, body["user"]["name"], body["token"])

    async def actor(self, user: User) -> UUID:
        """Return whose user id it is."""
        rows = await self.house.sql("SELECT id FROM actor WHERE external_id = $1", user.id)
        return cast("UUID", rows[0]["id"])


@contextlib.asynccontextmanager
async def open_place(dsn: str, data_dir: Path, **settings: Any) -> AsyncIterator[Place]:
    """Open a process with a workspace that phone numbers join."""
    async with open_runtime(Settings(data_dir=data_dir), dsn) as runtime:
        house = House(runtime, dsn)
        workspace = await house.workspace("Chat")
        chosen = {"chatapp": True, "chatapp_workspace": public_id("ws", workspace.id), **settings}
        house.runtime = dataclasses.replace(runtime, settings=dataclasses.replace(runtime.settings, **chosen))
        place = Place(house, workspace)
        yield place
        await house.collector.drain()


# ---------------------------------------------------------------- sockets


@contextlib.asynccontextmanager
async def serve(place: Place) -> AsyncIterator[str]:
    """Serve the dialect and the gateway on a free port of the loopback; return the address."""
    gateway = Gateway(place.house.runtime)
    gateway.speak(open_dialect(place.house.runtime))
    gateway.fanout.presence.pace = QUICK

    async def app(scope: Any, receive: Any, send: Any) -> None:
        is_socket = scope["path"].startswith("/socket.io")
        await (gateway.asgi_socketio if is_socket else place.chatapp)(scope, receive, send)

    options: dict[str, Any] = {
        "ws": gateway.protocol_class, "ws_max_size": 65_536, "ws_per_message_deflate": False, "lifespan": "off",
        "log_level": "error", "timeout_graceful_shutdown": 2,
    }  # fmt: skip
    server = uvicorn.Server(uvicorn.Config(app, **options))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        await gateway.start()
        task = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await gateway.stop()
            server.should_exit = True
            await task


class Ear:
    """A Socket.IO client that keeps what it hears."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.heard: list[tuple[str, Any]] = []
        self.client = SocketIoClient()
        self.client.on("*", self._hear)

    def _hear(self, event: str, data: Any = None) -> None:
        self.heard.append((event, data))

    def of(self, event: str) -> list[Any]:
        """What came of one event."""
        return [data for name, data in self.heard if name == event]

    def updates(self, event_type: str) -> list[Json]:
        """Which updates came of a type."""
        return [update for update in self.of("chat3:update") if update["eventType"] == event_type]

    async def until(self, holds: Callable[[], Any]) -> Any:
        """Wait until something holds; return it."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not (found := holds()):
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"heard only {self.heard}") from None
        return found

    async def silence(self, seconds: float = 0.3) -> None:
        """Wait a moment in which what should not come would have come."""
        await asyncio.sleep(seconds)


@contextlib.asynccontextmanager
async def listen(url: str, *users: User) -> AsyncIterator[list[Ear]]:
    """Connect people, one after another."""
    ears = [Ear(user) for user in users]
    try:
        for ear in ears:
            await ear.client.connect(url, auth={"token": ear.user.token}, transports=["websocket"])
        yield ears
    finally:
        for ear in ears:
            await ear.client.disconnect()
        await asyncio.sleep(0.05)  # aiohttp closes its connections in the next turns of the loop

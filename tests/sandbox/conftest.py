"""A sandbox on a real port, aiogram before it, a customer behind it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import uvicorn
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

from parley.sandbox import create_app


@asynccontextmanager
async def serving(app: Any, release: Callable[[], None] = lambda: None) -> AsyncIterator[str]:
    """The app behind uvicorn on a free port of this machine; its origin."""
    # The protocol must be named: asyncio sets TCP_NODELAY only then, else every answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", ws="none", lifespan="on", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        release()
        server.should_exit = True
        await task
        listener.close()


@dataclass
class Stand:
    """A running sandbox with one bot and one customer."""

    origin: str
    control: httpx2.AsyncClient
    bot_id: int
    token: str
    customer_id: int

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """A control request that must succeed."""
        answer = await self.control.request(method, f"/control/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def act(self, path: str, body: Any = None, customer_id: int | None = None) -> Any:
        """The customer does something."""
        return await self.call(
            "POST", f"bots/{self.bot_id}/chats/{customer_id or self.customer_id}/{path}", body
        )

    async def write(self, text: str, **more: Any) -> Any:
        """The customer's message, as its Message object."""
        customer_id = more.pop("customer_id", None)
        return (await self.act("text", {"text": text, **more}, customer_id))["messages"][0]

    async def fault(self, **rule: Any) -> None:
        await self.call("POST", "faults", rule)

    async def accepted(self) -> list[dict[str, Any]]:
        """What the provider took from bots."""
        messages: list[dict[str, Any]] = (await self.call("GET", "accepted"))["messages"]
        return messages

    async def updates(self) -> list[dict[str, Any]]:
        """What nobody confirmed yet."""
        found: list[dict[str, Any]] = (await self.call("GET", f"updates?bot_id={self.bot_id}"))["updates"]
        return found

    def method(self, name: str) -> str:
        return f"/telegram/bot{self.token}/{name}"


@asynccontextmanager
async def standing(state_path: Path, **options: Any) -> AsyncIterator[Stand]:
    """A sandbox over this state; its first bot and customer are made when there are none."""
    app = create_app(state_path, **options)
    async with (
        serving(app, app.release) as origin,
        httpx2.AsyncClient(base_url=origin, trust_env=False, timeout=20) as client,
    ):
        state = (await client.get("/control/state")).json()
        bots, customers = state["bots"], state["customers"]
        bot = bots[0] if bots else (await client.post("/control/bots", json={"name": "Desk"})).json()
        person = {"first_name": "Ира", "username": "ira_k", "language_code": "ru"}
        customer = (
            customers[0] if customers else (await client.post("/control/customers", json=person)).json()
        )
        yield Stand(origin, client, bot["id"], bot["token"], customer["id"])


@asynccontextmanager
async def aiogram_bot(stand: Stand) -> AsyncIterator[Bot]:
    """aiogram as every bot would use it, with the sandbox's address."""
    api = TelegramAPIServer.from_base(f"{stand.origin}/telegram")
    bot = Bot(stand.token, session=AiohttpSession(api=api, timeout=20))
    try:
        yield bot
    finally:
        await bot.session.close()


@dataclass
class Receiver:
    """A webhook that notes what comes and answers as told."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    seconds: float = 0.0
    most_at_once: int = 0
    _running: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                await send({"type": f"{kind}.complete"})
                if kind == "lifespan.shutdown":
                    return
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.requests.append(msgspec.json.decode(body))
        self.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        status, headers, answer = self.answers.pop(0) if self.answers else (200, {}, b"")
        await asyncio.sleep(self.seconds)
        self._running -= 1
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": answer})

    def texts(self) -> list[str]:
        return [request["message"]["text"] for request in self.requests]


async def a_moment() -> None:
    """Let what was begun here come to where it waits: turns of the loop, not time, which a busy machine takes away."""
    for _ in range(40):
        await asyncio.sleep(0.0025)


async def eventually(is_so: Callable[[], Awaitable[bool] | bool], seconds: float = 30) -> None:
    """Wait until it is so."""
    for _ in range(int(seconds / 0.02)):
        found = is_so()
        if (await found) if isinstance(found, Awaitable) else found:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not become so")


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with standing(tmp_path / "sandbox.sqlite", retry_seconds=0.05) as running:
        yield running


@pytest.fixture
async def bot(stand: Stand) -> AsyncIterator[Bot]:
    async with aiogram_bot(stand) as bot:
        yield bot


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    app = Receiver()
    async with serving(app) as origin:
        yield app, f"{origin}/hook"

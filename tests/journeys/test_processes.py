"""Several processes, each of one role, over one database: what one does, the others' readers and workers learn at once."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.engines import RedisServer, running_redis
from tests.programs import Bot, Json, Provider, Server, eventually, running
from tests.replica import Replica

pytestmark = pytest.mark.anyio

HEALED_SECONDS = 15.0
"""On a busy machine; less than a client takes to doubt a silent server."""


class Several:
    """An api, two gateways and a worker, with a workspace and an inbox."""

    def __init__(self, folder: Path, provider: Provider, **env: str) -> None:
        self.provider = provider
        self.api, *others = [
            Server(folder, role=role, PARLEY_TELEGRAM_API_URL=provider.api_url, **env)
            for role in ("api", "gateway", "gateway", "worker")
        ]
        self.gateways, self.workers = others[:2], others[2:]
        self.bot: Bot

    @property
    def all(self) -> list[Server]:
        """Every process."""
        return [self.api, *self.gateways, *self.workers]

    async def make_group(self) -> str:
        """Make a conversation to talk in."""
        made = await self.api.call(
            "POST", "/v1/conversations", {"kind": "group", "title": "G", "members": []}
        )
        place: str = made["id"]
        return place

    @contextlib.asynccontextmanager
    async def readers(self, place: str) -> AsyncIterator[Sequence[Replica]]:
        """A client at each gateway that follows a conversation."""
        async with contextlib.AsyncExitStack() as stack:
            found = []
            for gateway in self.gateways:
                reader = Replica(self.api.url, self.api.token, name=gateway.name, sockets=gateway.url)
                found.append(await stack.enter_async_context(reader))
                await reader.follow(place)
            yield found

    async def received(self, server: Server) -> float:
        """Return how many hints of other processes one has heard."""
        text = (await server.http.get("/metrics")).text
        return float(re.findall(r"^parley_bus_received_total (\S+)$", text, re.MULTILINE)[0])

    async def say(self, place: str, text: str) -> Json:
        """Send a message; return it."""
        answer = await self.api.send(place, text, text[:40])
        assert answer.status_code == 201, answer.text
        return answer.json()


async def slowest(readers: Sequence[Replica], place: str, position: int) -> float:
    """Return the seconds until the last of the readers has an event."""
    began = time.monotonic()
    await asyncio.gather(*(reader.reach(place, position) for reader in readers))
    return time.monotonic() - began


@contextlib.asynccontextmanager
async def several(folder: Path, **env: str) -> AsyncIterator[Several]:
    """Start everything; what the test leaves must be well."""
    provider = Provider(folder)
    site = Several(folder, provider, **env)
    async with running(provider, *site.all):
        await asyncio.gather(provider.start(), *(one.start() for one in site.all))
        await site.api.set_up()
        site.bot = await provider.make_bot()
        yield site
        await site.api.require_well()
        for one in site.all:
            assert await one.stop() == 0


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis of the test's own."""
    async with running_redis(tmp_path) as server:
        yield server


async def test_processes_of_every_role_are_one_parley(tmp_path: Path, database_url: str) -> None:
    async with several(tmp_path, DATABASE_URL=database_url) as site:
        place = await site.make_group()
        async with site.readers(place) as readers:
            for n, text in enumerate(["hello", "ж" * 9000, "bye"]):
                said = await site.say(place, f"{n} {text}")
                assert await slowest(readers, place, said["position"]) < HEALED_SECONDS
        assert min([await site.received(gateway) for gateway in site.gateways]) >= 3
        inbox = await site.api.call(
            "POST", "/v1/inboxes", {"channel": "telegram", "secrets": {"token": site.bot.token}}
        )
        assert inbox["state"] == "connected"
        chat = await site.bot.make_chat()
        await chat.write("hi there")
        [conversation] = await eventually(site.api.conversations)
        await site.say(conversation["id"], "answer")

        async def accepted() -> bool:
            return await chat.accepted() == ["answer"]

        await eventually(accepted)
        await require_roles(site)


async def require_roles(site: Several) -> None:
    """Every process tells its health and numbers, and serves nothing that is another's."""
    for one in site.all:
        assert (await one.http.get("/healthz")).json() == {"status": "ok"}
        assert (await one.http.get("/readyz")).status_code == 200
        metrics = (await one.http.get("/metrics")).text
        assert 'parley_bus_up{engine="notify",way="out"} 1.0' in metrics
        assert 'parley_bus_up{engine="notify",way="in"} 1.0' in metrics
    for one in (*site.gateways, *site.workers):
        for path in ("/v1/me", "/", "/docs", "/openapi.json"):
            answer = await one.http.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    for one in (site.api, *site.workers):
        assert (await one.http.get("/socket.io/?EIO=4&transport=polling")).status_code == 404


async def test_a_redis_that_dies_or_is_emptied_delays_readers_and_fails_no_send(
    tmp_path: Path, database_url: str, redis: RedisServer
) -> None:
    async with several(tmp_path, DATABASE_URL=database_url, REDIS_URL=redis.url) as site:
        place = await site.make_group()
        async with site.readers(place) as readers:
            await redis.flush()
            said = await site.say(place, "after the flush")
            assert await slowest(readers, place, said["position"]) < HEALED_SECONDS
            await redis.kill()
            began = time.monotonic()
            for n in range(20):
                said = await site.say(place, f"without {n}")
            assert time.monotonic() - began < 15  # a second each would be 20
            assert await slowest(readers, place, said["position"]) < HEALED_SECONDS
            await redis.start()

            async def is_back() -> bool:
                texts = [(await one.http.get("/metrics")).text for one in site.all]
                return all('parley_bus_up{engine="redis",way="in"} 1.0' in text for text in texts[1:])

            await eventually(is_back)
            before = [await site.received(gateway) for gateway in site.gateways]

            async def is_told() -> bool:
                await site.say(place, f"with it again {time.monotonic()}")
                now = [await site.received(gateway) for gateway in site.gateways]
                return all(later > earlier for later, earlier in zip(now, before, strict=True))

            await eventually(is_told, pause_seconds=0.3)
        for one in site.all:
            assert one.log().count("bus.not_sending") <= 1
            assert one.log().count("bus.not_listening") <= 2


async def test_processes_of_one_role_need_a_shared_database(tmp_path: Path) -> None:
    for role in ("api", "gateway", "worker"):
        code, output = await Server(tmp_path, role=role).try_command(role)
        assert code == 1
        assert "DATABASE_URL" in output

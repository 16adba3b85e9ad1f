"""Two processes of every role behind nginx, over pgbouncer, Redis, RabbitMQ and S3: one Parley, whatever of it is killed or
restarted."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from parley.brokers.shapes import EVENTS_EXCHANGE
from tests.brokers.conftest import Listener, is_following, listening
from tests.database import TestDatabases
from tests.files import files_under
from tests.media import samples
from tests.programs import Json, Server, eventually
from tests.rabbitmq import RabbitMq
from tests.replica import Replica
from tests.report import compare
from tests.topology.stack import Topology, open_topology

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("rabbitmq")]

HEALED_SECONDS = 15.0
"""On a busy machine; less than a client takes to doubt a silent server."""


async def make_group(stack: Topology) -> str:
    """Make a conversation to talk in."""
    made = await stack.door.call("POST", "/v1/conversations", {"kind": "group", "title": "G", "members": []})
    place: str = made["id"]
    return place


@contextlib.asynccontextmanager
async def readers(stack: Topology, place: str, count: int) -> AsyncIterator[Sequence[Replica]]:
    """Clients through nginx that follow a conversation."""
    async with contextlib.AsyncExitStack() as opened:
        found = []
        for n in range(count):
            reader = Replica(stack.door.url, stack.door.token, name=f"reader {n}", tls=stack.nginx.tls())
            found.append(await opened.enter_async_context(reader))
            await reader.follow(place)
        yield found


class Poller:
    """A Socket.IO client by long polling alone, as old networks force it, from an address of its own."""

    def __init__(self, stack: Topology, source: str) -> None:
        self._token = stack.door.token
        transport = httpx2.AsyncHTTPTransport(verify=stack.nginx.tls(), local_address=source)
        self._http = httpx2.AsyncClient(base_url=stack.nginx.url, transport=transport, timeout=40)
        self._path = "/socket.io/?EIO=4&transport=polling"
        self.frames: list[Json] = []

    async def open(self) -> None:
        """Connect, enter the namespace and say hello."""
        opened = (await self._http.get(self._path)).text
        self._path += f"&sid={json.loads(opened[1:])['sid']}"
        await self.post(f"40{json.dumps({'token': self._token})}")
        await self.until(lambda frame: frame["type"] == "answer" and frame["ok"])

    async def post(self, packet: str) -> None:
        """Send a packet."""
        answer = await self._http.post(self._path, content=packet)
        assert (answer.status_code, answer.text) == (200, "OK")

    async def until(self, holds: Callable[[Json], Any]) -> Json:
        """Poll until a frame of this kind came; return it."""
        async with asyncio.timeout(30):
            while True:
                answer = await self._http.get(self._path)
                assert answer.status_code == 200, answer.text
                for packet in answer.text.split("\x1e"):
                    if packet == "2":
                        await self.post("3")
                    elif packet.startswith('42["frame",'):
                        self.frames.append(json.loads(packet[2:])[1])
                for frame in self.frames:
                    if holds(frame):
                        return frame

    async def close(self) -> None:
        """Let go."""
        await self._http.aclose()


async def metric(server: Server, name: str) -> float:
    """Return a number that a process tells of itself."""
    text = (await server.http.get("/metrics")).text
    return float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1])


async def sockets_of(server: Server) -> float:
    """Return how many sockets a gateway has."""
    return await metric(server, "parley_realtime_sockets")


@pytest.fixture(scope="module")
def dsn(databases: TestDatabases) -> Iterator[str]:
    """A database for this file."""
    with databases.fresh() as made:
        yield made


@pytest.fixture(scope="module")
async def stack(
    dsn: str, rabbit: RabbitMq, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Topology]:
    """Everything, for the tests that break nothing."""
    async with open_topology(tmp_path_factory.mktemp("topology"), dsn, rabbit) as opened:
        yield opened


async def test_sends_through_nginx_reach_both_gateways_on_both_protocols(stack: Topology) -> None:
    place = await make_group(stack)
    pollers = [Poller(stack, f"127.0.0.{n}") for n in (1, 2, 3, 4, 5, 6)]
    async with readers(stack, place, 4) as found:
        for poller in pollers:
            await poller.open()
            await poller.post(
                f'42["command",{json.dumps({"id": 7, "do": "watch", "conversation_id": place})}]'
            )
            await poller.until(lambda frame: frame["type"] == "answer" and frame["id"] == 7)
        assert all([await sockets_of(gateway) >= 2 for gateway in stack.gateways])
        for n in range(10):
            said = (await stack.door.send(place, f"hello {n}", f"{n}")).json()
        await asyncio.gather(*(reader.reach(place, said["position"]) for reader in found))
        for poller in pollers:
            await poller.until(lambda frame: frame["type"] == "event" and frame["number"] == said["position"])
            texts = [
                f["data"]["message"]["text"] for f in poller.frames if f.get("kind") == "message.created"
            ]
            assert texts == [f"hello {n}" for n in range(10)]
            await poller.close()
        assert all(not reader.faults() for reader in found)
    inbox = await stack.door.call(
        "POST",
        "/v1/inboxes",
        {"channel": "telegram", "secrets": {"token": (await stack.provider.make_bot()).token}},
    )
    assert inbox["updates"] == "webhook"


async def test_files_lie_in_the_bucket_and_events_are_published_once_and_in_order(
    stack: Topology, rabbit: RabbitMq
) -> None:
    await eventually(lambda: is_following(stack.settings["DATABASE_DIRECT_URL"]))
    workspace = (await stack.door.call("GET", "/v1/workspace"))["id"]
    async with listening(rabbit, EVENTS_EXCHANGE, f"message.create.{workspace}") as events:
        await require_files(stack)
        await require_publishing(stack, events)


async def require_files(stack: Topology) -> None:
    """What is uploaded through nginx every api serves from the bucket, and none has it on the disk they share."""
    content = os.urandom(6_000_000)  # more than S3 is given in one part
    file = await upload(stack, "a.bin", content)
    picture = await upload(stack, "a.jpg", samples.picture(size=(960, 480)))
    headers = {"authorization": f"Bearer {stack.door.token}"}
    for api in stack.apis:
        whole = await api.http.get(f"/v1/media/{file['id']}/content", headers=headers)
        assert whole.content == content
        part = await api.http.get(
            f"/v1/media/{file['id']}/content", headers={**headers, "range": "bytes=5500000-5500009"}
        )
        assert (part.status_code, part.content) == (206, content[5_500_000:5_500_010])
        for what, format_ in ("content", "JPEG"), ("thumbnail", "WEBP"):
            shown = await api.http.get(f"/v1/media/{picture['id']}/{what}", headers=headers)
            assert Image.open(io.BytesIO(shown.content)).format == format_
    said = await stack.door.send(
        await make_group(stack), "", "with files", media_ids=[file["id"], picture["id"]]
    )
    assert said.status_code == 201, said.text
    assert not files_under(stack.door.data_dir / "files")


async def upload(stack: Topology, name: str, content: bytes) -> Json:
    """Upload a file through nginx; return what became of it."""
    answer = await stack.door.http.post(f"/v1/media?name={name}", content=content)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def require_publishing(stack: Topology, events: Listener) -> None:
    """One of two workers publishes; it is restarted in order while people talk, and nothing is doubled or out of order."""
    places = [await make_group(stack) for _ in range(3)]
    before = await events.until(1)  # of the files

    async def talk(place: str, numbers: range) -> None:
        for n in numbers:
            answer = await stack.door.send(place, str(n), str(n))
            assert answer.status_code == 201, answer.text

    await asyncio.gather(*(talk(place, range(20)) for place in places))
    await events.until(61)
    [publisher] = await publishers(stack)
    await asyncio.gather(restart(publisher), *(talk(place, range(20, 60)) for place in places))
    await events.until(181)
    # whoever was first after it: the other, or itself once it was back
    await eventually(lambda: publishers(stack))
    assert len(await publishers(stack)) == 1
    await asyncio.sleep(0.3)
    told = [(one.body["dialogId"], one.body["data"]["content"]) for one in events.heard[len(before) :]]
    for place in places:
        assert [text for where, text in told if where == place] == [str(n) for n in range(60)]


async def publishers(stack: Topology) -> list[Server]:
    """The workers that are connected to the broker."""
    return [worker for worker in stack.workers if await metric(worker, "parley_broker_is_connected")]


# ---------------------------------------------------------------- faults


@dataclasses.dataclass
class Load:
    """Sends through the door, each text once, tried again as a client does; what every answer was."""

    stack: Topology
    place: str
    sent: list[list[str]] = dataclasses.field(default_factory=list)
    failures: list[str] = dataclasses.field(default_factory=list)
    requests: int = 0
    is_over: bool = False

    async def run(self, clients: int = 4) -> None:
        """Send until it is over."""
        self.sent = [[] for _ in range(clients)]
        await asyncio.gather(*(self._send(n) for n in range(clients)))

    async def _send(self, client: int) -> None:
        n = 0
        while not self.is_over:
            text = f"{client}/{n}"
            while not await self._try(text):
                await asyncio.sleep(0.1)
            self.sent[client].append(text)
            n += 1
            await asyncio.sleep(0.02)

    async def _try(self, text: str) -> bool:
        self.requests += 1
        try:
            answer = await self.stack.door.send(self.place, text, text)
        except httpx2.TransportError as error:
            self.failures.append(repr(error))
            return False
        if answer.status_code not in (200, 201):
            self.failures.append(f"{answer.status_code} {answer.text[:100]}")
        return answer.status_code in (200, 201)

    async def require_all_seen(self, found: Sequence[Replica]) -> dict[str, int]:
        """Every reader has every text once and each sender's in order."""
        stored = await self.stack.door.messages(self.place)
        await asyncio.gather(*(reader.reach(self.place, stored[-1]["position"]) for reader in found))
        total = {"lost": 0, "doubled": 0, "disordered": 0}
        for reader in found:
            shown = [message["text"] for message in reader.state(self.place)["messages"].values()]
            for texts in self.sent:
                own = [text for text in shown if text.split("/")[0] == texts[0].split("/")[0]]
                for name, count in compare(texts, own).items():
                    total[name] += count
            assert reader.faults() == []
        return total


@contextlib.asynccontextmanager
async def under_load(stack: Topology, count: int = 6) -> AsyncIterator[tuple[Load, Sequence[Replica]]]:
    """Readers and sends while something is done; at the end everybody has everything."""
    load = Load(stack, await make_group(stack))
    async with readers(stack, load.place, count) as found:
        running = asyncio.create_task(load.run())
        try:
            await asyncio.sleep(0.5)
            yield load, found
        finally:
            load.is_over = True
            await running


async def restart(server: Server) -> None:
    """Stop a process in order and start it again."""
    assert await server.stop(signal.SIGTERM) == 0
    await server.start()


@pytest.mark.long
async def test_a_rolling_restart_of_every_process_fails_less_than_one_in_a_thousand(
    tmp_path: Path, database_url: str, rabbit: RabbitMq, figures: Callable[..., None]
) -> None:
    async with open_topology(tmp_path, database_url, rabbit) as stack:
        async with under_load(stack) as (load, found):
            for _ in range(2):
                for server in stack.servers:
                    await restart(server)
                    await asyncio.sleep(1)
        counted = await load.require_all_seen(found)
        assert counted == {"lost": 0, "doubled": 0, "disordered": 0}
        figures(
            sent=sum(map(len, load.sent)), **counted,
            faults=f"every process restarted twice, one after another; {len(load.failures)} of {load.requests} requests failed",
        )  # fmt: skip
        assert len(load.failures) / load.requests < 0.001, load.failures[:10]


@pytest.mark.long
async def test_a_gateway_killed_and_redis_killed_and_emptied_under_load_lose_nothing(
    tmp_path: Path, database_url: str, rabbit: RabbitMq, figures: Callable[..., None]
) -> None:
    async with open_topology(tmp_path, database_url, rabbit) as stack:
        async with under_load(stack) as (load, found):
            for n in range(4):
                gateway = stack.gateways[n % 2]
                await gateway.kill()
                await asyncio.sleep(2)
                await gateway.start()
                await stack.redis.flush()
                await asyncio.sleep(2)
                await stack.redis.kill()
                await asyncio.sleep(3)
                await require_healing(stack, load.place, found)
                await stack.redis.start()
                await asyncio.sleep(2)
        counted = await load.require_all_seen(found)
        assert counted == {"lost": 0, "doubled": 0, "disordered": 0}
        assert load.failures == []
        figures(
            sent=sum(map(len, load.sent)), **counted,
            faults="4 x kill -9 of a gateway, 4 x Redis emptied, 4 x killed; no send failed",
        )  # fmt: skip


async def require_healing(stack: Topology, place: str, found: Sequence[Replica]) -> None:
    """What is sent while Redis is away is seen within its time."""
    said = (await stack.door.send(place, "without redis", f"without {time.monotonic()}")).json()
    began = time.monotonic()
    await asyncio.gather(*(reader.reach(place, said["position"]) for reader in found))
    assert time.monotonic() - began < HEALED_SECONDS


@pytest.mark.long
async def test_presence_and_readers_come_back_after_nginx_is_gone_for_a_while(
    tmp_path: Path, database_url: str, rabbit: RabbitMq, figures: Callable[..., None]
) -> None:
    times = 3
    async with open_topology(tmp_path, database_url, rabbit) as stack:
        place = await make_group(stack)
        texts: list[str] = []
        async with readers(stack, place, 6) as found:
            for _ in range(times):
                await stack.nginx.kill()
                for _ in range(20):
                    texts.append(f"unseen {len(texts)}")
                    said = await send_past_nginx(stack, place, texts[-1])
                await asyncio.sleep(2)
                await stack.nginx.start()
                await asyncio.gather(*(reader.reach(place, said["position"]) for reader in found))

                async def all_back() -> bool:
                    return sum([await sockets_of(gateway) for gateway in stack.gateways]) >= len(found)

                await eventually(all_back)
            counted: Counter[str] = Counter(sent=len(texts), acknowledged=len(texts))
            for reader in found:
                shown = [message["text"] for message in reader.state(place)["messages"].values()]
                counted.update(compare(texts, shown), seen=len(shown))
                assert reader.faults() == []
            assert [counted[name] for name in ("lost", "doubled", "disordered")] == [0, 0, 0]
            figures(**counted, faults=f"{times} x kill -9 of nginx, away for 2 s; all readers came back")


async def send_past_nginx(stack: Topology, place: str, text: str) -> Json:
    """Send to a process behind nginx; return the message."""
    answer = await stack.apis[0].http.post(
        f"/v1/conversations/{place}/messages",
        json={"client_id": text, "text": text},
        headers={"authorization": f"Bearer {stack.door.token}"},
    )
    assert answer.status_code == 201, answer.text
    return answer.json()

"""The relay: what one process publishes others hear, over Redis and over NOTIFY, and nobody waits for either."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from parley.infra.bus import Bus
from parley.infra.notify_bus import NotifyEngine
from parley.infra.redis_bus import RedisEngine
from parley.infra.relay import QUEUE_LIMIT, Engine, Heard, Relay
from parley.infra.runtime import open_runtime
from parley.infra.settings import Settings
from parley.infra.wake import Wake
from parley.kit.events import CallerHint, Event, Hint, Mark, Signal, Touch
from parley.kit.ids import uuid7
from tests.engines import RedisServer, running_redis
from tests.ports import free_port
from tests.programs import eventually

pytestmark = pytest.mark.anyio

WORKSPACE = uuid7()


def message(number: int, text: str = "hello") -> Event:
    return Event(
        workspace_id=WORKSPACE, stream="conversation", stream_id=uuid7(), number=number, tag=-7,
        kind="message.created", at=dt.datetime.now(dt.UTC), actor_id=uuid7(), data={"message": {"text": text}},
        context={"inbox_id": uuid7()},
    )  # fmt: skip


class Node:
    """One process's bus with its relay, and what it heard."""

    def __init__(self, engine: Engine, listens: Heard = "everything") -> None:
        self.bus = Bus()
        self.relay = Relay(engine, listens=listens)
        self.bus.connect(self.relay)
        self.heard: list[Hint] = []
        self.woken: list[str] = []
        self.bus.subscribe(self.heard.extend)

    async def has(self, count: int, seconds: float = 30) -> None:
        await eventually(lambda: _true(len(self.heard) >= count), seconds, 0.005)


async def _true(what: bool) -> bool:
    return what


@contextlib.asynccontextmanager
async def nodes(make: Callable[[], Engine], count: int = 2) -> AsyncIterator[list[Node]]:
    async with contextlib.AsyncExitStack() as stack:
        found = [Node(make()) for _ in range(count)]
        for node in found:
            await stack.enter_async_context(node.relay.running(node.bus.deliver, node.woken.append))
        for node in found:
            await eventually(lambda node=node: _true(node.relay.tally.is_listening), 30, 0.005)
        yield found


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis of the test's own."""
    async with running_redis(tmp_path) as server:
        yield server


@pytest.fixture(params=["redis", "notify"])
def make_engine(request: pytest.FixtureRequest) -> Callable[[], Engine]:
    """How to make an engine of each kind."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        return lambda: RedisEngine(server.url, "here")
    dsn: str = request.getfixturevalue("database_url")
    return lambda: NotifyEngine(dsn)


async def test_what_one_process_publishes_the_others_hear_once_and_in_order(
    make_engine: Callable[[], Engine],
) -> None:
    async with nodes(make_engine, 3) as (first, second, third):
        stream = uuid7()
        said = [
            Signal(workspace_id=WORKSPACE, stream_id=stream, kind="typing.started", data={"n": n})
            for n in range(1200)
        ]
        for hint in said:
            first.bus.publish([hint])
        for node in (first, second, third):
            await node.has(len(said))
            assert node.heard == said
        assert first.relay.tally.received == 0


async def test_every_kind_of_hint_arrives_as_it_was_but_for_what_is_not_told(
    make_engine: Callable[[], Engine],
) -> None:
    async with nodes(make_engine) as (first, second):
        event = message(3, "Привет \x00 \U0001f600")
        touch = Touch(workspace_id=WORKSPACE, inbox_id=uuid7(), conversation_id=uuid7())
        first.bus.publish([event, touch])
        await second.has(2)
        told = next(hint for hint in second.heard if isinstance(hint, Event))
        assert touch in second.heard
        assert (told.context, told.data, told.at, told.tag) == ({}, event.data, event.at, -7)
        assert (told.stream_id, told.actor_id, told.number) == (event.stream_id, event.actor_id, 3)


async def test_who_answers_requests_hears_whose_tokens_changed_and_nothing_else(
    make_engine: Callable[[], Engine],
) -> None:
    speaker, listener, answerer, command = [
        Node(make_engine(), heard) for heard in ("everything", "everything", "callers", "nothing")
    ]
    async with contextlib.AsyncExitStack() as stack:
        for node in (speaker, listener, answerer, command):
            await stack.enter_async_context(node.relay.running(node.bus.deliver, node.woken.append))
        for node in (speaker, listener, answerer):
            await eventually(lambda node=node: _true(node.relay.tally.is_listening), 10, 0.005)
        hints = [CallerHint(id=uuid7()) for _ in range(20)]
        for hint in hints:
            speaker.bus.publish([message(1), hint])
        await listener.has(40)
        await answerer.has(20)
        assert [hint for hint in listener.heard if isinstance(hint, CallerHint)] == hints
        assert answerer.heard == hints
        assert (command.heard, command.relay.tally.is_listening) == ([], False)


async def test_an_event_too_large_for_notify_is_told_by_its_number(database_url: str) -> None:
    async with nodes(lambda: NotifyEngine(database_url)) as (first, second):
        long, short = message(5, "ж" * 5000), message(1)
        first.bus.publish([long, short])
        await second.has(2)
        assert Mark(stream_id=long.stream_id, number=5) in second.heard
        assert [hint.number for hint in second.heard if isinstance(hint, Event)] == [1]


async def test_work_wakes_others_only_where_nobody_here_does_it(make_engine: Callable[[], Engine]) -> None:
    async with nodes(make_engine) as (first, second):
        wake = Wake()
        wake.spread = first.relay.wake
        wake.notify("journal")
        await eventually(lambda: _true(second.woken == ["journal"]), 30, 0.005)
        stop = wake.listen("journal", lambda: None)
        wake.notify("journal")
        stop()
        wake.notify("job")
        await eventually(lambda: _true(second.woken == ["journal", "job"]), 30, 0.005)


async def test_installations_on_one_redis_do_not_hear_each_other(redis: RedisServer) -> None:
    async with (
        nodes(lambda: RedisEngine(redis.url, "one")) as (first, second),
        nodes(lambda: RedisEngine(redis.url, "two"), 1) as (other,),
    ):
        first.bus.publish([message(1)])
        await second.has(1)
        await asyncio.sleep(0.1)
        assert other.heard == []


async def test_a_redis_that_is_killed_or_flushed_holds_nobody_up_and_is_found_again(
    redis: RedisServer, capfd: pytest.CaptureFixture[str]
) -> None:
    async with nodes(lambda: RedisEngine(redis.url, "here")) as (first, second):
        await redis.flush()
        await redis.kill()
        said = message(1)
        began = time.monotonic()
        for _ in range(QUEUE_LIMIT + 500):
            first.bus.publish([said])
        assert time.monotonic() - began < 10  # not a millisecond each
        await eventually(lambda: _true(not first.relay.tally.is_sending))
        await eventually(lambda: _true(not second.relay.tally.is_listening))
        assert first.relay.tally.dropped > 500
        await redis.start()
        await eventually(lambda: _true(second.relay.tally.is_listening))
        last = message(99_999)

        async def hears() -> bool:
            first.bus.publish([last])
            return any(isinstance(hint, Event) and hint.number == 99_999 for hint in second.heard)

        await eventually(hears)
        assert first.relay.tally.is_sending


async def test_a_hint_is_not_lost_at_the_end_of_a_process(make_engine: Callable[[], Engine]) -> None:
    async with nodes(make_engine, 1) as (reader,):
        sender = Node(make_engine())
        async with sender.relay.running(sender.bus.deliver, sender.woken.append):
            sender.bus.publish([message(1)])
        await reader.has(1)


async def test_rubbish_from_outside_is_passed_over(redis: RedisServer) -> None:
    async with nodes(lambda: RedisEngine(redis.url, "here")) as (first, second):
        engine = RedisEngine(redis.url, "here")
        await engine.send([(engine.channel_of(None), b'{"node":1'), (engine.channel_of(None), b"\xff")])
        await engine.close()
        first.bus.publish([message(1)])
        await second.has(1)


@pytest.mark.parametrize(
    ("role", "bus", "expected"),
    [
        ("serve", "auto", None),
        ("api", "auto", "notify"),
        ("serve", "notify", "notify"),
        ("api", "memory", None),
    ],
)
async def test_one_process_alone_has_no_relay(
    database_url: str, tmp_path: Path, role: str, bus: str, expected: str | None
) -> None:
    async with open_runtime(Settings(data_dir=tmp_path, bus=bus), database_url, role) as runtime:  # type: ignore[arg-type]
        assert (runtime.relay and runtime.relay.engine.name) == expected


async def test_a_process_starts_and_works_while_redis_is_away(database_url: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    heard: list[Sequence[Hint]] = []
    async with open_runtime(settings, database_url, "serve") as runtime:
        runtime.bus.subscribe(heard.append)
        runtime.bus.publish([message(1)])
        await eventually(lambda: _true(bool(heard)), 30, 0.005)
        assert runtime.relay is not None
        await eventually(lambda: _true(not runtime.relay.tally.is_sending))

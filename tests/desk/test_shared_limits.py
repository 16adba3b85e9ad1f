"""Limits of providers over several processes, with a real Redis that is slow, hung, dead and emptied."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parley.channels.contract import Limits
from parley.desk.limiter import Turns
from parley.infra.redis_buckets import ASK_SECONDS, SharedBuckets
from parley.infra.redis_bus import open_redis
from tests.engines import RedisServer, running_redis
from tests.programs import eventually

pytestmark = pytest.mark.anyio

LIMITS = Limits(chat_per_second=0.001, chat_burst=3, inbox_per_second=0.001, inbox_burst=10)
"""Hardly anything comes in again while a test lasts."""
PATIENT_SECONDS = 10.0
"""What a test that is not about time gives a loaded machine to answer."""
PROGRAM = Path(__file__).parent / "limited_process.py"


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis of the test's own."""
    async with running_redis(tmp_path) as server:
        yield server


class Node:
    """One process's limiter."""

    def __init__(self, url: str, ask_seconds: float) -> None:
        self.redis = open_redis(url)
        self.shared = SharedBuckets(self.redis, "here:", ask_seconds=ask_seconds)
        self.turns = Turns(self.shared)

    async def take(self, chat: str = "a", weight: int = 1, limits: Limits = LIMITS) -> float:
        return await self.turns.take(limits, "inbox", chat, weight)

    async def is_up(self) -> bool:
        return self.shared.is_up

    async def is_down(self) -> bool:
        return not self.shared.is_up


@contextlib.asynccontextmanager
async def nodes(url: str, count: int = 2, ask_seconds: float = PATIENT_SECONDS) -> AsyncIterator[list[Node]]:
    """Limiters that have found Redis."""
    found = [Node(url, ask_seconds) for _ in range(count)]
    watches = [asyncio.create_task(node.shared.run()) for node in found]
    try:
        for node in found:
            await eventually(node.is_up, 60, 0.01)
        yield found
    finally:
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        for node in found:
            await node.redis.aclose()


async def test_two_processes_keep_one_limit(redis: RedisServer) -> None:
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, PROGRAM, redis.url, "60", stdout=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [(await process.communicate())[0].split() for process in running]
    got = [int(turns) for turns, _ in said]
    assert sum(got) == 20, said
    assert all(unanswered == b"0" for _, unanswered in said)


async def test_a_turn_taken_anywhere_counts_everywhere_and_a_refused_one_nowhere(redis: RedisServer) -> None:
    async with nodes(redis.url) as (one, two):
        assert [await node.take() for node in (one, two, one)] == [0, 0, 0]
        assert await two.take() == pytest.approx(1000, rel=0.1)
        assert await one.take() == pytest.approx(1000, rel=0.1)
        rest = await asyncio.gather(*(node.take(f"chat {n}") for n in range(6) for node in (one, two)))
        assert rest.count(0.0) == 7
        assert one.shared.unanswered == two.shared.unanswered == 0


async def test_buckets_fill_again_and_a_heavy_call_leaves_a_debt(redis: RedisServer) -> None:
    limits = Limits(chat_per_second=0.01, chat_burst=2, inbox_per_second=1000, inbox_burst=1000)
    async with nodes(redis.url) as (one, two):
        assert await one.take(weight=4, limits=limits) == 0
        wait = await two.take(limits=limits)
        assert 200 < wait <= 300  # two owed, and one to have
        for key in await one.redis.keys("*"):
            assert await one.redis.pttl(key) > 0
            at = await one.redis.hget(key, "at")
            assert at
            await one.redis.hset(key, "at", str(float(at) - wait))  # as if it had passed
        assert await two.take(limits=limits) == 0
        assert await two.take(limits=limits) > 0


async def test_what_the_provider_says_to_one_holds_back_all(redis: RedisServer) -> None:
    async with nodes(redis.url) as (one, two):
        await one.turns.hold_back(LIMITS, "inbox", "a", 50)
        assert 20 < await two.take() <= 50
        assert await two.take("b") == 0
        await two.turns.hold_back(LIMITS, "inbox", None, 90)
        await two.turns.hold_back(LIMITS, "inbox", None, 5)
        assert 60 < await one.take("b") <= 90
        assert await one.turns.take(LIMITS, "another inbox", "a", 1) == 0


async def test_no_address_is_written_to_redis(redis: RedisServer) -> None:
    async with nodes(redis.url, 1) as (one,):
        assert await one.take("+79991234567") == 0
        keys = await one.redis.keys("*")
        assert len(keys) == 2
        assert not any(b"9991234567" in key for key in keys)


async def test_a_hung_redis_costs_one_short_wait_and_then_nothing(redis: RedisServer) -> None:
    async with nodes(redis.url, 1, ask_seconds=0.3) as (one,):
        assert await one.take() == 0
        os.kill(redis.pid, signal.SIGSTOP)
        began = time.monotonic()
        assert [await one.take(f"chat {n}") for n in range(9)] == [0] * 9
        assert time.monotonic() - began < 9 * 0.3  # one of them waited, eight did not
        # the process's own buckets go on, and know what went before
        assert await one.take("another") > 0
        assert await one.is_down()
        os.kill(redis.pid, signal.SIGCONT)
        await eventually(one.is_up, 60, 0.01)


async def test_the_wait_for_redis_is_short() -> None:
    assert ASK_SECONDS <= 0.02


async def test_a_killed_and_an_emptied_redis_refuse_nobody(redis: RedisServer) -> None:
    async with nodes(redis.url) as (one, two):
        assert await one.take("a") == 0
        await redis.kill()
        assert [await node.take("b") for node in (one, two)] == [0, 0]
        await eventually(one.is_down, 60, 0.01)
        assert await one.take("c") == 0
        await redis.start()
        for node in (one, two):
            await eventually(node.is_up, 60, 0.01)
        await redis.flush()
        assert [await one.take("d") for _ in range(3)] == [0] * 3
        assert await two.take("d") > 0
        assert await one.is_up()


async def test_a_server_whose_clock_was_set_back_holds_nobody_up(redis: RedisServer) -> None:
    async with nodes(redis.url, 1) as (one,):
        assert await one.take() == 0
        for key in await one.redis.keys("*"):
            await one.redis.hset(key, mapping={"t": "0", "at": str(time.time() + 3600)})
        assert await one.take() == 0

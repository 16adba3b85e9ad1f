"""Presence: told to those who share a conversation, over several devices and gateways, and to nobody else."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from parley.infra.db import Database
from parley.infra.presence import DatabasePresence, MemoryPresence, PresenceStore, RedisPresence
from parley.infra.redis_bus import open_redis
from parley.infra.runtime import Runtime
from parley.kit.events import PresenceHint
from parley.kit.ids import public_id
from parley.realtime.presence import Pace, find_presence
from tests.engines import running_redis
from tests.realtime.harness import Client, House, Person, Served, serve

pytestmark = pytest.mark.anyio

QUICK = Pace(look_seconds=0.02, grace_seconds=0.2, renew_seconds=0.2, seen_seconds=0.1)


@pytest.fixture
async def quick(served: Served) -> Served:
    """The gateway, looking more often than it does."""
    served.gateway.fanout.presence.pace = QUICK
    return served


def changes(client: Client, person: Person) -> list[Any]:
    """What a client was told of somebody."""
    return [
        frame["data"]["is_online"]
        for frame in client.frames
        if frame["type"] == "signal" and frame["stream"] == person.public
    ]


async def watch(client: Client, *people: Person) -> list[Any]:
    data = await client.ask("presence.watch", actor_ids=[person.public for person in people])
    return [one["is_online"] for one in data["presence"]]


async def test_those_who_share_a_group_see_each_other_come_and_go(quick: Served) -> None:
    house = quick.house
    async with quick.client(house.boris) as boris:
        assert await watch(boris, house.anna, house.boris) == [False, True]
        async with quick.client(house.anna), quick.client(house.anna) as second:
            await boris.until(lambda: changes(boris, house.anna) == [True])
            await second.connection.close()
            await asyncio.sleep(0.4)
            assert changes(boris, house.anna) == [True]
        await boris.until(lambda: changes(boris, house.anna) == [True, False])
        last = next(f for f in reversed(boris.frames) if f.get("kind") == "presence.changed")
        assert last["data"]["last_seen_at"] is not None
        assert last["actor_id"] == house.anna.public


async def test_a_short_absence_is_not_told(quick: Served) -> None:
    house = quick.house
    quick.gateway.fanout.presence.pace = dataclasses.replace(QUICK, grace_seconds=20)
    async with quick.client(house.boris) as boris:
        async with quick.client(house.anna):
            assert await watch(boris, house.anna) == [True]
            await asyncio.sleep(0.2)
        async with quick.client(house.anna):
            await asyncio.sleep(0.3)
        assert False not in changes(boris, house.anna)


async def test_who_shares_nothing_is_told_nothing(quick: Served) -> None:
    house = quick.house
    async with quick.client(house.agent) as agent, quick.client(house.anna) as anna:
        assert await watch(agent, house.anna, house.boris) == [None, None]
        assert await watch(anna, house.agent) == [None]
        async with quick.client(house.boris):
            await asyncio.sleep(0.3)
        await asyncio.sleep(0.5)
        assert changes(agent, house.anna) == changes(agent, house.boris) == changes(anna, house.agent) == []


async def test_a_right_taken_away_ends_what_is_told(quick: Served) -> None:
    house = quick.house
    async with quick.client(house.boris) as boris:
        async with quick.client(house.anna):
            await watch(boris, house.anna)
            await asyncio.sleep(0.3)
            await house.sql(
                "DELETE FROM member WHERE conversation_id = $1 AND actor_id = $2", house.group, house.anna.id
            )
        await boris.until(lambda: changes(boris, house.anna)[-1:] == [None])
        assert False not in changes(boris, house.anna)


async def test_who_does_not_show_it_is_not_seen_by_others_but_by_themselves(quick: Served) -> None:
    house = quick.house
    await house.sql("UPDATE actor SET shows_last_seen = false WHERE id = $1", house.anna.id)
    async with quick.client(house.anna) as anna, quick.client(house.boris) as boris:
        assert await watch(boris, house.anna) == [None]
        await asyncio.sleep(0.1)
        assert await watch(anna, house.anna) == [True]
        await house.sql("UPDATE actor SET shows_last_seen = true WHERE id = $1", house.anna.id)
        house.runtime.bus.publish([PresenceHint(workspace_id=house.workspace_id, actor_id=house.anna.id)])
        await boris.until(lambda: changes(boris, house.anna) == [True])


async def test_unwatching_ends_it_and_too_many_are_refused(quick: Served) -> None:
    house = quick.house
    async with quick.client(house.boris) as boris:
        await watch(boris, house.anna)
        await boris.ask("presence.unwatch", actor_ids=[house.anna.public])
        await watch(boris, house.anna)
        await boris.ask("presence.unwatch")
        async with quick.client(house.anna):
            await asyncio.sleep(0.2)
        assert changes(boris, house.anna) == []
        for n in range(3):
            ids = [public_id("act", uuid4()) for _ in range(200)]
            answer = await boris.answer("presence.watch", actor_ids=ids)
            assert answer["ok"] == (n < 2)
        assert answer["error"]["code"] == "too_many_watched"
        refused = await boris.answer("presence.watch", actor_ids=["cnv_x"])
        assert refused["error"]["code"] == "malformed"
    assert not quick.gateway.fanout.presence._watchers


async def test_last_seen_moves_while_somebody_is_here_and_at_the_end(quick: Served) -> None:
    house, runtime = quick.house, quick.house.runtime
    pair = (house.boris.id, house.anna.id)

    async def seen() -> Any:
        return (await find_presence(runtime.db, runtime.presence, house.workspace_id, [pair]))[pair]

    assert (await seen()).last_seen_at is None
    async with quick.client(house.anna):
        while (first := (await seen()).last_seen_at) is None:
            await asyncio.sleep(0.05)
        while (await seen()).last_seen_at == first:
            await asyncio.sleep(0.05)
        assert (await seen()).is_online
    while (await seen()).is_online:
        await asyncio.sleep(0.05)


# ---------------------------------------------------------------- several gateways


@pytest.fixture(params=["memory", "redis", "database"])
async def stores(
    request: pytest.FixtureRequest, runtime: Runtime, tmp_path: Path
) -> AsyncIterator[Callable[[], PresenceStore]]:
    """How to open each kind of store; those of one process share it."""
    if request.param == "redis":
        async with running_redis(tmp_path) as server:
            clients = [open_redis(server.url) for _ in range(2)]
            yield lambda: RedisPresence(clients[0], "test:")
            for client in clients:
                await client.aclose()
    elif request.param == "database":
        yield lambda: DatabasePresence(runtime.db)
    else:
        memory = MemoryPresence()
        yield lambda: memory


async def test_a_store_tells_who_is_held_by_some_node(
    stores: Callable[[], PresenceStore], house: House, request: pytest.FixtureRequest
) -> None:
    store, here, there = stores(), uuid4(), uuid4()
    anna, boris = (house.workspace_id, house.anna.id), (house.workspace_id, house.boris.id)
    assert await store.find_online([anna, boris]) == set()
    await store.hold(here, [anna, boris])
    await store.hold(here, [anna])
    assert await stores().find_online([anna, boris, (uuid4(), uuid4())]) == {anna, boris}
    if "memory" in request.node.name:
        return
    await store.hold(there, [anna])
    await store.let_go(here, [anna, boris])
    assert await store.find_online([anna, boris]) == {anna}
    await store.hold(there, [anna], -1)
    assert await store.find_online([anna, boris]) == set()


class Away:
    """A store that cannot be reached."""

    async def hold(self, *_: Any) -> None:
        raise ConnectionError("away")

    let_go = find_online = hold


async def test_two_gateways_tell_each_others_users_and_a_silent_one_loses_its_own(
    runtime: Runtime, house: House
) -> None:
    shared = dataclasses.replace(runtime, presence=DatabasePresence(runtime.db))
    async with serve(shared, house) as first, serve(shared, house) as second:
        for served in (first, second):
            served.gateway.fanout.presence.pace = QUICK
        async with first.client(house.boris) as boris:
            await watch(boris, house.anna)
            async with second.client(house.anna):
                await boris.until(lambda: changes(boris, house.anna) == [True])
                async with first.client(house.anna):
                    await asyncio.sleep(0.1)
                await asyncio.sleep(0.5)
                assert changes(boris, house.anna) == [True]
                # as killed: it renews no longer, and nobody is told
                second.gateway.fanout.presence._sockets.clear()
                await house.sql("DELETE FROM online WHERE actor_id = $1", house.anna.id)
                await boris.until(lambda: changes(boris, house.anna) == [True, False])


async def test_without_its_store_presence_goes_by_last_seen_and_sockets_work(
    runtime: Runtime, house: House
) -> None:
    store: Any = Away()
    async with serve(dataclasses.replace(runtime, presence=store), house) as served:
        served.gateway.fanout.presence.pace = QUICK
        async with served.client(house.boris) as boris:
            assert await watch(boris, house.anna) == [False]
            await house.sql(
                "INSERT INTO last_seen (workspace_id, actor_id, at) VALUES ($1, $2, now())",
                house.workspace_id, house.anna.id,
            )  # fmt: skip
            assert await watch(boris, house.anna) == [True]
            await boris.watch(house.group)


async def test_rows_of_gateways_long_gone_are_swept(runtime: Runtime, house: House) -> None:
    store = DatabasePresence(runtime.db)
    await store.hold(uuid4(), [(house.workspace_id, house.anna.id)])
    await house.sql("UPDATE online SET until = now() - interval '1 hour'")
    await store.hold(uuid4(), [(house.workspace_id, house.boris.id)])
    assert await _count(runtime.db) == 1


async def _count(db: Database) -> int:
    async with db.system() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM online"))

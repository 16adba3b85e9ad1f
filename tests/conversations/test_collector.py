"""The collector: shared commits, order within a conversation, and nobody waits for a stranger's lock."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from parley.conversations import Collector, Posted
from parley.conversations.collector import BATCH_LIMIT, PARALLEL_ASIDE
from tests.conversations.conftest import Scene

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def locked(scene: Scene, places: list[UUID]) -> AsyncIterator[None]:
    """Hold conversations locked, as somebody does who edits or joins, until the block is left."""
    async with scene.house.db.system() as tx:
        await tx.execute("SELECT FROM conversation WHERE id = ANY ($1) FOR NO KEY UPDATE", places)
        yield


async def test_locked_conversations_delay_nobody_but_their_own_senders(scene: Scene) -> None:
    held = [await scene.place.open(scene.anna) for _ in range(PARALLEL_ASIDE + 3)]
    collector = Collector(scene.house.db)
    async with locked(scene, held):
        waiting = [
            asyncio.create_task(collector.post(scene.place.draft(place, scene.anna, f"{n}")))
            for n in range(BATCH_LIMIT)
            for place in held
        ]
        await asyncio.sleep(0.1)
        for n in range(3):
            async with asyncio.timeout(20):
                await collector.post(scene.place.draft(scene.group, scene.anna, f"free {n}"))
        assert not any(task.done() for task in waiting)
    posted = await asyncio.gather(*waiting)
    await collector.drain()
    for index in range(len(held)):
        numbers = [item.message.number for item in posted[index :: len(held)]]
        assert numbers == list(range(1, BATCH_LIMIT + 1))


async def test_a_send_that_was_given_up_while_it_waited_is_not_made(scene: Scene) -> None:
    collector = Collector(scene.house.db)
    async with locked(scene, [scene.group]):
        first = asyncio.create_task(collector.post(scene.place.draft(scene.group, scene.anna, "first")))
        await asyncio.sleep(0.05)
        given_up = asyncio.create_task(collector.post(scene.place.draft(scene.group, scene.anna, "given up")))
        last = asyncio.create_task(collector.post(scene.place.draft(scene.group, scene.anna, "last")))
        await asyncio.sleep(0.05)
        given_up.cancel()
    posted: list[Posted] = await asyncio.gather(first, last)
    assert [item.message.text for item in posted] == ["first", "last"]
    await collector.drain()
    rows = await scene.house.sql(
        "SELECT text FROM message WHERE conversation_id = $1 ORDER BY position", scene.group
    )
    assert [row["text"] for row in rows] == ["first", "last"]

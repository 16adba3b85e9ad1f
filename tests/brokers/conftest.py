"""Fixtures: one RabbitMQ for all tests of a run, and a house whose events are published to it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aio_pika
import asyncpg
import msgspec
import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from parley.brokers import Publishing
from parley.brokers.publishing import FOLLOWER
from parley.infra.followers import claim_follower, release_follower
from parley.infra.metrics import Metrics
from tests.house import House, Workspace, open_house
from tests.programs import eventually
from tests.rabbitmq import RabbitMq

LEASE_SECONDS = 2.0


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """A process over an empty database, whose follower stands at the beginning."""
    async with open_house(database_url, tmp_path) as opened:
        token = uuid4()
        async with opened.db.system() as tx:
            await claim_follower(tx, FOLLOWER, token, lease_seconds=1)
            await release_follower(tx, FOLLOWER, token)
        yield opened


@pytest.fixture
async def acme(house: House) -> Workspace:
    """An empty workspace."""
    return await house.workspace("Acme")


@dataclasses.dataclass(frozen=True)
class Heard:
    """A message as a consumer got it."""

    exchange: str
    routing_key: str
    id: str
    headers: dict[str, Any]
    body: dict[str, Any]

    @property
    def type(self) -> str:
        """Chat3's name of what happened."""
        told: str = self.body["eventType"]
        return told


class Listener:
    """Another program: a durable queue bound to an exchange, read with nothing of Parley's."""

    def __init__(self, queue: AbstractQueue) -> None:
        self.queue = queue
        self.heard: list[Heard] = []

    async def take(self, message: AbstractIncomingMessage) -> None:
        """Keep what came."""
        body = msgspec.json.decode(message.body)
        assert message.content_type == "application/json"
        assert message.message_id is not None
        self.heard.append(
            Heard(
                message.exchange or "",
                message.routing_key or "",
                message.message_id,
                dict(message.headers),
                body,
            )
        )
        await message.ack()

    async def until(self, count: int, seconds: float = 60) -> list[Heard]:
        """Return what was heard once that many different ones have come, repeats taken out."""

        async def enough() -> bool:
            return len({one.id for one in self.heard}) >= count

        await eventually(enough, seconds)
        return list({one.id: one for one in self.heard}.values())


@contextlib.asynccontextmanager
async def listening(rabbit: RabbitMq, exchange: str, *keys: str) -> AsyncIterator[Listener]:
    """Listen under these routing keys until the block is left; the queue goes then."""
    connection = await aio_pika.connect_robust(rabbit.url)
    async with connection:
        channel = await connection.channel()
        source = await channel.declare_exchange(exchange, aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue(f"test-{uuid4()}", durable=True)
        for key in keys:
            await queue.bind(source, key)
        listener = Listener(queue)
        await queue.consume(listener.take)
        yield listener
        await queue.delete(if_unused=False, if_empty=False)


async def is_following(dsn: str) -> bool:
    """Whether the follower has a place, from which on everything is published."""
    connection = await asyncpg.connect(dsn)
    try:
        return bool(await connection.fetchval("SELECT count(*) FROM follower WHERE name = $1", FOLLOWER))
    finally:
        await connection.close()


def make_publishing(
    house: House, url: str, *, is_everyone: bool = False, known_by_id: UUID | None = None
) -> Publishing:
    """Return a follower as a worker process has one."""
    return Publishing(
        house.db,
        url,
        is_everyone=is_everyone,
        lease_seconds=LEASE_SECONDS,
        kept_days=30,
        metrics=Metrics(),
        known_by_id=known_by_id,
    )


@contextlib.asynccontextmanager
async def publishing(
    house: House, url: str, *, is_everyone: bool = False, known_by_id: UUID | None = None
) -> AsyncIterator[Publishing]:
    """Publish until the block is left."""
    publisher = make_publishing(house, url, is_everyone=is_everyone, known_by_id=known_by_id)
    task = asyncio.create_task(publisher.run())
    try:
        yield publisher
    finally:
        publisher.stop()
        await task


async def enable(house: House, *people: Any) -> None:
    """Give people an integration."""
    for person in people:
        await house.sql(
            "INSERT INTO integration VALUES ($1, $2, now()) ON CONFLICT DO NOTHING",
            person.caller.workspace_id,
            person.id,
        )

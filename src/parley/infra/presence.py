"""Who is online: which actors have a socket at which gateway. Where it is kept depends on how many processes there are.

Nothing here must survive: a gateway says again and again whom it holds (`RENEW_SECONDS`), and who was not named for
`HELD_SECONDS` is gone, so that killed processes and emptied stores heal by themselves.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Protocol
from uuid import UUID

from redis.asyncio import Redis

from parley.infra import presence_store
from parley.infra.db import Database

RENEW_SECONDS = 15.0
HELD_SECONDS = 40.0

Who = tuple[UUID, UUID]
"""Workspace and actor."""


class PresenceStore(Protocol):
    """Sets of actors by node. Raises what ails the store; who asks does without."""

    async def hold(self, node: UUID, actors: Collection[Who], seconds: float = HELD_SECONDS) -> None:
        """Say that a node has sockets of these for so long from now on. Repeat: renews."""

    async def let_go(self, node: UUID, actors: Collection[Who]) -> None:
        """Say that a node has no sockets of these any more."""

    async def find_online(self, actors: Collection[Who]) -> set[Who]:
        """Return those of them that some node holds."""


class MemoryPresence:
    """For one process."""

    def __init__(self) -> None:
        self._held: set[Who] = set()

    async def hold(self, node: UUID, actors: Collection[Who], seconds: float = HELD_SECONDS) -> None:
        """See `PresenceStore`."""
        self._held.update(actors)

    async def let_go(self, node: UUID, actors: Collection[Who]) -> None:
        """See `PresenceStore`."""
        self._held.difference_update(actors)

    async def find_online(self, actors: Collection[Who]) -> set[Who]:
        """See `PresenceStore`."""
        return self._held.intersection(actors)


class RedisPresence:
    """A sorted set of nodes for each actor, by when they stop to hold it."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    async def hold(self, node: UUID, actors: Collection[Who], seconds: float = HELD_SECONDS) -> None:
        """See `PresenceStore`."""
        until = time.time() + seconds
        async with self._redis.pipeline(transaction=False) as pipeline:
            for who in actors:
                pipeline.zadd(self._key(who), {node.hex: until})
                pipeline.expire(self._key(who), int(2 * HELD_SECONDS))
            await pipeline.execute()

    async def let_go(self, node: UUID, actors: Collection[Who]) -> None:
        """See `PresenceStore`."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for who in actors:
                pipeline.zrem(self._key(who), node.hex)
            await pipeline.execute()

    async def find_online(self, actors: Collection[Who]) -> set[Who]:
        """See `PresenceStore`."""
        listed = list(actors)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for who in listed:
                pipeline.zcount(self._key(who), time.time(), "+inf")
            counts = await pipeline.execute()
        return {who for who, count in zip(listed, counts, strict=True) if count}

    def _key(self, who: Who) -> str:
        return f"{self._prefix}online:{who[1].hex}"


class DatabasePresence:
    """An unlogged table: for several processes without Redis."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def hold(self, node: UUID, actors: Collection[Who], seconds: float = HELD_SECONDS) -> None:
        """See `PresenceStore`."""
        async with self._db.system() as tx:
            await presence_store.hold(tx, node, sorted(actors), seconds)

    async def let_go(self, node: UUID, actors: Collection[Who]) -> None:
        """See `PresenceStore`."""
        async with self._db.system() as tx:
            await presence_store.let_go(tx, node, sorted(actors))

    async def find_online(self, actors: Collection[Who]) -> set[Who]:
        """See `PresenceStore`."""
        async with self._db.system() as tx:
            return set(await presence_store.find_online(tx, list(actors)))

"""Redis between processes: pub/sub channels, sharded by the hash of the conversation.

Redis may be emptied, killed or cut off at any time; nothing that must survive is in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from uuid import UUID

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

SHARDS = 16
"""Channels of one installation. All go to one server today; who grows past it gives shards servers of their own."""
PING_SECONDS = 2.0
"""Silence after which the server is asked whether it lives; after twice as long it counts as gone."""
ANSWER_SECONDS = 1.0
CONNECT_SECONDS = 2.0


def open_redis(url: str, *, answer_seconds: float | None = ANSWER_SECONDS) -> Redis:
    """Return a client that connects when it is first used. It tries nothing twice: its users know what to do instead."""
    return Redis.from_url(
        url,
        socket_timeout=answer_seconds,
        socket_connect_timeout=CONNECT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=50,
    )


def channel_prefix(installation: str) -> str:
    """Return what the names of an installation begin with, so that two may share a server."""
    return f"parley:{hashlib.sha256(installation.encode()).hexdigest()[:12]}:"


class RedisEngine:
    """See `parley.infra.relay.Engine`."""

    name = "redis"
    packet_limit_bytes = 1024 * 1024

    def __init__(self, url: str, installation: str) -> None:
        self._out = open_redis(url)
        self._in = open_redis(url, answer_seconds=None)
        prefix = channel_prefix(installation)
        self._channels = [f"{prefix}bus:{number}" for number in range(SHARDS)]
        self.callers_channel = f"{prefix}bus:callers"

    def channel_of(self, stream_id: UUID | None) -> str:
        """See `Engine`."""
        return self._channels[0 if stream_id is None else stream_id.int % SHARDS]

    async def send(self, packets: Sequence[tuple[str, bytes]]) -> None:
        """See `Engine`."""
        if len(packets) == 1:
            await self._out.publish(*packets[0])
            return
        async with self._out.pipeline(transaction=False) as pipeline:
            for channel, packet in packets:
                pipeline.publish(channel, packet)
            await pipeline.execute()

    async def listen(
        self, take: Callable[[bytes], None], is_listening: Callable[[], None], *, is_all: bool
    ) -> None:
        """See `Engine`."""
        async with self._in.pubsub() as subscription:
            await subscription.subscribe(self.callers_channel, *(self._channels if is_all else ()))
            is_asked = False
            while True:
                message = await subscription.get_message(timeout=PING_SECONDS)
                if message is None:
                    if is_asked:
                        raise ConnectionError("Redis does not answer.")
                    await subscription.ping()
                is_asked = message is None
                if message is not None and message["type"] == "message":
                    take(message["data"])
                elif message is not None and message["type"] == "subscribe":
                    is_listening()

    async def close(self) -> None:
        """See `Engine`."""
        await self._out.aclose()
        await self._in.aclose()

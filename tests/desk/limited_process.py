"""A process that takes turns at a provider as often as it gets them at once, and prints how many it got."""

from __future__ import annotations

import asyncio
import sys

from parley.channels.contract import Limits
from parley.desk.limiter import Turns
from parley.infra.redis_buckets import SharedBuckets
from parley.infra.redis_bus import open_redis


async def main(url: str, asks: int) -> None:
    """Ask so often; a loaded machine is given time to answer."""
    redis = open_redis(url)
    shared = SharedBuckets(redis, "here:", ask_seconds=10)
    watch = asyncio.create_task(shared.run())
    while not shared.is_up:
        await asyncio.sleep(0.01)
    turns, limits = Turns(shared), Limits(1e-6, 7, 1e-6, 20)
    waits = [await turns.take(limits, "inbox", f"chat {n % 5}", 1) for n in range(asks)]
    watch.cancel()
    await redis.aclose()
    print(waits.count(0.0), shared.unanswered)


asyncio.run(main(sys.argv[1], int(sys.argv[2])))

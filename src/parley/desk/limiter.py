"""Courtesy towards providers: so many messages a second in one chat and in one inbox.

Token buckets in memory, of what this process sent, and with Redis the same once more for all processes
(`parley.infra.redis_buckets`), obeyed as long as they answer in time. What goes beyond the limit all the same, the
provider answers with 429, and its ``retry_after`` is obeyed by `hold_back`.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from parley.channels.contract import Limits
from parley.infra.redis_buckets import Bucket, SharedBuckets

MAX_BUCKETS = 20_000
"""Chats remembered; the longest unused goes first, whose bucket has long been full again."""


class _Bucket:
    def __init__(self, per_second: float, burst: int, now: float) -> None:
        self.per_second = per_second
        self.burst = burst
        self.tokens = float(burst)
        self.at = now

    def fill(self, now: float) -> None:
        if now > self.at:
            self.tokens = min(self.burst, self.tokens + (now - self.at) * self.per_second)
            self.at = now

    def wait_seconds(self, weight: float, now: float) -> float:
        # a call heavier than the burst goes out of a full bucket and leaves a debt; held back, `at` lies ahead
        return max(0.0, (min(weight, self.burst) - self.tokens) / self.per_second) + max(0.0, self.at - now)


class Limiter:
    """Says how long a send has to wait, and takes its place in the buckets."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()

    def take(self, limits: Limits, inbox: str, chat: str, weight: int) -> float:
        """Return 0 and take ``weight`` tokens, or the seconds to wait before asking again and take nothing."""
        now = self._now()
        buckets = (
            self._bucket((inbox, ""), limits.inbox_per_second, limits.inbox_burst, now),
            self._bucket((inbox, chat), limits.chat_per_second, limits.chat_burst, now),
        )
        wait = max(bucket.wait_seconds(weight, now) for bucket in buckets)
        if wait > 0:
            return wait
        for bucket in buckets:
            bucket.tokens -= weight
        return 0.0

    def give_back(self, inbox: str, chat: str, weight: int) -> None:
        """Return what was taken for a send that did not go."""
        for key in ((inbox, ""), (inbox, chat)):
            bucket = self._buckets.get(key)
            if bucket is not None:
                bucket.tokens = min(bucket.burst, bucket.tokens + weight)

    def hold_back(self, limits: Limits, inbox: str, chat: str | None, seconds: float) -> None:
        """Send nothing to a chat, or with None to the whole inbox, for so many seconds: the provider said so."""
        now = self._now()
        if chat is None:
            bucket = self._bucket((inbox, ""), limits.inbox_per_second, limits.inbox_burst, now)
        else:
            bucket = self._bucket((inbox, chat), limits.chat_per_second, limits.chat_burst, now)
        bucket.tokens = min(bucket.tokens, 1.0)
        bucket.at = max(bucket.at, now + seconds)

    def _bucket(self, key: tuple[str, str], per_second: float, burst: int, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(per_second, burst, now)
            while len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        bucket.fill(now)
        return bucket


class Turns:
    """A process's limiter, kept together with those of others where there is Redis."""

    def __init__(self, shared: SharedBuckets | None = None, own: Limiter | None = None) -> None:
        self._shared = shared
        self._own = own or Limiter()

    async def take(self, limits: Limits, inbox: str, chat: str, weight: int) -> float:
        """As `Limiter.take`, over all processes as far as Redis says so in time."""
        wait = self._own.take(limits, inbox, chat, weight)
        if wait > 0 or self._shared is None:
            return wait
        buckets = (_shared_bucket(limits, inbox, None), _shared_bucket(limits, inbox, chat))
        wait = await self._shared.take(buckets, weight) or 0.0
        if wait > 0:
            self._own.give_back(inbox, chat, weight)
        return wait

    async def hold_back(self, limits: Limits, inbox: str, chat: str | None, seconds: float) -> None:
        """As `Limiter.hold_back`, and for the other processes too as far as Redis hears it."""
        self._own.hold_back(limits, inbox, chat, seconds)
        if self._shared is not None:
            await self._shared.hold_back(_shared_bucket(limits, inbox, chat), seconds)


def _shared_bucket(limits: Limits, inbox: str, chat: str | None) -> Bucket:
    if chat is None:
        return Bucket(inbox, limits.inbox_per_second, limits.inbox_burst)
    # an address may be a phone number, which is nobody's business in Redis
    name = hashlib.sha256(f"{inbox}:{chat}".encode()).hexdigest()[:24]
    return Bucket(f"{inbox}:{name}", limits.chat_per_second, limits.chat_burst)

"""Token buckets in Redis, one for all processes, and never waited for longer than `ASK_SECONDS`.

Whoever asks gets an answer in time or none, and goes by what it knows itself. After an ask without an answer nothing is
asked until the engine has answered a probe beside the askers' path, so that a dead or hung Redis costs nobody more than
its last answer. An emptied Redis has full buckets.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from parley.infra.failures import describe_failure

ASK_SECONDS = 0.02
"""How long an answer may take; a Redis in the same network takes less than one millisecond."""
PROBE_SECONDS = 1.0
LOOK_SECONDS = 5.0
"""How often Redis is asked whether it lives while nobody needs it, which keeps a connection open."""
RETRY_SECONDS = (0.05, 0.25, 0.5, 1.0)

log = structlog.get_logger()

# By the server's clock. A bucket is its tokens `t` at the moment `at`, and `held`: until when nothing goes at all.
_FILL = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local function fill(key, rate, burst)
  local row = redis.call('HMGET', key, 't', 'at', 'held')
  local tokens, at, held = tonumber(row[1]) or burst, tonumber(row[2]) or now, tonumber(row[3]) or 0
  if now > at then tokens = math.min(burst, tokens + (now - at) * rate) end
  if at > math.max(now, held) then tokens = burst end -- the clock was set back
  return tokens, held
end
local function keep(key, rate, burst, tokens, at, held)
  redis.call('HSET', key, 't', string.format('%.6f', tokens), 'at', string.format('%.6f', at),
    'held', string.format('%.6f', held))
  redis.call('PEXPIRE', key, math.ceil(((burst - tokens) / rate + math.max(0, held - now) + 1) * 1000))
end
"""
# KEYS: buckets. ARGV: weight, then rate and burst of each. Returns the seconds to wait; 0: taken from all.
_TAKE = f"""{_FILL}
local weight, wait, found = tonumber(ARGV[1]), 0, {{}}
for n, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * n]), tonumber(ARGV[2 * n + 1])
  local tokens, held = fill(key, rate, burst)
  found[n] = {{rate, burst, tokens, held}}
  local short = math.max(0, math.min(weight, burst) - tokens) / rate
  wait = math.max(wait, short + math.max(0, held - now))
end
if wait > 0 then return string.format('%.6f', wait) end
for n, key in ipairs(KEYS) do
  keep(key, found[n][1], found[n][2], found[n][3] - weight, now, found[n][4])
end
return '0'
"""
# KEYS: a bucket. ARGV: its rate and burst, seconds. It fills again when they are over.
_HOLD = f"""{_FILL}
local rate, burst, seconds = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local tokens, held = fill(KEYS[1], rate, burst)
held = math.max(held, now + seconds)
keep(KEYS[1], rate, burst, math.min(tokens, 1), held, held)
return '0'
"""


class Bucket(NamedTuple):
    """One bucket: its name, how it fills, how much it holds."""

    key: str
    per_second: float
    burst: int


class SharedBuckets:
    """Buckets of one installation. Until `run` has found Redis alive, nothing is asked."""

    def __init__(self, redis: Redis, prefix: str, *, ask_seconds: float = ASK_SECONDS) -> None:
        self.is_up = False
        self.unanswered = 0
        self._redis = redis
        self._prefix = f"{prefix}limit:"
        self._ask_seconds = ask_seconds
        self._take = redis.register_script(_TAKE)
        self._hold = redis.register_script(_HOLD)
        self._doubt = asyncio.Event()

    async def take(self, buckets: Sequence[Bucket], weight: float) -> float | None:
        """Return 0 and take from all of them, or the seconds to wait and take nothing; None when Redis did not say."""
        arguments = [weight]
        for bucket in buckets:
            arguments += (bucket.per_second, bucket.burst)
        answer = await self._ask(self._take, buckets, arguments)
        return None if answer is None else float(answer)

    async def hold_back(self, bucket: Bucket, seconds: float) -> None:
        """Let nobody take from a bucket for so long, if Redis hears it. A shorter hold does not shorten."""
        await self._ask(self._hold, [bucket], [bucket.per_second, bucket.burst, seconds])

    async def _ask(
        self, script: AsyncScript, buckets: Sequence[Bucket], arguments: Sequence[float]
    ) -> bytes | None:
        if not self.is_up:
            self.unanswered += 1
            return None
        try:
            async with asyncio.timeout(self._ask_seconds):
                answer: bytes = await script(
                    keys=[self._prefix + bucket.key for bucket in buckets], args=arguments
                )
                return answer
        except Exception:  # noqa: BLE001 - whatever ails the engine, the asker goes on; the probe says what it was
            self.unanswered += 1
            self.is_up = False
            self._doubt.set()
            return None

    async def run(self) -> None:
        """Watch over Redis until cancelled."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._redis.ping()
            except Exception as error:  # noqa: BLE001 - whatever ails the engine, the next probe tries again
                self.is_up = False
                if failures == 1:
                    log.warning("limits.not_shared", error=describe_failure(error))
                await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1
                continue
            if failures > 1:
                log.info("limits.shared_again")
            failures = 0
            # an engine slower than an ask may take would cost each asker that time
            self.is_up = time.monotonic() - began < self._ask_seconds
            if not self.is_up:
                await asyncio.sleep(RETRY_SECONDS[0])
                continue
            self._doubt.clear()
            await self._quiet()

    async def _quiet(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._doubt.wait()
        except TimeoutError:
            return


class BucketsCollector(Collector):
    """Shows at ``/metrics`` whether limits are shared."""

    def __init__(self, buckets: SharedBuckets) -> None:
        self._buckets = buckets

    def collect(self) -> Iterable[Metric]:
        """Return the present numbers."""
        yield GaugeMetricFamily(
            "parley_limits_shared",
            "Whether processes keep the limits of providers together.",
            self._buckets.is_up,
        )
        yield CounterMetricFamily(
            "parley_limits_unanswered",
            "Turns that this process gave by its own buckets alone because Redis was away or slow.",
            self._buckets.unanswered,
        )

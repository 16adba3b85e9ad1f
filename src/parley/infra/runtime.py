"""What a process has open: built once by `parley.apps`, handed to handlers and workers, closed in reverse order."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Mapping
from typing import Literal

from redis.asyncio import Redis

from parley.infra.blobs import Blobs, open_blobs
from parley.infra.bus import Bus
from parley.infra.crypto import Keys, load_keys
from parley.infra.db import Database, open_pool
from parley.infra.http_client import HttpClient, Timeouts
from parley.infra.installation import RestoreWatch, read_identity
from parley.infra.notify_bus import NotifyEngine
from parley.infra.presence import DatabasePresence, MemoryPresence, PresenceStore, RedisPresence
from parley.infra.redis_buckets import SharedBuckets
from parley.infra.redis_bus import RedisEngine, channel_prefix, open_redis
from parley.infra.relay import Engine, Heard, Relay
from parley.infra.settings import Settings
from parley.kit.clock import Clock, utc_now

Role = Literal["serve", "api", "gateway", "worker", "command"]
"""What a process is for; ``command``: something an operator runs beside the others."""
_HEARD: Mapping[Role, Heard] = {
    "serve": "everything", "gateway": "everything", "worker": "everything", "api": "callers", "command": "nothing",
}  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Runtime:
    """Opened resources. Frozen; nothing is looked up by name. ``relay``: None where one process is all; ``buckets``: None without Redis."""

    settings: Settings
    db: Database
    bus: Bus
    keys: Keys
    blobs: Blobs
    http: HttpClient
    watch: RestoreWatch
    clock: Clock = utc_now
    relay: Relay | None = None
    buckets: SharedBuckets | None = None
    presence: PresenceStore = dataclasses.field(default_factory=MemoryPresence)


@contextlib.asynccontextmanager
async def open_runtime(settings: Settings, dsn: str, role: Role = "command") -> AsyncIterator[Runtime]:
    """Open everything a process needs over a migrated database; close it on leaving.

    Raises: Unavailable when the database does not answer.
    """
    is_pooled = bool(settings.database_direct_url)
    async with contextlib.AsyncExitStack() as stack:
        bus = Bus()
        own = await open_pool(settings.direct_url or dsn, size=1)
        stack.push_async_callback(own.close)
        watch = RestoreWatch(Database(own, bus), settings.data_dir, is_embedded=not settings.database_url)
        pool = await open_pool(
            dsn,
            size=settings.database_pool,
            inspect=watch.inspect,
            is_pooled=is_pooled,
            keeps_statements=settings.keeps_statements,
        )
        stack.push_async_callback(pool.close)
        timeouts = Timeouts(read=float(settings.provider_timeout_seconds))
        http = await stack.enter_async_context(HttpClient(timeouts=timeouts))
        db = Database(pool, bus, is_pooled=is_pooled)
        redis = open_redis(settings.redis_url) if settings.redis_url else None
        if redis is not None:
            stack.push_async_callback(redis.aclose)
        async with db.system() as tx:
            installation = await read_identity(tx)
        engine = _open_engine(settings, installation, dsn, role)
        relay = None
        if engine is not None:
            relay = Relay(engine, listens=_HEARD[role])
            bus.connect(relay)
            db.wake.spread = relay.wake
            await stack.enter_async_context(relay.running(bus.deliver, db.wake.hear))
        yield Runtime(
            settings=settings,
            db=db,
            bus=bus,
            keys=load_keys(settings.data_dir),
            blobs=open_blobs(settings),
            http=http,
            watch=watch,
            clock=db.now,
            relay=relay,
            buckets=SharedBuckets(redis, channel_prefix(installation)) if redis is not None else None,
            presence=_open_presence(db, redis, installation, is_alone=relay is None),
        )


def _open_presence(db: Database, redis: Redis | None, installation: str, *, is_alone: bool) -> PresenceStore:
    if redis is not None:
        return RedisPresence(redis, channel_prefix(installation))
    return MemoryPresence() if is_alone else DatabasePresence(db)


def _open_engine(settings: Settings, installation: str, dsn: str, role: Role) -> Engine | None:
    """Return what carries news between processes; None when there is one process."""
    kind = settings.bus
    if kind == "auto" and settings.redis_url:
        kind = "redis"
    elif kind == "auto":
        kind = "notify" if role in ("api", "gateway", "worker") else "memory"
    if kind == "redis":
        return RedisEngine(settings.redis_url, installation)
    return NotifyEngine(settings.direct_url or dsn) if kind == "notify" else None

"""What a process has open: built once by `parley.apps`, handed to handlers and workers, closed in reverse order."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator

from parley.infra.blobs import Blobs, open_blobs
from parley.infra.bus import Bus
from parley.infra.crypto import Keys, load_keys
from parley.infra.db import Database, open_pool
from parley.infra.http_client import HttpClient, Timeouts
from parley.infra.installation import RestoreWatch
from parley.infra.settings import Settings
from parley.kit.clock import Clock, utc_now


@dataclasses.dataclass(frozen=True, kw_only=True)
class Runtime:
    """Opened resources. Frozen; nothing is looked up by name."""

    settings: Settings
    db: Database
    bus: Bus
    keys: Keys
    blobs: Blobs
    http: HttpClient
    watch: RestoreWatch
    clock: Clock = utc_now


@contextlib.asynccontextmanager
async def open_runtime(settings: Settings, dsn: str) -> AsyncIterator[Runtime]:
    """Open everything a process needs over a migrated database; close it on leaving.

    Raises: Unavailable when the database does not answer.
    """
    async with contextlib.AsyncExitStack() as stack:
        bus = Bus()
        own = await open_pool(dsn, size=1)
        stack.push_async_callback(own.close)
        watch = RestoreWatch(Database(own, bus), settings.data_dir, is_embedded=not settings.database_url)
        pool = await open_pool(dsn, size=settings.database_pool, inspect=watch.inspect)
        stack.push_async_callback(pool.close)
        timeouts = Timeouts(read=float(settings.provider_timeout_seconds))
        http = await stack.enter_async_context(HttpClient(timeouts=timeouts))
        db = Database(pool, bus)
        yield Runtime(
            settings=settings,
            db=db,
            bus=bus,
            keys=load_keys(settings.data_dir),
            blobs=open_blobs(settings),
            http=http,
            watch=watch,
            clock=db.now,
        )

"""What every process of Parley begins and ends with, whatever its role."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import os
import resource
import sys
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path

import structlog

from parley.accounts import issue_setup_link
from parley.apps.dispatch import Dispatcher
from parley.apps.server import Server
from parley.apps.sms import local_origin
from parley.channels.registry import build_adapters
from parley.desk import reactions
from parley.desk.accounts import Channels
from parley.desk.outward import hold_after_restore
from parley.infra.log import set_up_logging
from parley.infra.metrics import Metrics
from parley.infra.migrate import migrate
from parley.infra.postgres import EmbeddedPostgres
from parley.infra.relay import RelayCollector
from parley.infra.runtime import Role, Runtime, open_runtime
from parley.infra.settings import BadSetting, Settings

GC_THRESHOLDS = (10_000, 1, 400)
"""Of the garbage collector, instead of 700, 10, 10. Objects of what is under way come and go in waves of some thousands, which
2 000 took for new ones fifty times a second: 5 % of a busy server's time, and with these 2.5 %."""
OPENED_FIRST = 8
"""Connections to the database opened before a process says that it is ready: what the screens of a client that comes
back ask for at once. Measured on 2 cores, without a password: 25 ms, and the slowest of 12 first requests takes 39 ms
instead of 50."""
SANDBOX_HEADER = b"x-parley-sandbox"

log = structlog.get_logger()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Process:
    """A process that has everything open and serves nothing yet."""

    settings: Settings
    runtime: Runtime
    metrics: Metrics


@contextlib.asynccontextmanager
async def open_process(settings: Settings, role: Role) -> AsyncIterator[Process]:
    """Open a process of a role: log, limits, database at the newest schema, bus; a restore of the database is treated."""
    set_up_logging(settings)
    os.umask(0o077)  # what we write is ours alone
    _raise_file_limit()
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with open_database(settings) as dsn, open_runtime(settings, dsn, role) as runtime:
        metrics = Metrics()
        if runtime.relay is not None:
            metrics.registry.register(RelayCollector(runtime.relay))
        runtime.db.reactions.append(reactions.react)
        await runtime.watch.settle(runtime.db, hold_after_restore)
        yield Process(settings=settings, runtime=runtime, metrics=metrics)
    log.info("process.stopped", role=role)


def of_many(settings: Settings) -> Settings:
    """Return the settings of one process among several: they share a database, and the stand-ins run elsewhere.

    Raises: BadSetting without `DATABASE_URL`.
    """
    if not settings.database_url:
        raise BadSetting(
            "Several processes share a PostgreSQL of your own: set DATABASE_URL. `parley serve` needs none.",
            variable="DATABASE_URL",
        )
    return dataclasses.replace(settings, sandbox=False)


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[str]:
    """Start (or reach) PostgreSQL and bring it to the newest schema; an embedded one is stopped last."""
    async with contextlib.AsyncExitStack() as stack:
        if settings.database_url:
            dsn = settings.database_url
        else:
            embedded = EmbeddedPostgres(settings.data_dir)
            dsn = await embedded.start()
            stack.push_async_callback(embedded.stop)
            watch = asyncio.create_task(embedded.watch())
            stack.callback(watch.cancel)
        if await migrate(settings.direct_url or dsn):
            log.info("database.migrated")
        yield dsn


@contextlib.asynccontextmanager
async def watching(runtime: Runtime) -> AsyncIterator[None]:
    """Look for a restore of the database until the block is left; gateways do that by themselves."""
    task = asyncio.create_task(
        runtime.watch.run(runtime.db, hold_after_restore, after=lambda: None), name="restores"
    )
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def make_channels(runtime: Runtime, sandbox_key: str = "") -> Channels:
    """Return the adapters of this process and how they reach the sandbox."""
    settings = runtime.settings
    return Channels(
        adapters=build_adapters(runtime.http),
        keys=runtime.keys,
        settings=settings,
        sandbox_url=f"{local_origin(settings)}/sandbox" if settings.is_sandbox_on else None,
        sandbox_headers={SANDBOX_HEADER.decode(): sandbox_key},
    )


def find_web() -> Path:
    """Return where the built web interface lies: in the package."""
    return Path(str(resources.files("parley"))) / "web"


async def run_server(
    process: Process, server: Server, dispatcher: Dispatcher, *, what: str = "Parley", is_door: bool = True
) -> None:
    """Serve until SIGINT or SIGTERM; say on the console when it is ready and, at a door for people, how to begin."""
    await process.runtime.db.open_connections(OPENED_FIRST)
    link = await issue_setup_link(process.runtime.db, process.settings.origin) if is_door else None
    address = process.settings.origin if is_door else local_origin(process.settings)
    told = asyncio.create_task(_say_ready(server, dispatcher, f"{what} is ready: {address}", link))
    try:
        await server.serve()
    finally:
        dispatcher.is_ready = False
        told.cancel()


async def _say_ready(server: Server, dispatcher: Dispatcher, ready: str, link: str | None) -> None:
    while not server.started:
        await asyncio.sleep(0.01)
    _spare_collector()
    dispatcher.is_ready = True
    lines = ["", f"  {ready}"]
    if link:
        lines += ["", "  Nobody is here yet. Create your workspace (this link works once):", f"  {link}"]
    print("\n".join([*lines, ""]), file=sys.stdout, flush=True)


def _raise_file_limit() -> None:
    """Every socket is a file; the usual soft limit of 1024 would be the first wall."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _spare_collector() -> None:
    """Have the garbage collector leave alone what stays, and look less often at the rest.

    Nearly everything dies by its reference count. A busy server spent 7 % of its time on collections, the full ones
    stopping it for as long as it takes to visit every object there is.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)

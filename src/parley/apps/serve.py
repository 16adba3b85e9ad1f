"""`parley serve`: every role in one process, with everything it needs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
import uvicorn

from parley.accounts import issue_setup_link
from parley.apps.dispatch import Dispatcher, is_loopback
from parley.apps.http_protocol import GuardedHttp
from parley.apps.pages import Pages
from parley.apps.rest import Parts, build_rest
from parley.apps.sms import local_origin, make_sandbox_sms_key
from parley.apps.work import run_workers
from parley.channels.registry import build_adapters
from parley.conversations import Collector, SendingDoor
from parley.desk import reactions
from parley.desk.accounts import Channels
from parley.desk.delivery_store import DELIVERIES
from parley.desk.inbox_store import release_all_polling
from parley.desk.intake_store import JOURNAL
from parley.desk.outward import hold_after_restore
from parley.desk.webhook_door import WebhookDoor
from parley.infra.jobs import JOBS
from parley.infra.log import set_up_logging
from parley.infra.metrics import Metrics
from parley.infra.migrate import migrate
from parley.infra.postgres import EmbeddedPostgres
from parley.infra.runtime import Runtime, open_runtime
from parley.infra.settings import Settings
from parley.media import open_pictures
from parley.realtime import Gateway
from parley.sandbox.app import Sandbox, create_app, is_local

STOP_SECONDS = 8
"""How long open requests have when the process stops."""
SANDBOX_HEADER = b"x-parley-sandbox"

log = structlog.get_logger()


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then stop in order: sockets, requests, work, database."""
    set_up_logging(settings)
    os.umask(0o077)  # what we write is ours alone
    _raise_file_limit()
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    async with (
        open_database(settings) as dsn,
        open_runtime(settings, dsn) as runtime,
        open_pictures() as pictures,
    ):
        metrics = Metrics()
        key = secrets.token_urlsafe(24)
        channels = make_channels(runtime, key)
        runtime.db.reactions.append(reactions.react)
        await runtime.watch.settle(runtime.db, hold_after_restore)
        if not settings.database_url:
            await end_former_leases(runtime)
        collector = Collector(runtime.db)
        gateway = Gateway(runtime)
        gateway.register(metrics.registry)
        rest = build_rest(Parts(runtime=runtime, channels=channels, collector=collector, pictures=pictures))
        sandbox = _open_sandbox(runtime, key) if settings.is_sandbox_on else None
        dispatcher = Dispatcher(
            settings=settings,
            db=runtime.db,
            metrics=metrics,
            rest=rest,
            api=WebhookDoor(runtime.db, channels, SendingDoor(runtime.db, collector, rest)),
            gateway=gateway,
            pages=Pages(find_web()),
            sandbox=sandbox,
        )
        await gateway.start()
        gateway.fanout.run(
            runtime.watch.run(runtime.db, hold_after_restore, after=gateway.fanout.compare_all)
        )
        server = _Server(_uvicorn_config(settings, dispatcher), gateway, sandbox)
        async with run_workers(runtime, channels, pictures, metrics):
            await _announce(runtime, server, dispatcher)
            await server.serve()
            dispatcher.is_ready = False
            await collector.drain()
        if sandbox is not None:
            await sandbox.stop()
        await gateway.stop()
    log.info("serve.stopped")


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
        if await migrate(dsn):
            log.info("database.migrated")
        yield dsn


async def end_former_leases(runtime: Runtime) -> None:
    """An embedded database has one Parley: whoever held work before us is dead, and it need not wait for its lease."""
    async with runtime.db.system() as tx:
        count = sum([await table.expire_all(tx) for table in (JOURNAL, DELIVERIES, JOBS)])
        await release_all_polling(tx)
    if count:
        log.info("serve.work_taken_over", count=count)


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


class _Server(uvicorn.Server):
    """uvicorn, closing our sockets before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway, sandbox: Sandbox | None) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._sandbox = sandbox

    async def shutdown(self, sockets: Any = None) -> None:
        if self._sandbox is not None:
            self._sandbox.release()
        await self._gateway.stop()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        # a second signal does not wait for anybody
        self.force_exit = self.should_exit
        self.should_exit = True


def _uvicorn_config(settings: Settings, app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=GuardedHttp,
        ws=Gateway.protocol_class,
        ws_max_size=65536,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=STOP_SECONDS,
        server_header=False,
        backlog=2048,
    )


def _open_sandbox(runtime: Runtime, key: str) -> Sandbox:
    """The stand-ins: for this machine, or with our own key; anywhere else only when they were asked for."""
    settings = runtime.settings

    def may_use(scope: Any) -> bool:
        given = dict(scope["headers"]).get(SANDBOX_HEADER, b"")
        is_here = is_local(scope) and bool(scope.get("client")) and is_loopback(scope["client"][0])
        return settings.sandbox is True or is_here or secrets.compare_digest(given, key.encode())

    hosts = [urlsplit(settings.public_url).hostname or ""] if settings.public_url else []
    return create_app(
        settings.data_dir / "sandbox.sqlite",
        access=may_use,
        trusted_hosts=hosts,
        sms_key=make_sandbox_sms_key(runtime.keys),
    )


async def _announce(runtime: Runtime, server: _Server, dispatcher: Dispatcher) -> None:
    link = await issue_setup_link(runtime.db, runtime.settings.origin)
    asyncio.get_running_loop().create_task(_say_ready(server, dispatcher, runtime.settings, link))


async def _say_ready(server: _Server, dispatcher: Dispatcher, settings: Settings, link: str | None) -> None:
    while not server.started:
        await asyncio.sleep(0.01)
    dispatcher.is_ready = True
    lines = ["", f"  Parley is ready: {settings.origin}"]
    if link:
        lines += ["", "  Nobody is here yet. Create your workspace (this link works once):", f"  {link}"]
    print("\n".join([*lines, ""]), file=sys.stdout, flush=True)


def _raise_file_limit() -> None:
    """Every socket is a file; the usual soft limit of 1024 would be the first wall."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

"""`parley serve`: every role in one process, with everything it needs."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit

import structlog

from parley.apps.dispatch import Dispatcher, is_loopback
from parley.apps.pages import Pages
from parley.apps.process import SANDBOX_HEADER, find_web, make_channels, open_process, run_server
from parley.apps.rest import Parts, build_rest
from parley.apps.server import Server
from parley.apps.sms import make_sandbox_sms_key
from parley.apps.work import run_workers
from parley.compat.chatapp import ChatApp, open_dialect
from parley.conversations import Collector, SendingDoor
from parley.desk.delivery_store import DELIVERIES
from parley.desk.inbox_store import release_all_polling
from parley.desk.intake_store import JOURNAL
from parley.desk.outward import hold_after_restore
from parley.desk.webhook_door import WebhookDoor
from parley.infra.followers import release_all_followers
from parley.infra.jobs import JOBS
from parley.infra.runtime import Runtime
from parley.infra.settings import Settings
from parley.media import open_pictures
from parley.realtime import Gateway
from parley.sandbox.app import Sandbox, create_app, is_local

log = structlog.get_logger()


async def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then stop in order: sockets, requests, work, database."""
    async with open_process(settings, "serve") as process, open_pictures() as pictures:
        runtime = process.runtime
        key = secrets.token_urlsafe(24)
        channels = make_channels(runtime, key)
        if not settings.database_url:
            await end_former_leases(runtime)
        collector = Collector(runtime.db)
        gateway = Gateway(runtime)
        gateway.register(process.metrics.registry)
        chatapp = ChatApp(runtime, collector) if settings.chatapp else None
        if settings.chatapp:
            gateway.speak(open_dialect(runtime))
        rest = build_rest(Parts(runtime=runtime, channels=channels, collector=collector, pictures=pictures))
        sandbox = _open_sandbox(runtime, key) if settings.is_sandbox_on else None
        dispatcher = Dispatcher(
            settings=settings,
            db=runtime.db,
            metrics=process.metrics,
            rest=rest,
            api=WebhookDoor(runtime.db, channels, SendingDoor(runtime.db, collector, rest)),
            gateway=gateway,
            pages=Pages(find_web()),
            sandbox=sandbox,
            chatapp=chatapp,
        )
        await gateway.start()
        gateway.fanout.run(
            runtime.watch.run(runtime.db, hold_after_restore, after=gateway.fanout.compare_all)
        )
        server = Server(settings, dispatcher, gateway=gateway, sandbox=sandbox)
        async with run_workers(runtime, channels, pictures, process.metrics):
            await run_server(process, server, dispatcher)
            await collector.drain()
        if sandbox is not None:
            await sandbox.stop()
        await gateway.stop()


async def end_former_leases(runtime: Runtime) -> None:
    """An embedded database has one Parley: whoever held work before us is dead, and it need not wait for its lease."""
    async with runtime.db.system() as tx:
        count = sum([await table.expire_all(tx) for table in (JOURNAL, DELIVERIES, JOBS)])
        await release_all_polling(tx)
        await release_all_followers(tx)
    if count:
        log.info("serve.work_taken_over", count=count)


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

"""`parley api`: REST, webhooks and the web interface; any number of them beside gateways and workers."""

from __future__ import annotations

from parley.apps.dispatch import Dispatcher
from parley.apps.pages import Pages
from parley.apps.process import find_web, make_channels, of_many, open_process, run_server, watching
from parley.apps.rest import Parts, build_rest
from parley.apps.server import Server
from parley.compat.chatapp import ChatApp
from parley.conversations import Collector, SendingDoor
from parley.desk.webhook_door import WebhookDoor
from parley.infra.settings import Settings
from parley.media import open_pictures


async def serve_api(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then stop in order: requests, database."""
    settings = of_many(settings)
    async with open_process(settings, "api") as process, open_pictures() as pictures:
        runtime = process.runtime
        channels = make_channels(runtime)
        collector = Collector(runtime.db)
        rest = build_rest(Parts(runtime=runtime, channels=channels, collector=collector, pictures=pictures))
        dispatcher = Dispatcher(
            settings=settings,
            db=runtime.db,
            metrics=process.metrics,
            rest=rest,
            api=WebhookDoor(runtime.db, channels, SendingDoor(runtime.db, collector, rest)),
            pages=Pages(find_web()),
            chatapp=ChatApp(runtime, collector) if settings.chatapp else None,
        )
        async with watching(runtime):
            await run_server(process, Server(settings, dispatcher), dispatcher, what="Parley's API")
            await collector.drain()

"""`parley worker`: journal, deliveries, jobs, schedules and polling; any number of them, each row by one of them."""

from __future__ import annotations

from parley.apps.dispatch import Dispatcher
from parley.apps.process import make_channels, of_many, open_process, run_server, watching
from parley.apps.server import Server
from parley.apps.work import run_workers
from parley.infra.settings import Settings
from parley.media import open_pictures


async def serve_worker(settings: Settings) -> None:
    """Work until SIGINT or SIGTERM, then finish or give back what is in hand. Serves its health and numbers alone."""
    settings = of_many(settings)
    async with open_process(settings, "worker") as process, open_pictures() as pictures:
        runtime = process.runtime
        dispatcher = Dispatcher(settings=settings, db=runtime.db, metrics=process.metrics)
        server = Server(settings, dispatcher)
        async with (
            run_workers(runtime, make_channels(runtime), pictures, process.metrics),
            watching(runtime),
        ):
            await run_server(process, server, dispatcher, what="Parley's worker", is_door=False)

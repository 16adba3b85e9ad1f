"""`parley gateway`: the sockets; any number of them. Only Socket.IO's long polling needs to come back to the same one."""

from __future__ import annotations

from parley.apps.dispatch import Dispatcher
from parley.apps.process import of_many, open_process, run_server
from parley.apps.server import Server
from parley.compat.chatapp import open_dialect
from parley.desk.outward import hold_after_restore
from parley.infra.settings import Settings
from parley.realtime import Gateway


async def serve_gateway(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then stop in order: sockets (their clients come again elsewhere), database."""
    settings = of_many(settings)
    async with open_process(settings, "gateway") as process:
        runtime = process.runtime
        gateway = Gateway(runtime)
        gateway.register(process.metrics.registry)
        if settings.chatapp:
            gateway.speak(open_dialect(runtime))
        dispatcher = Dispatcher(settings=settings, db=runtime.db, metrics=process.metrics, gateway=gateway)
        await gateway.start()
        gateway.fanout.run(
            runtime.watch.run(runtime.db, hold_after_restore, after=gateway.fanout.compare_all)
        )
        server = Server(settings, dispatcher, gateway=gateway)
        await run_server(process, server, dispatcher, what="Parley's gateway", is_door=False)
        await gateway.stop()

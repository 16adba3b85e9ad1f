"""The HTTP server of a process: uvicorn, set up the same way for every role, and stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any

import uvicorn

from parley.apps.http_protocol import GuardedHttp
from parley.apps.listener import listen
from parley.apps.turns import Turns
from parley.apps.upgrades import UpgradeGate
from parley.infra.settings import BadSetting, Settings
from parley.realtime import Gateway
from parley.sandbox.app import Sandbox

STOP_SECONDS = 8
"""How long open requests have when the process stops."""


class Server(uvicorn.Server):
    """uvicorn, closing our sockets before it waits for connections to end."""

    def __init__(
        self, settings: Settings, app: Any, *, gateway: Gateway | None = None, sandbox: Sandbox | None = None
    ) -> None:
        super().__init__(_configure(settings, app))
        self._gateway = gateway
        self._sandbox = sandbox

    async def startup(self, sockets: Any = None) -> None:
        """Listen. Raises: BadSetting when the address cannot be had."""
        config = self.config

        gate, turns = UpgradeGate(), Turns()

        def make_protocol() -> Any:
            protocol = GuardedHttp(config=config, server_state=self.server_state, app_state={})
            protocol.gate, protocol.turns = gate, turns
            return protocol

        try:
            self.servers: Any = [
                await listen(make_protocol, config.host, config.port, backlog=config.backlog)
            ]
        except OSError as error:
            raise BadSetting(
                f"Cannot listen at {config.host}:{config.port}: {error.strerror or error}. "
                "Is another Parley running? PARLEY_HOST and PARLEY_PORT say where to listen.",
                variable="PARLEY_PORT",
            ) from error
        self.started = True

    async def shutdown(self, sockets: Any = None) -> None:
        if self._sandbox is not None:
            self._sandbox.release()
        if self._gateway is not None:
            await self._gateway.stop()
        # whoever was accepted a moment ago is known to the server before it looks who is there
        for one in self.servers:
            one.close()
            await one.wait_closed()
        await asyncio.sleep(0)
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


def _configure(settings: Settings, app: Any) -> uvicorn.Config:
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

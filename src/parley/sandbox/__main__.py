"""The sandbox as a program: `python -m parley.sandbox --port 8081 --state sandbox.sqlite`."""

import argparse
import asyncio
import socket
from pathlib import Path

import uvicorn

from parley.sandbox.app import Sandbox, create_app

DEFAULT_PORT = 8081


class _Server(uvicorn.Server):
    """Says where it listens; lets go of open event streams before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, sandbox: Sandbox) -> None:
        super().__init__(config)
        self._sandbox = sandbox

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            origin = f"http://{host}:{self.config.port}"
            print(f"Parley's sandbox: {origin}/   Bot API: {origin}/telegram", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._sandbox.release()
        await super().shutdown(sockets)


async def serve(state_path: Path, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    sandbox = create_app(state_path)
    config = uvicorn.Config(
        sandbox,
        host=host,
        port=port,
        log_level="warning",
        ws="none",
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    await _Server(config, sandbox).serve()


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="parley sandbox", description="A stand-in for Telegram, with a phone."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"port to listen on ({DEFAULT_PORT})")
    parser.add_argument(
        "--state", type=Path, default=Path("sandbox.sqlite"), help="state file (sandbox.sqlite)"
    )
    given = parser.parse_args(arguments)
    try:
        asyncio.run(serve(given.state, given.host, given.port))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()

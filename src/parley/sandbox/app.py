"""The sandbox as one ASGI app: the Bot API below `/telegram`, SMS providers below `/sms`, the control API below
`/control`, the phone at `/`, and what came by SMS at `/sms`.

Mountable below any prefix (`root_path`), and a program of its own by `python -m parley.sandbox`.
"""

import asyncio
import ipaddress
import logging
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from parley.sandbox.page import serve_page
from parley.sandbox.sms.box import Box
from parley.sandbox.sms.control import serve_sms_control
from parley.sandbox.sms.door import serve_sms
from parley.sandbox.telegram.bot_api import execute_answer, serve_file, serve_method
from parley.sandbox.telegram.control import send_refusal, serve_control
from parley.sandbox.telegram.rows import Bot
from parley.sandbox.telegram.store import Store
from parley.sandbox.telegram.updates import end_polls
from parley.sandbox.telegram.vault import Vault
from parley.sandbox.telegram.webhooks import ANSWER_SECONDS, WebhookSender
from parley.sandbox.telegram.world import World, new_bot
from parley.sandbox.wire import ClientGone, Receive, Request, Scope, Send, send_bytes, send_json

Access = Callable[[Scope], bool]
Clock = Callable[[], float]

RETRY_SECONDS = 1.0
WEBHOOK_CONNECTIONS = 200
SMS_KEY = "sandbox"
"""The SMS account's key where nobody sets another: for a sandbox that is a program of its own."""
_FILE_PATH = re.compile(r"/telegram/file/bot([^/]*)/(.*)", re.DOTALL)
_METHOD_PATH = re.compile(r"/telegram/bot([^/]*)/([^/]*)", re.DOTALL)
_log = logging.getLogger("parley.sandbox")


class Sandbox:
    """A running stand-in. Use it as an ASGI app; the host calls `start` and `stop`, or its lifespan does."""

    def __init__(
        self,
        state_path: Path,
        access: Access,
        trusted_hosts: Iterable[str],
        retry_seconds: float,
        clock: Clock,
        sms_key: str,
    ) -> None:
        self._access = access
        self._box = Box(state_path.with_name(state_path.name + ".sms"), sms_key, clock)
        self._world = World(
            store=Store(state_path),
            vault=Vault(state_path.with_name(state_path.name + ".files")),
            fetch=httpx2.AsyncClient(
                timeout=ANSWER_SECONDS,
                follow_redirects=False,
                trust_env=False,
                limits=httpx2.Limits(max_connections=WEBHOOK_CONNECTIONS),
            ),
            trusted_hosts=frozenset(trusted_hosts),
            clock=clock,
            retry_seconds=retry_seconds,
        )
        self._sender = WebhookSender(self._world, self._execute_answer)
        self._sending: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self.start()
            try:
                await self._answer(Request(scope, receive, send))
            except ClientGone:
                return
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4404})

    async def start(self) -> None:
        """Begin to send updates to webhooks. A second call does nothing; the first request does it too."""
        if self._sending is None:
            self._sending = asyncio.create_task(self._sender.run())
            self._sending.add_done_callback(_report_end)

    def release(self) -> None:
        """End open event streams and long polls, so that a server waiting for them can stop; new polls do not wait."""
        self._world.is_ending = True
        self._world.watchers.close_all()
        end_polls(self._world, None, "")

    async def stop(self) -> None:
        """Stop sending, close everything; nothing can be asked afterwards."""
        self.release()
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        await self._world.fetch.aclose()
        self._world.store.close()
        self._box.close()

    async def _execute_answer(self, bot: Bot, content_type: str, body: bytes) -> None:
        await execute_answer(self._world, bot, content_type, body)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, request: Request) -> None:
        if match := _FILE_PATH.fullmatch(request.path):
            await serve_file(self._world, request, match[1], match[2])
        elif match := _METHOD_PATH.fullmatch(request.path):
            await serve_method(self._world, request, match[1], match[2])
        elif request.path.startswith("/telegram/"):
            await send_json(request.send, 404, {"ok": False, "error_code": 404, "description": "Not Found"})
        elif request.path.startswith("/sms/"):
            await serve_sms(self._box, request)
        elif not is_same_site(request):
            await send_refusal(request, 403, "foreign_site", "Other sites may not use the sandbox.")
        elif not self._access(request.scope):
            await send_refusal(request, 403, "forbidden", "The sandbox answers only on this machine.")
        elif request.path == "":
            await send_bytes(request.send, 307, b"", "text/plain", [("location", request.root_path + "/")])
        elif request.path.startswith("/control/sms"):
            await serve_sms_control(self._box, request)
        elif request.path.startswith("/control/"):
            await serve_control(self._world, self._sender, request)
        else:
            await serve_page(request)


def create_app(
    state_path: Path,
    *,
    access: Access | None = None,
    trusted_hosts: Iterable[str] = (),
    retry_seconds: float = RETRY_SECONDS,
    clock: Clock = time.time,
    sms_key: str = SMS_KEY,
) -> Sandbox:
    """The sandbox over one state file; its files lie beside it in `<state file>.files/`.

    `access` says who may use the page and the control API; without it, requests whose Host is this machine.
    Webhooks and addresses of pictures may lie on this machine and on `trusted_hosts`. `retry_seconds` is the first
    pause before a webhook is tried again (Telegram: 1). `sms_key` is the secret of the SMS account. One process at a time may serve a state file.
    """
    return Sandbox(state_path, access or is_local, trusted_hosts, retry_seconds, clock, sms_key)


def create_bot(state_path: Path, name: str) -> Bot:
    """Register a bot in a state file, also while a sandbox serves it. The token is in the result."""
    store = Store(state_path)
    try:
        return new_bot(store, name, time.time())
    finally:
        store.close()


def is_local(scope: Scope) -> bool:
    """Whether the request was addressed to this machine by name: also what stops a page of another site that
    rebinds its own name to a local address."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        return False
    try:
        host = urlsplit(f"//{hosts[0]}").hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_same_site(request: Request) -> bool:
    """Whether a browser sent this on behalf of the sandbox's own page, or no browser did."""
    if request.headers.get("sec-fetch-site", "none") == "cross-site" and request.method != "GET":
        return False
    origin = request.headers.get("origin")
    if origin is None or request.method == "GET":
        return True
    return bool(origin.split("://", 1)[-1].lower() == request.headers.get("host", "").lower())


def _report_end(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("the sandbox stopped sending updates", exc_info=error)

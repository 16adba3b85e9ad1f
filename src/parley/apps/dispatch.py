"""The one ASGI application of a process: which path is whose, outside any framework."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Litestar

from parley.apps.openapi import describe_api
from parley.apps.pages import API_HEADERS, API_STYLE, SECURITY_HEADERS, Pages, render_api_page
from parley.compat.chatapp import ChatApp
from parley.infra.db import Database
from parley.infra.http import error_body
from parley.infra.metrics import CONTENT_TYPE, Metrics, render_metrics
from parley.infra.settings import Settings
from parley.realtime import Gateway

Scope = Any
App = Callable[[Any, Any, Any], Awaitable[None]]


class Dispatcher:
    """Sends requests and sockets to whom they are for. What a process does not serve is not found there (404)."""

    def __init__(
        self,
        *,
        settings: Settings,
        db: Database,
        metrics: Metrics,
        rest: Litestar | None = None,
        api: App | None = None,
        gateway: Gateway | None = None,
        pages: Pages | None = None,
        sandbox: App | None = None,
        chatapp: ChatApp | None = None,
    ) -> None:
        self._settings = settings
        self._db = db
        self._metrics = metrics
        self._rest = rest
        self._api = api
        self._gateway = gateway
        self._pages = pages
        self._sandbox = sandbox
        self._chatapp = chatapp
        self._api_page: bytes | None = None
        self.is_ready = False

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one request or socket."""
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        app: App | None = self._pages
        if path.startswith(("/v1/", "/webhooks/")) or path == "/openapi.json":
            app, send = self._api, _guarded(send)
        elif path.startswith("/socket.io/"):
            app, send = self._gateway.asgi_socketio if self._gateway else None, _guarded(send)
        elif self._chatapp is not None and self._chatapp.serves(path):
            app, send = self._chatapp, _guarded(send)
        elif path == "/sandbox" or path.startswith("/sandbox/"):
            app = self._to_sandbox
        elif path in ("/healthz", "/readyz", "/metrics"):
            app = self._own
        elif path in ("/docs", "/docs/api.css"):
            app = self._describe
        await (app or _not_here)(scope, receive, send)

    async def _socket(self, scope: Scope, receive: Any, send: Any) -> None:
        if self._gateway is not None and scope["path"] == "/v1/ws":
            await self._gateway.asgi_websocket(scope, receive, send)
        elif self._gateway is not None and scope["path"].startswith("/socket.io/"):
            await self._gateway.asgi_socketio(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 4404})

    async def _to_sandbox(self, scope: Scope, receive: Any, send: Any) -> None:
        if self._sandbox is None:
            await _answer(send, 404, error_body("sandbox_off", "The sandbox is off in this installation."))
            return
        await self._sandbox(
            {
                **scope,
                "root_path": scope.get("root_path", "") + "/sandbox",
                "path": scope["path"][len("/sandbox") :],
            },
            receive,
            send,
        )

    async def _own(self, scope: Scope, _: Any, send: Any) -> None:
        if scope["path"] == "/healthz":
            await _answer(send, 200, {"status": "ok"})
        elif scope["path"] == "/readyz":
            await self._readiness(send)
        else:
            await self._show_metrics(scope, send)

    async def _describe(self, scope: Scope, receive: Any, send: Any) -> None:
        if self._rest is None:
            await _not_here(scope, receive, send)
        elif scope["path"] == "/docs":
            if self._api_page is None:
                self._api_page = render_api_page(describe_api(self._rest)).encode()
            await _bytes(send, 200, "text/html; charset=utf-8", self._api_page)
        else:
            await _bytes(send, 200, "text/css; charset=utf-8", API_STYLE.encode())

    async def _readiness(self, send: Any) -> None:
        reason = None if self.is_ready else "starting or stopping"
        if reason is None:
            try:
                async with self._db.system() as tx:
                    await tx.fetchval("SELECT 1")
            except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "not ready"
                reason = type(error).__name__
        if reason is None:
            await _answer(send, 200, {"status": "ready"})
        else:
            await _answer(send, 503, error_body("not_ready", f"Not ready: {reason}."))

    async def _show_metrics(self, scope: Scope, send: Any) -> None:
        if not self._may_see_metrics(scope):
            await _answer(
                send, 403, error_body("forbidden", "Metrics need the token of PARLEY_METRICS_TOKEN.")
            )
            return
        await _bytes(send, 200, CONTENT_TYPE, render_metrics(self._metrics))

    def _may_see_metrics(self, scope: Scope) -> bool:
        token = self._settings.metrics_token
        if token:
            told = dict(scope["headers"]).get(b"authorization", b"")
            return hmac.compare_digest(told, f"Bearer {token}".encode())
        forwarded = any(name in (b"x-forwarded-for", b"forwarded") for name, _ in scope["headers"])
        client = scope.get("client")
        return bool(client) and not forwarded and is_loopback(client[0])


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _guarded(send: Any) -> Any:
    """Add `API_HEADERS` to answers that say nothing of it themselves: no answer of ours is ever a page of its own."""

    async def guarded(message: Any) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"], *(pair for pair in API_HEADERS if pair[0] not in names)
            ]  # fmt: skip
        await send(message)

    return guarded


async def _not_here(scope: Scope, receive: Any, send: Any) -> None:
    await _answer(send, 404, error_body("not_found", "This process serves no such address."))


async def _answer(send: Any, status: int, body: dict[str, Any]) -> None:
    await _bytes(send, status, "application/json", msgspec.json.encode(body))


async def _bytes(send: Any, status: int, kind: str, body: bytes) -> None:
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *SECURITY_HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""The dialect of a chat application: phone and code, dialogs, messages, updates by name over Socket.IO.

docs/chatapp.md says what is the same as there and what is not.
"""

from __future__ import annotations

from typing import Any

import msgspec

from parley.compat.chatapp.api import build_api
from parley.compat.chatapp.errors import ForeignOrigin
from parley.compat.chatapp.messages import Messages
from parley.compat.chatapp.people import UserIds
from parley.compat.chatapp.sign_in import sweep_chatapp
from parley.compat.chatapp.sockets import ChatDialect
from parley.compat.chatapp.updates import Updates
from parley.conversations import Collector
from parley.infra.runtime import Runtime
from parley.realtime.cors import admit_origin, is_listed, parse_origins
from parley.realtime.origins import is_allowed

__all__ = ["ChatApp", "open_dialect", "sweep_chatapp"]


class ChatApp:
    """The ASGI application of the dialect's paths."""

    def __init__(self, runtime: Runtime, collector: Collector) -> None:
        self._public_url = runtime.settings.public_url
        self._origins = parse_origins(runtime.settings.chatapp_origins)
        self._api = build_api(runtime, Messages(runtime.db, collector, UserIds(runtime.db)))

    @staticmethod
    def serves(path: str) -> bool:
        """Whether a path is the dialect's."""
        return path.startswith("/api/") or path in ("/api", "/health")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request. Pages of other origins than ours and the listed ones are refused."""
        if is_allowed(scope, self._public_url):
            await self._api(scope, receive, send)
        elif is_listed(scope, self._origins):
            await admit_origin(self._api, scope, receive, send)
        else:
            await _refuse(send)


def open_dialect(runtime: Runtime) -> ChatDialect:
    """Return what a gateway needs to speak the dialect (`parley.realtime.Gateway.speak`)."""
    updates = Updates(runtime.db, UserIds(runtime.db))
    return ChatDialect(runtime, updates, parse_origins(runtime.settings.chatapp_origins))


async def _refuse(send: Any) -> None:
    body = msgspec.json.encode({"success": False, "error": ForeignOrigin().message})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})

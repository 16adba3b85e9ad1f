"""Pages of other origins: which an operator listed, and the headers by which their browsers let them read answers.

https://fetch.spec.whatwg.org/#http-cors-protocol. Tokens travel in headers and in the connection's auth, so no
credentials are allowed: a cookie never comes with such a request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from parley.realtime.origins import split_origin

Origin = tuple[str, str, int]
App = Callable[[Any, Any, Any], Awaitable[Any]]

METHODS = b"GET, POST, PUT, PATCH, DELETE"
HEADERS = b"authorization, content-type, idempotency-key"
MAX_AGE_SECONDS = b"600"


def parse_origins(text: str) -> frozenset[Origin]:
    """Return origins separated by commas. Raises: ValueError, with the one that is none."""
    found = set[Origin]()
    for part in filter(None, map(str.strip, text.split(","))):
        origin = split_origin(part)
        if origin is None:
            raise ValueError(part)
        found.add(origin)
    return frozenset(found)


def is_listed(scope: Any, origins: frozenset[Origin]) -> bool:
    """Whether the request comes from a page of one of these origins."""
    text = find_origin(scope)
    return text is not None and split_origin(text.decode("latin-1")) in origins


def find_origin(scope: Any) -> bytes | None:
    """Return the Origin of a request; None for those that no page made."""
    origin: bytes | None = dict(scope["headers"]).get(b"origin")
    return origin


async def admit_origin(app: App, scope: Any, receive: Any, send: Any) -> None:
    """Serve a request from a page whose origin is welcome: its preflight at once, all else with the headers it needs."""
    origin = find_origin(scope) or b""
    told = [(b"access-control-allow-origin", origin), (b"vary", b"origin")]
    if scope["type"] == "http" and scope["method"] == "OPTIONS":
        headers = [
            *told,
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", HEADERS),
            (b"access-control-max-age", MAX_AGE_SECONDS),
            (b"content-length", b"0"),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return

    async def telling(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *told]
        await send(message)

    await app(scope, receive, telling)

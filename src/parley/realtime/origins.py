"""Which web pages may open a socket: our own. Programs send no Origin and are let in; the token decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_DEFAULT_PORTS: Mapping[str, int] = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def is_allowed(scope: Any, public_url: str) -> bool:
    """Whether the request of an ASGI scope comes from a page of the same host or of the public address."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin")
    if origin is None:
        return True
    page = split_origin(origin.decode("latin-1"))
    if page is None:
        return False
    if public_url and page == split_origin(public_url):
        return True
    scheme = page[0]
    host = headers.get(b"host", b"").decode("latin-1")
    return page == split_origin(f"{scheme}://{host}")


def split_origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an http(s) address; None when it is none."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return None
        return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme]
    except ValueError:  # a port or an address that is none
        return None

"""The two cookies of a browser's session, and the check that a request with them comes from our own pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from litestar import Request
from litestar.datastructures import Cookie

from parley.accounts.authentication import MEDIA_COOKIE, MEDIA_PATH
from parley.accounts.errors import ForeignOrigin
from parley.accounts.sessions import REFRESH_FOR, OpenSession
from parley.infra.settings import Settings

REFRESH_COOKIE = "parley_refresh"
REFRESH_PATH = "/v1/auth"


def make_cookies(settings: Settings, session: OpenSession) -> list[Cookie]:
    """Return the refresh cookie and, for pictures and downloads, the access token as the media cookie."""
    return [
        _cookie(
            settings, REFRESH_COOKIE, REFRESH_PATH, session.refresh_token, int(REFRESH_FOR.total_seconds())
        ),
        _cookie(settings, MEDIA_COOKIE, MEDIA_PATH, session.access_token, session.expires_in_seconds),
    ]


def clear_cookies(settings: Settings) -> list[Cookie]:
    """Return cookies that take the two away."""
    return [
        _cookie(settings, REFRESH_COOKIE, REFRESH_PATH, "", 0),
        _cookie(settings, MEDIA_COOKIE, MEDIA_PATH, "", 0),
    ]


def require_own_origin(request: Request[Any, Any, Any], settings: Settings) -> None:
    """Hold up what a browser sends for a foreign page; programs, which say nothing of an origin, pass.

    ``Sec-Fetch-Site`` decides where a browser sends it (no page can forge it, and it is right behind a development
    server that forwards to us); else ``Origin`` must be our public address or the host that was asked.
    Raises: ForeignOrigin.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise ForeignOrigin
        return
    origin = request.headers.get("origin")
    if origin is None or origin.lower() == settings.origin.lower():
        return
    try:
        host = urlsplit(origin).netloc
    except ValueError:
        host = ""
    if not host or host.lower() != request.headers.get("host", "").lower():
        raise ForeignOrigin


def _cookie(settings: Settings, key: str, path: str, value: str, max_age: int) -> Cookie:
    return Cookie(
        key=key,
        value=value,
        path=path,
        max_age=max_age,
        httponly=True,
        samesite="strict",
        secure=settings.is_secure,
    )

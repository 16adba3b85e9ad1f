"""What browsers get: the single-page application, the API's documentation page, and the headers that guard them."""

from __future__ import annotations

import gzip
import hashlib
import html
import mimetypes
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Scope = dict[str, Any]
Send = Callable[[Any], Awaitable[None]]

CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self' ws: wss:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
SECURITY_HEADERS = [
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", b"geolocation=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
API_HEADERS = [
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
"""What guards data, errors included: opened as a page it shows and runs nothing."""

_MISSING = (
    "<!doctype html><meta charset=utf-8><title>Parley</title><p>The web interface has not been built. "
    "Run <code>make run</code>, or <code>npm ci && npm run build</code> in <code>web/</code>."
)
_TEXT = ("text/", "application/javascript", "application/json", "image/svg+xml", "application/manifest+json")


class Pages:
    """Serves built files from memory, compressed once; every other path below the root is the application."""

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, _File] = {}
        if folder.is_dir():
            for path in folder.rglob("*"):
                if path.is_file() and not path.name.endswith(".map"):
                    name = "/" + path.relative_to(folder).as_posix()
                    self._files[name] = _File(path, is_immutable=name.startswith("/assets/"))

    async def __call__(self, scope: Scope, _: Any, send: Send) -> None:
        """Answer GET and HEAD."""
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, [(b"allow", b"GET, HEAD"), *SECURITY_HEADERS], b"")
            return
        path = scope["path"]
        file = self._files.get(path)
        if file is None and not path.startswith("/assets/"):
            file = self._files.get("/index.html")
        if file is None:
            missing = not self._files
            await _answer(
                send,
                503 if missing else 404,
                [(b"content-type", b"text/html; charset=utf-8"), *SECURITY_HEADERS],
                _MISSING.encode() if missing else b"",
            )
            return
        await file.serve(scope, send)


class _File:
    def __init__(self, path: Path, *, is_immutable: bool) -> None:
        self._body = path.read_bytes()
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        self._tag = b'"' + hashlib.sha256(self._body).hexdigest()[:32].encode() + b'"'
        is_text = kind.startswith(_TEXT)
        packed = gzip.compress(self._body, 9) if is_text and len(self._body) > 1000 else b""
        self._packed = packed if packed and len(packed) < len(self._body) else b""
        cache = b"public, max-age=31536000, immutable" if is_immutable else b"no-cache"
        charset = "; charset=utf-8" if is_text else ""
        self._headers = [
            (b"content-type", f"{kind}{charset}".encode()),
            (b"cache-control", cache),
            (b"etag", self._tag),
            (b"vary", b"accept-encoding"),
            *SECURITY_HEADERS,
        ]

    async def serve(self, scope: Scope, send: Send) -> None:
        headers = dict(scope["headers"])
        if headers.get(b"if-none-match") == self._tag:
            await _answer(send, 304, self._headers, b"")
            return
        body, extra = self._body, []
        if self._packed and b"gzip" in headers.get(b"accept-encoding", b""):
            body, extra = self._packed, [(b"content-encoding", b"gzip")]
        extra.append((b"content-length", str(len(body)).encode()))
        await _answer(send, 200, [*self._headers, *extra], b"" if scope["method"] == "HEAD" else body)


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def render_api_page(schema: dict[str, Any]) -> str:
    """Return a plain page that lists every route of an OpenAPI document; no script, nothing from elsewhere."""
    groups: dict[str, list[str]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            if isinstance(operation, dict) and "responses" in operation:
                tag = (operation.get("tags") or ["other"])[0]
                about = html.escape(operation.get("description") or operation.get("summary") or "")
                route = f"<code><b>{method.upper()}</b> {html.escape(path)}</code>"
                groups.setdefault(tag, []).append(f"<dt>{route}</dt><dd>{about}</dd>")
    body = "".join(
        f"<h2>{html.escape(tag)}</h2><dl>{''.join(rows)}</dl>" for tag, rows in sorted(groups.items())
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<title>Parley API</title><link rel="stylesheet" href="/docs/api.css">'
        "<h1>Parley API</h1><p>Machine-readable: <a href='/openapi.json'>/openapi.json</a> (OpenAPI 3.1). "
        f"Send a token as <code>Authorization: Bearer ...</code>.</p>{body}</html>"
    )


API_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;"
    "padding:0 1rem}code{font:14px ui-monospace,monospace}dt{margin-top:1rem}dd{margin:0 0 0 1rem;opacity:.8}"
    "h2{margin-top:2.5rem;text-transform:capitalize;border-bottom:1px solid #8884}"
)

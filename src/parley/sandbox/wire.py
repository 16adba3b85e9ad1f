"""A thin layer over ASGI: one request read within limits, one answer written. Knows no provider."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Iterable[tuple[str, str]]

FILE_CHUNK_BYTES = 256 * 1024


class ClientGone(Exception):
    """The other side hung up before its request was read."""


class BodyTooLarge(Exception):
    """The request's body is larger than this path takes."""


class MalformedBody(Exception):
    """The request's body does not have the form that its content type promises."""


class Request:
    """One HTTP request below the sandbox's prefix. The body can be read once."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.send = send
        self._receive = receive
        self.method: str = scope["method"].upper()
        self.root_path: str = scope.get("root_path", "").rstrip("/")
        path: str = scope["path"]
        if self.root_path and (path == self.root_path or path.startswith(self.root_path + "/")):
            path = path[len(self.root_path) :]
        self.path = path
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }

    @property
    def content_type(self) -> str:
        """Media type without its parameters, lower case."""
        given: str = self.headers.get("content-type", "")
        return given.partition(";")[0].strip().lower()

    def query(self) -> dict[str, str]:
        """Parameters of the query string; the last of equal names wins.

        Raises: MalformedBody when they are not UTF-8.
        """
        return parse_urlencoded(self.scope.get("query_string", b""))

    async def chunks(self, limit_bytes: int) -> AsyncIterator[bytes]:
        """The body piece by piece. Raises: BodyTooLarge, ClientGone."""
        if int_or(self.headers.get("content-length"), 0) > limit_bytes:
            raise BodyTooLarge
        seen = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            piece: bytes = message.get("body", b"")
            seen += len(piece)
            if seen > limit_bytes:
                raise BodyTooLarge
            if piece:
                yield piece
            if not message.get("more_body", False):
                return

    async def body(self, limit_bytes: int) -> bytes:
        """The whole body. Raises: BodyTooLarge, ClientGone."""
        return b"".join([piece async for piece in self.chunks(limit_bytes)])

    async def wait_gone(self) -> None:
        """Return when the other side hangs up. Only after the body was read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def int_or(text: str | None, default: int) -> int:
    """`text` as a whole number of at most 18 digits, else `default`."""
    if text is None:
        return default
    digits = text[1:] if text[:1] == "-" else text
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else default


def parse_urlencoded(raw: bytes) -> dict[str, str]:
    """Pairs of a query string or a form. Raises: MalformedBody."""
    try:
        return dict(
            parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=500)
        )
    except ValueError as error:
        raise MalformedBody("strings must be encoded in UTF-8") from error


def parse_json(raw: bytes) -> Any:
    """A JSON value. Raises: MalformedBody, also when it is nested too deeply."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedBody(str(error)) from error


# for answers that bring no policy of their own: they are no pages
_POLICY = ("content-security-policy", "default-src 'none'; frame-ancestors 'none'")


async def send_bytes(
    send: Send, status: int, body: bytes, content_type: str, headers: Headers = (), *, head: bool = False
) -> None:
    """One whole answer. With `head`, the headers alone."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type.encode("latin-1")),
                (b"content-length", str(len(body)).encode()),
                (b"x-content-type-options", b"nosniff"),
                *(
                    (name.lower().encode("latin-1"), value.encode("latin-1"))
                    for name, value in {_POLICY[0]: _POLICY[1], **dict(headers)}.items()
                ),
            ],
        }
    )
    await send({"type": "http.response.body", "body": b"" if head else body})


async def send_json(send: Send, status: int, value: Any, headers: Headers = ()) -> None:
    """One JSON answer."""
    await send_bytes(send, status, msgspec.json.encode(value), "application/json", headers)


async def send_file(send: Send, path: Path, content_type: str, headers: Headers = ()) -> None:
    """The bytes of a file, read in pieces."""
    with path.open("rb") as source:
        size = path.stat().st_size
        start: list[tuple[bytes, bytes]] = [
            (b"content-type", content_type.encode("latin-1", "replace")),
            (b"content-length", str(size).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", b"sandbox; default-src 'none'"),
        ]
        start += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": 200, "headers": start})
        while piece := source.read(FILE_CHUNK_BYTES):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def reset_connection(request: Request) -> None:
    """Break the connection without an answer, as a crashing proxy would.

    Under uvicorn the socket is closed with a TCP reset. Where a wrapper hides the transport, the answer is
    announced and cut off instead, which a client meets as a broken connection too.
    """
    transport = getattr(getattr(request.send, "__self__", None), "transport", None)
    if not isinstance(transport, asyncio.Transport):
        await request.send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]}
        )
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await request.wait_gone()

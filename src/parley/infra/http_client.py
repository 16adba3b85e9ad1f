"""The one HTTP client by which Parley speaks to others.

Owns connections, timeouts, body limits, and the one question a sender must have answered: did the request
leave whole? What failed before that is :class:`NotSent` and may be tried again; what failed after is
:class:`NoAnswer`, and nobody knows. It follows no redirects, keeps no cookies, reads no proxy from the
environment, and never puts a URL (they hold tokens) in a log or an error: it stands on httpx2's transport,
below the client that logs them.

It trusts the address it is given. Addresses typed by users need a transport that resolves and refuses private
networks; it goes in by ``transport``.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Self

import httpx2
import msgspec

from parley.kit.errors import Kind, ParleyError

MAX_CONNECTIONS = 200
"""Open connections at once: long polls hold one each, so this bounds the accounts polled by one process."""
MAX_IDLE_CONNECTIONS = 40
IDLE_SECONDS = 10.0
"""Dropped before servers usually do it (nginx: 75 s), so that few sends meet a closed connection."""
ANSWER_LIMIT_BYTES = 8 * 1024 * 1024
"""The largest answer read into memory: a hundred Telegram updates stay well below."""


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds: to connect, for each read and write, for a free connection, and for the whole exchange."""

    connect: float = 5.0
    read: float = 30.0
    write: float = 30.0
    pool: float = 5.0
    total: float | None = 120.0


class NotSent(ParleyError):
    """The request never left whole: the other side cannot have acted on it."""

    code = "not_sent"
    kind = Kind.UNAVAILABLE


class UploadBroken(NotSent):
    """The bytes to upload could not be read, or were not as many as announced."""

    code = "upload_broken"

    def __init__(self, message: str | None = None, *, source_error: Exception | None = None) -> None:
        """``source_error``: what the source of the bytes raised; None when their number was wrong."""
        super().__init__(message, reason=type(source_error).__name__ if source_error else "size")
        self.source_error = source_error  # the transport drops __cause__


class NoAnswer(ParleyError):
    """The request may have arrived; its answer did not, or not whole."""

    code = "no_answer"
    kind = Kind.UNAVAILABLE


class Answer(msgspec.Struct, frozen=True):
    """A whole answer. Header names are in lower case; ``body`` is as sent, never decompressed."""

    status: int
    headers: dict[str, str]
    body: bytes


class Upload(msgspec.Struct, frozen=True):
    """A file part of a form. ``open`` starts a stream of exactly ``size_bytes`` bytes."""

    part: str
    name: str
    content_type: str
    size_bytes: int
    open: Callable[[], AsyncIterator[bytes]]


class Download:
    """An answer whose body is still to come: iterate over it once, and close it in any case.

    Iterating raises NoAnswer when the body breaks off or grows over the limit.
    """

    def __init__(self, response: httpx2.Response, limit_bytes: int, deadline: float | None) -> None:
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self._response = response
        self._limit_bytes = limit_bytes
        self._deadline = deadline
        self._chunks = self._read()

    @property
    def size_bytes(self) -> int | None:
        """The length the other side announced; None when it did not."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give the connection back, or break it when the body was not read to its end. Repeat: harmless."""
        await self._response.aclose()

    async def read(self) -> bytes:
        """Return the whole body. Raises NoAnswer."""
        return b"".join([chunk async for chunk in self._chunks])

    async def _read(self) -> AsyncIterator[bytes]:
        received = 0
        pieces = self._response.aiter_raw()
        try:
            while True:
                async with asyncio.timeout_at(
                    self._deadline
                ):  # never around the yield: it would hit the reader
                    chunk = await anext(pieces, None)
                if chunk is None:
                    return
                received += len(chunk)
                if received > self._limit_bytes:
                    raise NoAnswer("The answer is larger than we take.", limit_bytes=self._limit_bytes)
                yield chunk
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
            raise NoAnswer("The answer broke off.", reason=type(error).__name__) from None
        finally:
            await self._response.aclose()


class HttpClient:
    """A pool of connections. One per process; close it at the end. Safe for use by many tasks at once."""

    def __init__(
        self, *, timeouts: Timeouts | None = None, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._transport = transport or httpx2.AsyncHTTPTransport(
            limits=httpx2.Limits(
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=MAX_IDLE_CONNECTIONS,
                keepalive_expiry=IDLE_SECONDS,
            ),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        form: Mapping[str, str] | None = None,
        uploads: Sequence[Upload] = (),
        timeouts: Timeouts | None = None,
        limit_bytes: int = ANSWER_LIMIT_BYTES,
    ) -> Answer:
        """Do one exchange and return the answer, whatever its status.

        At most one of ``json``, ``content`` and ``form`` (multipart, with ``uploads``) makes the body.
        Raises: NotSent (UploadBroken when our own bytes failed), NoAnswer.
        """
        download = await self.open(
            method,
            url,
            headers=headers,
            json=json,
            content=content,
            form=form,
            uploads=uploads,
            timeouts=timeouts,
            limit_bytes=limit_bytes,
        )
        async with download:
            return Answer(download.status, download.headers, await download.read())

    async def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        form: Mapping[str, str] | None = None,
        uploads: Sequence[Upload] = (),
        timeouts: Timeouts | None = None,
        limit_bytes: int = ANSWER_LIMIT_BYTES,
    ) -> Download:
        """Do one exchange up to the answer's headers; the caller reads and closes the rest.

        Raises: NotSent (UploadBroken when our own bytes failed), NoAnswer.
        """
        timeouts = timeouts or self._timeouts
        body = _body(json, content, form, uploads)
        watch = _Watch(body)
        request = _build_request(method, url, headers, body, watch, timeouts)
        deadline = None if timeouts.total is None else asyncio.get_running_loop().time() + timeouts.total
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._transport.handle_async_request(request)
        except (httpx2.HTTPError, OSError, UnicodeError) as error:  # TimeoutError is an OSError
            raise watch.verdict(error) from None
        return Download(response, limit_bytes, deadline)


# ---------------------------------------------------------------- what is sent


class _Body(msgspec.Struct, frozen=True):
    content_type: str | None
    size_bytes: int
    chunks: Callable[[], AsyncIterator[bytes]]
    is_streamed: bool = False


class _Watch(httpx2.AsyncByteStream):
    """The request's body on its way out; remembers how far it came.

    A body of one piece counts as left as soon as the headers are being written. A streamed body has left when
    its last chunk was handed over: until then the announced length is short, and no server can act on it.
    """

    def __init__(self, body: _Body) -> None:
        self._body = body
        self._has_started = False
        self._has_ended = not body.is_streamed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        sent = 0
        async for chunk in self._body.chunks():
            sent += len(chunk)
            if sent >= self._body.size_bytes:
                self._has_ended = True
            yield chunk

    async def trace(self, event: str, _info: Mapping[str, Any]) -> None:
        """Take the transport's progress events."""
        if event.endswith("send_request_headers.started"):
            self._has_started = True

    def verdict(self, error: Exception) -> ParleyError:
        """Return what a failed exchange means. Names only the error's type: its text may hold an address."""
        reason = type(error).__name__
        is_ours = isinstance(error, httpx2.LocalProtocolError)  # refused by our own side of the connection
        if self._has_started and self._has_ended and not is_ours:
            return NoAnswer(reason=reason)
        return NotSent(reason=reason)


def _build_request(
    method: str,
    url: str,
    headers: Mapping[str, str] | None,
    body: _Body,
    watch: _Watch,
    timeouts: Timeouts,
) -> httpx2.Request:
    own = {"user-agent": "Parley", "accept-encoding": "identity"}
    if body.content_type:
        own["content-type"] = body.content_type
    if body.size_bytes or method not in ("GET", "HEAD"):
        own["content-length"] = str(body.size_bytes)
    seconds = {
        "connect": timeouts.connect,
        "read": timeouts.read,
        "write": timeouts.write,
        "pool": timeouts.pool,
    }
    try:
        target = httpx2.URL(url)
        if target.scheme not in ("http", "https") or not target.host:
            raise NotSent("This is not an address of the web.", reason="InvalidURL")
        own["host"] = target.netloc.decode("ascii")
        return httpx2.Request(
            method,
            target,
            headers={**own, **(headers or {})},
            stream=watch,
            extensions={"timeout": seconds, "trace": watch.trace},
        )
    except (httpx2.InvalidURL, UnicodeError, ValueError):
        raise NotSent("This is not an address of the web.", reason="InvalidURL") from None


def _body(
    json: Any, content: bytes | None, form: Mapping[str, str] | None, uploads: Sequence[Upload]
) -> _Body:
    if uploads or form is not None:
        return _multipart(form or {}, uploads)
    if json is not None:
        return _whole("application/json", msgspec.json.encode(json))
    return _whole(None, content or b"")


def _whole(content_type: str | None, content: bytes) -> _Body:
    async def chunks() -> AsyncIterator[bytes]:
        if content:
            yield content

    return _Body(content_type, len(content), chunks)


def _multipart(form: Mapping[str, str], uploads: Sequence[Upload]) -> _Body:
    """Lay out a multipart form (RFC 7578) with its exact length, reading the files only while sending."""
    boundary = f"parley-{secrets.token_hex(16)}"
    fields = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'.encode()
        + value.encode("utf-8", "replace")
        + b"\r\n"
        for name, value in form.items()
    )
    heads = [
        (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(upload.part)}"; '
            f'filename="{_quoted(upload.name)}"\r\nContent-Type: {_one_line(upload.content_type)}\r\n\r\n'
        ).encode("utf-8", "replace")
        for upload in uploads
    ]
    end = f"--{boundary}--\r\n".encode()
    size = len(fields) + len(end)
    size += sum(len(head) + upload.size_bytes + 2 for head, upload in zip(heads, uploads, strict=True))

    async def chunks() -> AsyncIterator[bytes]:
        if fields:
            yield fields
        for head, upload in zip(heads, uploads, strict=True):
            yield head
            async for chunk in _exactly(upload):
                yield chunk
            yield b"\r\n"
        yield end

    return _Body(f"multipart/form-data; boundary={boundary}", size, chunks, is_streamed=True)


async def _exactly(upload: Upload) -> AsyncIterator[bytes]:
    left = upload.size_bytes
    try:
        async for chunk in upload.open():
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
    except Exception as error:
        raise UploadBroken("The file to upload could not be read.", source_error=error) from error
    if left:
        raise UploadBroken("The file to upload has another size than announced.")


def _quoted(text: str) -> str:
    """Escape a name as browsers do: quotes and line ends by percent, everything else as it is."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _one_line(text: str) -> str:
    return text.replace("\r", "").replace("\n", "")

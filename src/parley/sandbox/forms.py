"""Forms with files, read piece by piece from the socket to disk: no upload is ever held in memory."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from parley.sandbox.wire import BodyTooLarge, MalformedBody, Request

FIELD_LIMIT_BYTES = 1024 * 1024
PARTS_LIMIT = 200


@dataclass(slots=True)
class Upload:
    """A file that lies in the incoming directory; whoever keeps it moves it away, the rest is discarded."""

    name: str
    content_type: str
    path: Path
    size_bytes: int = 0


@dataclass(slots=True)
class Form:
    """What a form held: plain values and files, by field name."""

    values: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, list[Upload]] = field(default_factory=dict)

    def upload(self, name: str) -> Upload | None:
        """The first file of that field, if there is one."""
        return self.uploads[name][0] if name in self.uploads else None

    def discard(self) -> None:
        """Remove every file that nobody took."""
        for uploads in self.uploads.values():
            for upload in uploads:
                upload.path.unlink(missing_ok=True)


class _Collector:
    """Receives the parser's callbacks and builds the form."""

    def __init__(self, directory: Path) -> None:
        self.form = Form()
        self._directory = directory
        self._header = (b"", b"")
        self._headers: dict[str, bytes] = {}
        self._field = ""
        self._value = bytearray()
        self._upload: Upload | None = None
        self._target: IO[bytes] | None = None
        self._parts = 0

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._data,
            "on_part_end": self._end,
        }

    def close(self) -> None:
        if self._target is not None:
            self._target.close()

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > PARTS_LIMIT:
            raise MalformedBody("too many parts")
        self._headers, self._header, self._value = {}, (b"", b""), bytearray()
        self._upload = self._target = None

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _header_end(self) -> None:
        self._headers[self._header[0].decode("latin-1").lower()] = self._header[1]
        self._header = (b"", b"")

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", b""))
        if b"name" not in options:
            raise MalformedBody("a part has no name")
        self._field = options[b"name"].decode("utf-8", "replace")
        if b"filename" not in options:
            return
        content_type = self._headers.get("content-type", b"application/octet-stream").decode("latin-1")
        name = unquote(options[b"filename"].decode("utf-8", "replace"), errors="replace")
        path = self._directory / secrets.token_hex(16)
        self._upload = Upload(_safe_name(name), content_type.split(";")[0].strip().lower(), path)
        self.form.uploads.setdefault(self._field, []).append(self._upload)
        self._target = path.open("xb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._upload is not None and self._target is not None:
            self._target.write(data[start:end])
            self._upload.size_bytes += end - start
            return
        self._value += data[start:end]
        if len(self._value) > FIELD_LIMIT_BYTES:
            raise BodyTooLarge

    def _end(self) -> None:
        if self._target is not None:
            self._target.close()
            return
        try:
            self.form.values[self._field] = self._value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedBody("strings must be encoded in UTF-8") from error


async def read_multipart(request: Request, directory: Path, limit_bytes: int) -> Form:
    """Read a multipart body; files end up in `directory`. The caller calls `discard` when it is through.

    Raises: MalformedBody, BodyTooLarge, ClientGone; nothing is left on disk then.
    """
    _, options = parse_options_header(request.headers.get("content-type", ""))
    if not options.get(b"boundary"):
        raise MalformedBody("the boundary is missing")
    collector = _Collector(directory)
    complete = False
    try:
        callbacks = {**collector.callbacks(), "on_end": lambda: None}
        parser = MultipartParser(options[b"boundary"], callbacks)  # type: ignore[arg-type]  # a TypedDict
        async for piece in request.chunks(limit_bytes):
            parser.write(piece)
        parser.finalize()
        complete = True
    except FormParserError as error:
        raise MalformedBody(str(error)) from error
    finally:
        collector.close()
        if not complete:
            collector.form.discard()
    return collector.form


def _safe_name(name: str) -> str:
    """The last part of a path, printable, at most 120 characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in last if letter.isprintable())[:120].strip() or "file"

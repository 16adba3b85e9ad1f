"""The parent's side of the thumbnailer: one child process, asked about one picture or sound at a time.

The child is started at the first file, killed when it takes too long or answers nonsense, and started anew for
the next. It inherits no socket, no environment and no working directory of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import structlog
from msgspec import Meta

from parley.infra.blobs import CHUNK_BYTES, Blobs, Stored

MAX_PICTURE_BYTES = 64 * 1024 * 1024
"""Larger files are not decoded: the child holds the whole file in its gigabyte."""

TIMEOUT_SECONDS = 60.0
"""Real time for one picture, from the first byte sent; the child's own limit is 30 s of processor time."""

SOUND_TYPES = frozenset({
    "audio/ogg", "audio/mpeg", "audio/mp4", "audio/webm", "audio/wav", "video/mp4", "video/webm", "video/quicktime",
})  # fmt: skip
"""What is listened to; those of film hold voice notes as well, as browsers record them."""

T = TypeVar("T")

_MAX_ANSWER = 4096
_PROGRAM = Path(__file__).with_name("thumbnailer.py")

log = structlog.get_logger()

_Side = Annotated[int, Meta(ge=1, le=1_000_000)]


class Part(msgspec.Struct, frozen=True):
    """An image that the child made; it follows the answer."""

    width: _Side
    height: _Side
    size_bytes: Annotated[int, Meta(ge=1, le=512 * 1024 * 1024)]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the child says of a file; ``refused`` is the reason why it is no picture."""

    refused: str | None = None
    content_type: str = ""
    width: _Side = 1
    height: _Side = 1
    is_animated: bool = False
    thumbnail: Part | None = None
    picture: Part | None = None


class Sound(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard of a sound; ``has_film``: there is something to see as well. ``refused``: why it is no sound."""

    refused: str | None = None
    duration_seconds: Annotated[float, Meta(ge=0, le=100_000)] = 0.0
    waveform: Annotated[list[Annotated[int, Meta(ge=0, le=31)]], Meta(max_length=100)] = []
    has_film: bool = False


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """A picture, upright. ``picture`` is what was stored of the re-encoded one, None when it was not made."""

    content_type: str
    width: int
    height: int
    is_animated: bool
    thumbnail_width: int
    thumbnail_height: int
    picture: Stored | None


class Pictures:
    """Decodes pictures in a child process. Callers wait in line; memory here is bounded by a chunk."""

    def __init__(self, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._process: Process | None = None
        self._lock = asyncio.Lock()
        self._timeout_seconds = timeout_seconds

    async def render(
        self, blobs: Blobs, key: str, size_bytes: int, *, thumbnail_key: str, picture_key: str | None
    ) -> Rendered | None:
        """Decode the object ``key``; store its thumbnail and, with ``picture_key``, the picture encoded anew.

        ``picture_key`` may be ``key``. Returns None when it is broken, too large, or took too long: never an error
        of the file's making. Raises: NotFound, Unavailable of the object store.
        """

        async def talk(process: Process) -> Rendered | None:
            await _send(process, blobs, key, size_bytes, has_picture=picture_key is not None)
            return await _receive(process, blobs, thumbnail_key, picture_key)

        return await self._ask(key, size_bytes, talk)

    async def listen(self, blobs: Blobs, key: str, size_bytes: int, content_type: str) -> Sound | None:
        """Decode the object ``key``, of a type in `SOUND_TYPES`; return how long it is and what it looks like.

        Returns None when it is broken, too large or too long, or took too long. Raises: as `render`.
        """

        async def talk(process: Process) -> Sound | None:
            await _send(process, blobs, key, size_bytes, has_picture=False, sound=content_type)
            heard = msgspec.json.decode(await _read_header(process), type=Sound)
            return heard if heard.refused is None else None

        return await self._ask(key, size_bytes, talk)

    async def _ask(
        self, key: str, size_bytes: int, talk: Callable[[Process], Awaitable[T | None]]
    ) -> T | None:
        if size_bytes > MAX_PICTURE_BYTES:
            return None
        async with self._lock:
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    return await talk(await self._ensure_process())
            except (TimeoutError, OSError, EOFError, msgspec.MsgspecError) as error:
                log.warning(
                    "media.picture_failed", key=key, size_bytes=size_bytes, error=type(error).__name__
                )
                await self.close()
                return None
            except BaseException:
                # between question and answer the child's place in the protocol is lost
                await self.close()
                raise

    async def close(self) -> None:
        """End the child, if there is one. Repeat: harmless; the next picture starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _ensure_process(self) -> Process:
        if self._process is not None and self._process.returncode is not None:
            await self.close()
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", str(_PROGRAM), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}, cwd="/"
            )
        return self._process


@contextlib.asynccontextmanager
async def open_pictures() -> AsyncIterator[Pictures]:
    """Open the way to the thumbnailer; its child ends on leaving."""
    pictures = Pictures()
    try:
        yield pictures
    finally:
        await pictures.close()


async def _send(
    process: Process, blobs: Blobs, key: str, size_bytes: int, *, has_picture: bool, sound: str | None = None
) -> None:
    assert process.stdin is not None
    request = msgspec.json.encode({"size_bytes": size_bytes, "has_picture": has_picture, "sound": sound})
    process.stdin.write(struct.pack(">I", len(request)) + request)
    async for chunk in blobs.open(key):
        process.stdin.write(chunk)
        await process.stdin.drain()


async def _receive(
    process: Process, blobs: Blobs, thumbnail_key: str, picture_key: str | None
) -> Rendered | None:
    assert process.stdout is not None
    answer = msgspec.json.decode(await _read_header(process), type=Answer)
    if answer.refused is not None or answer.thumbnail is None:
        log.info("media.picture_refused", reason=answer.refused)
        return None
    await _store_part(process.stdout, blobs, thumbnail_key, answer.thumbnail)
    stored = None
    if answer.picture is not None and picture_key is not None:
        stored = await _store_part(process.stdout, blobs, picture_key, answer.picture)
    return Rendered(
        content_type=answer.content_type,
        width=answer.width,
        height=answer.height,
        is_animated=answer.is_animated,
        thumbnail_width=answer.thumbnail.width,
        thumbnail_height=answer.thumbnail.height,
        picture=stored,
    )


async def _read_header(process: Process) -> bytes:
    assert process.stdout is not None
    (length,) = struct.unpack(">I", await process.stdout.readexactly(4))
    if length > _MAX_ANSWER:
        raise EOFError("the answer is no answer")
    return await process.stdout.readexactly(length)


async def _store_part(pipe: asyncio.StreamReader, blobs: Blobs, key: str, part: Part) -> Stored:
    return await blobs.put_stream(key, _read_part(pipe, part.size_bytes), limit_bytes=part.size_bytes)


async def _read_part(pipe: asyncio.StreamReader, size_bytes: int) -> AsyncIterator[bytes]:
    left = size_bytes
    while left:
        chunk = await pipe.read(min(left, CHUNK_BYTES))
        if not chunk:
            raise EOFError("the child ended within a picture")
        left -= len(chunk)
        yield chunk

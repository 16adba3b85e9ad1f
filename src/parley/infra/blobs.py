"""The object store: bytes under keys, on this machine's disk or in a bucket (`S3_URL`), streamed in and out.

Owns how bytes are kept, not what they mean: keys are made by the slices (`parley.media`), never by a client. The
memory of one stream is bounded by `CHUNK_BYTES`, whatever the size of the object.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, S3Store

from parley.infra.settings import Settings
from parley.kit.errors import NotFound, TooLarge, Unavailable

CHUNK_BYTES = 256 * 1024
"""Bytes handed on at a time: large enough that the calls cost nothing beside the copying."""

PART_BYTES = 5 * 1024 * 1024
"""What a bucket is given at a time; smaller objects are one request. S3 takes no smaller parts."""

_KEY = re.compile(r"[a-z0-9][a-z0-9_-]*(?:/[a-z0-9][a-z0-9_-]*){1,5}")
_MAX_KEY = 200


class Stored(NamedTuple):
    """What was written: its size, and the SHA-256 of its bytes."""

    size_bytes: int
    sha256: bytes


class Blobs:
    """Objects by key. An object is seen whole or not at all; writing a key again replaces the object."""

    def __init__(self, store: ObjectStore, *, buffer_bytes: int) -> None:
        self._store = store
        self._buffer_bytes = buffer_bytes

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], *, limit_bytes: int) -> Stored:
        """Write an object from a stream.

        Promise: on return the bytes are in the store under the key, on a disk synced; when anything raises, or the task is
        cancelled, the key is what it was before and nothing is left behind.
        Raises: TooLarge at the first byte over the limit; Unavailable; whatever ``chunks`` raises.
        """
        _require_key(key)
        digest, size = hashlib.sha256(), 0
        with _translated():
            await self._prepare(key)
        writer = obstore.open_writer_async(
            self._store, key, buffer_size=self._buffer_bytes, max_concurrency=1
        )
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit_bytes:
                    raise TooLarge("The file is larger than may be stored.", limit_bytes=limit_bytes)
                digest.update(chunk)
                with _translated():
                    await writer.write(chunk)
        except BaseException as error:
            await writer.__aexit__(type(error), error, error.__traceback__)  # with an error: throws away
            raise
        with _translated():
            await writer.close()
        with _translated():
            await self._seal(key)
        return Stored(size, digest.digest())

    async def open(
        self, key: str, *, start: int | None = None, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """Stream an object, or its bytes from ``start`` to before ``end``, in chunks of about `CHUNK_BYTES`.

        Raises: NotFound, at the first chunk asked for.
        """
        _require_key(key)
        options: obstore.GetOptions = {}
        if end is not None:
            options["range"] = (start or 0, end)
        elif start:
            options["range"] = {"offset": start}
        with _translated():
            found = await obstore.get_async(self._store, key, options=options)
        async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
            yield bytes(chunk)

    async def head(self, key: str) -> int:
        """Return an object's size in bytes. Raises: NotFound."""
        _require_key(key)
        with _translated():
            return int((await obstore.head_async(self._store, key))["size"])

    async def exists(self, key: str) -> bool:
        """Whether there is an object under the key."""
        try:
            await self.head(key)
        except NotFound:
            return False
        return True

    async def move(self, key: str, target: str) -> None:
        """Put an object under another key, in place of what was there. Raises: NotFound."""
        _require_key(key)
        _require_key(target)
        with _translated():
            await self._prepare(target)
            await obstore.rename_async(self._store, key, target)
            await self._seal(target)

    async def delete(self, key: str) -> None:
        """Remove an object, and what a killed process left of an unfinished one. Repeat: harmless."""
        _require_key(key)
        with _translated():
            await self._remove(key)

    async def _prepare(self, key: str) -> None:
        """Make room for an object."""

    async def _seal(self, key: str) -> None:
        """See to it that a written object stays."""

    async def _remove(self, key: str) -> None:
        with contextlib.suppress(FileNotFoundError, NotFoundError):
            await obstore.delete_async(self._store, key)


class DiskBlobs(Blobs):
    """Objects as files under a folder."""

    def __init__(self, root: Path) -> None:
        super().__init__(LocalStore(root), buffer_bytes=CHUNK_BYTES)
        self._root = root

    async def _prepare(self, key: str) -> None:
        await asyncio.to_thread(_make_folder, self._root, (self._root / key).parent)

    async def _seal(self, key: str) -> None:
        await asyncio.to_thread(_seal, self._root / key)

    async def _remove(self, key: str) -> None:
        await asyncio.to_thread(_remove, self._root, self._root / key)


def open_blobs(settings: Settings) -> Blobs:
    """Open the bucket of ``S3_URL``, else the store under ``data_dir/files``, made when it is not there (mode 0700).

    Nothing is asked of a bucket before the first object.
    """
    if settings.s3_url:
        return Blobs(_open_bucket(settings.s3_url), buffer_bytes=PART_BYTES)
    root = settings.data_dir.absolute() / "files"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    root.chmod(0o700)
    return DiskBlobs(root)


def _open_bucket(url: str) -> S3Store:
    """Open ``https://key:secret@host/bucket?region=eu-central-1``: any server that speaks S3."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return S3Store(
        parts.path.strip("/"),
        endpoint=f"{parts.scheme}://{host}",
        access_key_id=unquote(parts.username or ""),
        secret_access_key=unquote(parts.password or ""),
        region=parse_qs(parts.query).get("region", ["us-east-1"])[0],
        virtual_hosted_style_request=False,
        client_options={"allow_http": parts.scheme == "http", "connect_timeout": "5s"},
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
    )


def _require_key(key: str) -> None:
    """Raises: ValueError for a key that we would not make."""
    if len(key) > _MAX_KEY or not _KEY.fullmatch(key):
        raise ValueError(f"not an object key: {key[:80]!r}")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotFoundError) as error:
        raise NotFound("This file is not in the store.") from error
    except (BaseError, OSError) as error:
        raise Unavailable("The file store cannot be used right now.") from error


def _make_folder(root: Path, folder: Path) -> None:
    for parent in (*reversed(folder.relative_to(root).parents), folder.relative_to(root)):
        (root / parent).mkdir(mode=0o700, exist_ok=True)


def _seal(path: Path) -> None:
    """Close a written file to others, and see it and the names that lead to it onto the disk."""
    for target in (path, path.parent, path.parent.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            if target is path:
                os.fchmod(descriptor, 0o600)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(root: Path, path: Path) -> None:
    path.unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):  # another deletion took the folder
        for unfinished in path.parent.glob(f"{path.name}#*"):  # obstore's name for a file being written
            unfinished.unlink(missing_ok=True)
    if path.parent != root:
        with contextlib.suppress(OSError):  # not empty, or gone already
            path.parent.rmdir()

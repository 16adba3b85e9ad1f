"""The object store on the disk: whole or not at all, bounded, closed to others."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parley.infra.blobs import CHUNK_BYTES, Blobs, open_blobs
from parley.infra.settings import Settings
from parley.kit.errors import NotFound, TooLarge
from tests.files import files_under

pytestmark = pytest.mark.anyio

KEY = "space/item/content"
LIMIT = 10_000_000


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return open_blobs(Settings(data_dir=tmp_path))


async def pieces(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def read(blobs: Blobs, key: str, start: int | None = None, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in blobs.open(key, start=start, end=end)])


async def test_what_was_written_is_read_back_with_its_size_and_hash(blobs: Blobs) -> None:
    data = os.urandom(1_000_001)
    stored = await blobs.put_stream(KEY, pieces(data), limit_bytes=LIMIT)
    assert stored == (len(data), hashlib.sha256(data).digest())
    assert await read(blobs, KEY) == data
    assert await blobs.head(KEY) == len(data)


async def test_an_empty_object_is_an_object(blobs: Blobs) -> None:
    stored = await blobs.put_stream(KEY, pieces(b""), limit_bytes=0)
    assert stored.size_bytes == 0
    assert await blobs.exists(KEY)
    assert await read(blobs, KEY) == b""


@pytest.mark.parametrize(
    ("start", "end"), [(0, 1), (10, 20), (65_530, 65_540), (99_999, 100_000), (5, None), (None, 7)]
)
async def test_a_part_is_read_by_offsets(blobs: Blobs, start: int | None, end: int | None) -> None:
    data = os.urandom(100_000)
    await blobs.put_stream(KEY, pieces(data), limit_bytes=LIMIT)
    assert await read(blobs, KEY, start, end) == data[start:end]


async def test_chunks_are_bounded_whatever_the_size(blobs: Blobs) -> None:
    await blobs.put_stream(KEY, pieces(bytes(3_000_000)), limit_bytes=LIMIT)
    sizes = [len(chunk) async for chunk in blobs.open(KEY)]
    assert max(sizes) <= 2 * CHUNK_BYTES
    assert sum(sizes) == 3_000_000


async def test_a_stream_over_the_limit_is_refused_and_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        await blobs.put_stream(KEY, pieces(bytes(2_000_000)), limit_bytes=1_999_999)
    assert not await blobs.exists(KEY)
    assert files_under(tmp_path) == []


async def test_a_stream_that_breaks_leaves_what_was_there_before(blobs: Blobs, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(1_000_000)
        raise ConnectionError("gone")

    await blobs.put_stream(KEY, pieces(b"before"), limit_bytes=LIMIT)
    with pytest.raises(ConnectionError):
        await blobs.put_stream(KEY, broken(), limit_bytes=LIMIT)
    assert await read(blobs, KEY) == b"before"
    assert len(files_under(tmp_path)) == 1


async def test_nothing_is_seen_while_it_is_written_nor_after_the_writer_is_cancelled(
    blobs: Blobs, tmp_path: Path
) -> None:
    is_flowing = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield bytes(2_000_000)
        is_flowing.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(blobs.put_stream(KEY, endless(), limit_bytes=LIMIT))
    await is_flowing.wait()
    assert not await blobs.exists(KEY)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(30):
        while files_under(tmp_path):
            await asyncio.sleep(0.01)


async def test_files_and_folders_are_closed_to_others(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put_stream(KEY, pieces(b"x"), limit_bytes=LIMIT)
    for path in (tmp_path / "files").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE((tmp_path / "files").stat().st_mode) == 0o700


async def test_deleting_takes_the_object_its_folder_and_unfinished_writes(
    blobs: Blobs, tmp_path: Path
) -> None:
    await blobs.put_stream(KEY, pieces(b"x"), limit_bytes=LIMIT)
    (tmp_path / "files" / f"{KEY}#1").write_bytes(b"half")
    await blobs.delete(KEY)
    await blobs.delete(KEY)
    assert not (tmp_path / "files/space/item").exists()


async def test_one_folder_may_be_deleted_by_many(blobs: Blobs, tmp_path: Path) -> None:
    for _ in range(100):
        await blobs.put_stream(KEY, pieces(b"x"), limit_bytes=LIMIT)
        await asyncio.gather(
            *(blobs.delete(f"space/item/{name}") for name in ("content", "thumbnail", "a", "b"))
        )
        assert not (tmp_path / "files/space/item").exists()


async def test_a_moved_object_takes_the_place_of_the_other(blobs: Blobs) -> None:
    await blobs.put_stream("space/item/incoming", pieces(b"new"), limit_bytes=LIMIT)
    await blobs.put_stream(KEY, pieces(b"old"), limit_bytes=LIMIT)
    await blobs.move("space/item/incoming", KEY)
    assert await read(blobs, KEY) == b"new"
    assert not await blobs.exists("space/item/incoming")
    with pytest.raises(NotFound):
        await blobs.move("space/item/incoming", KEY)


async def test_what_is_not_there_is_not_found(blobs: Blobs) -> None:
    with pytest.raises(NotFound):
        await read(blobs, KEY)
    with pytest.raises(NotFound):
        await blobs.head(KEY)


@pytest.mark.parametrize(
    "key", ["../x", "a/../b", "/etc/passwd", "a//b", "a/.b", "a", "a/b\n", "A/b", "a/b\0", "a/" + "b" * 300]
)
async def test_a_key_that_we_would_not_make_is_refused(blobs: Blobs, key: str) -> None:
    with pytest.raises(ValueError, match="not an object key"):
        await blobs.put_stream(key, pieces(b"x"), limit_bytes=LIMIT)
    with pytest.raises(ValueError, match="not an object key"):
        await read(blobs, key)
    with pytest.raises(ValueError, match="not an object key"):
        await blobs.delete(key)

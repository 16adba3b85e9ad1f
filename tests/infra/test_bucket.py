"""The object store in a bucket: the same promises as on the disk, kept by an S3 server."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from obstore.store import S3Store

from parley.infra.blobs import PART_BYTES, Blobs, open_blobs
from parley.infra.settings import Settings
from parley.kit.errors import NotFound, TooLarge, Unavailable
from tests.engines import S3Server
from tests.ports import free_port
from tests.programs import running

pytestmark = pytest.mark.anyio

KEY = "space/item/content"
LIMIT = 50_000_000


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[S3Server]:
    """The server, with a bucket."""
    made = S3Server(tmp_path_factory.mktemp("s3"))
    async with running(made):
        await made.start()
        yield made


@pytest.fixture
def blobs(server: S3Server, tmp_path: Path) -> Blobs:
    """The bucket of the settings."""
    return open_blobs(Settings(data_dir=tmp_path, s3_url=server.url))


async def pieces(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def read(blobs: Blobs, key: str, start: int | None = None, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in blobs.open(key, start=start, end=end)])


@pytest.mark.parametrize("size", [0, 1, 300_000, 2 * PART_BYTES + 17])
async def test_what_was_written_is_read_back_whole_and_in_parts(blobs: Blobs, size: int) -> None:
    data = os.urandom(size)
    stored = await blobs.put_stream(KEY, pieces(data), limit_bytes=LIMIT)
    assert stored == (size, hashlib.sha256(data).digest())
    assert await blobs.head(KEY) == size
    assert await read(blobs, KEY) == data
    if size > 100:
        assert await read(blobs, KEY, 5, 50) == data[5:50]
        assert await read(blobs, KEY, size - 9) == data[-9:]


async def test_a_stream_over_the_limit_leaves_what_was_there(blobs: Blobs) -> None:
    await blobs.put_stream(KEY, pieces(b"before"), limit_bytes=LIMIT)
    with pytest.raises(TooLarge):
        await blobs.put_stream(KEY, pieces(os.urandom(2 * PART_BYTES)), limit_bytes=PART_BYTES + 10)
    assert await read(blobs, KEY) == b"before"


async def test_an_object_is_moved_and_deleted_as_often_as_one_likes(blobs: Blobs) -> None:
    await blobs.put_stream(KEY, pieces(b"x"), limit_bytes=LIMIT)
    await blobs.move(KEY, "space/item/other")
    assert not await blobs.exists(KEY)
    assert await read(blobs, "space/item/other") == b"x"
    for _ in range(2):
        await blobs.delete("space/item/other")
    with pytest.raises(NotFound):
        await blobs.head("space/item/other")
    with pytest.raises(NotFound):
        await read(blobs, KEY)


async def test_a_store_that_is_away_or_refuses_is_unavailable(server: S3Server, tmp_path: Path) -> None:
    nowhere = Settings(data_dir=tmp_path, s3_url=f"http://k:s@127.0.0.1:{free_port()}/files")
    store = S3Store(
        "files", endpoint=nowhere.s3_url.rpartition("/")[0].replace("k:s@", ""), access_key_id="k",
        secret_access_key="s", client_options={"allow_http": True}, retry_config={"max_retries": 0},
    )  # fmt: skip
    with pytest.raises(Unavailable):
        await Blobs(store, buffer_bytes=PART_BYTES).put_stream(KEY, pieces(b"x"), limit_bytes=LIMIT)

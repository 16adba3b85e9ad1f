"""Bytes become a file, or leave nothing behind."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from parley.accounts import Caller
from parley.infra.runtime import Runtime
from parley.kit.errors import TooLarge
from parley.kit.ids import uuid7
from parley.media import (
    Media,
    Pictures,
    attachment_json,
    create_pending,
    fail_pending,
    get_media,
    object_key,
    store_fetched,
    store_upload,
    thumbnail_key,
)
from parley.media.errors import MediaNotFound
from parley.media.sniffing import OCTET_STREAM
from tests.files import files_under
from tests.media import samples

pytestmark = pytest.mark.anyio


async def upload(runtime: Runtime, pictures: Pictures, caller: Caller, data: bytes, name: str = "a") -> Media:
    return await store_upload(runtime, caller, pictures=pictures, name=name, chunks=samples.pieces(data))


async def announce(runtime: Runtime, workspace_id: UUID, **said: Any) -> UUID:
    values: dict[str, Any] = {
        "kind": "image",
        "name": None,
        "content_type": None,
        "size_bytes": None,
        "source": {"reference": {}},
    }
    async with runtime.db.transaction(workspace_id) as tx:
        return await create_pending(tx, workspace_id, **{**values, **said})


async def fetch(
    runtime: Runtime, pictures: Pictures, workspace_id: UUID, media_id: UUID, data: bytes
) -> Media:
    return await store_fetched(runtime, workspace_id, media_id, samples.pieces(data), pictures=pictures)


async def find(runtime: Runtime, workspace_id: UUID, media_id: UUID) -> Media | None:
    async with runtime.db.transaction(workspace_id) as tx:
        return (await get_media(tx, [media_id])).get(media_id)


async def read(runtime: Runtime, key: str) -> bytes:
    return b"".join([chunk async for chunk in runtime.blobs.open(key)])


def files_of(runtime: Runtime) -> list[Path]:
    return files_under(runtime.settings.data_dir / "files")


async def count_rows(runtime: Runtime, workspace_id: UUID) -> int:
    async with runtime.db.transaction(workspace_id) as tx:
        return int(await tx.fetchval("SELECT count(*) FROM media"))


@pytest.mark.parametrize(
    ("data", "name", "kind", "content_type", "stored_name"),
    [
        (samples.picture(), "../me.html", "image", "image/jpeg", "me.html.jpg"),
        (samples.picture("PNG"), "a.png", "image", "image/png", "a.png"),
        (samples.animation(), "a.gif", "animation", "image/gif", "a.gif"),
        (samples.MP4, "a.mp4", "video", "video/mp4", "a.mp4"),
        (samples.OGG, "", "audio", "audio/ogg", "file.ogg"),
        (samples.PDF, "a.pdf", "file", "application/pdf", "a.pdf"),
        (samples.SVG, "a.png", "file", OCTET_STREAM, "a.png"),
        (samples.HTML, "index.html", "file", OCTET_STREAM, "index.html"),
        (samples.GIF_SCRIPT, "a.gif", "file", OCTET_STREAM, "a.gif"),
        (samples.picture("GIF") + samples.HTML, "a.gif", "file", OCTET_STREAM, "a.gif"),
        (samples.picture(size=(400, 400))[:-900], "cut.jpg", "file", OCTET_STREAM, "cut.jpg"),
        (samples.png_of(50_000, 50_000), "bomb.png", "file", OCTET_STREAM, "bomb.png"),
        (samples.text_bomb_png(), "bomb.png", "file", OCTET_STREAM, "bomb.png"),
        (b"\xff\xd8\xff but not a picture", "a.jpg", "file", OCTET_STREAM, "a.jpg"),
        (b"", "empty.jpg", "file", OCTET_STREAM, "empty.jpg"),
    ],
)
async def test_an_upload_is_what_its_bytes_are(
    runtime: Runtime,
    pictures: Pictures,
    caller: Caller,
    data: bytes,
    name: str,
    kind: str,
    content_type: str,
    stored_name: str,
) -> None:
    media = await upload(runtime, pictures, caller, data, name)
    assert (media.state, media.kind, media.content_type, media.name) == (
        "ready",
        kind,
        content_type,
        stored_name,
    )
    assert media.uploaded_by == caller.actor_id
    assert media == await find(runtime, caller.workspace_id, media.id)
    kept = await read(runtime, object_key(media))
    assert (media.size_bytes, media.sha256) == (len(kept), hashlib.sha256(kept).digest())
    has_thumbnail = kind in ("image", "animation")
    assert await runtime.blobs.exists(thumbnail_key(media)) is has_thumbnail
    assert (media.thumbnail_width is not None) is has_thumbnail
    assert (kept == data) is (kind != "image")
    assert len(files_of(runtime)) == 1 + has_thumbnail


async def test_a_photo_loses_its_exif_and_stands_upright(
    runtime: Runtime, pictures: Pictures, caller: Caller
) -> None:
    media = await upload(runtime, pictures, caller, samples.turned(6, secret="Elm Street"))
    assert (media.width, media.height) == (48, 64)
    assert b"Elm Street" not in await read(runtime, object_key(media))


async def test_too_large_an_upload_is_refused_before_and_while_it_comes(
    runtime: Runtime, pictures: Pictures, caller: Caller
) -> None:
    limit = runtime.settings.upload_limit_bytes
    with pytest.raises(TooLarge):
        await store_upload(
            runtime, caller, pictures=pictures, name="a", chunks=samples.pieces(b""), size_bytes=limit + 1
        )
    with pytest.raises(TooLarge):
        await upload(runtime, pictures, caller, bytes(limit + 1))
    assert files_of(runtime) == []
    assert await count_rows(runtime, caller.workspace_id) == 0
    assert (await upload(runtime, pictures, caller, bytes(limit))).size_bytes == limit


async def test_an_upload_that_breaks_off_leaves_nothing(
    runtime: Runtime, pictures: Pictures, caller: Caller
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(1_000_000)
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await store_upload(runtime, caller, pictures=pictures, name="a", chunks=broken())
    assert files_of(runtime) == []
    assert await count_rows(runtime, caller.workspace_id) == 0


async def test_a_cancelled_upload_leaves_nothing(
    runtime: Runtime, pictures: Pictures, caller: Caller
) -> None:
    is_flowing = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield bytes(1_000_000)
        is_flowing.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(store_upload(runtime, caller, pictures=pictures, name="a", chunks=endless()))
    await is_flowing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files_of(runtime) == []
    assert await count_rows(runtime, caller.workspace_id) == 0


async def test_many_uploads_at_once_are_each_their_own(
    runtime: Runtime, pictures: Pictures, caller: Caller
) -> None:
    datas = [samples.picture(size=(100 + index, 50)) for index in range(8)]
    stored = await asyncio.gather(*(upload(runtime, pictures, caller, data) for data in datas))
    assert [media.width for media in stored] == [100 + index for index in range(8)]


async def test_a_pending_file_says_what_the_provider_says(runtime: Runtime, workspace_id: UUID) -> None:
    media_id = await announce(
        runtime,
        workspace_id,
        kind="voice",
        content_type="Audio/OGG; x=<y>",
        size_bytes=5,
        duration_seconds=2.5,
    )
    media = await find(runtime, workspace_id, media_id)
    assert media is not None
    assert attachment_json(media) == {
        "media_id": attachment_json(media)["media_id"],
        "kind": "voice",
        "name": "file.ogg",
        "content_type": "audio/ogg",
        "size_bytes": 5,
        "width": None,
        "height": None,
        "duration_seconds": 2.5,
        "waveform": None,
        "state": "pending",
        "thumbnail": None,
        "error": None,
    }
    assert media.source == {"reference": {}}


@pytest.mark.parametrize("declared", ["text/html\r\nX: y", "a/b/c", "<script>", "х/у", "/", "a/", None])
async def test_a_declared_type_that_is_none_is_not_kept(
    runtime: Runtime, workspace_id: UUID, declared: str | None
) -> None:
    media = await find(runtime, workspace_id, await announce(runtime, workspace_id, content_type=declared))
    assert media is not None
    assert media.content_type == OCTET_STREAM


@pytest.mark.parametrize(
    ("said", "data", "kind", "content_type"),
    [
        ("image", samples.picture(), "image", "image/jpeg"),
        ("image", samples.SVG, "file", OCTET_STREAM),
        ("image", samples.MP4, "file", "video/mp4"),
        ("sticker", samples.picture("WEBP"), "sticker", "image/webp"),
        ("sticker", samples.WEBM, "sticker", "video/webm"),
        ("sticker", samples.animation("WEBP"), "animation", "image/webp"),
        ("animation", samples.MP4, "animation", "video/mp4"),
        ("animation", samples.animation(), "animation", "image/gif"),
        ("animation", samples.picture("GIF"), "image", "image/gif"),
        ("voice", samples.OGG, "voice", "audio/ogg"),
        ("voice", samples.MP4, "voice", "audio/mp4"),
        ("voice", samples.PDF, "file", "application/pdf"),
        ("audio", samples.MP3, "audio", "audio/mpeg"),
        ("video", samples.HTML, "file", OCTET_STREAM),
        ("file", samples.MP4, "file", "video/mp4"),
    ],
)
async def test_the_providers_kind_holds_where_the_bytes_fit(
    runtime: Runtime,
    pictures: Pictures,
    workspace_id: UUID,
    said: str,
    data: bytes,
    kind: str,
    content_type: str,
) -> None:
    media_id = await announce(runtime, workspace_id, kind=said, content_type="image/png")
    media = await fetch(runtime, pictures, workspace_id, media_id, data)
    assert (media.state, media.kind, media.content_type) == ("ready", kind, content_type)


async def test_a_picture_sent_as_a_file_stays_the_file_it_is(
    runtime: Runtime, pictures: Pictures, workspace_id: UUID
) -> None:
    data = samples.turned(6, secret="kept")
    media = await fetch(
        runtime, pictures, workspace_id, await announce(runtime, workspace_id, kind="file"), data
    )
    assert media.kind == "file"
    assert media.thumbnail_width == 48
    assert not media.is_shown_inline
    assert await read(runtime, object_key(media)) == data


async def test_fetching_twice_keeps_the_first(
    runtime: Runtime, pictures: Pictures, workspace_id: UUID
) -> None:
    media_id = await announce(runtime, workspace_id)
    first = await fetch(runtime, pictures, workspace_id, media_id, samples.picture())
    second = await fetch(runtime, pictures, workspace_id, media_id, samples.picture("PNG"))
    assert first == second
    async with runtime.db.transaction(workspace_id) as tx:
        assert not await fail_pending(tx, workspace_id, media_id, error="too late")
    assert await find(runtime, workspace_id, media_id) == first


async def test_a_fetch_that_fails_leaves_the_file_pending_and_may_be_tried_again(
    runtime: Runtime, pictures: Pictures, workspace_id: UUID
) -> None:
    media_id = await announce(runtime, workspace_id)
    with pytest.raises(TooLarge):
        await store_fetched(
            runtime, workspace_id, media_id, samples.pieces(bytes(100)), pictures=pictures, limit_bytes=99
        )
    media = await find(runtime, workspace_id, media_id)
    assert media is not None
    assert media.state == "pending"
    assert files_of(runtime) == []
    async with runtime.db.transaction(workspace_id) as tx:
        assert await fail_pending(tx, workspace_id, media_id, error="too large" * 100)
    failed = await find(runtime, workspace_id, media_id)
    assert failed is not None
    assert attachment_json(failed)["error"].startswith("too large")
    ready = await fetch(runtime, pictures, workspace_id, media_id, samples.picture())
    assert (ready.state, ready.error) == ("ready", None)


async def test_a_fetch_that_comes_late_and_fails_does_not_touch_what_is_ready(
    runtime: Runtime, pictures: Pictures, workspace_id: UUID
) -> None:
    media_id = await announce(runtime, workspace_id)
    has_begun, may_fail = asyncio.Event(), asyncio.Event()

    async def late() -> AsyncIterator[bytes]:
        yield samples.turned(6, secret="Elm")
        has_begun.set()
        await may_fail.wait()
        raise ConnectionError("gone")

    task = asyncio.create_task(store_fetched(runtime, workspace_id, media_id, late(), pictures=pictures))
    await has_begun.wait()
    media = await fetch(runtime, pictures, workspace_id, media_id, samples.turned(6, secret="Elm"))
    may_fail.set()
    with pytest.raises(ConnectionError):
        await task
    kept = await read(runtime, object_key(media))
    assert hashlib.sha256(kept).digest() == media.sha256
    assert b"Elm" not in kept
    assert len(files_of(runtime)) == 2


async def test_a_file_of_another_workspace_is_not_found(
    runtime: Runtime, pictures: Pictures, workspace_id: UUID
) -> None:
    media_id = await announce(runtime, workspace_id)
    with pytest.raises(MediaNotFound):
        await fetch(runtime, pictures, uuid7(), media_id, samples.picture())
    assert await find(runtime, uuid7(), media_id) is None

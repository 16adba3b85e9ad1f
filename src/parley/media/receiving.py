"""How bytes become a file: streamed into the store, typed by what they are, pictures made harmless.

The row comes first and the bytes after it, so that whatever a crash leaves is found by its row and swept
(`parley.media.cleaning`). No transaction is open while bytes flow.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import structlog

from parley.accounts import Caller
from parley.infra.blobs import Blobs
from parley.infra.db import Tx
from parley.infra.runtime import Runtime
from parley.kit.errors import ParleyError, TooLarge
from parley.kit.ids import uuid7
from parley.kit.text import clean_text
from parley.media import store
from parley.media.attachments import Media, MediaKind, incoming_key, object_key, thumbnail_key
from parley.media.errors import MediaNotFound
from parley.media.names import clean_file_name, match_extension
from parley.media.pictures import SOUND_TYPES, Pictures, Rendered
from parley.media.sniffing import HEAD_BYTES, OCTET_STREAM, PICTURES, kind_of_type, sniff_type

LISTEN_BYTES = 10 * 1024 * 1024
"""Sounds that are no voice notes are decoded up to this: some minutes of music, a second or two of a core."""
_MAX_ERROR = 200
# What a provider's word for a file may turn out to be; anything else is a "file".
_FITTING = {
    "image": ("image",),
    "sticker": ("image", "video"),
    "animation": ("image", "video"),
    "video": ("video",),
    "audio": ("audio", "video"),
    "voice": ("audio", "video"),
}

log = structlog.get_logger()


async def create_pending(
    tx: Tx,
    workspace_id: UUID,
    *,
    kind: MediaKind,
    name: str | None,
    content_type: str | None,
    size_bytes: int | None,
    source: dict[str, Any],
    width: int | None = None,
    height: int | None = None,
    duration_seconds: float | None = None,
) -> UUID:
    """Note a file that is at a provider, with what the provider says of it; return its id.

    ``source`` is kept for whoever fetches it: ``{"inbox_id", "reference"}``. Nothing said is believed once the bytes
    are here.
    """
    declared = _clean_type(content_type)
    media = _new_media(
        workspace_id,
        tx,
        kind=kind,
        name=clean_file_name(name or "", declared),
        content_type=declared,
        size_bytes=size_bytes if size_bytes is not None and size_bytes >= 0 else None,
        width=_positive(width),
        height=_positive(height),
        duration_seconds=duration_seconds,
        source=source,
    )
    await store.insert_media(tx, media)
    return media.id


async def fail_pending(tx: Tx, workspace_id: UUID, media_id: UUID, *, error: str) -> bool:
    """Say that a pending file will not come, and why. Returns whether it changed: what is ready stays ready."""
    return await store.mark_failed(tx, workspace_id, media_id, error[:_MAX_ERROR])


async def store_fetched(
    runtime: Runtime,
    workspace_id: UUID,
    media_id: UUID,
    chunks: AsyncIterator[bytes],
    *,
    pictures: Pictures,
    limit_bytes: int | None = None,
) -> Media:
    """Stream a pending file in and mark it ready.

    Repeat: a file that is ready is returned as it is and ``chunks`` are not read; one that failed is tried again.
    When it raises, the file is pending as before. Two that run at once for one file do no harm: bytes that are served
    are only ever replaced as a whole.
    Raises: MediaNotFound, TooLarge, Unavailable, whatever ``chunks`` raises.
    """
    async with runtime.db.transaction(workspace_id) as tx:
        media = (await get_media(tx, [media_id])).get(media_id)
    if media is None:
        raise MediaNotFound
    if media.state == "ready":
        return media
    limit = runtime.settings.upload_limit_bytes if limit_bytes is None else limit_bytes
    return await _receive(runtime, pictures, media, chunks, limit)


async def store_upload(
    runtime: Runtime,
    caller: Caller,
    *,
    pictures: Pictures,
    name: str,
    chunks: AsyncIterator[bytes],
    size_bytes: int | None = None,
    is_voice: bool = False,
) -> Media:
    """Stream an upload in and return it, ready. ``size_bytes`` is what the client announced, refused at once if too much.

    ``is_voice``: it was recorded to be heard in place; what turns out to be no sound alone becomes what it is instead.

    When it raises, or is cancelled, nothing is left of it.
    Raises: TooLarge, Unavailable, whatever ``chunks`` raises.
    """
    limit = runtime.settings.upload_limit_bytes
    if size_bytes is not None and size_bytes > limit:
        raise TooLarge("The file is larger than may be uploaded.", limit_bytes=limit)
    async with runtime.db.transaction(caller.workspace_id) as tx:
        media = _new_media(
            caller.workspace_id,
            tx,
            kind="voice" if is_voice else "file",
            name=clean_text(name),
            uploaded_by=caller.actor_id,
        )
        await store.insert_media(tx, media)
    try:
        return await _receive(runtime, pictures, media, chunks, limit)
    except BaseException:
        keys = (incoming_key(media), thumbnail_key(media), object_key(media))
        await asyncio.shield(asyncio.ensure_future(_drop_objects(runtime.blobs, media, keys)))
        await asyncio.shield(asyncio.ensure_future(_forget(runtime, media)))
        raise


async def get_media(tx: Tx, ids: list[UUID]) -> dict[UUID, Media]:
    """Return the files of these ids that exist in the transaction's workspace."""
    return {media.id: media for media in await store.list_media(tx, ids)} if ids else {}


def _new_media(workspace_id: UUID, tx: Tx, **known: Any) -> Media:
    values: dict[str, Any] = dict.fromkeys(Media.__struct_fields__)
    values |= {
        "kind": "file",
        "name": "",
        "content_type": OCTET_STREAM,
        "state": "pending",
        "created_at": tx.now,
    }
    return Media(**{**values, "workspace_id": workspace_id, "id": uuid7(), **known})


async def _receive(
    runtime: Runtime, pictures: Pictures, media: Media, chunks: AsyncIterator[bytes], limit_bytes: int
) -> Media:
    try:
        known = await _take_in(runtime.blobs, pictures, media, chunks, limit_bytes)
    finally:
        keys = (incoming_key(media),)
        await asyncio.shield(asyncio.ensure_future(_drop_objects(runtime.blobs, media, keys)))
    async with runtime.db.transaction(media.workspace_id) as tx:
        ready = await store.mark_ready(tx, media.id, known)
    if ready is None:
        raise MediaNotFound
    return ready


async def _take_in(
    blobs: Blobs, pictures: Pictures, media: Media, chunks: AsyncIterator[bytes], limit_bytes: int
) -> dict[str, Any]:
    """Store the bytes and what is derived of them; return what is known of them now."""
    key = incoming_key(media)
    head = bytearray()
    stored = await blobs.put_stream(key, _keep_head(chunks, head), limit_bytes=limit_bytes)
    content_type = sniff_type(bytes(head))
    is_upload = media.source is None
    rendered = None
    if content_type in PICTURES:
        # what a person sent as a file stays the file it is; it only gets a thumbnail
        picture_key = object_key(media) if is_upload or media.kind != "file" else None
        rendered = await pictures.render(
            blobs, key, stored.size_bytes, thumbnail_key=thumbnail_key(media), picture_key=picture_key
        )
        if rendered is None or rendered.content_type != content_type:
            rendered, content_type = None, OCTET_STREAM
            await blobs.delete(thumbnail_key(media))
    sound = None
    if content_type in SOUND_TYPES and _is_worth_hearing(media, content_type, stored.size_bytes):
        sound = await pictures.listen(blobs, key, stored.size_bytes, content_type)
    if rendered is not None and rendered.picture is not None:
        stored = rendered.picture
    else:
        await blobs.move(key, object_key(media))
    is_voice = sound is not None and not sound.has_film
    said = None if is_upload and not (media.kind == "voice" and is_voice) else media.kind
    kind = _decide_kind(said, content_type, rendered)
    return {
        **_describe(media, kind, content_type, rendered),
        "duration_seconds": sound.duration_seconds if sound else media.duration_seconds,
        "waveform": sound.waveform if sound and kind in ("voice", "audio") else None,
        "size_bytes": stored.size_bytes,
        "sha256": stored.sha256,
    }


def _is_worth_hearing(media: Media, content_type: str, size_bytes: int) -> bool:
    """Voice notes always; other sounds while they do not keep the line waiting; films never."""
    return media.kind == "voice" or (content_type.startswith("audio/") and size_bytes <= LISTEN_BYTES)


def _describe(media: Media, kind: str, content_type: str, rendered: Rendered | None) -> dict[str, Any]:
    """Return what is to be written of a file; sizes that the provider said stay where we cannot measure."""
    if kind in ("audio", "voice") and content_type.startswith("video/"):
        content_type = content_type.replace("video/", "audio/").replace("quicktime", "mp4")
    name = clean_file_name(media.name, content_type)
    width, height = (media.width, media.height) if kind != "file" else (None, None)
    return {
        "kind": kind,
        "name": match_extension(name, content_type) if kind != "file" else name,
        "content_type": content_type,
        "width": rendered.width if rendered else width,
        "height": rendered.height if rendered else height,
        "thumbnail_width": rendered.thumbnail_width if rendered else None,
        "thumbnail_height": rendered.thumbnail_height if rendered else None,
    }


def _decide_kind(said: str | None, content_type: str, rendered: Rendered | None) -> str:
    """Return what the file is shown as. ``said`` is the provider's word, None for uploads."""
    if rendered is not None and rendered.is_animated:
        return "file" if said == "file" else "animation"
    found = kind_of_type(content_type)
    if said is None:
        return found
    if said == "animation" and found == "image":
        return "image"
    return said if found in _FITTING.get(said, ()) else "file"


async def _keep_head(chunks: AsyncIterator[bytes], head: bytearray) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        if len(head) < HEAD_BYTES:
            head += chunk[: HEAD_BYTES - len(head)]
        yield chunk


async def _drop_objects(blobs: Blobs, media: Media, keys: tuple[str, ...]) -> None:
    try:
        for key in keys:
            await blobs.delete(key)
    except ParleyError:
        log.warning(
            "media.objects_left", media_id=str(media.id), exc_info=True
        )  # the row is there: swept later


async def _forget(runtime: Runtime, media: Media) -> None:
    try:
        async with runtime.db.transaction(media.workspace_id) as tx:
            await store.delete_media(tx, [media.id])
    except ParleyError:
        log.warning(
            "media.row_left", media_id=str(media.id), exc_info=True
        )  # swept with the uploads nobody used


def _clean_type(declared: str | None) -> str:
    text = (declared or "").split(";")[0].strip().lower()
    family, _, subtype = text.partition("/")
    is_type = family.isalpha() and subtype.replace("-", "").replace(".", "").replace("+", "").isalnum()
    return text if is_type and text.isascii() and len(text) <= 100 else OCTET_STREAM


def _positive(value: int | None) -> int | None:
    return value if value is not None and 0 < value < 2**31 else None

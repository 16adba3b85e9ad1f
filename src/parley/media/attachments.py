"""The file as the rest of the house sees it: one value, its keys in the object store, its public shape."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any, Literal
from uuid import UUID

import msgspec

from parley.accounts import Caller
from parley.infra.db import Tx
from parley.kit.ids import public_id
from parley.media.sniffing import PICTURES

MediaKind = Literal["image", "video", "audio", "voice", "animation", "sticker", "file"]
MediaState = Literal["pending", "ready", "failed"]

MediaAccess = Callable[[Tx, Caller, UUID], Awaitable[bool]]
"""Port: whether the caller may see a conversation that the file is attached in. Asked only of files that exist."""


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """A file: where it comes from, and what is known of it. Of a pending one, only what the provider said.

    ``source`` is what `create_pending` was given. ``sha256`` and ``size_bytes`` are of the bytes that are served.
    An image or sticker that is ready has been re-encoded: it holds nothing but a picture. An animated PNG or WebP has
    lost its EXIF and texts.
    """

    workspace_id: UUID
    id: UUID
    state: MediaState
    kind: MediaKind
    name: str
    content_type: str
    size_bytes: int | None
    sha256: bytes | None
    width: int | None
    height: int | None
    duration_seconds: float | None
    waveform: list[int] | None
    thumbnail_width: int | None
    thumbnail_height: int | None
    error: str | None
    source: dict[str, Any] | None
    uploaded_by: UUID | None
    created_at: dt.datetime

    @property
    def is_shown_inline(self) -> bool:
        """Whether a browser may show the bytes in place: re-encoded pictures, sound and film."""
        if self.kind in ("image", "sticker") and self.content_type in PICTURES:
            return True
        return self.kind != "file" and self.content_type.startswith(("audio/", "video/"))


def object_key(media: Media) -> str:
    """Return where the bytes are in the object store."""
    return f"{media.workspace_id}/{media.id}/content"


def thumbnail_key(media: Media) -> str:
    """Return where the thumbnail is, if there is one."""
    return f"{media.workspace_id}/{media.id}/thumbnail"


def incoming_key(media: Media) -> str:
    """Return where bytes are while they come in: what is served is only ever replaced by what is finished."""
    return f"{media.workspace_id}/{media.id}/incoming"


def attachment_json(media: Media) -> dict[str, Any]:
    """Return the public shape of a file within a message."""
    return {"media_id": public_id("med", media.id), **_public_fields(media), "error": media.error}


def media_json(media: Media) -> dict[str, Any]:
    """Return the public shape of a file by itself."""
    return {"id": public_id("med", media.id), **_public_fields(media)}


def _public_fields(media: Media) -> dict[str, Any]:
    thumbnail = None
    if media.thumbnail_width and media.thumbnail_height:
        thumbnail = {"width": media.thumbnail_width, "height": media.thumbnail_height}
    return {
        "kind": media.kind,
        "name": media.name,
        "content_type": media.content_type,
        "size_bytes": media.size_bytes,
        "width": media.width,
        "height": media.height,
        "duration_seconds": media.duration_seconds,
        "waveform": media.waveform,
        "state": media.state,
        "thumbnail": thumbnail,
    }

"""Files in JSON."""

from __future__ import annotations

import msgspec

from parley.media.attachments import Media, MediaKind, MediaState, media_json


class ThumbnailJson(msgspec.Struct, kw_only=True):
    """The size of the small picture, in pixels."""

    width: int
    height: int


class MediaJson(msgspec.Struct, kw_only=True, rename={"media_id": "id"}):
    """A file. ``size_bytes``, ``width`` and ``height`` are null where they are not known.

    ``waveform``: of a sound that was decoded here, heights of at most 100 bars, 0 to 31.
    """

    media_id: str
    kind: MediaKind
    name: str
    content_type: str
    size_bytes: int | None
    width: int | None
    height: int | None
    duration_seconds: float | None
    waveform: list[int] | None
    state: MediaState
    thumbnail: ThumbnailJson | None


def to_json(media: Media) -> MediaJson:
    """Return the public shape of a file."""
    return msgspec.convert(media_json(media), MediaJson)

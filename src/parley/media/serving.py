"""The headers under which files go out, and the arithmetic of ranges (RFC 9110, section 14)."""

from __future__ import annotations

import re
from typing import Literal

from parley.media.attachments import Media
from parley.media.names import format_disposition

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)

SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
"""What keeps a file from being a page of ours, whatever is in it."""


def parse_range(header: str | None, size_bytes: int) -> tuple[int, int] | Literal["unsatisfiable"] | None:
    """Return (start, end) with ``end`` behind the last byte; None when the whole is to be sent.

    Several ranges, and what is not understood, mean the whole, as the RFC allows.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size_bytes)
        return (size_bytes - length, size_bytes) if length else "unsatisfiable"
    start = int(match[1])
    if match[2] and int(match[2]) < start:
        return None
    end = min(int(match[2]) + 1, size_bytes) if match[2] else size_bytes
    return (start, end) if start < size_bytes else "unsatisfiable"


def entity_tag(media: Media) -> str:
    """Return the strong ETag of the bytes: their SHA-256."""
    assert media.sha256 is not None
    return f'"{media.sha256.hex()}"'


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Whether the client has these bytes already."""
    if if_none_match is None:
        return False
    given = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return "*" in given or tag in given


def content_headers(media: Media, *, is_inline: bool) -> dict[str, str]:
    """Return the headers of a file's bytes. ``is_inline`` is granted only to what is safe to show in place."""
    disposition = "inline" if is_inline and media.is_shown_inline else "attachment"
    return {
        **SAFETY,
        "Content-Disposition": format_disposition(disposition, media.name),
        "Accept-Ranges": "bytes",
        "ETag": entity_tag(media),
        # kept, but asked for again each time: the right to see it may be gone
        "Cache-Control": "private, no-cache",
    }


def thumbnail_headers() -> dict[str, str]:
    """Return the headers of a thumbnail: it never changes under its address."""
    return {
        **SAFETY,
        "Content-Disposition": "inline",
        "Cache-Control": "private, max-age=31536000, immutable",
    }

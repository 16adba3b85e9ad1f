"""What bytes are, by their first bytes alone: the name and the declared type of a file are never believed.

Only the kinds that are shown have a name here; all else is `OCTET_STREAM`, and so is whatever could be read in two
ways. SVG, HTML and XML have no magic of their own here: they are files.
"""

from __future__ import annotations

import re

HEAD_BYTES = 16 * 1024
"""How much of a file's beginning `sniff_type` wants to see."""

OCTET_STREAM = "application/octet-stream"

PICTURES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
"""What the thumbnailer decodes."""

EXTENSIONS = {
    "image/jpeg": ("jpg", "jpeg", "jpe", "jfif"),
    "image/png": ("png", "apng"),
    "image/webp": ("webp",),
    "image/gif": ("gif",),
    "image/heic": ("heic", "heif"),
    "image/avif": ("avif",),
    "video/mp4": ("mp4", "m4v", "3gp"),
    "video/webm": ("webm",),
    "video/quicktime": ("mov", "qt"),
    "audio/ogg": ("ogg", "oga", "opus"),
    "audio/webm": ("weba", "webm"),
    "audio/mpeg": ("mp3",),
    "audio/mp4": ("m4a", "m4b", "mp4"),
    "audio/wav": ("wav",),
    "application/pdf": ("pdf",),
    "application/zip": ("zip",),
}
"""File name endings of each type, the usual one first."""

_MARKUP_BYTES = 4096
# What a browser that guesses, or a PDF reader that searches, would take for a document.
_MARKUP = re.compile(
    rb"<\s*(?:!doctype|html|head|body|script|svg|iframe|object|embed|img|meta|title)[\s>/]|<\?php|javascript:|.%PDF-",
    re.IGNORECASE | re.DOTALL,
)

_BRANDS = {
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"), "image/heic"),
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1"), "video/mp4"),
    **dict.fromkeys((b"dash", b"M4V ", b"MSNV", b"3gp4", b"3gp5", b"3gp6", b"3g2a"), "video/mp4"),
}
_OFFICE = {
    b"word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    b"xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    b"ppt/": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_OPEN_DOCUMENT = re.compile(
    rb"^.{26}\x08\0..mimetype(application/vnd\.oasis\.opendocument\.(?:text|spreadsheet|presentation))",
    re.DOTALL,
)


def sniff_type(head: bytes) -> str:
    """Return the content type of a file that begins with ``head`` (`HEAD_BYTES` of it, or all)."""
    found = _match(head)
    if found != OCTET_STREAM and _is_ambiguous(head):
        return OCTET_STREAM
    return found


def kind_of_type(content_type: str) -> str:
    """Return what an upload of this type is shown as: image, video, audio or file."""
    if content_type in PICTURES:
        return "image"
    family = content_type.split("/", maxsplit=1)[0]
    return family if family in ("video", "audio") else "file"


def _is_ambiguous(head: bytes) -> bool:
    # a GIF whose width spells "/*" opens a comment: the trick of every GIF that is also a script
    return bool(_MARKUP.search(head[:_MARKUP_BYTES])) or (head[:3] == b"GIF" and head[6:8] == b"/*")


def _match(head: bytes) -> str:
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(head[8:12], OCTET_STREAM)
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], OCTET_STREAM)
    if head[:4] == b"\x1aE\xdf\xa3":
        return _match_webm(head)
    if head[:4] == b"OggS":
        has_sound = any(mark in head[:64] for mark in (b"OpusHead", b"\x01vorbis", b"Speex  "))
        return "audio/ogg" if has_sound else OCTET_STREAM
    if head.startswith(b"ID3") or _is_mp3_frame(head):
        return "audio/mpeg"
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    return _match_zip(head) if head[:4] in (b"PK\x03\x04", b"PK\x05\x06") else OCTET_STREAM


def _match_webm(head: bytes) -> str:
    if b"webm" not in head[:64]:
        return OCTET_STREAM
    has_sound = b"A_OPUS" in head or b"A_VORBIS" in head
    return "audio/webm" if has_sound and b"V_" not in head else "video/webm"


def _is_mp3_frame(head: bytes) -> bool:
    """Whether an MPEG layer III frame begins here: sync, layer, a real bitrate and sample rate."""
    return (
        len(head) >= 4
        and head[0] == 0xFF
        and head[1] & 0xE6 == 0xE2
        and head[1] & 0x18 != 0x08
        and head[2] >> 4 not in (0, 15)
        and head[2] & 0x0C != 0x0C
    )


def _match_zip(head: bytes) -> str:
    document = _OPEN_DOCUMENT.match(head)
    if document:
        return document[1].decode()
    if b"[Content_Types].xml" in head or b"_rels/.rels" in head:
        for folder, content_type in _OFFICE.items():
            if folder in head:
                return content_type
    return "application/zip"

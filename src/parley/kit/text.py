"""Text as it crosses borders: cleaning, cutting, and offsets in UTF-16 units."""

from __future__ import annotations

import re

# C0 controls but tab and newline, DEL, C1; PostgreSQL refuses NUL, screens misbehave on the rest.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Overrides of writing direction, by which a name can show itself as another.
_BIDI = re.compile(r"[\u202a-\u202e\u2066-\u2069\u200e\u200f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Return the text without what cannot be stored or shown: controls and lone surrogates.

    Line ends become ``\\n``. Never lengthens the text, and keeps everything a person typed.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub("", text))


def clean_name(text: str, *, limit: int = 200) -> str:
    """Return a name on one line, without direction overrides, of at most ``limit`` characters."""
    text = _BIDI.sub("", clean_text(text)).replace("\n", " ").replace("\t", " ")
    return " ".join(text.split())[:limit].strip()


def utf16_length(text: str) -> int:
    """Return the length in UTF-16 code units, as Telegram and JavaScript count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf16_slice(text: str, offset: int, length: int) -> str:
    """Return the part of the text that starts at UTF-16 ``offset`` and is ``length`` units long."""
    raw = text.encode("utf-16-le", "surrogatepass")
    return raw[offset * 2 : (offset + length) * 2].decode("utf-16-le", "replace")


def split_text(text: str, limit: int) -> list[str]:
    """Cut a text into pieces of at most ``limit`` UTF-16 units, at a paragraph, line or word end if it can.

    The pieces joined hold every visible character of the text, in order: each is a stretch of it, and only white
    space lies between them. A text without a visible character gives no piece. ``limit`` is at least 2.
    """
    pieces: list[str] = []
    rest = text
    while utf16_length(rest) > limit:
        cut = _cut_at(rest, limit)
        pieces.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    pieces.append(rest)
    return [piece for piece in pieces if piece.strip()]


def _cut_at(text: str, limit: int) -> int:
    """Return how many characters go into the first piece: at least one, never half of a surrogate pair."""
    raw = text.encode("utf-16-le", "surrogatepass")
    head = raw[: limit * 2].decode("utf-16-le", "surrogatepass")
    if text[len(head) - 1] != head[-1]:
        head = head[:-1]
    for end in ("\n\n", "\n", " "):
        cut = head.rfind(end)
        if cut > len(head) // 2:
            return cut
    return len(head)

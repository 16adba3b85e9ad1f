"""Formatting of text, between our words and Telegram's. Pure; whatever does not fit is dropped, never an
error.

Both sides count in UTF-16 units. Source: core.telegram.org/bots/api#messageentity.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from parley.channels.contract import Entity
from parley.kit.text import clean_text, utf16_length

ENTITIES_LIMIT = 100
"""Telegram keeps the first hundred entities of a message (limits.tginfo.me; the Bot API is silent)."""
URL_LIMIT = 2048

_KINDS_IN = {
    "bold": "bold",
    "italic": "italic",
    "underline": "underline",
    "strikethrough": "strikethrough",
    "spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote",
    "text_link": "link",
    "mention": "mention",
    "text_mention": "mention",
    "hashtag": "hashtag",
    "bot_command": "command",
    "url": "url",
    "email": "email",
    "phone_number": "phone",
}
# Mentions, hashtags, commands and bare addresses are found by Telegram itself.
_KINDS_OUT = {
    "bold": "bold",
    "italic": "italic",
    "underline": "underline",
    "strikethrough": "strikethrough",
    "spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "link": "text_link",
}
# What may stand in a link that an agent clicks; all else (javascript:, data:, file:) is dropped.
_SCHEMES_IN = frozenset({"http", "https", "tg", "mailto", "tel"})
_SCHEMES_OUT = frozenset({"http", "https", "tg"})
# Nothing may stand inside these.
_CLOSED = frozenset({"code", "pre"})
_LINE_END = "\r\n".encode("utf-16-le")


def parse_text(
    text: str, found: Iterable[tuple[str, int, int, str | None, str | None]]
) -> tuple[str, list[Entity]]:
    """Return a received text, cleaned, and its formatting at the cleaned offsets.

    ``found`` holds Telegram's (type, offset, length, url, language).
    """
    entities = []
    for kind, offset, length, url, language in itertools.islice(found, 2 * ENTITIES_LIMIT):
        ours = _KINDS_IN.get(kind)
        if ours is None:
            continue
        entities.append(
            Entity(
                kind=ours,
                offset=offset,
                length=length,
                url=url if kind == "text_link" else None,
                language=clean_text(language)[:40] if kind == "pre" and language else None,
            )
        )
    good = valid_entities(text, entities, _SCHEMES_IN)
    cleaned = clean_text(text)
    return cleaned, good if cleaned == text else _moved(text, cleaned, good)


def sendable_entities(text: str, entities: Iterable[Entity]) -> list[Entity]:
    """Return the formatting of a text of ours that Telegram has a word for, without what lies outside the text."""
    return valid_entities(text, [one for one in entities if one.kind in _KINDS_OUT], _SCHEMES_OUT)


def format_entities(entities: Sequence[Entity]) -> list[dict[str, Any]]:
    """Return Telegram's form of sendable formatting, as much of it as one message may have."""
    return [_format(entity) for entity in entities[:ENTITIES_LIMIT]]


def entities_within(entities: Sequence[Entity], start: int, length: int) -> list[Entity]:
    """Return what falls on a stretch of the text, with offsets counted from its start."""
    result = []
    for entity in entities:
        begin = max(entity.offset, start)
        end = min(entity.offset + entity.length, start + length)
        if begin < end:
            result.append(
                Entity(
                    kind=entity.kind,
                    offset=begin - start,
                    length=end - begin,
                    url=entity.url,
                    language=entity.language,
                )
            )
    return result


def valid_entities(text: str, entities: Iterable[Entity], schemes: frozenset[str]) -> list[Entity]:
    """Return the entities that lie in the text and nest; those that cross an earlier one are dropped."""
    entities = list(entities)
    if not entities:
        return []
    borders = _borders(text)
    result: list[Entity] = []
    open_: list[Entity] = []
    seen: set[tuple[str, int, int]] = set()
    for entity in sorted(entities, key=lambda one: (one.offset, -one.length)):
        key = (entity.kind, entity.offset, entity.length)
        if key in seen or not _is_sound(entity, borders, schemes):
            continue
        while open_ and _end(open_[-1]) <= entity.offset:
            open_.pop()
        if open_ and (_end(entity) > _end(open_[-1]) or open_[-1].kind in _CLOSED):
            continue
        seen.add(key)
        open_.append(entity)
        result.append(entity)
    return result


def _format(entity: Entity) -> dict[str, Any]:
    result: dict[str, Any] = {
        "type": _KINDS_OUT[entity.kind],
        "offset": entity.offset,
        "length": entity.length,
    }
    if entity.kind == "link":
        result["url"] = entity.url
    if entity.kind == "pre" and entity.language:
        result["language"] = entity.language
    return result


def _end(entity: Entity) -> int:
    return entity.offset + entity.length


def _is_sound(entity: Entity, borders: set[int], schemes: frozenset[str]) -> bool:
    if entity.length <= 0 or entity.offset not in borders or _end(entity) not in borders:
        return False
    return entity.kind != "link" or _is_link(entity.url, schemes)


def _is_link(url: str | None, schemes: frozenset[str]) -> bool:
    if not url or len(url) > URL_LIMIT or clean_text(url) != url or any(char.isspace() for char in url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.netloc or parts.path)


def _borders(text: str) -> set[int]:
    """Return the UTF-16 offsets at which a character begins or the text ends."""
    borders = {0}
    offset = 0
    for char in text:
        offset += 2 if ord(char) > 0xFFFF else 1
        borders.add(offset)
    return borders


def _moved(text: str, cleaned: str, entities: Sequence[Entity]) -> list[Entity]:
    """Return the entities at the offsets that their ends have after cleaning.

    One walk over the text, whatever the number of entities: each stretch between two ends is cleaned once, and a
    line end of two characters that is cut by an end counts once.
    """
    limit = utf16_length(cleaned)
    raw = text.encode("utf-16-le", "surrogatepass")
    ends = sorted({end for entity in entities for end in (entity.offset, _end(entity))})
    moved: dict[int, int] = {}
    done = length = 0
    for end in ends:
        stretch = raw[done * 2 : end * 2].decode("utf-16-le", "surrogatepass")
        length += utf16_length(clean_text(stretch))
        if done and raw[done * 2 - 2 : done * 2 + 2] == _LINE_END and end > done:
            length -= 1
        moved[end] = min(length, limit)
        done = end
    result = []
    for entity in entities:
        begin, end = moved[entity.offset], moved[_end(entity)]
        if begin < end:
            result.append(
                Entity(
                    kind=entity.kind,
                    offset=begin,
                    length=end - begin,
                    url=entity.url,
                    language=entity.language,
                )
            )
    return result

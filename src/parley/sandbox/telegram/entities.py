"""Formatted text as Telegram counts it: entities in UTF-16 units, parsed from HTML or given as a list.

Source: core.telegram.org/bots/api#formatting-options, error texts as in tdlib's `MessageEntity.cpp`.
"""

import re
from dataclasses import dataclass
from typing import Any

from parley.sandbox.telegram.errors import bad_request

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
ENTITIES_LIMIT = 100

Entity = dict[str, Any]

_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "tg-emoji": "custom_emoji",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
_EXTRA_KEYS = {
    "text_link": "url",
    "pre": "language",
    "custom_emoji": "custom_emoji_id",
    "text_mention": "user",
}
_FORMATS = frozenset(_TAGS.values()) | {"expandable_blockquote", "text_mention"}
_FOUND_BY_SERVER = frozenset(
    [
        "mention",
        "hashtag",
        "cashtag",
        "bot_command",
        "url",
        "email",
        "phone_number",
        "bank_card_number",
        "date_time",
    ]
)
_REFERENCE = re.compile(r"&(#\d{1,7}|#x[0-9a-fA-F]{1,6}|lt|gt|amp|quot);")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_DETECTED = (
    ("url", re.compile(r"https?://[^\s<>\"']+|(?<![\w@./])(?:[\w-]+\.)+(?:com|org|net|ru|io|dev|me)(?:/[^\s<>\"']*)?(?!\w)")),
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]+@(?:[\w-]+\.)+[a-zA-Z]{2,}")),
    ("mention", re.compile(r"(?<![\w@/.])@[A-Za-z][A-Za-z0-9_]{3,31}(?!\w)")),
    ("bot_command", re.compile(r"(?<![\w/@.])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/])")),
    ("hashtag", re.compile(r"(?<![\w#])#(?!\d+\b)\w{1,256}")),
)  # fmt: skip
_CONTROL = {code: " " for code in range(32) if code != 10} | {0x2028: " ", 0x2029: " ", 13: ""}


@dataclass(slots=True)
class _Open:
    tag: str
    argument: str
    start: int
    pieces: int


def utf16_length(text: str) -> int:
    """Length in UTF-16 units, the measure of every offset and limit of Telegram."""
    return len(text) + sum(letter > "\uffff" for letter in text)


def utf16_slice(text: str, offset: int, length: int) -> str:
    """The part of `text` at these UTF-16 units."""
    raw = text.encode("utf-16-le")[2 * offset : 2 * (offset + length)]
    return raw.decode("utf-16-le", "ignore")


def format_text(
    text: str, entities: list[Any] | None, parse_mode: str, limit: int, too_long: str
) -> tuple[str, list[Entity]]:
    """What Telegram stores for a text: cleaned, trimmed, with given and detected entities in order.

    `limit` counts UTF-16 units after parsing. Raises: BotApiError where Telegram refuses the formatting, and
    `too_long` for a text above the limit.
    """
    text = text.translate(_CONTROL)
    if parse_mode:
        if parse_mode.lower() != "html":
            raise bad_request("unsupported parse_mode")
        text, found = parse_html(text)
    else:
        found = _check_entities(text, entities or [])
    text, found = _trim(text, found)
    if utf16_length(text) > limit:
        raise bad_request(too_long)
    found += _detect(text, found)
    found.sort(key=lambda entity: (entity["offset"], -entity["length"]))
    return text, found[:ENTITIES_LIMIT]


def parse_html(text: str) -> tuple[str, list[Entity]]:
    """Text and entities of Telegram's HTML. Raises: BotApiError "can't parse entities: ..."."""
    return _HtmlParser(text).run()


class _HtmlParser:
    """One pass over the text; `_at` is the next unread character."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._out: list[str] = []
        self._length = 0
        self._open: list[_Open] = []
        self._entities: list[Entity] = []

    def run(self) -> tuple[str, list[Entity]]:
        while self._at < len(self._text):
            if self._text[self._at] != "<":
                self._emit(self._character())
            elif self._text[self._at + 1 : self._at + 2] == "/":
                self._end_tag()
            else:
                self._start_tag()
        if self._open:
            self._fail(f'Can\'t find end tag corresponding to start tag "{self._open[-1].tag}"')
        return "".join(self._out), self._entities

    def _emit(self, piece: str) -> None:
        self._out.append(piece)
        self._length += utf16_length(piece)

    def _fail(self, text: str) -> None:
        raise bad_request(f"can't parse entities: {text}")

    def _byte(self, at: int) -> int:
        return len(self._text[:at].encode())

    def _character(self) -> str:
        """The next character, a reference such as `&lt;` decoded; unknown references stay as they are."""
        match = _REFERENCE.match(self._text, self._at) if self._text[self._at] == "&" else None
        if match is None:
            self._at += 1
            return self._text[self._at - 1]
        name = match[1]
        if name[0] != "#":
            decoded = _NAMED[name]
        else:
            code = int(f"0{name[1:]}", 16) if name[1] == "x" else int(name[1:])
            decoded = chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else match[0]
        self._at = match.end()
        return decoded

    def _start_tag(self) -> None:
        begin = self._at
        match = re.compile(r"<([^\s>]*)").match(self._text, begin)
        name = match[1].lower() if match else ""
        self._at = begin + 1 + len(name)
        if self._at >= len(self._text):
            self._fail(f"Unclosed start tag at byte offset {self._byte(begin)}")
        if name not in _TAGS:
            self._fail(f'Unsupported start tag "{name}" at byte offset {self._byte(begin)}')
        attributes = self._attributes(name, begin)
        argument = attributes.get("href", "") if name == "a" else ""
        if name == "span" and attributes.get("class") != "tg-spoiler":
            self._fail(f'Tag "span" must have class "tg-spoiler" at byte offset {self._byte(begin)}')
        if name == "tg-emoji":
            argument = attributes.get("emoji-id", "")
        if name == "code" and attributes.get("class", "").startswith("language-"):
            argument = attributes["class"].removeprefix("language-")
        if name == "blockquote" and "expandable" in attributes:
            argument = "expandable"
        self._open.append(_Open(name, argument, self._length, len(self._out)))

    def _attributes(self, tag: str, begin: int) -> dict[str, str]:
        found: dict[str, str] = {}
        while True:
            self._skip_space()
            if self._at >= len(self._text):
                self._fail(f"Unclosed start tag at byte offset {self._byte(begin)}")
            if self._text[self._at] == ">":
                self._at += 1
                return found
            name = self._take(lambda letter: not letter.isspace() and letter not in "=>")
            if not name:
                self._fail(f'Empty attribute name in the tag "{tag}" at byte offset {self._byte(begin)}')
            self._skip_space()
            if self._text[self._at : self._at + 1] == "=":
                self._at += 1
                self._skip_space()
                found[name.lower()] = self._attribute_value(begin)
            else:
                found[name.lower()] = ""

    def _attribute_value(self, begin: int) -> str:
        quote = self._text[self._at : self._at + 1]
        if quote not in ('"', "'"):
            value = self._take(lambda letter: letter.isalnum() or letter in ".-")
            if self._at >= len(self._text) or not (
                self._text[self._at].isspace() or self._text[self._at] == ">"
            ):
                self._fail(f"Unexpected end of name token at byte offset {self._byte(self._at)}")
            return value
        self._at += 1
        letters: list[str] = []
        while self._at < len(self._text) and self._text[self._at] != quote:
            letters.append(self._character())
        if self._at >= len(self._text):
            self._fail(f"Unclosed start tag at byte offset {self._byte(begin)}")
        self._at += 1
        return "".join(letters)

    def _end_tag(self) -> None:
        begin = self._at
        if not self._open:
            self._fail(f"Unexpected end tag at byte offset {self._byte(begin)}")
        self._at += 2
        name = self._take(lambda letter: not letter.isspace() and letter != ">").lower()
        self._skip_space()
        if self._text[self._at : self._at + 1] != ">":
            self._fail(f"Unclosed end tag at byte offset {self._byte(begin)}")
        opened = self._open.pop()
        if name and name != opened.tag:
            expected = f'expected "</{opened.tag}>", found "</{name}>"'
            self._fail(f"Unmatched end tag at byte offset {self._byte(begin)}, {expected}")
        self._at += 1
        self._close(opened)

    def _close(self, opened: _Open) -> None:
        length = self._length - opened.start
        if not length:
            return
        entity: Entity = {"offset": opened.start, "length": length, "type": _TAGS[opened.tag]}
        if opened.tag == "a":
            url = opened.argument or "".join(self._out[opened.pieces :])
            if not (link := _link(url)):
                return
            entity["url"] = link
        elif opened.tag == "tg-emoji":
            entity["custom_emoji_id"] = opened.argument
        elif opened.argument == "expandable":
            entity["type"] = "expandable_blockquote"
        elif opened.tag == "code" and opened.argument:
            if not self._open or self._open[-1].tag != "pre":
                self._entities.append(entity)
                return
            self._open[-1].argument = opened.argument
            return
        elif opened.tag == "pre" and opened.argument:
            entity["language"] = opened.argument
        self._entities.append(entity)

    def _skip_space(self) -> None:
        self._take(str.isspace)

    def _take(self, wanted: Any) -> str:
        start = self._at
        while self._at < len(self._text) and wanted(self._text[self._at]):
            self._at += 1
        return self._text[start : self._at]


def _link(url: str) -> str:
    """The address as Telegram returns it, or an empty string when it takes it for no address."""
    if re.fullmatch(r"(?:https?|tg|ton)://[^\s]+", url, re.IGNORECASE):
        return url if "/" in url.split("://", 1)[1] or not url.lower().startswith("http") else url + "/"
    return (
        f"http://{url}" + ("" if "/" in url else "/") if re.fullmatch(r"[\w-]+(?:\.[\w-]+)+\S*", url) else ""
    )


def _check_entities(text: str, entities: list[Any]) -> list[Entity]:
    """The given entities that Telegram keeps. Raises: BotApiError when one does not fit the text."""
    total = utf16_length(text)
    kept: list[Entity] = []
    for given in entities:
        if not isinstance(given, dict):
            raise bad_request("can't parse entities: expected an Object")
        offset, length, kind = given.get("offset"), given.get("length"), given.get("type")
        if type(offset) is not int or type(length) is not int:
            raise bad_request("can't parse entities: field must be of type Number")
        if not isinstance(kind, str) or kind not in _FORMATS | _FOUND_BY_SERVER:
            raise bad_request("can't parse entities: unsupported type specified")
        if kind in _FOUND_BY_SERVER:
            continue
        if offset < 0 or length < 0 or offset + length > total:
            raise bad_request(
                f"entity beginning at UTF-16 offset {offset} ends after the end of the text at UTF-16 offset {total}"
            )
        if length:
            kept.append(_clean_entity(given, kind))
    return kept


def _clean_entity(given: dict[str, Any], kind: str) -> Entity:
    entity: Entity = {"offset": given["offset"], "length": given["length"], "type": kind}
    extra = _EXTRA_KEYS.get(kind)
    value = given.get(extra) if extra else None
    if kind == "text_link":
        if not isinstance(value, str) or not (link := _link(value)):
            raise bad_request("can't parse entities: unsupported URL specified")
        entity["url"] = link
    elif extra and value:
        entity[extra] = value
    return entity


def _trim(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Take spaces off both ends and move the entities along; what becomes empty goes."""
    ahead = utf16_length(text) - utf16_length(text.lstrip())
    text = text.strip()
    total = utf16_length(text)
    kept = []
    for entity in entities:
        start = max(entity["offset"] - ahead, 0)
        end = min(entity["offset"] + entity["length"] - ahead, total)
        if end > start:
            kept.append({**entity, "offset": start, "length": end - start})
    return text, kept


def _detect(text: str, given: list[Entity]) -> list[Entity]:
    """Addresses, mentions, commands and tags that Telegram marks by itself, outside links and code."""
    taken = [
        (one["offset"], one["offset"] + one["length"])
        for one in given
        if one["type"] in ("code", "pre", "text_link", "text_mention", "custom_emoji")
    ]
    found: list[Entity] = []
    for kind, pattern in _DETECTED:
        for match in pattern.finditer(text):
            word = match[0].rstrip(".,!?:;)") if kind == "url" else match[0]
            start = utf16_length(text[: match.start()])
            end = start + utf16_length(word)
            if all(end <= left or start >= right for left, right in taken):
                taken.append((start, end))
                found.append({"offset": start, "length": end - start, "type": kind})
    return found

"""Names of files: cleaned when they come in, quoted when they go out in a header."""

from __future__ import annotations

import re
from urllib.parse import quote

from parley.kit.text import clean_name
from parley.media.sniffing import EXTENSIONS

MAX_NAME = 200
"""Characters of a file's name."""

_MAX_EXTENSION = 16
# What no file system takes, beside separators; and signs that are not seen but change what is.
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_UNSEEN = re.compile(r"[\u061c\u00ad\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def clean_file_name(name: str, content_type: str) -> str:
    """Return a name that is only a name: no path, controls or direction overrides, at most `MAX_NAME` characters.

    Never empty: what has no name is called ``file``, and what has no ending gets that of its type.
    """
    last = _UNSEEN.sub("", name.replace("\\", "/")).rstrip("/ ").rsplit("/", 1)[-1]
    last = clean_name(_FORBIDDEN.sub("_", last), limit=10_000).strip(". ")
    stem, dot, extension = last.rpartition(".")
    if not dot or not stem or len(extension) > _MAX_EXTENSION:
        stem, extension = last, EXTENSIONS.get(content_type, ("",))[0]
    ending = f".{extension}" if extension else ""
    return (stem[: MAX_NAME - len(ending)].strip(". ") or "file") + ending


def match_extension(name: str, content_type: str) -> str:
    """Return the name with an ending that its type has, for types that are shown."""
    endings = EXTENSIONS.get(content_type)
    if endings is None or name.rpartition(".")[2].lower() in endings:
        return name
    return f"{name[: MAX_NAME - 1 - len(endings[0])]}.{endings[0]}"


def format_disposition(disposition: str, name: str) -> str:
    """Return the value of Content-Disposition: RFC 6266 with the name as RFC 8187, all but letters and digits encoded."""
    return f"{disposition}; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"

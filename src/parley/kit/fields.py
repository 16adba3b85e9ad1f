"""Fields: the values an embedding application keeps beside an actor, a conversation or a message."""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from parley.kit.errors import Malformed, TooLarge

SIZE_LIMIT_BYTES = 8 * 1024
"""All fields of one thing, as JSON."""
COUNT_LIMIT = 50
DEPTH_LIMIT = 5
"""Lists and objects within each other; the fields themselves are the first."""
NUMBER_LIMIT = 2**53
"""Beyond it programs of other languages do not read the number that was written."""

_KEY = re.compile(r"[A-Za-z0-9_]{1,100}")
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def require_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields if they can be kept: names of letters, digits and `_`, values of JSON within the limits.

    Raises: Malformed, TooLarge.
    """
    if len(fields) > COUNT_LIMIT:
        raise Malformed(f"At most {COUNT_LIMIT} fields are kept.", fields=f"{len(fields)} were given")
    for key, value in fields.items():
        if not _KEY.fullmatch(key):
            raise Malformed("A field's name is letters, digits and _.", fields=key[:100])
        _require_value(key, value, DEPTH_LIMIT - 1)
    size_bytes = len(msgspec.json.encode(fields))
    if size_bytes > SIZE_LIMIT_BYTES:
        raise TooLarge(f"Fields take at most {SIZE_LIMIT_BYTES} bytes of JSON.", size_bytes=size_bytes)
    return fields


def _require_value(key: str, value: Any, depth: int) -> None:
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise Malformed("A field's text holds what cannot be stored.", fields=key)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value) or abs(value) > NUMBER_LIMIT:
            raise Malformed("A field's number is too large.", fields=key)
    elif isinstance(value, dict | list):
        if depth == 0:
            raise Malformed("A field is nested too deep.", fields=key)
        if isinstance(value, dict):
            for name in value:
                _require_value(key, name, 0)
        for inner in value.values() if isinstance(value, dict) else value:
            _require_value(key, inner, depth - 1)

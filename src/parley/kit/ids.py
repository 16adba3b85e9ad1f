"""Identifiers: UUIDv7 in the database, ``msg_...`` in the API.

The public form is the prefix, an underscore and the 16 bytes in Crockford base32, lower case, 26 characters.
It sorts by time as the UUID does.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from uuid import UUID

from parley.kit.errors import Malformed

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {char: value for value, char in enumerate(_ALPHABET)}
_LENGTH = 26
_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """Return a new UUIDv7 (RFC 9562), strictly growing within this process."""
    global _last
    with _lock:
        # 48 bits of milliseconds, then 12 bits of their fraction: a counter that time pushes forward.
        stamp = time.time_ns() * 4096 // 1_000_000
        _last = stamp if stamp > _last else _last + 1
        high = _last
    value = (high >> 12) << 80 | 0x7 << 76 | (high & 0xFFF) << 64
    value |= 0b10 << 62 | int.from_bytes(os.urandom(8)) >> 2
    return uuid.UUID(int=value)


def public_id(prefix: str, value: UUID) -> str:
    """Return the API's form of an id, such as ``msg_01k...``."""
    number = value.int
    chars = []
    for _ in range(_LENGTH):
        chars.append(_ALPHABET[number & 31])
        number >>= 5
    return f"{prefix}_{''.join(reversed(chars))}"


def parse_id(prefix: str, text: str) -> UUID:
    """Return the UUID of an API id.

    Raises: Malformed when the prefix or the shape is another.
    """
    head, _, tail = text.partition("_")
    if head != prefix or len(tail) != _LENGTH:
        raise Malformed(f"An id of the form {prefix}_... is expected.", expected=prefix)
    number = 0
    for char in tail:
        value = _VALUES.get(char)
        if value is None:
            raise Malformed(f"An id of the form {prefix}_... is expected.", expected=prefix)
        number = number << 5 | value
    if number >> 128:
        raise Malformed(f"An id of the form {prefix}_... is expected.", expected=prefix)
    return UUID(int=number)

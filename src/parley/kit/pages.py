"""Opaque page cursors: a short JSON list, base64url, for lists that are read page by page."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from typing import Any, Generic, TypeVar

import msgspec

from parley.kit.errors import Malformed

T = TypeVar("T")
MAX_PAGE = 100
"""Items in one page at the most."""


class Page(msgspec.Struct, Generic[T]):
    """One page: its items, and the cursor of the next page or null at the end."""

    items: list[T]
    next: str | None = None


def encode_cursor(*parts: Any) -> str:
    """Return the cursor that carries these JSON values."""
    return base64.urlsafe_b64encode(msgspec.json.encode(parts)).rstrip(b"=").decode()


def decode_cursor(text: str, *types: type) -> list[Any]:
    """Return the values of a cursor made by :func:`encode_cursor`, checked by type.

    Raises: Malformed when the text is not such a cursor.
    """
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        parts = msgspec.json.decode(raw, type=list[Any])
        if len(parts) != len(types):
            raise Malformed("This is not a cursor of this list.", cursor=text[:80])
        return [_check(msgspec.convert(part, kind)) for part, kind in zip(parts, types, strict=True)]
    except (binascii.Error, ValueError, OverflowError, RecursionError, msgspec.DecodeError) as error:
        raise Malformed("This is not a cursor of this list.", cursor=text[:80]) from error


def _check(value: Any) -> Any:
    """Return the value if the database can compare with it. Raises: ValueError, OverflowError."""
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise ValueError("a moment without a zone")
        return value.astimezone(dt.UTC)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("a number beyond 64 bits")
    if isinstance(value, str) and "\0" in value:
        raise ValueError("a text with NUL")
    return value

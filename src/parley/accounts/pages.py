"""Cursors of lists ordered by id."""

from __future__ import annotations

from uuid import UUID

from parley.kit.pages import decode_cursor


def read_after(cursor: str | None) -> UUID | None:
    """Return the id after which a page begins, None for the first page. Raises: Malformed."""
    if cursor is None:
        return None
    (last,) = decode_cursor(cursor, UUID)
    assert isinstance(last, UUID)
    return last

"""Cursors: what goes in comes out; everything else is malformed."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.kit.errors import Malformed
from parley.kit.pages import decode_cursor, encode_cursor

moments = st.datetimes(
    min_value=dt.datetime(2, 1, 1),  # noqa: DTZ001 - the zone is given below
    max_value=dt.datetime(9998, 1, 1),  # noqa: DTZ001
    timezones=st.just(dt.UTC),
)


@given(
    moments,
    st.uuids(),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")),
    st.integers(-(2**63), 2**63 - 1),
)
def test_a_cursor_comes_back_as_it_went(moment: dt.datetime, key: UUID, text: str, number: int) -> None:
    cursor = encode_cursor(moment, key, text, number)
    assert decode_cursor(cursor, dt.datetime, UUID, str, int) == [moment, key, text, number]
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_a_cursor_or_malformed(text: str) -> None:
    for types in ((UUID,), (dt.datetime, UUID), (int,), ()):
        try:
            values = decode_cursor(text, *types)
        except Malformed:
            continue
        assert len(values) == len(types)


@pytest.mark.parametrize(
    ("cursor", "types"),
    [
        (encode_cursor("a\0"), (str,)),  # PostgreSQL stores none
        (encode_cursor("2026-01-01T00:00:00"), (dt.datetime,)),  # no zone
        (encode_cursor("0001-01-01T00:00:00+14:00"), (dt.datetime,)),  # before the first day, in UTC
        (encode_cursor(2**63), (int,)),
        (encode_cursor(1), (str,)),
        (encode_cursor(1, 2), (int,)),
        (encode_cursor(), (int,)),
        (encode_cursor({"a": 1}), (int,)),
        ("W" * 200_000, (int,)),
    ],
)
def test_values_that_no_list_can_continue_from_are_malformed(cursor: str, types: Any) -> None:
    with pytest.raises(Malformed):
        decode_cursor(cursor, *types)

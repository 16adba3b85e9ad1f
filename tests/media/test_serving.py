"""Ranges: the arithmetic of RFC 9110, section 14."""

from __future__ import annotations

import pytest

from parley.media.serving import is_known, parse_range


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        (None, 100, None),
        ("bytes=0-99", 100, (0, 100)),
        ("bytes=0-0", 100, (0, 1)),
        ("bytes=99-99", 100, (99, 100)),
        ("bytes=10-", 100, (10, 100)),
        ("bytes=-10", 100, (90, 100)),
        ("bytes=-1000", 100, (0, 100)),
        ("bytes=50-1000", 100, (50, 100)),
        ("bytes=100-", 100, "unsatisfiable"),
        ("bytes=100-200", 100, "unsatisfiable"),
        ("bytes=-0", 100, "unsatisfiable"),
        ("bytes=0-", 0, "unsatisfiable"),
        ("bytes=-5", 0, "unsatisfiable"),
        ("bytes=20-10", 100, None),
        ("bytes=-", 100, None),
        ("bytes=0-1,5-6", 100, None),
        ("bytes=a-b", 100, None),
        ("bytes=\u0661-", 100, None),
        ("items=0-1", 100, None),
        ("bytes=" + "9" * 40 + "-", 100, None),
    ],
)
def test_a_range_is_read(header: str | None, size: int, expected: object) -> None:
    assert parse_range(header, size) == expected


def test_a_tag_is_known_by_any_of_the_forms_a_client_sends() -> None:
    assert is_known('"a", W/"b"', '"b"')
    assert is_known("*", '"b"')
    assert not is_known('"a"', '"b"')
    assert not is_known(None, '"b"')

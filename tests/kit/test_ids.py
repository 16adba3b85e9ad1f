"""Identifiers: there and back, in order of time, and nothing else is taken for one."""

from __future__ import annotations

import threading
import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.kit.errors import Malformed
from parley.kit.ids import parse_id, public_id, uuid7


@given(st.uuids())
def test_an_id_comes_back_as_it_went(value: UUID) -> None:
    public = public_id("msg", value)
    assert parse_id("msg", public) == value
    assert len(public) == 30
    assert public == public.lower()


@given(st.uuids(), st.uuids())
def test_the_public_form_sorts_as_the_id_does(one: UUID, other: UUID) -> None:
    assert (public_id("x", one) < public_id("x", other)) == (one < other)


@given(st.text(max_size=40))
def test_whatever_parses_is_the_one_form_of_its_id(text: str) -> None:
    for candidate in (text, f"msg_{text}", f"msg_{text[:26].ljust(26, '0')}"):
        try:
            value = parse_id("msg", candidate)
        except Malformed:
            continue
        assert public_id("msg", value) == candidate


@pytest.mark.parametrize(
    "text",
    [
        "", "_", "msg", "msg_", "msg_" + "0" * 25, "msg_" + "0" * 27, "cnv_" + "0" * 26, "MSG_" + "0" * 26,
        "msg_" + "A" * 26, "msg_" + "i" * 26, "msg_" + "l" * 26, "msg_" + "o" * 26, "msg_" + "u" * 26,
        "msg_8" + "0" * 25, "msg_" + "z" * 26, "msg_" + "٠" * 26, "msg_" + "0" * 25 + "\n", " msg_" + "0" * 26,
        "msg_" + "\x00" * 26, "01234567-89ab-7def-8123-456789abcdef",
    ],
)  # fmt: skip
def test_hostile_ids_are_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_id("msg", text)


def test_the_largest_id_is_the_last_that_parses() -> None:
    assert parse_id("msg", "msg_7" + "z" * 25) == UUID(int=2**128 - 1)


def test_new_ids_grow_strictly_even_from_many_threads() -> None:
    made: list[list[UUID]] = [[] for _ in range(4)]

    def make(into: list[UUID]) -> None:
        for _ in range(5000):
            into.append(uuid7())

    threads = [threading.Thread(target=make, args=(into,)) for into in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(ids == sorted(ids) for ids in made)
    assert len({value for ids in made for value in ids}) == 20_000


def test_a_new_id_is_a_uuid7_of_this_moment() -> None:
    before = time.time_ns() // 1_000_000
    value = uuid7()
    after = time.time_ns() // 1_000_000
    assert (value.version, value.variant) == (7, "specified in RFC 4122")
    assert before <= value.int >> 80 <= after + 1

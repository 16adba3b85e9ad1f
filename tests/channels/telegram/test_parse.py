"""Recorded updates become exactly these events, and nothing but BadUpdate comes of bad ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.channels.contract import BadUpdate, Ignored, IncomingEdit, IncomingMessage, Parsed
from parley.channels.telegram.parse import parse_update, split_batch, split_update

CASES = sorted((Path(__file__).parent / "updates").glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return case


def encoded(update: Any) -> bytes:
    return json.dumps(update).encode()


def update_of(**fields: Any) -> bytes:
    message = {
        "message_id": 41,
        "date": 1_790_000_000,
        "chat": {"id": 7, "type": "private", "first_name": "Ira"},
        "from": {"id": 7, "is_bot": False, "first_name": "Ira"},
        "text": "hi",
    }
    return encoded({"update_id": 1, "message": {**message, **fields}})


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_recorded_update_becomes_the_expected_events(path: Path) -> None:
    case = read(path)
    parsed = parse_update(encoded(case["update"]))
    assert [msgspec.to_builtins(one) for one in parsed] == case["expected"]
    assert msgspec.json.decode(msgspec.json.encode(parsed), type=list[Parsed]) == parsed


def test_the_recordings_hold_every_kind_of_event() -> None:
    kinds = {one["type"] for path in CASES for one in read(path)["expected"]}
    assert kinds == {"message", "edit", "reach", "ignored"}


@pytest.mark.parametrize(
    ("name", "lane"),
    [
        ("text", "700100"),
        ("edit", "700100"),
        ("blocked", "700100"),
        ("ignored_group", "-100777"),
        ("ignored_channel_post", "-100778"),
        ("ignored_callback", "700100"),
        ("ignored_inline_query", ""),
        ("ignored_unknown_kind", ""),
    ],
)
def test_the_lane_is_the_chat(name: str, lane: str) -> None:
    body = encoded(read(Path(__file__).parent / "updates" / f"{name}.json")["update"])
    (part,) = split_update(body)
    assert (part.lane, part.body) == (lane, body)


def test_two_edits_within_a_second_differ_and_a_repeat_does_not() -> None:
    def revision(text: str) -> str:
        message = json.loads(update_of(text=text, edit_date=1_790_000_060))["message"]
        (edit,) = parse_update(encoded({"update_id": 2, "edited_message": message}))
        assert isinstance(edit, IncomingEdit)
        return edit.revision

    assert revision("one") != revision("two")
    assert revision("one") == revision("one")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", ""),
        (b"null", ""),
        (b"[]", ""),
        (b"{", ""),
        (b"\xff\xfe", ""),
        (b"{}", "update_id"),
        (b'{"update_id":"1","message":{}}', "message"),
        (b'{"message":{"chat":{"id":1}}}', "update_id"),
        (b'{"update_id":1,"message":[]}', "message"),
        (b'{"update_id":1,"message":null}', "message"),
        (update_of(chat=7), "message.chat"),
        (update_of(chat={"id": "7", "type": "private"}), "message.chat.id"),
        (update_of(chat={"id": 2**60, "type": "private"}), "message.chat.id"),
        (update_of(chat={"id": 7}), "message.chat"),
        (update_of(message_id=None), "message.message_id"),
        (update_of(date=-1), "message.date"),
        (update_of(date=10**15), "message.date"),
        (update_of(date=1.5), "message.date"),
        (update_of(text=["hi"]), "message.text"),
        (update_of(entities={"0": 1}), "message.entities"),
        (update_of(entities=[{"type": "bold", "offset": "0", "length": 1}]), "message.entities[0].offset"),
        (update_of(photo=[{"width": 1}]), "message.photo[0]"),
        (update_of(document={"file_id": 5}), "message.document.file_id"),
        (update_of(text=None, location={"latitude": 91, "longitude": 0}), "message.location.latitude"),
        (b'{"update_id":1,"message":' + b"[" * 100_000 + b"]" * 100_000 + b"}", ""),
        (b'{"update_id":1,"my_chat_member":{}}', "my_chat_member"),
        (b'{"update_id":1,"edited_message":{}}', "edited_message"),
        (b'{"update_id":1,"message":{"text":"\\ud800"}}', None),
    ],
)
def test_a_misshapen_update_is_refused_with_its_place(body: bytes, path: str | None) -> None:
    with pytest.raises(BadUpdate) as caught:
        parse_update(body)
    if path is not None:
        assert caught.value.fields["path"] == path


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[1]", b'{"update_id":true}', b'{"update_id":1,"message":{"chat":{"id":"x"}}}', b"\xff"],
)
def test_a_body_without_number_or_with_a_foreign_chat_is_not_split(body: bytes) -> None:
    with pytest.raises(BadUpdate):
        split_update(body)


def test_a_deeply_nested_update_meets_no_recursion_limit() -> None:
    deep = b'{"update_id":1,"message":{"chat":{"id":1},"x":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_002
    for read_it in (split_update, parse_update):
        with pytest.raises(BadUpdate):
            read_it(deep)


def test_a_poll_keeps_what_it_cannot_read_and_goes_on() -> None:
    good = update_of()
    bad = b'{"update_id":5,"message":{"chat":"x"}}'
    parts, offset = split_batch([good, bad, b"[]"])
    assert [(part.lane, part.body) for part in parts] == [("7", good), ("", bad), ("", b"[]")]
    assert offset == 6
    assert split_batch([]) == ([], None)


# ---------------------------------------------------------------- whatever comes

_KEYS = sorted(
    {key for path in CASES for key in json.dumps(read(path)["update"]).split('"')[1::2] if key.isidentifier()}
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["private", "bold", "kicked", "member", "text_link", "user"])
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6),
    max_leaves=25,
)


def _reads_or_refuses(body: bytes) -> None:
    for read_it in (split_update, parse_update):
        try:
            result: Any = read_it(body)
        except BadUpdate as error:
            assert error.fields.keys() == {"path"}  # noqa: PT017 - it may also be read
        else:
            msgspec.json.encode(result)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    _reads_or_refuses(body)


@given(st.sampled_from(["message", "edited_message", "my_chat_member", "inline_query"]), _JSON)
def test_any_json_is_read_or_refused(kind: str, value: Any) -> None:
    _reads_or_refuses(encoded({"update_id": 1, kind: value}))


@given(st.data())
@settings(max_examples=300)
def test_a_recorded_update_with_anything_changed_is_read_or_refused(data: st.DataObject) -> None:
    update = read(data.draw(st.sampled_from(CASES)))["update"]
    place = update
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.integers(0, 3)) == 0:
            break
        place = place[key]
    place[key] = data.draw(_JSON)
    _reads_or_refuses(encoded(update))


@given(
    st.text(max_size=40),
    st.lists(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["bold", "italic", "code", "pre", "text_link", "url", "odd"]),
                "offset": st.integers(-2, 50),
                "length": st.integers(-2, 50),
            },
            optional={
                "url": st.text(max_size=20) | st.just("https://example.org"),
                "language": st.text(max_size=5),
            },
        ),
        max_size=8,
    ),
)
def test_received_formatting_always_lies_within_the_text_and_nests(text: str, entities: list[Any]) -> None:
    (parsed,) = parse_update(update_of(text=text, entities=entities))
    if not isinstance(parsed, IncomingMessage):
        assert isinstance(parsed, Ignored)
        return
    size = len(parsed.text.encode("utf-16-le")) // 2
    spans = [(one.offset, one.offset + one.length) for one in parsed.entities]
    assert all(0 <= begin < end <= size for begin, end in spans)
    for a, b in spans:
        assert not any(a < c < b < d for c, d in spans)
